"""
What stands before the calls of one merchant account: a breaker, a bulkhead, a rate limit.

A provider that is known to be dead is asked now and then by one call alone, so that it costs nobody else a thread or a
time-out. Each process keeps its own gates: they forget at its end, and nothing depends on their memory.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from gateway.domain.clock import Clock
from gateway.domain.provider import ProviderUnavailable

FAILURES_TO_OPEN: Final = 8
"""Failed calls in a row: more than the tries of one unlucky payment, fewer than a minute of a busy day."""

OPEN_PAUSES: Final[Sequence[int]] = (5, 10, 20, 40, 60)
"""Seconds until one call may try again, after each failed trial; the last is kept."""


class BreakerState(StrEnum):
    """CLOSED: calls flow. OPEN: none may pass. HALF_OPEN: one call is under way to see whether the provider is back."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateLimits:
    """
    What one account may do at once, per process.

    Attributes:
        calls_max: Calls under way.
        calls_per_second: On the average over a second; None is without limit.
    """

    calls_max: int = 64
    calls_per_second: int | None = None


class Gate:
    """One account's gate; safe to use from many threads. Every `enter` that returns is followed by one `leave`."""

    def __init__(self, clock: Clock, limits: GateLimits) -> None:
        self._clock = clock
        self._limits = limits
        self._lock = threading.Lock()
        self._under_way = 0
        self._failures = 0
        self._openings = 0
        self._opens_until: datetime | None = None
        self._trial = False
        self._tokens = float(limits.calls_per_second or 0)
        self._counted_at = clock.now()

    @property
    def state(self) -> BreakerState:
        with self._lock:
            if self._trial:
                return BreakerState.HALF_OPEN
            return BreakerState.CLOSED if self._opens_until is None else BreakerState.OPEN

    def enter(self) -> None:
        """
        Ask to make a call now.

        Raises:
            ProviderUnavailable: Not now; nothing was sent.
        """
        with self._lock:
            now = self._clock.now()
            if self._opens_until is not None and (self._trial or now < self._opens_until):
                raise ProviderUnavailable("the provider fails; it is asked again soon", code="breaker_open")
            if self._under_way >= self._limits.calls_max:
                raise ProviderUnavailable("too many calls to the provider are under way", code="bulkhead_full")
            self._take_token(now)
            self._trial = self._opens_until is not None
            self._under_way += 1

    def leave(self, *, answered: bool) -> None:
        """The call is over; `answered` is False for time-outs, resets, refused connections and 5xx."""
        with self._lock:
            self._under_way -= 1
            was_trial, self._trial = self._trial, False
            if answered:
                self._failures, self._openings, self._opens_until = 0, 0, None
                return
            self._failures += 1
            if was_trial or (self._opens_until is None and self._failures >= FAILURES_TO_OPEN):
                pause = OPEN_PAUSES[min(self._openings, len(OPEN_PAUSES) - 1)]
                self._openings += 1
                self._opens_until = self._clock.now() + timedelta(seconds=pause)

    def _take_token(self, now: datetime) -> None:
        """A bucket that holds one second's calls and fills evenly; a clock set back fills nothing."""
        rate = self._limits.calls_per_second
        if rate is None:
            return
        passed = max((now - self._counted_at).total_seconds(), 0.0)
        self._counted_at = now
        self._tokens = min(self._tokens + passed * rate, float(rate))
        if self._tokens < 1:
            raise ProviderUnavailable("the account's own rate limit is reached", code="rate_limit")
        self._tokens -= 1
