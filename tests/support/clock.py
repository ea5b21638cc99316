"""A clock that is set by hand, and ids that come out the same on every run."""

import itertools
from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 1, 2, 20, 30, 123456, tzinfo=UTC)


class ManualClock:
    """Stands still until it is told to go on."""

    def __init__(self, now: datetime = START) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def advance(self, **amount: float) -> None:
        """Go on by a timedelta's arguments: advance(seconds=10)."""
        self._now += timedelta(**amount)


class SeededIds:
    """
    32 hex digits that sort by time of making; another seed gives other ids.

    Attributes:
        planned: What comes next before the count goes on, for a test that must know a number beforehand.
    """

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._numbers = itertools.count(1)
        self.planned: list[str] = []

    def new(self) -> str:
        return self.planned.pop(0) if self.planned else f"{self._seed:08x}{next(self._numbers):024x}"
