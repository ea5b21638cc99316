"""What a provider has told us, in one shape whatever the provider and whatever the way it reached us."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

CURRENCY = "CNY"


class Source(StrEnum):
    """The way a report reached us."""

    CALLBACK = "callback"
    QUERY = "query"
    ANSWER = "answer"
    STATEMENT = "statement"


class ReportedState(StrEnum):
    """A payment's state in the provider's eyes. A status we do not know is `unknown`, never paid and never failed."""

    PENDING = "pending"
    PAID = "paid"
    CLOSED = "closed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    NOT_FOUND = "not_found"


class ReportedRefundState(StrEnum):
    """A refund's state in the provider's eyes; `submitted` is accepted and under way, which is not success."""

    SUBMITTED = "submitted"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABNORMAL = "abnormal"
    UNKNOWN = "unknown"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundReport:
    """
    What a report says about one refund.

    Attributes:
        out_refund_no: Our number of the refund; None where the provider did not name it.
        amount_fen: This refund alone; None where the provider did not say.
        occurred_at: The provider's time of success, aware.
        is_reversal: The provider has taken the payment itself back (冲正), of its own accord.
    """

    out_refund_no: str | None
    state: ReportedRefundState
    amount_fen: int | None = None
    provider_refund_no: str | None = None
    occurred_at: datetime | None = None
    is_reversal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderReport:
    """
    One provider's verified statement about one payment, and perhaps about one refund of it.

    Attributes:
        source: Callback, query, answer to another call, or statement line.
        out_trade_no: Our number for the payment, 6-32 characters.
        state: What the provider says of the payment itself. A refund callback says PAID: only paid money goes back.
        provider_status: The provider's own word, for the event history; not for decisions.
        amount_fen: The order's total in the provider's books (not what the payer paid after coupons); None if unsaid.
        currency: ISO 4217; None if unsaid.
        provider_trade_no: WeChat transaction_id, Alipay trade_no, UnionPay queryId.
        occurred_at: The provider's time of the event (payment time for PAID), aware.
        refund: What it says about one refund.
        refunded_total_fen: Cumulative refunded sum where the provider tells it (Alipay refund_fee); it only grows.
        contradictions: Names of wire fields that are authentic but not ours (mchid, app_id, seller_id …). A report with
            any is quarantined whole.
    """

    source: Source
    out_trade_no: str
    state: ReportedState
    provider_status: str
    amount_fen: int | None = None
    currency: str | None = None
    provider_trade_no: str | None = None
    occurred_at: datetime | None = None
    refund: RefundReport | None = None
    refunded_total_fen: int | None = None
    contradictions: tuple[str, ...] = ()
