"""
The sandbox's clock and its agenda: everything that happens later (callbacks, retries, refunds) is a job on it.

Frozen, time moves only by `advance`, which runs what falls due, in due order, on the calling thread: no sleeping.
Live, time is the machine's plus what was advanced, and `start` ticks in the background.
"""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

BEIJING: Final = timezone(timedelta(hours=8))
ADVANCE_SECONDS_MAX: Final = 10 * 366 * 86_400
_TICK_SECONDS: Final = 0.05

Job = Callable[[], object]
_log = logging.getLogger(__name__)


class SandboxClock:
    """A clock that can be driven, and the jobs that wait for its time to come."""

    def __init__(self, *, frozen_at: datetime | None = None) -> None:
        """Freeze at an aware instant, or follow the machine's clock when none is given."""
        self._lock = threading.Lock()
        self._frozen_at = frozen_at
        self._offset = timedelta()
        self._agenda: list[tuple[datetime, int, Job]] = []
        self._sequence = itertools.count()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []

    @property
    def frozen(self) -> bool:
        """True when time moves by `advance` alone."""
        return self._frozen_at is not None

    def now(self) -> datetime:
        """The sandbox's present, aware, in Beijing time."""
        with self._lock:
            return self._now()

    def waiting(self) -> int:
        """How many jobs are still to come."""
        with self._lock:
            return len(self._agenda)

    def call_later(self, seconds: float, job: Job) -> datetime:
        """Put a job on the agenda and return its due time; it runs on a later `advance` or tick, never at once."""
        with self._lock:
            due = self._now() + timedelta(seconds=seconds)
            heapq.heappush(self._agenda, (due, next(self._sequence), job))
            return due

    def advance(self, seconds: float = 0) -> int:
        """
        Move time forward, running each job at its own due time; with 0, run what is due already.

        Returns:
            How many jobs ran on this thread (in live mode the ticking threads may have taken others).

        Raises:
            ValueError: Backwards, or further than ten years at once.
        """
        if not 0 <= seconds <= ADVANCE_SECONDS_MAX:
            raise ValueError(f"seconds must be between 0 and {ADVANCE_SECONDS_MAX}")
        target = self.now() + timedelta(seconds=seconds)
        ran = 0
        while (job := self._next_due(target)) is not None:
            job()
            ran += 1
        with self._lock:
            self._reach(target)
        return ran

    def start(self, threads: int = 4) -> None:
        """Tick in the background; several threads, so that a slow receiver of one callback delays no other."""
        self._stopping.clear()
        self._threads = [threading.Thread(target=self._tick, daemon=True, name="sandbox-clock") for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the background ticking; a job under way is finished first."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()
        self._threads = []

    def _tick(self) -> None:
        while not self._stopping.wait(_TICK_SECONDS):
            while not self._stopping.is_set() and (job := self._next_due(self.now())) is not None:
                try:
                    job()
                except Exception:  # the job loop's edge: one broken job must not end the sandbox's time
                    _log.exception("sandbox_job_failed")

    def _next_due(self, by: datetime) -> Job | None:
        with self._lock:
            if not self._agenda or self._agenda[0][0] > by:
                return None
            due, _, job = heapq.heappop(self._agenda)
            self._reach(due)
            return job

    def _reach(self, instant: datetime) -> None:
        """Never backwards: a job that took long does not turn time back for the next."""
        if self._frozen_at is not None:
            self._frozen_at = max(self._frozen_at, instant)
        else:
            self._offset += max(timedelta(), instant - self._now())

    def _now(self) -> datetime:
        instant = self._frozen_at if self._frozen_at is not None else datetime.now(UTC) + self._offset
        return instant.astimezone(BEIJING)


def rfc3339(instant: datetime) -> str:
    """WeChat's form: 2026-03-01T10:20:30+08:00."""
    return instant.astimezone(BEIJING).isoformat(timespec="seconds")


def local_text(instant: datetime) -> str:
    """Alipay's and the statements' form, Beijing time without a zone: 2026-03-01 10:20:30."""
    return instant.astimezone(BEIJING).strftime("%Y-%m-%d %H:%M:%S")


def local_date(instant: datetime) -> str:
    """The Beijing calendar day: 2026-03-01."""
    return instant.astimezone(BEIJING).date().isoformat()
