"""What a question of the audit is."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, or_


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """
    One question.

    Attributes:
        invariant: Its number in docs/architecture.md.
        name: Stable, for scripts.
        says: What an offender is guilty of.
        found: A select of one column, the offending ids.
    """

    invariant: int
    name: str
    says: str
    found: Select[Any]


def among(column: Any, states: Sequence[StrEnum]) -> Any:
    """The column holds one of these states."""
    return or_(*(column == state.value for state in states))
