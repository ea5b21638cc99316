"""Starts a payment: unit of work, provider call, unit of work. The number is stored before the provider hears of it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from gateway.domain.clock import micros
from gateway.domain.order import IdempotencyKey, Order, Payment, TaskKind
from gateway.domain.provider import (
    AccountMisconfigured,
    Method,
    NoVerdict,
    PaymentAnswer,
    ProviderError,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.refusal import Refusal
from gateway.domain.report import ProviderReport, ReportedState, Source
from gateway.domain.schedule import pause
from gateway.domain.states import OrderState, PaymentState, payment_is_open
from gateway.services.ask_provider import payment_ref
from gateway.services.choose_account import check_fields, choose_account
from gateway.services.close_order import shut_soon
from gateway.services.deps import Deps
from gateway.services.idempotent import (
    KeyedRequest,
    Replayed,
    Reply,
    finish,
    known_key,
    new_key,
    release,
    stay_in_charge,
    store_answer,
    store_refusal,
    take_over,
)
from gateway.services.new_payment import unstarted_payment
from gateway.services.order_change import OrderChange, announce_payment
from gateway.services.payment_request import payment_request, seal_fields
from gateway.services.record_report import Message, record_report
from gateway.services.tasks import due_task
from gateway.services.views import INSTRUCTION_PURPOSE, PaymentView, find_order, payment_view
from gateway.store import Tx

PAYMENTS_MAX: Final = 20
_LIFE_LEFT_MIN: Final = timedelta(seconds=60)
_SHUT_AFTER: Final = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDraft:
    """What an app asks for; `fields` are the method's own and may be personal."""

    app: str
    order_id: str
    provider: str
    method: str
    fields: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    """
    A payment on record that is to be created at the provider, and the key under which we do it.

    Attributes:
        refusal: Why a resumed payment must not be created any more: its order was paid, closed or expired meanwhile.
    """

    order: Order
    payment: Payment
    held: IdempotencyKey
    refusal: Refusal | None = None


def start_payment(
    deps: Deps, draft: PaymentDraft, request: KeyedRequest, render: Callable[[PaymentView], Reply]
) -> Reply:
    """
    Put a payment on record, create it at the provider, keep the instruction.

    An answer that never came leaves the payment `unknown`; the key stays open, so that the same request resumes with
    the same number.

    Raises:
        Refusal: idempotency_key_reused, idempotency_in_flight, invalid_request, provider_unavailable (nothing was
            accepted, the same request resumes). Business rejections are rendered, stored and returned.
    """
    try:
        claimed = deps.store.run(lambda tx: _claim(tx, deps, draft, request))
    except Replayed as replayed:
        return replayed.reply
    except Refusal as refusal:
        if refusal.code in _NOT_STORED:
            raise
        return store_refusal(deps, request, refusal)
    return _create(deps, claimed, draft, request, render)


_NOT_STORED: Final = frozenset(
    {"idempotency_key_reused", "idempotency_in_flight", "invalid_request", "not_found", "provider_unavailable"}
)


def _claim(tx: Tx, deps: Deps, draft: PaymentDraft, request: KeyedRequest) -> _Claimed:
    held = known_key(tx, deps, request)
    if held is not None:
        return _resume(tx, deps, held, draft)
    order = find_order(tx, draft.app, draft.order_id)
    account, method = choose_account(deps, order, draft.provider, draft.method)
    check_fields(method, draft.fields)
    refusal = _refusal_to_pay(tx, deps, order) or _too_many(order)
    if refusal is not None:
        raise refusal
    earlier = tx.payments_of_order(order.id) if order.payments else []
    payment = _new_payment(deps, order, draft, account, method)
    held = new_key(deps, request, subject_id=payment.id)
    tx.insert(held)
    change = OrderChange(tx, deps, order, now=payment.created_at, actor=f"app:{draft.app}")
    announce_payment(change, payment)
    order = change.write()
    tx.insert(payment)
    first_look = payment.created_at + pause(method.query_pauses, 1)
    tx.schedule(due_task(TaskKind.QUERY, payment.id, account, at=first_look, now=payment.created_at))
    for other in earlier:
        if payment_is_open(other.state):  # the payer has changed their mind: the way left behind is shut
            shut_soon(tx, other, at=payment.created_at + _SHUT_AFTER, now=payment.created_at)
    return _Claimed(order=order, payment=payment, held=held)


def _resume(tx: Tx, deps: Deps, held: IdempotencyKey, draft: PaymentDraft) -> _Claimed:
    order = find_order(tx, draft.app, draft.order_id)
    payment = tx.payment(held.subject_id or "")
    if payment is None:
        raise Refusal("not_found", "there is no such payment")
    held = take_over(tx, deps, held)
    refusal = _refusal_to_pay(tx, deps, order) or _refusal_to_resume(deps, payment)
    return _Claimed(order=order, payment=payment, held=held, refusal=refusal)


_NOT_PAYABLE: Final = {
    OrderState.PAID: ("order_already_paid", "the order is paid"),
    OrderState.CLOSING: ("order_closed", "the order is being closed"),
    OrderState.CLOSED: ("order_closed", "the order is closed"),
}


def _refusal_to_pay(tx: Tx, deps: Deps, order: Order) -> Refusal | None:
    """Why no payer may be sent to a cashier for this order now; None if one may."""
    state = {"order_state": order.state.value}
    if order.state in _NOT_PAYABLE:
        code, detail = _NOT_PAYABLE[order.state]
        return Refusal(code, detail, extra=state)
    if deps.clock.now() > order.expires_at - _LIFE_LEFT_MIN:
        return Refusal("order_expired", "less than a minute is left to pay this order", extra=state)
    if order.slot is not None and tx.slot_holder(order.slot) not in (None, order.id):
        return Refusal("premium_already_paid", "the premium of this person and year is already paid", extra=state)
    return None


def _refusal_to_resume(deps: Deps, payment: Payment) -> Refusal | None:
    """A payment's life may be over before its order's: the payer could not finish it, but may start another."""
    if deps.clock.now() <= payment.expires_at - _LIFE_LEFT_MIN:
        return None
    detail = "less than a minute is left of this payment; start another one"
    return Refusal("payment_expired", detail, extra={"payment_id": payment.id})


def _too_many(order: Order) -> Refusal | None:
    if order.payments < PAYMENTS_MAX:
        return None
    state = {"order_state": order.state.value}
    return Refusal("too_many_payments", "too many payments were started for this order", extra=state)


def _new_payment(deps: Deps, order: Order, draft: PaymentDraft, account: str, method: Method) -> Payment:
    blank = unstarted_payment(deps, order, account=account, provider=draft.provider, method=draft.method)
    own_end = blank.created_at + timedelta(seconds=deps.settings.payment_ttl_seconds)
    return replace(
        blank, fields_sealed=seal_fields(deps, method, draft.fields), expires_at=min(order.expires_at, own_end)
    )


def _create(
    deps: Deps,
    claimed: _Claimed,
    draft: PaymentDraft,
    request: KeyedRequest,
    render: Callable[[PaymentView], Reply],
) -> Reply:
    payment = claimed.payment
    if not payment_is_open(payment.state):  # a resume found that evidence came by another way
        return _settle(deps, claimed, request, None, render)
    if claimed.refusal is not None:
        return _turn_down(deps, claimed, request, claimed.refusal)
    provider = deps.providers[payment.account]
    try:
        answer = provider.create(payment_request(deps, claimed.order, payment, draft.fields))
    except ProviderUnavailable as exc:
        deps.store.run(lambda tx: release(tx, deps, claimed.held))
        raise Refusal(
            "provider_unavailable",
            "the provider cannot be reached; nothing was accepted; send the same request again",
            extra={"payment_id": payment.id},
            retry_after_seconds=5,
        ) from exc
    except NoVerdict as exc:
        return _settle(deps, claimed, request, _unknown(payment, exc), render, final=False)
    except RequestRefused as exc:
        if claimed.held.fence == 1:
            return _settle(deps, claimed, request, _refused(payment, exc), render)
        outcome = _believed_refusal(deps, payment, exc)
        final = outcome.report.state is ReportedState.FAILED
        return _settle(deps, claimed, request, outcome, render, final=final)
    return _settle(deps, claimed, request, answer, render)


def _turn_down(deps: Deps, claimed: _Claimed, request: KeyedRequest, refusal: Refusal) -> Reply:
    """End a resumed request without the provider; its payment, if it lives there, is followed by its own tasks."""
    return finish(deps, claimed.held, request.refuse(refusal))


def _believed_refusal(deps: Deps, payment: Payment, refused: RequestRefused) -> "_Outcome":
    """On a resume the first try may have been accepted, and the refusal be of the repetition: ask before believing."""
    try:
        answer = deps.providers[payment.account].query(payment_ref(payment))
    except ProviderError as exc:
        return _Outcome(report=_report(payment, ReportedState.UNKNOWN, exc), raw=_as_bytes(exc))
    if answer.report.state is ReportedState.NOT_FOUND:
        return _refused(payment, refused)
    return _Outcome(report=answer.report, raw=answer.raw)


def _report(payment: Payment, state: ReportedState, exc: ProviderError) -> ProviderReport:
    return ProviderReport(
        source=Source.ANSWER,
        out_trade_no=payment.out_trade_no,
        state=state,
        provider_status=exc.code or type(exc).__name__,
    )


def _unknown(payment: Payment, exc: NoVerdict) -> "_Outcome":
    return _Outcome(report=_report(payment, ReportedState.UNKNOWN, exc), raw=_as_bytes(exc))


def _refused(payment: Payment, exc: RequestRefused) -> "_Outcome":
    told = "" if isinstance(exc, AccountMisconfigured) else exc.code  # what is wrong with our account is our affair
    return _Outcome(report=_report(payment, ReportedState.FAILED, exc), raw=_as_bytes(exc), code=told)


def _as_bytes(exc: ProviderError) -> bytes:
    """What we know of an answer that brought no report, as evidence."""
    return json.dumps({"error": type(exc).__name__, "code": exc.code, "trace_id": exc.trace_id}).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """
    A create that brought no instruction.

    Attributes:
        code: The provider's own word for its refusal, where the caller can do something with it.
    """

    report: ProviderReport
    raw: bytes = field(repr=False)
    code: str = ""


def _settle(
    deps: Deps,
    claimed: _Claimed,
    request: KeyedRequest,
    outcome: PaymentAnswer | _Outcome | None,
    render: Callable[[PaymentView], Reply],
    *,
    final: bool = True,
) -> Reply:
    """
    Record what the provider answered, keep the instruction, and finish or release the key. Of a request that another
    one has overtaken nothing is recorded: its refusal may be of a repetition, its instruction is not the one told.
    """

    def job(tx: Tx) -> Reply:
        stay_in_charge(tx, deps, claimed.held)
        if outcome is None:
            payment = claimed.payment
        else:
            payment = _record(tx, deps, claimed.payment, outcome)
        reply = _reply(deps, payment, outcome, request, render)
        if final:
            store_answer(tx, deps, claimed.held, reply)
        else:
            tx.release_key(claimed.held, now=deps.clock.now())
        return reply

    try:
        return deps.store.run(job)
    except Replayed as replayed:
        return replayed.reply


def _record(tx: Tx, deps: Deps, payment: Payment, outcome: PaymentAnswer | _Outcome) -> Payment:
    message = Message(
        id=f"ntf_{deps.ids.new()}",
        account=payment.account,
        source=Source.ANSWER,
        dedup_key=f"answer:{payment.out_trade_no}:{micros(deps.clock.now())}",
        event="create",
        received_at=deps.clock.now(),
        body=outcome.raw,
    )
    view = tx.report_view(account=payment.account, out_trade_no=payment.out_trade_no, dedup_key=message.dedup_key)
    instruction = (
        deps.vault.seal_json(_instruction_json(outcome), INSTRUCTION_PURPOSE)
        if isinstance(outcome, PaymentAnswer)
        else None
    )
    recorded = record_report(
        tx, deps, view, outcome.report, message, actor=f"provider:{payment.account}", instruction=instruction
    )
    return recorded.payment or view.payment or payment


def _instruction_json(answer: PaymentAnswer) -> dict[str, object]:
    instruction = answer.instruction
    return {
        "kind": instruction.kind.value,
        "payload": dict(instruction.payload),
        "expires_at_micros": micros(instruction.expires_at) if instruction.expires_at else None,
    }


def _reply(
    deps: Deps,
    payment: Payment,
    outcome: PaymentAnswer | _Outcome | None,
    request: KeyedRequest,
    render: Callable[[PaymentView], Reply],
) -> Reply:
    if payment.state is PaymentState.FAILED:
        code = outcome.code if isinstance(outcome, _Outcome) else ""
        return request.refuse(
            Refusal(
                "provider_refused",
                "the provider refused this payment; start another one",
                extra={"payment_id": payment.id} | ({"provider_code": code} if code else {}),
            )
        )
    return render(payment_view(deps, payment))
