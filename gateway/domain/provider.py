"""What every adapter offers, as values in and values out, and the errors that name a decision."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Protocol

from gateway.domain.order import PremiumSubject
from gateway.domain.report import ProviderReport
from gateway.domain.schedule import QUERY_PAUSES
from gateway.domain.statement import StatementKind, StatementLine


class Operation(StrEnum):
    """What a provider may be asked; an adapter declares those that it supports."""

    CREATE = "create"
    PARSE_CALLBACK = "parse_callback"
    QUERY = "query"
    CLOSE = "close"
    REFUND = "refund"
    QUERY_REFUND = "query_refund"
    FETCH_STATEMENT = "fetch_statement"


# --- errors -------------------------------------------------------------------------------------------------------


class ProviderError(Exception):
    """
    A call that brought no report. The subclass is the decision; the attributes are for events and logs.

    Attributes:
        code: The provider's own code, "" if there was none.
        trace_id: The provider's id of the exchange, "" if there was none.
    """

    def __init__(self, message: str, *, code: str = "", trace_id: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.trace_id = trace_id


class ProviderUnavailable(ProviderError):
    """Nothing was accepted, for certain: it never arrived, or was turned away. Retry the same number later."""


class NoVerdict(ProviderError):
    """It may have been accepted: time-out, reset, 5xx, unreadable or unverifiable answer. The state is unknown: ask."""


class RequestRefused(ProviderError):
    """The provider refused this number for good, by a code that its documents call final. Do not retry."""


class AccountMisconfigured(RequestRefused):
    """Refused because of our configuration or contract (key, serial, permission). Do not retry; tell an operator."""


class OperationUnsupported(ProviderError):
    """The adapter does not declare this operation for this method. A caller's mistake."""


class CallbackRefused(Exception):
    """
    Not proven to come from the provider, or too old. Store a digest and a counter, nothing else.

    Attributes:
        reason: headers | stale | unknown_key | signature | malformed | decrypt.
        skew_seconds: How far the message's time lies from ours, for `stale`; positive is in our past.
    """

    def __init__(self, reason: str, *, skew_seconds: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.skew_seconds = skew_seconds


class CallbackUnreadable(Exception):
    """Authentic, but it cannot be understood. Store it as `malformed`, refuse it, tell an operator."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


# --- starting a payment ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodField:
    """
    One field that the front end must or may send to start a payment by a method.

    Attributes:
        pattern: Regular expression that the whole text must match.
        personal: True for openids and the like: encrypted in the store, never logged.
        single_use: True for an authorisation that is good for one payment: never stored, so that every try brings it
            again; that it is the same one, the keyed digest of the request proves.
    """

    required: bool
    pattern: str
    description: str
    personal: bool = False
    single_use: bool = False


class InstructionKind(StrEnum):
    """What the front end does with an instruction."""

    SDK_PARAMS = "sdk_params"  # call the provider's JavaScript bridge or SDK with these parameters
    SDK_STRING = "sdk_string"  # hand this one string to the provider's SDK
    REDIRECT = "redirect"  # open this URL
    FORM = "form"  # post these fields to this URL from the payer's browser
    QR_TEXT = "qr_text"  # draw this text as a QR code
    NONE = "none"  # nothing to open: the payer is asked by the provider itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """
    One way to pay with a provider.

    Attributes:
        name: jsapi, native, wap … : the provider's own word in lower case.
        instruction: The kind of instruction that `create` gives.
        fields: The method's own fields, by name.
        needs_subject: It pays premiums alone, and is told whose and which.
        refunds_whole: A payment goes back whole or not at all.
        query_pauses: Seconds between looks at a payment without a verdict, from its start on; the last is kept. As the
            provider advises, where it does.
    """

    name: str
    title: str
    instruction: InstructionKind
    fields: Mapping[str, MethodField] = field(default_factory=dict)
    needs_subject: bool = False
    refunds_whole: bool = False
    query_pauses: tuple[int, ...] = QUERY_PAUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """
    What the front end needs to open the cashier (调起参数).

    Attributes:
        payload: JSON object. REDIRECT {url}; FORM {url, fields}; QR_TEXT {text}; SDK_STRING {text}; SDK_PARAMS as is.
        expires_at: When the handle dies; the payment itself may live longer.
    """

    kind: InstructionKind
    payload: Mapping[str, Any]
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRequest:
    """
    Everything that `create` may put on the wire. Equal requests give equal business content, so that a resume with the
    same number is a retry in the provider's eyes; nothing in it is made after it was stored.

    Attributes:
        out_trade_no: 32 lower-case hex digits.
        description: What the payer reads; the adapter cuts and cleans it to the provider's alphabet.
        fields: The method's own fields, already checked against `Method.fields`.
        created_at: When the payment was opened; the adapter may derive times of the business content from it.
        expires_at: Last moment to pay.
        notify_url: Where the provider posts callbacks.
        subject: The order's premium, for a method that needs it; None for all others.
    """

    out_trade_no: str
    amount_fen: int
    method: str
    description: str
    created_at: datetime
    expires_at: datetime
    notify_url: str
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    subject: PremiumSubject | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAnswer:
    """What `create` brought. A report here is `pending` at most: accepting an order is not payment."""

    instruction: Instruction
    report: ProviderReport
    raw: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRef:
    """The payment that is asked about or closed."""

    out_trade_no: str
    amount_fen: int
    method: str
    created_at: datetime
    provider_trade_no: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRequest:
    """
    A refund to be submitted or asked about. The same `out_refund_no` on every try: a new number is a second refund.

    Attributes:
        out_refund_no: 32 lower-case hex digits.
        amount_fen: This refund.
        total_fen: The payment's whole amount.
        submit_until: From then on another worker may submit it, too. Where the provider does not promise that a number
            sent twice moves money once, nothing may be under way by then.
    """

    out_refund_no: str
    out_trade_no: str
    amount_fen: int
    total_fen: int
    reason: str
    method: str
    requested_at: datetime
    notify_url: str
    provider_trade_no: str | None = None
    submit_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAnswer:
    """
    A report with the verified bytes it was read from.

    Attributes:
        raw: The answer's body, kept encrypted as evidence when the report changes something.
    """

    report: ProviderReport
    raw: bytes = field(default=b"", repr=False)


# --- callbacks ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RawCallback:
    """
    A callback as it arrived.

    Attributes:
        headers: Names in lower case.
        body: Raw bytes, never decoded before the signature is checked.
        received_at: Our time of arrival; freshness is judged against it, also on a later replay.
    """

    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """
    A verified callback.

    Attributes:
        dedup_key: Equal for deliveries of the same message about the same fact; at most 128 characters of ASCII.
        event: The provider's name of the event.
        report: None for an authentic event of a kind that we do not use: stored, acknowledged, nothing changed.
    """

    dedup_key: str
    event: str
    report: ProviderReport | None


class Verdict(StrEnum):
    """What became of a callback; the adapter turns it into the provider's own words."""

    ACCEPTED = "accepted"  # applied or duplicate, durable
    IGNORED = "ignored"  # authentic, of no use here, durable
    QUARANTINED = "quarantined"  # authentic, contradicts our record, durable
    ORPHAN = "orphan"  # authentic, our row may be late: to be sent again
    REFUSED = "refused"  # not authentic, stale, or unreadable
    UNSTORED = "unstored"  # our database is down: to be sent again


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """The exact bytes that stop (or ask for) the provider's retries."""

    status: int
    body: bytes
    content_type: str


# --- the provider itself --------------------------------------------------------------------------------------------


class Provider(Protocol):
    """
    One merchant account at one provider. Methods may be called from many threads at once.

    All outgoing operations raise ProviderUnavailable, NoVerdict, RequestRefused, AccountMisconfigured or
    OperationUnsupported, and nothing else.
    """

    @property
    def name(self) -> str:
        """The provider's one word, e.g. wechatpay."""
        ...

    @property
    def methods(self) -> Mapping[str, Method]:
        """The ways to pay that this account offers, by name."""
        ...

    @property
    def capabilities(self) -> frozenset[Operation]:
        """The operations that work; the others raise OperationUnsupported."""
        ...

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        """Register the payment and obtain the instruction; safe to repeat with an equal request."""
        ...

    def parse_callback(self, raw: RawCallback) -> Callback:
        """
        Verify, then read. No network when the key is known.

        Raises:
            CallbackRefused: Not proven authentic, or stale.
            CallbackUnreadable: Authentic but not understood.
        """
        ...

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        """
        The provider's own words for what became of this callback. No network; never raises.

        Args:
            raw: The callback that is answered, for a provider whose answer repeats something of it. Unless the verdict
                says otherwise it may be anything, a forgery included.
        """
        ...

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        """Ask for a payment's state; "no such payment" is a report with state NOT_FOUND."""
        ...

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        """
        Make an unpaid payment unpayable. The report says what the answer proves, which may be less than CLOSED:
        the caller asks again (`query`) before it believes.
        """
        ...

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        """Submit a refund, or submit it again under the same number."""
        ...

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        """Ask for a refund's state; "no such refund" is a refund report with state NOT_FOUND."""
        ...

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        """
        Download and check one day's statement and read its lines; an empty day gives none.

        Raises:
            ProviderUnavailable: Not ready yet; ask later.
            StatementUnreadable: The file arrived but does not check or parse.
        """
        ...

    def key_expiries(self) -> Mapping[str, datetime]:
        """When each key or certificate in use ends, by a printable name; keys without an end are left out."""
        ...
