"""What every operation works with beside the common things: book, registry and envelopes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sandbox import frame
from sandbox.shared_account import sm
from sandbox.shared_account.envelope import Envelope
from sandbox.shared_account.orders import Book
from sandbox.shared_account.registry import Registry
from sandbox.wire import Json

Data = dict[str, Any]


@dataclass(kw_only=True)
class World(frame.World):
    """
    The platform's side of the table.

    Attributes:
        notify_url: Where callbacks go when a charge names no address; empty means nowhere.
        settle_seconds: How long a charge is under way; 0 settles within the request, None waits for a person.
    """

    book: Book
    registry: Registry
    envelope: Envelope
    notify_url: str
    settle_seconds: float | None

    @cached_property
    def stranger(self) -> sm.Sm2Pair:
        """A key pair that is nobody's."""
        return sm.new_pair()

    def renew(self, own: sm.Sm2Pair) -> None:
        """Another key pair signs from now on."""
        self.envelope = replace(self.envelope, own=own)

    def sealed(self, message: Mapping[str, Any], data: Json | None, **changes: Any) -> Json:
        """Seal at the present time; `changes` are members of the envelope that a fault alters."""
        timestamp = {"timestamp": str(int(self.clock.now().timestamp() * 1000))}
        return replace(self.envelope, **changes).sealed({**message, **timestamp}, data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation: its transType, what its data needs, and what runs it."""

    trans_type: str
    operation: str
    needs: tuple[str, ...]
    run: "Run"


Run = Callable[[World, Data], Data]
