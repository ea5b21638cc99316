"""The gate before an account's calls: breaker, bulkhead, rate limit."""

import threading

import pytest

from gateway.domain.gate import FAILURES_TO_OPEN, OPEN_PAUSES, BreakerState, Gate, GateLimits
from gateway.domain.provider import ProviderUnavailable
from tests.support.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def gate(clock: ManualClock) -> Gate:
    return Gate(clock, GateLimits(calls_max=3))


def call(gate: Gate, *, answered: bool) -> None:
    gate.enter()
    gate.leave(answered=answered)


def fail(gate: Gate, times: int = FAILURES_TO_OPEN) -> None:
    for _ in range(times):
        call(gate, answered=False)


def code_of(gate: Gate) -> str:
    """Why a call may not pass now."""
    with pytest.raises(ProviderUnavailable) as caught:
        gate.enter()
    return caught.value.code


def test_breaker_opens_at_the_last_failure_in_a_row_and_not_before(gate: Gate) -> None:
    """One fewer leaves it closed."""
    fail(gate, FAILURES_TO_OPEN - 1)
    before = gate.state
    fail(gate, 1)

    assert (BreakerState.CLOSED, BreakerState.OPEN) == (before, gate.state)
    assert code_of(gate) == "breaker_open"


def test_an_answer_between_failures_starts_the_count_anew(gate: Gate) -> None:
    """Failures in a row count, not failures."""
    fail(gate, FAILURES_TO_OPEN - 1)
    call(gate, answered=True)
    fail(gate, FAILURES_TO_OPEN - 1)

    assert gate.state is BreakerState.CLOSED


def test_open_breaker_lets_one_call_try_after_its_pause_and_no_second_one(gate: Gate, clock: ManualClock) -> None:
    """A microsecond before, none."""
    fail(gate)
    clock.advance(seconds=OPEN_PAUSES[0], microseconds=-1)
    early = code_of(gate)
    clock.advance(microseconds=1)
    gate.enter()

    assert (early, BreakerState.HALF_OPEN) == ("breaker_open", gate.state)
    assert code_of(gate) == "breaker_open"
    gate.leave(answered=True)
    assert gate.state is BreakerState.CLOSED


def test_pauses_grow_with_each_failed_trial_and_start_anew_after_an_answer(gate: Gate, clock: ManualClock) -> None:
    """The last pause is kept."""
    fail(gate)
    for pause in (*OPEN_PAUSES, OPEN_PAUSES[-1]):
        clock.advance(seconds=pause, microseconds=-1)
        assert code_of(gate) == "breaker_open"
        clock.advance(microseconds=1)
        call(gate, answered=False)
    clock.advance(seconds=OPEN_PAUSES[-1])
    call(gate, answered=True)
    fail(gate)
    clock.advance(seconds=OPEN_PAUSES[0])
    call(gate, answered=True)

    assert gate.state is BreakerState.CLOSED


def test_calls_that_were_under_way_when_it_opened_do_not_open_it_again(gate: Gate, clock: ManualClock) -> None:
    """Their failures are old news: the pause is the first one still."""
    gate.enter()
    gate.enter()
    fail(gate)
    gate.leave(answered=False)
    gate.leave(answered=False)
    clock.advance(seconds=OPEN_PAUSES[0])

    gate.enter()

    assert gate.state is BreakerState.HALF_OPEN


def test_bulkhead_refuses_one_call_more_than_its_limit(gate: Gate) -> None:
    """And takes it as soon as another one is over."""
    for _ in range(3):
        gate.enter()
    refused = code_of(gate)
    gate.leave(answered=True)
    gate.enter()

    assert refused == "bulkhead_full"


def test_rate_limit_holds_a_seconds_calls_and_fills_evenly(clock: ManualClock) -> None:
    """Four at once, the fifth after a quarter of a second; a clock set back gives nothing."""
    gate = Gate(clock, GateLimits(calls_per_second=4))
    for _ in range(4):
        call(gate, answered=True)
    refused = code_of(gate)
    clock.advance(milliseconds=249)
    early = code_of(gate)
    clock.advance(milliseconds=1)
    call(gate, answered=True)
    clock.advance(seconds=-5)
    back = code_of(gate)

    assert ("rate_limit", "rate_limit", "rate_limit") == (refused, early, back)


def test_time_that_has_passed_fills_the_bucket_once(clock: ManualClock) -> None:
    """However long nobody called: a second's calls, and the next one waits."""
    gate = Gate(clock, GateLimits(calls_per_second=4))
    clock.advance(seconds=600)
    for _ in range(4):
        call(gate, answered=True)

    assert "rate_limit" == code_of(gate)


def test_refused_call_takes_no_place(clock: ManualClock) -> None:
    """A call that the rate limit refused is not under way."""
    gate = Gate(clock, GateLimits(calls_max=1, calls_per_second=1))
    call(gate, answered=True)
    code_of(gate)
    clock.advance(seconds=1)

    call(gate, answered=True)


def test_many_threads_never_pass_beyond_the_limit(clock: ManualClock) -> None:
    """A thousand tries by eight threads."""
    gate, inside, most = Gate(clock, GateLimits(calls_max=3)), [0], [0]
    lock = threading.Lock()

    def tries() -> None:
        for _ in range(125):
            try:
                gate.enter()
            except ProviderUnavailable:
                continue
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            with lock:
                inside[0] -= 1
            gate.leave(answered=True)

    threads = [threading.Thread(target=tries) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 0 < most[0] <= 3


def test_gate_that_nobody_used_is_closed(gate: Gate) -> None:
    """Nothing has failed yet, and no trial is under way."""
    assert BreakerState.CLOSED is gate.state


def test_breaker_states_are_called_what_the_metrics_call_them() -> None:
    """Dashboards hold these words."""
    assert ["closed", "open", "half_open"] == [state.value for state in BreakerState]


def test_account_without_limits_of_its_own_makes_64_calls_at_once(clock: ManualClock) -> None:
    """And no more, however fast they come."""
    gate = Gate(clock, GateLimits())
    for _ in range(64):
        gate.enter()

    assert "bulkhead_full" == code_of(gate)


def test_breaker_opens_after_eight_failures_for_up_to_a_minute() -> None:
    """What the page on operations tells, in numbers."""
    assert (8, [5, 10, 20, 40, 60]) == (FAILURES_TO_OPEN, list(OPEN_PAUSES))


def test_call_that_is_over_makes_room_for_one_and_no_more(gate: Gate) -> None:
    """The bulkhead counts calls out as it counted them in."""
    for _ in range(3):
        gate.enter()
    gate.leave(answered=True)
    gate.enter()

    assert "bulkhead_full" == code_of(gate)
