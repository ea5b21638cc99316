"""What every UnionPay operation works with beside the common things: keys, book, signing certificates."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from sandbox import frame
from sandbox.certificates import certificate_of
from sandbox.keyfiles import new_rsa_key
from sandbox.unionpay.keys import SIGN_NAME, UnionpayKeys
from sandbox.unionpay.orders import Book
from sandbox.unionpay.signing import Signer

OTHER_MERCHANT_NAME: Final = "041@Z2020-01-01@777999900000002:SIGN@00000002"
"""Common name of somebody else's certificate under the same authority. Source: sheet section 3, CN shapes."""


@dataclass(kw_only=True)
class World(frame.World):
    """The provider's side of the table."""

    keys: UnionpayKeys
    book: Book
    signers: list[Signer]

    @property
    def signer(self) -> Signer:
        """The newest certificate signs."""
        return self.signers[-1]

    @cached_property
    def stranger(self) -> Signer:
        """A certificate outside the chain: its issuer has the middle's name and another key."""
        return Signer(certificate=self.keys.stranger_certificate, private_key=self.keys.stranger_private_key)

    @cached_property
    def other_merchant(self) -> Signer:
        """A certificate of the chain that is not UnionPay's own."""
        return self._issued(OTHER_MERCHANT_NAME)

    def next_signer(self) -> Signer:
        """A new platform certificate of another key, from the same issuer."""
        return self._issued(SIGN_NAME)

    def _issued(self, name: str) -> Signer:
        key = new_rsa_key()
        certificate = certificate_of(name, key.public_key(), self.keys.middle)
        return Signer(certificate=certificate, private_key=key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    One operation.

    Attributes:
        place: Where it is posted: the last part of the path, or `filedownload`.
        kind: txnType and txnSubType.
        biz_types: What bizType may be.
        needs: Fields it cannot do without, beside those every message has.
    """

    place: str
    kind: tuple[str, str]
    biz_types: frozenset[str]
    needs: tuple[str, ...]
    operation: str
    run: "Run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One admitted request: its fields, blanks left out, and where they lead."""

    fields: Mapping[str, str] = field(repr=False)
    route: Route

    @property
    def key(self) -> tuple[str, str]:
        """The orderId + txnTime it names."""
        return self.fields.get("orderId", ""), self.fields.get("txnTime", "")


Run = Callable[[World, Call], Any]
