"""Instants: stored as microseconds, shown in Beijing time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.clock import CHINA, SystemClock, micros, moment, rfc3339


@given(st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001  # bounds
def test_instant_survives_the_store(instant: datetime) -> None:
    """To the microsecond, without a float between."""
    assert moment(micros(instant)) == instant


@pytest.mark.parametrize(
    ("instant", "number"),
    [
        (datetime(1970, 1, 1, tzinfo=UTC), 0),
        (datetime(1970, 1, 1, 8, tzinfo=CHINA), 0),
        (datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), -1),
        (datetime(2026, 3, 1, 10, 20, 30, 123_457, tzinfo=CHINA), 1_772_331_630_123_457),
    ],
)
def test_micros_count_from_the_epoch_in_any_zone(instant: datetime, number: int) -> None:
    """One instant, one number."""
    assert micros(instant) == number


def test_micros_of_a_naive_time_is_refused() -> None:
    """A time without a zone names no instant."""
    with pytest.raises(TypeError):
        micros(datetime(2026, 3, 1))  # noqa: DTZ001  # the point


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2026, 3, 1, 2, 20, 30, tzinfo=UTC), "2026-03-01T10:20:30+08:00"),
        (datetime(2025, 12, 31, 16, 0, 0, tzinfo=UTC), "2026-01-01T00:00:00+08:00"),
        (datetime(2026, 3, 1, 2, 20, 30, 999_999, tzinfo=UTC), "2026-03-01T10:20:30+08:00"),
        (datetime(1990, 7, 1, 0, 0, 0, tzinfo=timezone(timedelta(hours=-5))), "1990-07-01T13:00:00+08:00"),
    ],
)
def test_rfc3339_is_beijing_time_in_whole_seconds(instant: datetime, text: str) -> None:
    """Whatever the zone it came in, and without summer time."""
    assert rfc3339(instant) == text


def test_system_clock_is_aware() -> None:
    """The machine's own clock gives an instant."""
    assert SystemClock().now().utcoffset() == timedelta(0)
