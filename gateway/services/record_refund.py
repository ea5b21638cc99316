"""The refund half of a report: called by `record_report` alone."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.domain.order import LedgerAccount, Payment, Refund, TaskKind
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.schedule import REFUND_QUERY_PAUSES, REISSUE_PAUSES, pause
from gateway.domain.states import OWED, REFUND_ARROWS, PaymentState, RefundState
from gateway.services.deps import Deps
from gateway.services.issue_refund import issue_refund
from gateway.services.order_change import OrderChange
from gateway.services.outside_refunds import TOO_MUCH, OutsideRefunds
from gateway.services.refund_books import RefundBooks
from gateway.services.tasks import due_task
from gateway.services.told_refunds import outside_success, tells_more, told_of, unsent_owed
from gateway.store import Tx

IN_FLIGHT: Final = "refunds_in_flight"
_NEXT_STATE: Final = {
    ReportedRefundState.SUBMITTED: RefundState.SUBMITTED,
    ReportedRefundState.SUCCEEDED: RefundState.SUCCEEDED,
    ReportedRefundState.FAILED: RefundState.FAILED,
    ReportedRefundState.ABNORMAL: RefundState.ABNORMAL,
    ReportedRefundState.UNKNOWN: RefundState.UNKNOWN,
}
_FINAL: Final = frozenset({RefundState.SUCCEEDED, RefundState.FAILED})


def named_refund(tx: Tx, report: ProviderReport) -> Refund | None:
    """Our refund that the report names, if it names one of ours."""
    no = report.refund.out_refund_no if report.refund else None
    return tx.refund_by_no(no) if no else None


def refund_contradiction(payment: Payment, refund: Refund | None, report: ProviderReport) -> str:
    """What a report says of refunds that cannot be true; "" if nothing."""
    said = report.refund
    if refund is not None and said is not None:
        if refund.payment_id != payment.id:
            return "out_refund_no"
        if said.amount_fen is not None and said.amount_fen != refund.amount_fen:
            return "refund_amount"
        moved = _NEXT_STATE.get(said.state)
        if refund.state in _FINAL and moved in _FINAL and moved is not refund.state:
            return f"refund_{said.state.value}_after_{refund.state.value}"
    if (report.refunded_total_fen or 0) > payment.amount_fen:
        return "refunded_total"
    outside = outside_success(report) if refund is None else None
    if outside is not None and (outside.amount_fen or 0) > payment.amount_fen - payment.amount_refunded_fen:
        return TOO_MUCH
    return ""


def is_ahead_of_payment(payment: Payment, report: ProviderReport) -> bool:
    """
    True for a callback that tells of money gone back from a payment that is not proven yet, and not how much it was.

    UnionPay's notice of a refund names the refund's amount alone. The payment's own proof is found by query.
    """
    said = report.source is Source.CALLBACK and report.refund is not None and report.amount_fen is None
    return said and report.state is ReportedState.PAID and payment.state is not PaymentState.PAID


def wait_reason(tx: Tx, payment: Payment, refund: Refund | None, report: ProviderReport) -> str:
    """
    Why a callback cannot be judged yet, so that the provider is asked to send it once more; "" if it can.

    It is ahead of its payment; or it tells of more money gone back than we know, by no refund of ours, while ours are
    in flight. The rest may be one of ours whose own proof is still to come, or a refund made elsewhere: only the end
    of those in flight can decide. One that we owe and that nobody has begun to send is not in flight: it gives way.
    """
    if is_ahead_of_payment(payment, report):
        return "payment_not_proven"
    more = report.source is Source.CALLBACK and refund is None and tells_more(payment, refund, report)
    return IN_FLIGHT if more and unsent_owed(tx, payment) is None else ""


class RefundRecorder:
    """Applies what a report says of refunds, already found free of contradictions."""

    def __init__(self, tx: Tx, deps: Deps, change: OrderChange, evidence_id: str) -> None:
        self._tx = tx
        self._deps = deps
        self._change = change
        self._evidence_id = evidence_id
        self._books = RefundBooks(tx, deps, change, evidence_id)
        self._others = OutsideRefunds(self._books)
        self._spent: tuple[Refund, datetime] | None = None

    def record(self, payment: Payment, refund: Refund | None, report: ProviderReport) -> Payment:
        """
        The payment after the report; refunds, ledger and tasks are written.

        What went back without us is counted before what we still owe is sent, so that no fen goes back twice.
        """
        was_in_flight = payment.amount_refunding_fen > 0
        if refund is None and tells_more(payment, refund, report):
            payment = self._give_way(payment)
        if report.refund is not None and refund is not None:
            payment = self._ours(payment, refund, report.refund)
        outside = outside_success(report) if refund is None else None
        if outside is not None and 0 < (outside.amount_fen or 0) <= payment.left_fen:
            payment = self._others.count(payment, outside, outside.amount_fen or 0, evidence_id=self._evidence_id)
        if payment.amount_refunding_fen > 0:
            self._others.keep(payment, refund, report)
        else:
            told = told_of(self._tx, payment) if was_in_flight else []
            payment = self._others.settle(payment, report, told)
        return self._send_rest(payment)

    def _ours(self, payment: Payment, refund: Refund, said: RefundReport) -> Payment:
        state = _NEXT_STATE.get(said.state)
        if state is None or state not in REFUND_ARROWS[refund.state]:
            return payment
        refund = replace(
            refund,
            state=state,
            evidence_id=self._evidence_id,
            provider_refund_no=said.provider_refund_no or refund.provider_refund_no,
            succeeded_at=(said.occurred_at or self._change.now) if state is RefundState.SUCCEEDED else None,
            updated_at=self._change.now,
        )
        self._tx.update(refund)
        self._books.tell(f"refund_{state.value}", refund)
        if state in _FINAL:
            self._tx.drop_task(TaskKind.REFUND, refund.id)
            self._tx.drop_task(TaskKind.QUERY_REFUND, refund.id)
            return self._succeeded(payment, refund) if state is RefundState.SUCCEEDED else self._failed(payment, refund)
        self._tx.drop_task(TaskKind.REFUND, refund.id)
        if state in (RefundState.SUBMITTED, RefundState.UNKNOWN):
            due = self._change.now + pause(REFUND_QUERY_PAUSES, 1)
            self._tx.schedule(due_task(TaskKind.QUERY_REFUND, refund.id, refund.account, at=due, now=self._change.now))
        return payment

    def _succeeded(self, payment: Payment, refund: Refund) -> Payment:
        self._books.book(LedgerAccount.RECEIVABLE, LedgerAccount.REFUNDING, payment, refund)
        payment = replace(payment, amount_refunding_fen=payment.amount_refunding_fen - refund.amount_fen)
        return self._books.refunded(payment, refund.amount_fen)

    def _failed(self, payment: Payment, refund: Refund) -> Payment:
        self._books.book(LedgerAccount.COLLECTED, LedgerAccount.REFUNDING, payment, refund)
        if refund.reason in OWED:
            failed = [other for other in self._tx.refunds_of_payment(payment.id) if other.state is RefundState.FAILED]
            self._spent = refund, self._change.now + pause(REISSUE_PAUSES, len(failed) + 1)
        return replace(payment, amount_refunding_fen=payment.amount_refunding_fen - refund.amount_fen)

    def _give_way(self, payment: Payment) -> Payment:
        """What we owe and nobody has begun to send is taken back: some of it, or all, has gone back without us."""
        found = unsent_owed(self._tx, payment)
        if found is None:
            return payment
        refund, task = found
        refund = replace(refund, state=RefundState.FAILED, evidence_id=self._evidence_id, updated_at=self._change.now)
        self._tx.update(refund)
        self._tx.withdraw_task(task.kind, task.subject_id)
        self._books.tell("refund_superseded", refund)
        self._books.book(LedgerAccount.COLLECTED, LedgerAccount.REFUNDING, payment, refund)
        self._spent = refund, task.due_at
        return replace(payment, amount_refunding_fen=payment.amount_refunding_fen - refund.amount_fen)

    def _send_rest(self, payment: Payment) -> Payment:
        """What is still owed goes on under a new number, the old one is spent: nobody else would ask for it."""
        left_fen = payment.left_fen
        if self._spent is None or left_fen == 0:
            return payment
        spent, due_at = self._spent
        again = issue_refund(
            self._tx,
            self._deps,
            payment,
            amount_fen=left_fen,
            reason=spent.reason,
            note=spent.note,
            now=self._change.now,
            due_at=due_at,
        )
        self._books.tell("refund_issued_again", again, instead_of=spent.id)
        return replace(payment, amount_refunding_fen=payment.amount_refunding_fen + left_fen)
