"""The injected clock. Nothing outside this module asks the machine for the time."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Final, Protocol

CHINA: Final = timezone(timedelta(hours=8), "CST")
"""Beijing time. A fixed offset: the country has had no summer time since 1991."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Clock(Protocol):
    """Tells the time; the tests' clocks are set by hand."""

    def now(self) -> datetime:
        """Return the present instant, aware."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def micros(moment: datetime) -> int:
    """Microseconds since 1970-01-01 UTC: how the store keeps an aware instant."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(microseconds: int) -> datetime:
    """The instant that `micros` made this number from, in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def rfc3339(instant: datetime) -> str:
    """Beijing time with offset and whole seconds, as the public interface shows it: 2026-03-01T10:20:30+08:00."""
    return instant.astimezone(CHINA).isoformat(timespec="seconds")
