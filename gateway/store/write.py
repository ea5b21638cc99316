"""One data-modifying statement of the store, as its engines take it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """
    One data-modifying statement with `?` for each value.

    Attributes:
        guarded: It must change exactly one row; anything else is a Conflict.
    """

    name: str
    sql: str
    guarded: bool
