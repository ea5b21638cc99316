"""
Biller mode (缴费机构): a bank's own app collects for us. What a bank may ask, what it is told, and the rules that need
no database. A front translates one bank's protocol into these values and back; the core is `gateway.services.biller*`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

from gateway.domain.clock import CHINA

_DAY_GRACE: Final = timedelta(minutes=30)
"""How far the bank's change of its accounting day may lie from ours."""


class BillerReason(StrEnum):
    """Why a call is turned down. Each front has its own codes; what a reason promises is the same for all."""

    # not admitted: nothing was written
    SIGNATURE = "signature"
    TIMESTAMP = "timestamp"
    NONCE = "nonce"
    INSTITUTION = "institution"
    KEY = "key"
    # authentic, but not understood: nothing was written
    FORMAT = "format"
    FIELD_MISSING = "field_missing"
    AMOUNT_FORM = "amount_form"
    CALL = "call"  # no call of this address, or none that asks or tells of anything
    # bills
    NO_PERSON = "no_person"
    NOT_IN_AREA = "not_in_area"
    NO_BILL = "no_bill"
    NOTHING_OWED = "nothing_owed"
    # payments: nothing was written, the payer is to have the money back
    ALREADY_PAID = "already_paid"
    AMOUNT_DIFFERS = "amount_differs"
    BILL_CLOSED = "bill_closed"
    WINDOW_CLOSED = "window_closed"
    BILL_UNKNOWN = "bill_unknown"
    # reversals, and what comes after one
    ORIGINAL_UNKNOWN = "original_unknown"
    NOT_REVERSIBLE = "not_reversible"
    REVERSED_FIRST = "reversed_first"
    REVERSAL_AMOUNT = "reversal_amount"
    # the same number with other content
    KEY_REUSED = "key_reused"
    # our own state
    BUSY = "busy"  # nothing was written, for certain
    UNDECIDED = "undecided"  # it may have been written


class BillerRefused(Exception):
    """An authentic call that is turned down; the reason says what the bank may conclude."""

    def __init__(self, reason: BillerReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


# --- who collects -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """
    A bank as a collector.

    Attributes:
        id: Its own name in the protocol.
        billers: The divisions (6 digits) that each biller id (缴费机构号) stands for.
        apps: Apps whose orders it may collect; None: every app's.
        questions_per_minute: How many bill queries one process of ours answers it in a minute.
        cut_off: When its accounting day ends, Beijing time; from then on it books under tomorrow's date. Midnight:
            with the day itself.
        refunds_refused: It gives the payer the money back when we refuse a payment. Where it does not, a refused one is
            kept as a difference for a person.
    """

    id: str
    billers: Mapping[str, frozenset[str]]
    apps: frozenset[str] | None
    questions_per_minute: int
    cut_off: time = time.min
    refunds_refused: bool = True

    def accounting_day(self, at: datetime) -> date:
        """The day under which the bank books at this instant."""
        local = at.astimezone(CHINA)
        is_tomorrow = self.cut_off != time.min and local.time() >= self.cut_off
        return local.date() + timedelta(days=1) if is_tomorrow else local.date()

    def booked_at(self, day: date, clock_time: time) -> datetime:
        """When something was done that the bank booked under this day at this time of its clock."""
        is_evening_before = self.cut_off != time.min and clock_time >= self.cut_off
        return datetime.combine(day - timedelta(days=1) if is_evening_before else day, clock_time, CHINA)

    def open_days(self, at: datetime) -> frozenset[date]:
        """The accounting days that may be under way at the bank: two around its cut-off, else one."""
        return frozenset({self.accounting_day(at - _DAY_GRACE), self.accounting_day(at + _DAY_GRACE)})


# --- what a bank asks -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BillQuestion:
    """
    Which premiums does this person owe?

    Attributes:
        id_type: As in `Person`, e.g. resident_id.
        region: Only this division; None: all of the biller's.
        name: When given it must be the insured person's.
        first, count: The part of the list that is wanted; `first` counts from 1.
    """

    biller_id: str
    id_type: str
    id_number: str = field(repr=False)
    insured_year: int
    region: str | None = None
    name: str | None = field(default=None, repr=False)
    first: int = 1
    count: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentNotice:
    """
    The bank has taken the payer's money.

    Attributes:
        bank_date: The bank's accounting date; with `bank_seq` and the institution it names the payment for ever.
        bill_version: The version of the bill that the payer saw; None if unsaid.
        channel: Where in the bank: app, counter, atm … in lower case.
    """

    biller_id: str
    bank_date: date
    bank_seq: str
    occurred_at: datetime
    bill_no: str
    amount_fen: int
    bill_version: str | None = None
    channel: str = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentQuestion:
    """What became of a payment?"""

    biller_id: str
    bank_date: date
    bank_seq: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalNotice:
    """The bank has taken a payment back whole (冲正); `original_*` name the payment."""

    biller_id: str
    bank_date: date
    bank_seq: str
    original_date: date
    original_seq: str
    amount_fen: int
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFile:
    """
    A whole day of one biller as the bank booked it.

    Attributes:
        content: The file's bytes.
        lines: How many lines of bookings it has.
        fault: Why the front refuses it as a whole; "" when every sum and digest holds.
    """

    biller_id: str
    bank_date: date
    file_name: str
    content: bytes = field(repr=False)
    lines: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultQuestion:
    """How did a day compare?"""

    biller_id: str
    bank_date: date


BillerAsk = BillQuestion | PaymentNotice | PaymentQuestion | ReversalNotice | DayFile | ResultQuestion


# --- what a bank is told ----------------------------------------------------------------------------------------------


class BillState(StrEnum):
    UNPAID = "unpaid"
    PAID = "paid"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """
    One premium of one person.

    Attributes:
        reason: Why it cannot be paid; None when it can.
        version: Changes whenever what is to be paid changes.
    """

    bill_no: str
    name: str = field(repr=False)
    region: str
    insured_year: int
    insurance_kind: str
    amount_fen: int
    state: BillState
    opened_at: datetime
    expires_at: datetime
    reason: BillerReason | None
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BillPage:
    """Part of a list of bills; `total` counts the whole list."""

    total: int
    bills: tuple[Bill, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentReceipt:
    """A payment is on record; `is_duplicate` when it was before."""

    order_id: str
    bill_no: str
    receipt_no: str
    accepted_at: datetime
    is_duplicate: bool


class Standing(StrEnum):
    """What we hold of a bank's payment."""

    PAID = "paid"
    REVERSED = "reversed"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentStanding:
    """What became of a payment; details only while it stands in our books."""

    standing: Standing
    order_id: str | None = None
    receipt_no: str | None = None
    amount_fen: int | None = None
    accepted_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReversalReceipt:
    """
    A payment is taken back, now or before.

    Attributes:
        standing: NOT_FOUND: we never had the original, and will refuse it if it comes.
    """

    standing: Standing
    order_id: str | None


class FileState(StrEnum):
    """What became of a day file."""

    PENDING = "pending"
    MATCHED = "matched"
    DIFFERENT = "different"
    REJECTED = "rejected"
    SUPERSEDED = "superseded"  # a file of a higher number came before this one was compared


@dataclass(frozen=True, slots=True, kw_only=True)
class FileReceipt:
    file_id: str
    state: FileState


class DifferenceKind(StrEnum):
    """How a day differs. For the bank and for the person who settles it."""

    LONG = "long"  # 长款: the bank has a payment that we could not take
    SHORT = "short"  # 短款: we have a payment that the bank does not name
    AMOUNT = "amount"
    BILL = "bill"  # the same serial for another bill
    REVERSAL = "reversal"  # reversed on one side alone


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldDifference:
    bank_seq: str
    kind: DifferenceKind
    bank_amount_fen: int | None
    our_amount_fen: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """How a day compared; the differences are those still open."""

    state: FileState
    matched: int
    differences: tuple[ToldDifference, ...]


BillerOutcome = BillPage | PaymentReceipt | PaymentStanding | ReversalReceipt | FileReceipt | DayResult | BillerReason


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    """
    One booking of a day file.

    Attributes:
        original_seq: For a reversal, the serial of the payment that was taken back; None for a payment.
        raw: The line as it stood in the file: evidence.
    """

    bank_date: date
    bank_seq: str
    occurred_at: datetime
    bill_no: str
    amount_fen: int
    channel: str
    original_seq: str | None
    raw: bytes = field(repr=False)


_BILL_NO_CHARACTERS: Final = 32
_ORDER_PREFIX: Final = "ord_"


def bill_no_of(order_id: str) -> str:
    """The bill's number: the order's id without its prefix, 32 lower-case hex digits."""
    return order_id.removeprefix(_ORDER_PREFIX)


def order_id_of(bill_no: str) -> str | None:
    """The order behind a bill's number, None when no order of ours can have it."""
    digits = bill_no.lower()
    is_ours = len(digits) == _BILL_NO_CHARACTERS and all(c in "0123456789abcdef" for c in digits)
    return _ORDER_PREFIX + digits if is_ours else None
