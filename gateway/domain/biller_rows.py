"""Rows of biller mode: what makes a bank's message happen once, its day files, and where the two sides differ."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.domain.biller import DifferenceKind, FileState


class EntryKind(StrEnum):
    PAYMENT = "payment"
    REVERSAL = "reversal"


class EntryState(StrEnum):
    """
    What became of a bank's message: `applied`; `reversed`, a payment taken back; `void`, a payment that was reversed
    before it came, so that it must never be applied, or the reversal of such a one.
    """

    APPLIED = "applied"
    REVERSED = "reversed"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillerEntry:
    """
    A payment or reversal of a bank: the key that makes it happen once.

    Attributes:
        meaning: Fingerprint of its content; "" for a payment that we know from its reversal alone.
        source: callback | statement: the message or line that brought it.
        amount_fen: As the bank said.
        order_id, payment_id: What it became, or took back; None for a void one.
    """

    account: str
    bank_date: str
    bank_seq: str
    kind: EntryKind
    biller_id: str
    meaning: str
    state: EntryState
    source: str
    amount_fen: int
    order_id: str | None
    payment_id: str | None
    evidence_id: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BillerFile:
    """
    A day file as it was received.

    Attributes:
        digest: SHA-256 of its bytes, hex.
        reason: Why it was refused; "" otherwise.
        matched: Bookings on which both sides agree.
    """

    id: str
    account: str
    biller_id: str
    bank_date: str
    file_name: str
    digest: str
    state: FileState
    reason: str
    lines: int
    matched: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BillerFileContent:
    """The file itself, compressed and encrypted."""

    file_id: str
    content_sealed: bytes = field(repr=False)


class DifferenceState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillerDifference:
    """
    One serial on which the two sides do not agree.

    Attributes:
        file_id: The newest file that shows it; None when the bank's message does.
        resolution: How it ended; "" while open.
    """

    account: str
    biller_id: str
    bank_date: str
    bank_seq: str
    kind: DifferenceKind
    file_id: str | None
    bank_amount_fen: int | None
    our_amount_fen: int | None
    payment_id: str | None
    state: DifferenceState
    resolution: str
    created_at: datetime
    updated_at: datetime
