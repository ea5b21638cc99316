"""The drivable clock and its agenda."""

import threading
from datetime import datetime, timedelta

import pytest

from sandbox.clock import SandboxClock
from tests.sandbox.conftest import START


def test_advance_runs_jobs_in_due_order_each_at_its_own_time(clock: SandboxClock) -> None:
    """Two jobs put on the agenda the wrong way round."""
    seen: list[tuple[str, datetime]] = []
    clock.call_later(30, lambda: seen.append(("late", clock.now())))
    clock.call_later(10, lambda: seen.append(("early", clock.now())))

    ran = clock.advance(60)

    assert ran == 2
    assert [("early", START + timedelta(seconds=10)), ("late", START + timedelta(seconds=30))] == seen
    assert START + timedelta(seconds=60) == clock.now()


def test_advance_runs_what_a_job_puts_on_the_agenda_if_it_falls_due(clock: SandboxClock) -> None:
    """A job that plans another one inside and one outside the span."""
    seen: list[str] = []

    def plan() -> None:
        clock.call_later(5, lambda: seen.append("inside"))
        clock.call_later(55, lambda: seen.append("outside"))

    clock.call_later(10, plan)

    clock.advance(60)

    assert seen == ["inside"]
    assert clock.waiting() == 1


def test_advance_one_second_short_runs_nothing(clock: SandboxClock) -> None:
    """The edge, and one before it."""
    seen: list[int] = []
    clock.call_later(10, lambda: seen.append(1))

    assert clock.advance(9) == 0
    assert clock.advance(1) == 1


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 10**12])
def test_advance_with_an_impossible_span_is_refused(clock: SandboxClock, seconds: float) -> None:
    """Time goes forward, and not beyond ten years at once."""
    with pytest.raises(ValueError, match="seconds"):
        clock.advance(seconds)


def test_live_clock_runs_due_jobs_in_the_background() -> None:
    """The ticking thread takes the job; one that breaks does not end the ticking."""
    clock = SandboxClock()
    done = threading.Event()
    clock.call_later(0, lambda: 1 / 0)
    clock.call_later(0, done.set)

    clock.start(threads=1)
    ran = done.wait(5)
    clock.stop()

    assert ran


def test_live_clock_advanced_shows_the_later_time() -> None:
    """Real time plus what was advanced."""
    clock = SandboxClock()
    before = clock.now()

    clock.advance(3600)

    assert timedelta(hours=1) <= clock.now() - before < timedelta(hours=1, minutes=1)
