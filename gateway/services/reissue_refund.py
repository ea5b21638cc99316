"""A refund that waits for a person goes on; one that has failed is issued again, under a new number."""

import json
from dataclasses import replace
from typing import Final

from gateway.domain.order import Event, Payment, Refund, TaskKind, TaskState
from gateway.domain.refusal import Refusal
from gateway.domain.states import RefundReason, RefundState
from gateway.services.deps import Deps
from gateway.services.issue_refund import issue_refund
from gateway.services.order_change import OrderChange
from gateway.services.tasks import due_task
from gateway.store import Tx

_EVENTS_MAX: Final = 10_000
_NEXT_WORK: Final = {
    RefundState.REQUESTED: TaskKind.REFUND,
    RefundState.ABNORMAL: TaskKind.REFUND,  # 退款异常: the same number is submitted again, once a person has seen to it
    RefundState.SUBMITTED: TaskKind.QUERY_REFUND,
    RefundState.UNKNOWN: TaskKind.QUERY_REFUND,
}


def reissue_refund(deps: Deps, refund_id: str, *, actor: str) -> tuple[str, str]:
    """
    Go on with a refund: its outcome (due, issued, unchanged) and what was done.

    Raises:
        LookupError: There is no such refund.
        Refusal: refund_exceeds_payment: so much is not left; order_not_paid cannot happen to a refund.
    """

    def job(tx: Tx) -> tuple[str, str]:
        refund = tx.refund(refund_id)
        payment = tx.payment(refund.payment_id) if refund else None
        if refund is None or payment is None:
            raise LookupError(refund_id)
        if refund.state is RefundState.SUCCEEDED:
            return "unchanged", "it has succeeded"
        if refund.state is RefundState.FAILED:
            return _issue_again(tx, deps, payment, refund, actor)
        return _make_due(tx, deps, refund)

    return deps.store.run(job)


def _make_due(tx: Tx, deps: Deps, refund: Refund) -> tuple[str, str]:
    kind, now = _NEXT_WORK[refund.state], deps.clock.now()
    task = tx.task(kind, refund.id)
    if task is not None and task.state is TaskState.DUE and task.due_at <= now:
        return "unchanged", "it is due"
    tx.schedule(due_task(kind, refund.id, refund.account, at=now, now=now, tries=min(task.tries, 1) if task else 0))
    return "due", kind.value


def _issue_again(tx: Tx, deps: Deps, payment: Payment, refund: Refund, actor: str) -> tuple[str, str]:
    """Once: a failed refund that has a successor is over."""
    if any(_replaces(event, refund) for event in tx.events_page(refund.order_id, after=0, limit=_EVENTS_MAX)):
        return "unchanged", "it was issued again"
    order = tx.order(payment.order_id)
    if order is None or refund.amount_fen > payment.left_fen:
        raise Refusal("refund_exceeds_payment", "not that much is left to refund")
    if refund.reason is RefundReason.ASKED and _was_asked_for_again(tx, refund):
        return "unchanged", "the app has asked for another refund since"
    now = deps.clock.now()
    again = issue_refund(
        tx, deps, payment, amount_fen=refund.amount_fen, reason=refund.reason, note=refund.note, now=now
    )
    change = OrderChange(tx, deps, order, now=now, actor=actor)
    change.event(
        "refund_issued_again",
        refund_id=again.id,
        payment_id=payment.id,
        amount_fen=again.amount_fen,
        reason=again.reason.value,
        instead_of=refund.id,
    )
    change.write()
    tx.update(replace(payment, amount_refunding_fen=payment.amount_refunding_fen + again.amount_fen, updated_at=now))
    return "issued", again.reason.value


def _was_asked_for_again(tx: Tx, refund: Refund) -> bool:
    """The app may have replaced a failed refund itself, by a new number: both would send the money back twice."""
    return any(
        other.reason is RefundReason.ASKED and other.id > refund.id and other.state is not RefundState.FAILED
        for other in tx.refunds_of_payment(refund.payment_id)
    )


def _replaces(event: Event, refund: Refund) -> bool:
    return event.kind == "refund_issued_again" and json.loads(event.detail)["instead_of"] == refund.id
