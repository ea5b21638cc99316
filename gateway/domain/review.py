"""Review items: what the rules cannot decide and a person must."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ReviewKind(StrEnum):
    """
    Why a person must look.

    PREMIUM_PAID_TWICE: A record tells of a premium that another order has already paid.
    AMOUNT_DIFFERS: A record's amount is not the amount of the app's open order for the same premium.
    PROOF_REUSED: A proof number came again with another content.
    RECORD_LATE: A record is older than its agent's limit.
    """

    PREMIUM_PAID_TWICE = "premium_paid_twice"
    AMOUNT_DIFFERS = "amount_differs"
    PROOF_REUSED = "proof_reused"
    RECORD_LATE = "record_late"


class ReviewState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


class Resolution(StrEnum):
    """
    What a person decided.

    ACCEPTED: The collected record counts: it opens and pays its order now.
    RETURNED: The collector has given the money back; the record does not count.
    MISTAKEN: The record itself was wrong and does not count; no money is behind it.
    SETTLED: Put right in another way, which the note says.
    """

    ACCEPTED = "accepted"
    RETURNED = "returned"
    MISTAKEN = "mistaken"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """
    One question to a person; it never opens again.

    Attributes:
        subject_id: What it is about; one item per kind and subject.
        order_id: The order concerned; its history tells of opening and resolution.
        collection_id: The collected record concerned.
        reason: A sentence without personal data.
        note_sealed: What the person wrote, encrypted: it may name people.
    """

    id: str
    kind: ReviewKind
    subject_id: str
    state: ReviewState
    reason: str
    region: str | None
    insured_year: int | None
    order_id: str | None
    payment_id: str | None
    collection_id: str | None
    resolution: Resolution | None
    note_sealed: bytes | None = field(repr=False)
    resolved_by: str | None
    opened_at: datetime
    resolved_at: datetime | None
