"""What every operation of the bank works with beside the common things: keys, book, and the key that signs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import frame
from sandbox.bank_abchina.keys import BankAbchinaKeys
from sandbox.bank_abchina.orders import Book


@dataclass(kw_only=True)
class World(frame.World):
    """The bank's side of the table."""

    keys: BankAbchinaKeys
    book: Book
    renewed: bool = False

    @property
    def signing_key(self) -> rsa.RSAPrivateKey:
        """The one whose certificate has ended, until it is changed."""
        return self.keys.renewed_private_key if self.renewed else self.keys.expired_private_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One admitted request: its TrxRequest, and what it asks for."""

    fields: Mapping[str, Any] = field(repr=False)
    operation: str
    run: "Run"

    def text(self, name: str) -> str:
        """A member of TrxRequest."""
        return str(self.fields.get(name, ""))


Run = Callable[[World, Call], dict[str, str]]
