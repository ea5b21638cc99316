"""What every UnionPay operation works with: identities, clock, book, keys of the platform, and the courier."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from sandbox.callbacks import Courier
from sandbox.certificates import certificate_of
from sandbox.clock import SandboxClock
from sandbox.faults import Fault, FaultBoard
from sandbox.keyring import UNIONPAY_SIGN_NAME, Keyring, new_rsa_key
from sandbox.unionpay.orders import Book
from sandbox.unionpay.signing import Signer

PROVIDER: Final = "unionpay"
OTHER_MERCHANT_NAME: Final = "041@Z2020-01-01@777999900000002:SIGN@00000002"
"""Common name of somebody else's certificate under the same authority. Source: sheet section 3, CN shapes."""


@dataclass(kw_only=True)
class World:
    """The provider's side of the table. Operations change `book` under the simulator's lock."""

    keyring: Keyring
    clock: SandboxClock
    faults: FaultBoard
    courier: Courier
    book: Book
    root_url: str
    refund_seconds: float
    signers: list[Signer]
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def signer(self) -> Signer:
        """The newest certificate signs."""
        return self.signers[-1]

    @cached_property
    def stranger(self) -> Signer:
        """A certificate outside the chain: its issuer has the middle's name and another key."""
        keys = self.keyring.unionpay
        return Signer(certificate=keys.stranger_certificate, private_key=keys.stranger_private_key)

    @cached_property
    def other_merchant(self) -> Signer:
        """A certificate of the chain that is not UnionPay's own."""
        return self._issued(OTHER_MERCHANT_NAME)

    def next_signer(self) -> Signer:
        """A new platform certificate of another key, from the same issuer."""
        return self._issued(UNIONPAY_SIGN_NAME)

    def fault(self, fault: Fault, *, operation: str, out_trade_no: str) -> bool:
        """True when this fault is to happen now."""
        rule = self.faults.take({fault}, provider=PROVIDER, operation=operation, out_trade_no=out_trade_no)
        return rule is not None

    def _issued(self, name: str) -> Signer:
        key = new_rsa_key()
        certificate = certificate_of(name, key.public_key(), self.keyring.unionpay.middle)
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
