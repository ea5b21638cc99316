"""Refunds: requested in one unit of work, submitted and followed by tasks, under one number for all tries."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.collection import COLLECTOR_PROVIDERS
from gateway.domain.order import Order, Payment, Refund
from gateway.domain.provider import NoVerdict, Operation, ProviderAnswer, RefundRequest, RequestRefused
from gateway.domain.refusal import Refusal
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.schedule import REFUND_QUERY_PAUSES, pause
from gateway.domain.states import RefundReason, RefundState
from gateway.services.ask_provider import record_answer
from gateway.services.deps import Deps
from gateway.services.idempotent import KeyedRequest, Reply, once
from gateway.services.issue_refund import issue_refund
from gateway.services.order_change import OrderChange
from gateway.services.tasks import SubjectMissing
from gateway.services.views import find_order
from gateway.store import Tx

_SUBMITTABLE: Final = frozenset(
    {RefundState.REQUESTED, RefundState.SUBMITTED, RefundState.UNKNOWN, RefundState.ABNORMAL}
)
"""An abnormal one (退款异常) has no task of itself: an operator makes it due, under the same number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundDraft:
    """What an app wants back; `amount_fen` None is all that is left."""

    app: str
    order_id: str
    client_refund_no: str
    amount_fen: int | None
    note: str


def request_refund(deps: Deps, draft: RefundDraft, request: KeyedRequest, render: Callable[[Refund], Reply]) -> Reply:
    """
    Put a refund on record and due to be submitted.

    Raises:
        Refusal: idempotency_key_reused, idempotency_in_flight. not_found, order_not_paid, client_refund_no_reused,
            refund_exceeds_payment and refund_must_be_whole are stored answers.
    """
    return once(deps, request, lambda tx: _request(tx, deps, draft), render)


def _request(tx: Tx, deps: Deps, draft: RefundDraft) -> Refund:
    order = find_order(tx, draft.app, draft.order_id)
    existing = tx.refund_by_client_no(order.id, draft.client_refund_no)
    if existing is not None:
        if draft.amount_fen not in (None, existing.amount_fen):
            raise Refusal("client_refund_no_reused", "this client_refund_no belongs to another refund of the order")
        return existing
    payment = tx.payment(order.paid_payment_id) if order.paid_payment_id else None
    if payment is None:
        raise Refusal("order_not_paid", "only a paid order is refunded", extra={"order_state": order.state.value})
    if goes_back_outside(deps, payment):
        raise Refusal("refund_offline_only", "this money was collected outside; it goes back where it was paid")
    left_fen = payment.left_fen
    amount_fen = left_fen if draft.amount_fen is None else draft.amount_fen
    if not 0 < amount_fen <= left_fen:
        raise Refusal("refund_exceeds_payment", "not that much is left to refund", extra={"refundable_fen": left_fen})
    if amount_fen != payment.amount_fen and _refunds_whole(deps, payment):
        raise Refusal(
            "refund_must_be_whole",
            "a payment by this method goes back whole or not at all",
            extra={"refundable_fen": left_fen},
        )
    return _write_refund(tx, deps, order=order, payment=payment, draft=draft, amount_fen=amount_fen)


def goes_back_outside(deps: Deps, payment: Payment) -> bool:
    """
    True where no task of ours could ever give the money back: it was collected outside, or began at the other side,
    whose adapter declares no REFUND. An account that is configured no more is no proof of that.
    """
    provider = deps.providers.get(payment.account)
    lacks_refund = provider is not None and Operation.REFUND not in provider.capabilities
    return payment.provider in COLLECTOR_PROVIDERS or lacks_refund


def _refunds_whole(deps: Deps, payment: Payment) -> bool:
    """An account or method that is configured no more says nothing here: its adapter will."""
    provider = deps.providers.get(payment.account)
    method = provider.methods.get(payment.method) if provider is not None else None
    return method is not None and method.refunds_whole


def _write_refund(tx: Tx, deps: Deps, *, order: Order, payment: Payment, draft: RefundDraft, amount_fen: int) -> Refund:
    now = deps.clock.now()
    refund = issue_refund(
        tx,
        deps,
        payment,
        amount_fen=amount_fen,
        reason=RefundReason.ASKED,
        note=draft.note,
        now=now,
        client_refund_no=draft.client_refund_no,
    )
    change = OrderChange(tx, deps, order, now=now, actor=f"app:{draft.app}")
    change.event("refund_requested", refund_id=refund.id, payment_id=payment.id, amount_fen=amount_fen, reason="asked")
    change.write()
    tx.update(replace(payment, amount_refunding_fen=payment.amount_refunding_fen + amount_fen, updated_at=now))
    return refund


def _refund_request(deps: Deps, refund: Refund, payment: Payment, until: datetime) -> RefundRequest:
    return RefundRequest(
        out_refund_no=refund.out_refund_no,
        out_trade_no=payment.out_trade_no,
        amount_fen=refund.amount_fen,
        total_fen=payment.amount_fen,
        reason=refund.note,
        method=payment.method,
        requested_at=refund.created_at,
        notify_url=deps.notify_url(refund.account),
        provider_trade_no=payment.provider_trade_no,
        submit_until=until,
    )


def submit_refund(deps: Deps, refund_id: str, *, until: datetime, actor: str) -> None:
    """
    Submit a refund, or submit it again under its number; what comes of it is recorded and followed.

    Args:
        until: When the task's lease ends: another worker may submit it from then on.

    Raises:
        ProviderUnavailable: Certainly not accepted; try again later.
    """
    refund, payment = _refund_and_payment(deps, refund_id)
    if refund.state not in _SUBMITTABLE:
        return
    asked = _refund_request(deps, refund, payment, until)
    provider = deps.providers[refund.account]
    try:
        answer = provider.refund(asked)
    except NoVerdict as exc:
        answer = _said(payment, refund, ReportedRefundState.UNKNOWN, exc.code)
    except RequestRefused as exc:
        answer = _proven_refusal(deps, asked, refund, payment, exc)
    record_answer(deps, refund.account, "refund", answer, actor=actor)


def _proven_refusal(
    deps: Deps, asked: RefundRequest, refund: Refund, payment: Payment, refused: RequestRefused
) -> ProviderAnswer:
    """
    An error answer may be unsigned, and money may have moved on an earlier try: ask before believing the refusal.

    Raises:
        ProviderUnavailable: As the query raises it.
    """
    try:
        answer = deps.providers[refund.account].query_refund(asked)
    except (NoVerdict, RequestRefused) as exc:
        return _said(payment, refund, ReportedRefundState.UNKNOWN, exc.code)
    said = answer.report.refund
    if said is not None and said.state is ReportedRefundState.NOT_FOUND:
        return _said(payment, refund, ReportedRefundState.FAILED, refused.code)
    return answer


def _said(payment: Payment, refund: Refund, state: ReportedRefundState, code: str) -> ProviderAnswer:
    report = ProviderReport(
        source=Source.ANSWER,
        out_trade_no=payment.out_trade_no,
        state=ReportedState.UNKNOWN,
        provider_status=code,
        refund=RefundReport(out_refund_no=refund.out_refund_no, state=state, amount_fen=refund.amount_fen),
    )
    return ProviderAnswer(report=report, raw=code.encode())


def follow_refund(deps: Deps, refund_id: str, *, tries: int, until: datetime, actor: str) -> timedelta | None:
    """
    Ask what became of a submitted refund; returns the pause until the next look, None when it is over.

    A refund that the provider does not know was not accepted: it is submitted again, under the same number.

    Args:
        until: As for `submit_refund`.

    Raises:
        ProviderError: No answer; look again later.
    """
    refund, payment = _refund_and_payment(deps, refund_id)
    if refund.state not in _SUBMITTABLE:
        return None
    answer = deps.providers[refund.account].query_refund(_refund_request(deps, refund, payment, until))
    said = answer.report.refund
    if said is not None and said.state is ReportedRefundState.NOT_FOUND:
        submit_refund(deps, refund_id, until=until, actor=actor)
    else:
        record_answer(deps, refund.account, "query_refund", answer, actor=actor)
    refund, _ = _refund_and_payment(deps, refund_id)
    return pause(REFUND_QUERY_PAUSES, tries) if refund.state in _SUBMITTABLE else None


def _refund_and_payment(deps: Deps, refund_id: str) -> tuple[Refund, Payment]:
    tx = deps.store.read()
    refund = tx.refund(refund_id)
    payment = tx.payment(refund.payment_id) if refund else None
    if refund is None or payment is None:
        raise SubjectMissing(refund_id)
    return refund, payment
