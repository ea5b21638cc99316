"""Sudden death of the gateway: at any provider call, before or after the provider saw it, and at any commit."""

from typing import Any

from gateway.store.engine import Batch


class Crash(BaseException):
    """The process ends here. Not an Exception, so that nothing in the gateway can catch it."""


class Fate:
    """
    Counts the points at which the gateway can die.

    Attributes:
        dies_at: The point's number, from 1; 0 is never.
        dies_of: The next point of this name; "" is none.
        points: The names of those passed so far.
    """

    def __init__(self) -> None:
        self.dies_at = 0
        self.dies_of = ""
        self.points: list[str] = []

    @property
    def is_sealed(self) -> bool:
        """True when it will die."""
        return bool(self.dies_at or self.dies_of)

    def spare(self) -> None:
        """It lives on."""
        self.dies_at, self.dies_of = 0, ""

    def point(self, name: str) -> None:
        """
        Pass one point.

        Raises:
            Crash: It is this one.
        """
        self.points.append(name)
        if len(self.points) == self.dies_at or name == self.dies_of:
            raise Crash(name)


class CrashingEngine:
    """An engine whose process may die before or after each commit."""

    def __init__(self, inner: Any, fate: Fate) -> None:
        self._inner = inner
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def flush(self, batch: Batch) -> None:
        self._fate.point("before_commit")
        self._inner.flush(batch)
        self._fate.point("after_commit")

    def claim(self, *values: Any, **named: Any) -> Any:
        claimed = self._inner.claim(*values, **named)
        if claimed:
            self._fate.point("tasks_claimed")
        return claimed
