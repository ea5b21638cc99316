"""The order model's values. Rows of the store are these values; services derive the next one with `replace`."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.domain.states import (
    NotificationState,
    OrderState,
    PaymentState,
    RefundReason,
    RefundState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """
    An insured person or a payer.

    Attributes:
        id_type: Kind of identity document, `resident_id` for 居民身份证.
        id_number: Normalised: upper case, no blanks.
    """

    name: str = field(repr=False)
    id_type: str = field(repr=False)
    id_number: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PremiumSubject:
    """
    What a premium order pays for.

    Attributes:
        region: Administrative division code (行政区划代码), 6 digits.
        insured_year: The year covered (缴费年度).
        insurance_kind: e.g. resident_medical (城乡居民医保).
    """

    region: str
    insured_year: int
    insurance_kind: str
    insured: Person
    payer: Person | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """
    One charge owed (缴费订单); it survives many payments.

    Attributes:
        meaning: Digest of what the app asked for; another content under the same client_order_no is refused.
        slot: Keyed digest of the premium slot (region, insured year, insurance kind, insured person); None for an
            ordinary charge.
        insured_index: Keyed blind index of the insured person's identity number.
        subject_sealed: The whole PremiumSubject, encrypted.
        payments: How many payments were started.
        event_seq, event_hash: Position and hash of the newest event; every change of the order's rows adds one.
    """

    id: str
    app: str
    client_order_no: str
    meaning: str
    state: OrderState
    amount_fen: int
    description: str
    region: str | None
    insured_year: int | None
    insurance_kind: str | None
    insured_index: str | None
    slot: str | None
    subject_sealed: bytes | None = field(repr=False)
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    payments: int
    paid_payment_id: str | None
    amount_paid_fen: int
    amount_refunded_fen: int
    event_seq: int
    event_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """
    One try to pay an order with one provider (支付单).

    Attributes:
        out_trade_no: Our number at the provider, made before the provider is called, never reused.
        fields_sealed: The method's own fields, encrypted; a resume sends the same ones.
        instruction_sealed: What the front end needs, encrypted, once the provider gave it.
        kept: True for the one paid payment that pays the order.
        amount_refunding_fen: Requested and not yet decided.
        amount_refunded_fen: Proven refunded.
        evidence_id: The notification that proves the state.
    """

    id: str
    order_id: str
    account: str
    provider: str
    method: str
    out_trade_no: str
    state: PaymentState
    amount_fen: int
    fields_sealed: bytes | None = field(repr=False)
    instruction_sealed: bytes | None = field(repr=False)
    provider_trade_no: str | None
    kept: bool
    amount_refunding_fen: int
    amount_refunded_fen: int
    evidence_id: str | None
    paid_at: datetime | None
    created_at: datetime
    expires_at: datetime
    updated_at: datetime

    @property
    def left_fen(self) -> int:
        """What neither went back nor is asked to: no refund may be for more."""
        return self.amount_fen - self.amount_refunded_fen - self.amount_refunding_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """
    One refund of one payment (退款单), under one number for all tries.

    Attributes:
        client_refund_no: The app's number, unique per order; None for refunds that the gateway decided itself.
    """

    id: str
    order_id: str
    payment_id: str
    account: str
    out_refund_no: str
    client_refund_no: str | None
    state: RefundState
    reason: RefundReason
    note: str
    amount_fen: int
    provider_refund_no: str | None
    evidence_id: str | None
    succeeded_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """
    Something a provider told us, kept as it arrived: a callback, or an answer that changed something.

    Attributes:
        source: callback | query | answer | statement.
        digest: SHA-256 of the raw body, hex.
        reason: Why it was quarantined or refused; "" otherwise.
    """

    id: str
    account: str
    source: str
    dedup_key: str
    event: str
    state: NotificationState
    reason: str
    digest: str
    headers_sealed: bytes = field(repr=False)
    body_sealed: bytes = field(repr=False)
    payment_id: str | None
    received_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    One line of an order's history, chained to the line before by `hash`.

    Attributes:
        seq: From 1, without gaps.
        detail: JSON text with sorted keys.
        actor: app:<name> | provider:<account> | worker | operator:<name>.
    """

    order_id: str
    seq: int
    kind: str
    at: datetime
    actor: str
    evidence_id: str | None
    detail: str
    hash: str


class TaskKind(StrEnum):
    """What is still to be done, and by its name, with what: a payment's, refund's, order's … id."""

    QUERY = "query"
    CLOSE = "close"
    REFUND = "refund"
    QUERY_REFUND = "query_refund"
    CLOSE_ORDER = "close_order"
    MATCH_FILE = "match_file"
    WEBHOOK = "webhook"


class TaskState(StrEnum):
    DUE = "due"
    DONE = "done"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """
    What must happen next. One row per kind and subject; claiming it moves `due_at` past the lease.

    Attributes:
        account: The merchant account that is asked; for a webhook, app:<name>; None when nobody outside is.
        lease: Token of the worker that claimed it last; only that worker may finish it.
    """

    kind: TaskKind
    subject_id: str
    account: str | None
    state: TaskState
    due_at: datetime
    tries: int
    lease: str | None
    last_error: str
    created_at: datetime


class LedgerAccount(StrEnum):
    """Legs of the double entry, per merchant account."""

    RECEIVABLE = "receivable"
    COLLECTED = "collected"
    REFUNDING = "refunding"
    SETTLED = "settled"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """One movement: `amount_fen` leaves `credit` and enters `debit`, so every entry sums to zero by itself."""

    id: str
    account: str
    at: datetime
    debit: LedgerAccount
    credit: LedgerAccount
    amount_fen: int
    payment_id: str
    refund_id: str | None


class KeyState(StrEnum):
    RUNNING = "running"
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdempotencyKey:
    """
    One request that an app named.

    Attributes:
        meaning: Fingerprint of route and semantic content.
        fence: Grows with every owner; an owner that was overtaken cannot finish it.
        lease_until: When another request may take it over.
        subject_id: What the first owner created, so that a resume goes on with it.
        response_sealed: The stored body, encrypted (it may hold an order token).
    """

    app: str
    key: str
    meaning: str
    state: KeyState
    fence: int
    lease_until: datetime
    subject_id: str | None
    response_status: int | None
    response_sealed: bytes | None = field(repr=False)
    created_at: datetime
