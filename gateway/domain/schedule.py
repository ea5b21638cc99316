"""When to look again: growing pauses, the last of them kept for ever, because unknown always has a next look."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

QUERY_PAUSES: Final[tuple[int, ...]] = (10, 20, 30, 60, 180, 300, 600, 1800, 3600)
"""Seconds between queries of a payment without a verdict, by a method that names no others."""

REFUND_QUERY_PAUSES: Final[tuple[int, ...]] = (60, 60, 300, 900, 1800, 3600, 14400)
"""A refund to a bank card takes one to three working days; WeChat asks for at least a minute between looks."""

CLOSE_PAUSES: Final[tuple[int, ...]] = (2, 5, 15, 30, 60, 300, 900, 1800)
"""Between tries to close what the provider can close, and has not yet."""

WAIT_PAUSES: Final[tuple[int, ...]] = (30, 300, 900, 1800)
"""Between looks at a payment that only time can prove dead: what is looked for is a success whose callback was lost."""

RETRY_PAUSES: Final[tuple[int, ...]] = (5, 15, 60, 300, 900, 1800)
"""Between tries of a call that certainly was not accepted."""

REISSUE_PAUSES: Final[tuple[int, ...]] = (600, 3600, 21600, 86400)
"""Before a refund that we owe goes out under a new number, after the provider has refused the one before for good."""

NOT_FOUND_GRACE: Final = timedelta(minutes=10)
"""A payment that the provider does not know counts as unpayable only this long after its last moment to pay."""


def pause(pauses: Sequence[int], tries: int) -> timedelta:
    """The pause after the given number of tries, from 1; the last pause repeats."""
    return timedelta(seconds=pauses[min(max(tries, 1), len(pauses)) - 1])
