"""What is printed: one row per goal, its ratio beside the floor's own figure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_WIDTHS: Final = (5, 68, 9, 10, 14, 14)
_HEAD: Final = ("id", "what", "goal", "measured", "gateway", "floor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """
    A ratio that we aim at.

    Attributes:
        at_least: True when more is better.
    """

    ratio: float
    at_least: bool

    def __str__(self) -> str:
        return f"{'>=' if self.at_least else '<='} {self.ratio:g}"

    def is_met(self, ratio: float) -> bool:
        return ratio >= self.ratio if self.at_least else ratio <= self.ratio


def at_least(ratio: float) -> Goal:
    """The measured ratio must not be smaller."""
    return Goal(ratio=ratio, at_least=True)


def at_most(ratio: float) -> Goal:
    """The measured ratio must not be larger."""
    return Goal(ratio=ratio, at_least=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """
    One measured ratio.

    Attributes:
        goal: None for a figure that is shown and not judged.
        ours, floor: The two absolute figures behind the ratio, for this machine and minute alone.
    """

    id: str
    what: str
    goal: Goal | None
    ratio: float
    ours: str
    floor: str


def print_head() -> None:
    """The table's first lines."""
    print(_line(_HEAD) + "verdict")
    print("-" * (sum(_WIDTHS) + len("verdict")))


def print_row(row: Row) -> None:
    """One row, and whether it meets its goal."""
    verdict = "-" if row.goal is None else "pass" if row.goal.is_met(row.ratio) else "BELOW"
    goal = "-" if row.goal is None else str(row.goal)
    print(_line((row.id, row.what, goal, f"{row.ratio:.2f}", row.ours, row.floor)) + verdict, flush=True)


def _line(cells: Sequence[str]) -> str:
    return "".join(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=True))


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def median_ratio(ours: Sequence[float], floors: Sequence[float]) -> float:
    """The median of the ratios of pairs that were run one after the other."""
    return statistics.median(one / other for one, other in zip(ours, floors, strict=True))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which this share of all values lies."""
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def microseconds(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def per_second(rate: float) -> str:
    return f"{rate:.0f}/s"
