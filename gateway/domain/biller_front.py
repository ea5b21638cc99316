"""A bank's protocol in biller mode: what a front must offer, so that the core and the edge know nothing of its wire."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from gateway.domain.biller import BillerAsk, BillerOutcome, BillerReason, DayLine, Institution


class NotAdmitted(Exception):
    """The call is not proven to come from the institution, or is too old. Nothing may be written for it."""

    def __init__(self, reason: BillerReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class DayFileRefused(ValueError):
    """A day file that does not hold as a whole: nothing of it is applied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BillerRequest:
    """
    A request as it arrived.

    Attributes:
        path: From our own root on, without what a proxy has put before it, and without a query.
        headers: Names in lower case.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """
    A request that is proven to come from the institution.

    Attributes:
        nonce: To be used once; None where the protocol has none.
        message: What the front has read of it, for the front alone.
        tells_of_money: It says that money has moved, and no answer of ours will bring it back: never to be dropped.
    """

    request: BillerRequest
    nonce: str | None
    message: Any = field(repr=False)
    tells_of_money: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BillerAnswer:
    """The exact bytes that go back. `code` is the protocol's own word for what became of the call, for counting."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    code: str


@runtime_checkable
class BillerFront(Protocol):
    """One institution's side of its protocol. No database, no network; may be called from many threads at once."""

    @property
    def institution(self) -> Institution: ...

    def speaks(self, path: str) -> bool:
        """True for an address of this protocol, whichever institution is meant."""
        ...

    def is_addressed(self, request: BillerRequest) -> bool:
        """True when the request says that it is from this institution. Not a proof."""
        ...

    def body_bytes_max(self, path: str) -> int:
        """The longest body of a call to this address."""
        ...

    def admit(self, request: BillerRequest) -> Admitted:
        """
        Verify, over the raw bytes.

        Raises:
            NotAdmitted: Anything that is not proven, whatever the bytes.
        """
        ...

    def read(self, admitted: Admitted) -> BillerAsk:
        """
        Read a proven request.

        Raises:
            BillerRefused: It cannot be understood.
        """
        ...

    def day_lines(self, content: bytes) -> Iterator[DayLine]:
        """
        The bookings of a day file that `read` found whole, in order.

        Raises:
            DayFileRefused: It is not whole after all.
        """
        ...

    def answer(self, admitted: Admitted, outcome: BillerOutcome, *, answer_no: str) -> BillerAnswer:
        """What a proven call is told. Never raises."""
        ...

    def turn_away(self, request: BillerRequest, reason: BillerReason, *, answer_no: str) -> BillerAnswer:
        """What a call is told that was not admitted, anything it may be. Never raises."""
        ...
