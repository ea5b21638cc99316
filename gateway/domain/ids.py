"""Names of our own things: time-ordered, opaque, with a prefix that tells their kind."""

import re
from typing import Final, Protocol

import uuid_utils

ID_PATTERN: Final = re.compile(r"(?:ord|pay|ref|ntf|led|req|col|bat|rev|rep)_[0-9a-f]{32}")


class Ids(Protocol):
    """Makes names that were never used before; a simulation makes them from its seed."""

    def new(self) -> str:
        """Return 32 lower-case hex digits that sort by time of making."""
        ...


class TimeOrderedIds:
    """uuid7, so that neighbours in time are neighbours in every index."""

    def new(self) -> str:
        return uuid_utils.uuid7().hex
