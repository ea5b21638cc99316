"""What every operation of ICBC works with beside the common things: keys and book; and what a request is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import frame
from sandbox.bank_icbc.keys import IcbcKeys
from sandbox.bank_icbc.orders import Book


@dataclass(kw_only=True)
class World(frame.World):
    """The bank's side of the table."""

    keys: IcbcKeys
    book: Book

    @property
    def app_key(self) -> rsa.RSAPublicKey:
        """What the merchant registered for its app."""
        return self.keys.app_private_key.public_key()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    One operation.

    Attributes:
        path: Below the base URL.
        needs: Members of biz_content it cannot do without.
        browser: The payer's browser posts it: parameters stand in the URL, and the answer is a page.
    """

    path: str
    needs: tuple[str, ...]
    operation: str
    run: "Run"
    browser: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One admitted request: the members of its biz_content, and where they lead."""

    content: Mapping[str, str] = field(repr=False)
    route: Route
    msg_id: str
    sealed: bool


Run = Callable[[World, Call], Any]
