"""What operations of newbank work with beside the common things: keys and book; and what a request is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sandbox import frame
from sandbox.newbank.keys import NewbankKeys
from sandbox.newbank.orders import Book

Members = dict[str, str]


@dataclass(kw_only=True)
class World(frame.World):
    """The bank's side of the table."""

    keys: NewbankKeys
    book: Book


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """
    One operation.

    Attributes:
        path: Below the base URL.
        operation: As fault rules name it.
        needs: Members it cannot do without, beside merchant_no and out_trade_no.
    """

    path: str
    operation: str
    needs: tuple[str, ...]
    run: "Run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One admitted request: its members, and where they lead."""

    content: Mapping[str, str] = field(repr=False)
    route: Route


Run = Callable[[World, Call], Members]
