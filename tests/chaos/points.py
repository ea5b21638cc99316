"""The named points at which a process of the gateway dies or stands still, and the tickets that send one there."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

WEB: Final = "web"
WORKER: Final = "worker"


def _commits(*numbers: int) -> tuple[str, ...]:
    return tuple(f"{side}_commit_{number}" for number in numbers for side in ("before", "after"))


_CALL: Final = ("before_call", "after_call")
_TOLD: Final = (*_commits(1), "before_answer")

FLOWS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    WEB: {
        "open_order": _TOLD,
        "create": (*_commits(1), *_CALL, *_commits(2), "before_answer"),
        "request_refund": _TOLD,
        "request_close": _TOLD,
        "callback": _TOLD,
        "collect": (*_commits(1, 2), "before_answer"),
        "bank": (*_commits(1, 2), "before_answer"),
    },
    WORKER: {
        "claim": ("tasks_claimed",),
        "query": (*_CALL, *_commits(1)),
        "close": (*_CALL, *_commits(1, 2)),
        "close_order": _commits(1, 2),
        "refund": (*_CALL, *_commits(1)),
        "query_refund": (*_CALL, *_commits(1)),
        "match_file": _commits(1),
        "webhook": ("before_post", "after_post", *_commits(1, 2, 3)),
    },
}
"""
By role and flow, what is passed on the way: the n-th commit of a flow's own run, its call to a provider or to an app's
receiver, and the moment when all is committed and the answer, an acknowledgement among them, has not left.
"""

STALLS: Final[Mapping[str, tuple[str, ...]]] = {
    WEB: (
        "create:after_commit_1",
        "create:before_call",
        "create:after_call",
        "create:before_commit_2",
        "create:after_commit_2",
        "callback:before_commit_1",
        "open_order:before_commit_1",
        "request_refund:before_commit_1",
        "request_close:before_commit_1",
    ),
    WORKER: (
        "claim:tasks_claimed",
        "query:before_call",
        "query:after_call",
        "close:after_call",
        "close:before_commit_1",
        "refund:before_call",
        "refund:after_call",
        "query_refund:after_call",
        "webhook:before_commit_1",
        "webhook:after_post",
        "webhook:before_commit_2",
        "webhook:before_commit_3",
    ),
}
"""By role, where a process stands still until its leases have run out; a webhook's third commit settles its task."""

_STALL_LEASES: Final[Mapping[str, tuple[float, float, float]]] = {WEB: (60.0, 1.2, 4.0), WORKER: (120.0, 1.2, 1.6)}
"""By role, the lease in seconds and how many of them a stall lasts; the longest outlast a front end's patience, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """
    Sends a process to its death, or to stand still.

    Attributes:
        passage: At which passage of the point, counted by the process while it has the ticket before its eyes, from 1.
        stall_seconds: How long it stands still, by the machine's time; 0 is death.
    """

    role: str
    point: str
    passage: int
    stall_seconds: float = 0.0


def points_of(role: str) -> tuple[str, ...]:
    """Every point of a role, as flow:point."""
    return tuple(f"{flow}:{point}" for flow, points in FLOWS[role].items() for point in points)


ALL_POINTS: Final = (*points_of(WEB), *points_of(WORKER))


def chosen(only: Sequence[str], points: Sequence[str] = ALL_POINTS) -> list[str]:
    """The points whose name contains one of these texts; all without any."""
    return [point for point in points if not only or any(part in point for part in only)]


def plan(seed: int, passages: int, only: Sequence[str] = ()) -> list[Ticket]:
    """A death at each passage of each chosen point, in an order that the seed draws."""
    tickets = [
        Ticket(role=role, point=point, passage=passage)
        for role in FLOWS
        for point in chosen(only, points_of(role))
        for passage in range(1, passages + 1)
    ]
    random.Random(f"chaos/{seed}").shuffle(tickets)
    return tickets


def stalls(seed: int, times: int, speed: float, only: Sequence[str] = ()) -> list[Ticket]:
    """So many stalls at each chosen point, of lengths that the seed draws, in a run whose time is so much faster."""
    chance = random.Random(f"stalls/{seed}")
    tickets = []
    for role, points in STALLS.items():
        lease, least, most = _STALL_LEASES[role]
        for point in chosen(only, points) * times:
            seconds = lease / speed * chance.uniform(least, most)
            tickets.append(Ticket(role=role, point=point, passage=1, stall_seconds=round(seconds, 1)))
    chance.shuffle(tickets)
    return tickets


class Box:
    """
    A folder with tickets: files whose name tells where each one stands, so that no process needs a word with another.

    NNNN.due waits for whoever comes to its point; NNNN.fired was carried out; NNNN.halted is a process, whose id is in
    NNNN.pid, that stands still; NNNN.woken is over; NNNN.missed was not reached in time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._next = len(list(folder.iterdir()))

    def put(self, ticket: Ticket) -> None:
        """One more at the end of the queue."""
        self._next += 1
        path = self.folder / f"{self._next:04}.new"
        path.write_text(f"{ticket.role} {ticket.point} {ticket.passage} {ticket.stall_seconds}", encoding="ascii")
        path.rename(path.with_suffix(".due"))

    def states(self, state: str) -> list[Path]:
        return sorted(self.folder.glob(f"*.{state}"))

    def tickets(self, state: str) -> list[Ticket]:
        return [read_ticket(path) for path in self.states(state)]


def moved(path: Path, state: str) -> bool:
    """Say where a ticket stands now; False when somebody else was first."""
    try:
        path.rename(path.with_suffix(f".{state}"))
    except FileNotFoundError:
        return False
    return True


def read_ticket(path: Path) -> Ticket:
    """What a file of the box says."""
    role, point, passage, stall = path.read_text(encoding="ascii").split()
    return Ticket(role=role, point=point, passage=int(passage), stall_seconds=float(stall))
