"""The named points at which a process of the gateway can be killed, and the tickets that send one to its point."""

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

PASSAGES_MAX: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """
    Sends the process that takes it to its death.

    Attributes:
        passage: At which passage of the point, counted by the process, from 1.
    """

    role: str
    point: str
    passage: int


def points_of(role: str) -> tuple[str, ...]:
    """Every point of a role, as flow:point."""
    return tuple(f"{flow}:{point}" for flow, points in FLOWS[role].items() for point in points)


ALL_POINTS: Final = (*points_of(WEB), *points_of(WORKER))


def chosen(only: Sequence[str]) -> list[str]:
    """The points whose name contains one of these texts; all without any."""
    return [point for point in ALL_POINTS if not only or any(part in point for part in only)]


def plan(seed: int, rounds: int, only: Sequence[str] = ()) -> list[Ticket]:
    """Each chosen point once in each round, in an order and at a passage that the seed draws."""
    chance = random.Random(f"chaos/{seed}")
    tickets: list[Ticket] = []
    for _ in range(rounds):
        drawn = [
            Ticket(role=role, point=point, passage=chance.randint(1, PASSAGES_MAX))
            for role in FLOWS
            for point in points_of(role)
        ]
        chance.shuffle(drawn)
        tickets += [ticket for ticket in drawn if ticket.point in chosen(only)]
    return tickets


class Box:
    """
    A folder with tickets: files whose name tells where each one stands, so that no process needs a word with another.

    NNNN.due is waiting; NNNN.taken has a process, whose id it holds; NNNN.fired was carried out; NNNN.missed was not
    reached in time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._next = len(list(folder.iterdir()))

    def put(self, ticket: Ticket) -> None:
        """One more at the end of the queue."""
        self._next += 1
        path = self.folder / f"{self._next:04}.new"
        path.write_text(f"{ticket.role} {ticket.point} {ticket.passage}", encoding="ascii")
        path.rename(path.with_suffix(".due"))

    def take(self, pid: int) -> "tuple[Ticket, Path] | None":
        """The first that is due, for this process; two that come at once get two."""
        for path in sorted(self.folder.glob("*.due")):
            taken = path.with_suffix(".taken")
            try:
                path.rename(taken)
            except FileNotFoundError:
                continue
            ticket = read_ticket(taken)
            taken.with_suffix(".pid").write_text(str(pid), encoding="ascii")
            return ticket, taken
        return None

    def states(self, state: str) -> list[Path]:
        return sorted(self.folder.glob(f"*.{state}"))


def read_ticket(path: Path) -> Ticket:
    """What a file of the box says."""
    role, point, passage = path.read_text(encoding="ascii").split()
    return Ticket(role=role, point=point, passage=int(passage))
