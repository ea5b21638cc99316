"""Replays: what an operator has done again, why, and what it changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ReplayKind(StrEnum):
    """
    What is done again.

    NOTIFICATION: A stored message is judged anew, fresh as it was when it came.
    QUERY: The provider is asked about a payment.
    REFUND: A refund that waits for a person goes on; one that has failed is issued under a new number.
    WEBHOOK: An order's messages that were given up are sent again.
    TASK: Work that was given up, or that waits, is due now.
    """

    NOTIFICATION = "notification"
    QUERY = "query"
    REFUND = "refund"
    WEBHOOK = "webhook"
    TASK = "task"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """
    One row's change, in words that two runs share: no times, no ids that are made anew.

    Attributes:
        subject: The changed row's id; "" for a new row.
        values: By column, what was and what is; None was, for a new row.
    """

    table: str
    subject: str
    values: Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """
    One operator's request.

    Attributes:
        selection: JSON text: the ids or the filter.
        reason_sealed: Why, in the operator's words, encrypted: it may name people.
    """

    id: str
    kind: ReplayKind
    who: str
    reason_sealed: bytes = field(repr=False)
    selection: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayItem:
    """
    What became of one thing of a replay.

    Attributes:
        outcome: applied, duplicate, quarantined, orphan, malformed, refused | due | issued | unchanged | failed.
        detail: Why, without personal data; "" where there is nothing to add.
        changes: JSON text: the changes that were made.
    """

    replay_id: str
    seq: int
    subject_id: str
    outcome: str
    detail: str
    changes: str
    done_at: datetime
