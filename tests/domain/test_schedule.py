"""When we look again: the whole timetable, because a pause too many or too few is felt by a payer or by a provider."""

from datetime import timedelta

import pytest

from gateway.domain import schedule
from gateway.domain.schedule import pause

TIMETABLES = {
    "QUERY_PAUSES": [10, 20, 30, 60, 180, 300, 600, 1800, 3600],
    "REFUND_QUERY_PAUSES": [60, 60, 300, 900, 1800, 3600, 14400],
    "CLOSE_PAUSES": [2, 5, 15, 30, 60, 300, 900, 1800],
    "RETRY_PAUSES": [5, 15, 60, 300, 900, 1800],
    "REISSUE_PAUSES": [600, 3600, 21600, 86400],
}


@pytest.mark.parametrize("name", TIMETABLES)
def test_pauses_follow_the_timetable_and_the_last_repeats(name: str) -> None:
    """After the first try the first pause; after the last one its like for ever."""
    pauses, expected = getattr(schedule, name), TIMETABLES[name]
    taken = [pause(pauses, tries).total_seconds() for tries in range(1, len(expected) + 3)]

    assert [*expected, expected[-1], expected[-1]] == taken


@pytest.mark.parametrize("tries", [0, -1])
def test_pause_before_any_try_is_the_first(tries: int) -> None:
    """A count that was never begun does not reach round to the last pause."""
    assert timedelta(seconds=10) == pause(schedule.QUERY_PAUSES, tries)


def test_unknown_payment_is_waited_for_ten_minutes() -> None:
    """A provider's books may lag behind its cashier."""
    assert timedelta(minutes=10) == schedule.NOT_FOUND_GRACE
