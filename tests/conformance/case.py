"""
What an adapter tells the conformance suite about itself: `tests/adapters/<name>/case.py` has `case() -> AdapterCase`.

Everything here is data or a maker of wire bytes, written without the adapter's own code: a case that asks the adapter
what to expect proves nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Protocol

from gateway.domain.clock import Clock
from gateway.domain.provider import (
    Acknowledgement,
    Instruction,
    Operation,
    PaymentRef,
    PaymentRequest,
    Provider,
    ProviderError,
    RawCallback,
    RefundRequest,
    Verdict,
)
from gateway.domain.report import ProviderReport
from gateway.domain.statement import StatementKind, StatementLine


class FixedClock:
    """A clock that stands still until it is set."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


# --- callbacks --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptedSample:
    """
    A genuine callback, judged at `raw.received_at`.

    Attributes:
        report: Exactly what it must give; None for an authentic event that changes nothing.
        event: `Callback.event`.
    """

    id: str
    raw: RawCallback
    report: ProviderReport | None
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedSample:
    """A callback that must raise CallbackRefused; `reason` is compared unless None."""

    id: str
    raw: RawCallback
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadableSample:
    """An authentic callback that must raise CallbackUnreadable."""

    id: str
    raw: RawCallback


class SignCallback(Protocol):
    """
    Makes deliveries of ONE fixed fact: one payment is paid.

    Two calls with different `signed_at` are the provider's own retry of one message: what a retry keeps (notify id,
    event id, content) stays, what each delivery has anew (timestamp, nonce, signature) changes.
    """

    def __call__(self, *, signed_at: datetime, received_at: datetime, key: str) -> RawCallback:
        """`key` is one of `Callbacks.keys`, or `Callbacks.foreign_key`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """
    Everything the suite needs for `parse_callback`.

    Attributes:
        accepted: At least one paid payment; refunds, closures and ignored events where the provider sends them.
        signed_headers: Names in lower case of the headers without which a callback is not proven.
        signed_form_fields: Names of the body's form fields that are signed, `sign` itself included, for providers that
            sign inside a form body. One of the two must have something.
        free_form_fields: Form fields outside the signature (Alipay `sign_type`): a damaged one may pass, but only with
            the very same result.
        signs_decoded_values: True where the signature is over form-decoded values, so that `%2f` for `%2F` is the same
            message; then a flipped byte may also give exactly the undamaged message's Callback.
        signs_parsed_members: True where the signature is over the members of a JSON body, so that white space around
            them is the same message.
        window_seconds: How old, and how far in our future, a message may be at most; None where messages carry no
            time that is judged. A message of exactly this age must pass if `edge_accepted`, one second less always.
        edge_accepted: What happens at exactly `window_seconds`.
        keys: Names of the provider's keys that the built adapter holds at once: the old and the new one in a rotation.
        foreign_key: Name of a key the adapter does not hold, for `sign` alone.
        paid_with_amount: A genuine callback (any held key, fresh at `AdapterCase.now`) of a payment with this total.
        unknown_status: A genuine callback whose status word the provider has never documented.
    """

    accepted: tuple[AcceptedSample, ...]
    refused: tuple[RefusedSample, ...]
    unreadable: tuple[UnreadableSample, ...]
    sign: SignCallback
    keys: tuple[str, ...]
    foreign_key: str
    paid_with_amount: Callable[[int], RawCallback]
    unknown_status: RawCallback
    signed_headers: tuple[str, ...] = ()
    signed_form_fields: tuple[str, ...] = ()
    free_form_fields: tuple[str, ...] = ()
    signs_decoded_values: bool = False
    signs_parsed_members: bool = False
    window_seconds: int | None = None
    edge_accepted: bool = True


# --- outgoing calls ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WireAnswer:
    """What the provider sends back."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WireRequest:
    """
    A request as it stands on the wire.

    Attributes:
        url: Whole, with the query exactly as sent.
        headers: As an expectation: those named must be there with exactly this value, others may be there, too.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """
    One request and its good answer.

    Attributes:
        request: With the clock at `AdapterCase.now` and the case's own fixed nonce, byte for byte.
        answer: The good answer, signed at the given instant with the provider's private test key.
        answer_is_signed: False for file downloads that are proven by a digest told before, and for answers that the
            provider never signs.
    """

    request: WireRequest
    answer: Callable[[datetime], WireAnswer]
    answer_is_signed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRequest:
    """The arguments of `fetch_statement`."""

    day: date
    kind: StatementKind


@dataclass(frozen=True, slots=True, kw_only=True)
class OutgoingCase:
    """
    One call of one operation, and what must come of it.

    Attributes:
        argument: PaymentRequest for create; PaymentRef for query, close; RefundRequest for refund, query_refund.
        exchanges: In order; empty where the operation needs no call (a cashier address that we sign ourselves).
        report: Exactly what must be reported (create, query, close, refund, query_refund).
        instruction: Exactly, for create.
        lines: Exactly, for fetch_statement.
        raises: Exactly this class, instead of an answer: a documented final refusal, a rate limit.
        questions: How many of the exchanges come first and only ask (a binding): they move nothing, and carry neither
            the number nor the amount.
    """

    id: str
    operation: Operation
    argument: PaymentRequest | PaymentRef | RefundRequest | StatementRequest
    exchanges: tuple[Exchange, ...]
    report: ProviderReport | None = None
    instruction: Instruction | None = None
    lines: tuple[StatementLine, ...] | None = None
    raises: type[ProviderError] | None = None
    questions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """
    Everything the suite needs for the calls that we make.

    Attributes:
        calls: At least one good call of each declared operation, and a create of each method.
        unsigned: Takes the proof from a good, signed answer and leaves the rest: signature headers or field removed.
        business: The part of a request that must be equal on every retry: without time, nonce and signature. Where an
            instruction itself is the signed request (redirect, form, SDK string), it is given as a WireRequest:
            GET url; POST url with the form-encoded fields; body = the SDK string.
        number: The out_trade_no or out_refund_no (out_request_no …) that the request carries, for create and refund.
        amount_fen: The amount that a create or refund request carries, read from its wire form: strictly, no float.
    """

    calls: tuple[OutgoingCase, ...]
    unsigned: Callable[[WireAnswer], WireAnswer]
    business: Callable[[WireRequest], object]
    number: Callable[[WireRequest], str]
    amount_fen: Callable[[WireRequest], int]


# --- the case ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterCase:
    """
    One adapter before the suite.

    Attributes:
        name: The adapter's name in `adapters.registry`.
        now: The instant at which requests are made and `callbacks.sign` is judged; aware, whole seconds.
        build: Builds the provider with the given clock, a real `Transport`, the case's fixed nonce and test keys.
            Called anew for every test; the suite replaces the network below it (`responses`).
        base_url: Of the provider, as set in the case's settings.
        callbacks: None only if the adapter does not declare parse_callback.
        acknowledgements: The exact bytes for every Verdict, in answer to the first of `callbacks.accepted`.
        canaries: Secret and personal texts that the case's messages, requests and keys contain (openid, payer's name,
            symmetric key, a line from the middle of each private key's base64): none may ever be shown.
    """

    name: str
    now: datetime
    build: Callable[[Clock], Provider]
    base_url: str
    callbacks: Callbacks | None
    acknowledgements: Mapping[Verdict, Acknowledgement]
    outgoing: Outgoing
    canaries: tuple[str, ...]
    later: timedelta = timedelta(minutes=7)  # how long after the first try a retry is made
