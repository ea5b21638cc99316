"""What simulators are built from: their surroundings, their book of orders, and the world that operations work with."""

import threading
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

from sandbox.callbacks import Courier
from sandbox.clock import SandboxClock
from sandbox.faults import AnyFault, FaultBoard, FaultRule
from sandbox.wire import Post, SandboxFull

ORDERS_MAX: Final = 100_000
GATEWAY_URL: Final = "http://127.0.0.1:8080"

KeyT = TypeVar("KeyT")
OrderT = TypeVar("OrderT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """
    Where a simulator lives.

    Attributes:
        provider: The party's name, under which faults and deliveries go.
        post: How it sends what it sends of its own.
        base_url: Its own address, without a slash at the end; links and signed paths begin with it.
        gateway_url: Where the gateway is, for what was agreed with it beforehand, without a slash at the end.
        refund_seconds: How long a refund is under way.
        orders_max: How many orders it keeps.
    """

    provider: str
    clock: SandboxClock
    faults: FaultBoard
    post: Post
    base_url: str
    gateway_url: str = GATEWAY_URL
    refund_seconds: float = 10
    orders_max: int = ORDERS_MAX

    @property
    def base_path(self) -> str:
        """The path of the base URL, with which every request's path begins."""
        return urlsplit(self.base_url).path

    def courier(
        self,
        *,
        retry_seconds: Sequence[int],
        accepts: Callable[[int, bytes], bool],
        spoils: AbstractSet[AnyFault],
    ) -> Courier:
        """Who delivers this party's callbacks."""
        return Courier(
            provider=self.provider,
            clock=self.clock,
            faults=self.faults,
            post=self.post,
            retry_seconds=retry_seconds,
            accepts=accepts,
            spoils=spoils,
        )


class Book(Generic[KeyT, OrderT]):
    """Every order of one simulator; in memory, bounded, guarded by its lock."""

    def __init__(self, orders_max: int) -> None:
        self.orders: dict[KeyT, OrderT] = {}
        self._orders_max = orders_max
        self._sequence = 0

    def keep(self, key: KeyT, order: OrderT) -> None:
        """
        Keep a new order.

        Raises:
            SandboxFull: As many orders are kept as the sandbox was built for.
        """
        if len(self.orders) >= self._orders_max:
            raise SandboxFull(f"the sandbox holds {self._orders_max} orders and takes no more")
        self.orders[key] = order

    def next_sequence(self) -> int:
        """A number used once."""
        self._sequence += 1
        return self._sequence


@dataclass(kw_only=True)
class World:
    """The provider's side of the table; a simulator adds keys and book. Operations change them under the lock."""

    surroundings: Surroundings = field(repr=False)
    courier: Courier = field(repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @property
    def clock(self) -> SandboxClock:
        """The sandbox's time."""
        return self.surroundings.clock

    @property
    def base_url(self) -> str:
        """Where the simulator is reached."""
        return self.surroundings.base_url

    @property
    def refund_seconds(self) -> float:
        """How long a refund is under way."""
        return self.surroundings.refund_seconds

    def fault(self, *wanted: AnyFault, operation: str, out_trade_no: str = "") -> FaultRule | None:
        """The rule when one of these faults is to happen now."""
        return self.surroundings.faults.take(
            frozenset(wanted), provider=self.surroundings.provider, operation=operation, out_trade_no=out_trade_no
        )
