"""Names of our own things: time-ordered, opaque, with a prefix that tells their kind."""

import re
from datetime import datetime
from typing import Final, Protocol

import uuid_utils

from gateway.domain.clock import micros

ID_PATTERN: Final = re.compile(r"(?:ord|pay|ref|ntf|led|req|col|bat|rev|rep)_[0-9a-f]{32}")


class Ids(Protocol):
    """Makes names that were never used before; a simulation makes them from its seed."""

    def new(self) -> str:
        """Return 32 lower-case hex digits that sort by time of making."""
        ...


def first_id(prefix: str, at: datetime) -> str:
    """
    No id made at that moment or later sorts before this one.

    Source: RFC 9562 section 5.7: a uuid7 begins with its milliseconds since 1970 in 48 bits.
    """
    return f"{prefix}_{micros(at) // 1000:012x}{0:020x}"


class TimeOrderedIds:
    """uuid7, so that neighbours in time are neighbours in every index."""

    def new(self) -> str:
        return uuid_utils.uuid7().hex
