"""The refund half of a report: called by `record_report` alone."""

from dataclasses import replace
from typing import Final

from gateway.domain.order import LedgerAccount, Payment, Refund, TaskKind
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.schedule import REFUND_QUERY_PAUSES, REISSUE_PAUSES, pause
from gateway.domain.states import REFUND_ARROWS, PaymentState, RefundReason, RefundState
from gateway.services.deps import Deps
from gateway.services.issue_refund import issue_refund
from gateway.services.ledger import book
from gateway.services.order_change import OrderChange
from gateway.services.tasks import due_task
from gateway.store import Tx

_NEXT_STATE: Final = {
    ReportedRefundState.SUBMITTED: RefundState.SUBMITTED,
    ReportedRefundState.SUCCEEDED: RefundState.SUCCEEDED,
    ReportedRefundState.FAILED: RefundState.FAILED,
    ReportedRefundState.ABNORMAL: RefundState.ABNORMAL,
    ReportedRefundState.UNKNOWN: RefundState.UNKNOWN,
}
_FINAL: Final = frozenset({RefundState.SUCCEEDED, RefundState.FAILED})
_OWED: Final = frozenset({RefundReason.SURPLUS, RefundReason.LATE})
"""Money that we have no right to keep: its refund is tried until it has gone back."""


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
    if refund is None and said is not None and _is_outside_success(said) and said.amount_fen is not None:
        free = payment.amount_fen - payment.amount_refunded_fen - payment.amount_refunding_fen
        return "refund_exceeds_payment" if said.amount_fen > free else ""
    return ""


def is_ahead_of_payment(payment: Payment, report: ProviderReport) -> bool:
    """
    True for a callback that tells of money gone back from a payment that is not proven yet, and not how much it was.

    UnionPay's notice of a refund names the refund's amount alone. The payment's own proof is found by query.
    """
    said = report.source is Source.CALLBACK and report.refund is not None and report.amount_fen is None
    return said and report.state is ReportedState.PAID and payment.state is not PaymentState.PAID


def wait_reason(payment: Payment, refund: Refund | None, report: ProviderReport) -> str:
    """
    Why a callback cannot be judged yet, so that the provider is asked to send it once more; "" if it can.

    It is ahead of its payment; or it tells of more money gone back than we know, by no refund of ours, while ours are
    in flight. The surplus may be one of ours whose own proof is still to come, or a refund made elsewhere that nobody
    will tell of again: only the end of those in flight can decide.
    """
    if is_ahead_of_payment(payment, report):
        return "payment_not_proven"
    more = (report.refunded_total_fen or 0) > payment.amount_refunded_fen
    in_flight = report.source is Source.CALLBACK and more and refund is None and payment.amount_refunding_fen > 0
    return "refunds_in_flight" if in_flight else ""


def _is_outside_success(said: RefundReport) -> bool:
    return said.state is ReportedRefundState.SUCCEEDED and bool(said.out_refund_no)


class RefundRecorder:
    """Applies what a report says of refunds, already found free of contradictions."""

    def __init__(self, tx: Tx, deps: Deps, change: OrderChange, evidence_id: str) -> None:
        self._tx = tx
        self._deps = deps
        self._change = change
        self._evidence_id = evidence_id

    def record(self, payment: Payment, refund: Refund | None, report: ProviderReport) -> Payment:
        """The payment after the report; refunds, ledger and tasks are written."""
        said = report.refund
        if said is not None and refund is not None:
            payment = self._ours(payment, refund, said)
        elif said is not None and _is_outside_success(said) and said.amount_fen is not None:
            payment = self._outside(payment, said, said.amount_fen)
        if report.refunded_total_fen is not None:
            payment = self._rest_of_total(payment, report, report.refunded_total_fen)
        return payment

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
        self._tell(f"refund_{state.value}", refund)
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
        self._book(LedgerAccount.RECEIVABLE, LedgerAccount.REFUNDING, payment, refund)
        payment = replace(payment, amount_refunding_fen=payment.amount_refunding_fen - refund.amount_fen)
        return self._refunded(payment, refund.amount_fen)

    def _failed(self, payment: Payment, refund: Refund) -> Payment:
        self._book(LedgerAccount.COLLECTED, LedgerAccount.REFUNDING, payment, refund)
        if refund.reason in _OWED:
            self._issue_again(payment, refund)
            return payment
        return replace(payment, amount_refunding_fen=payment.amount_refunding_fen - refund.amount_fen)

    def _issue_again(self, payment: Payment, refund: Refund) -> None:
        """Nobody asked for this refund and nobody else will: it goes on under a new number, the old one is spent."""
        failed = [other for other in self._tx.refunds_of_payment(payment.id) if other.state is RefundState.FAILED]
        again = issue_refund(
            self._tx,
            self._deps,
            payment,
            amount_fen=refund.amount_fen,
            reason=refund.reason,
            note=refund.note,
            now=self._change.now,
            due_at=self._change.now + pause(REISSUE_PAUSES, len(failed) + 1),
        )
        self._tell("refund_issued_again", again, instead_of=refund.id)

    def _refunded(self, payment: Payment, amount_fen: int) -> Payment:
        """Count proven refunds on the payment and, when it is the kept one, on the order and its slot."""
        payment = replace(payment, amount_refunded_fen=payment.amount_refunded_fen + amount_fen)
        if payment.kept:
            order = self._change.order
            self._change.set(amount_refunded_fen=order.amount_refunded_fen + amount_fen)
            if order.slot is not None and payment.amount_refunded_fen == payment.amount_fen:
                self._tx.free_slot(order.slot, order.id)
        return payment

    def _outside(self, payment: Payment, said: RefundReport, amount_fen: int) -> Payment:
        """Money that went back by no refund of ours: one made in the provider's console, or a bank's own reversal."""
        reason = RefundReason.REVERSED if said.is_reversal else RefundReason.OUTSIDE
        no = said.out_refund_no or f"outside-{self._deps.ids.new()}"
        refund = Refund(
            id=f"ref_{self._deps.ids.new()}",
            order_id=payment.order_id,
            payment_id=payment.id,
            account=payment.account,
            out_refund_no=no,
            client_refund_no=None,
            state=RefundState.SUCCEEDED,
            reason=reason,
            note="",
            amount_fen=amount_fen,
            provider_refund_no=said.provider_refund_no,
            evidence_id=self._evidence_id,
            succeeded_at=said.occurred_at or self._change.now,
            created_at=self._change.now,
            updated_at=self._change.now,
        )
        self._tx.insert(refund)
        self._tell("refund_outside", refund)
        self._book(LedgerAccount.RECEIVABLE, LedgerAccount.COLLECTED, payment, refund)
        return self._refunded(payment, amount_fen)

    def _rest_of_total(self, payment: Payment, report: ProviderReport, total_fen: int) -> Payment:
        """
        A cumulative sum above what we know is a refund made elsewhere, but only when none of ours is in flight, whose
        own proof would then count twice.
        """
        rest_fen = total_fen - payment.amount_refunded_fen
        if rest_fen <= 0 or payment.amount_refunding_fen > 0:
            return payment
        occurred_at = report.refund.occurred_at if report.refund else report.occurred_at
        said = RefundReport(out_refund_no=None, state=ReportedRefundState.SUCCEEDED, occurred_at=occurred_at)
        return self._outside(payment, said, rest_fen)

    def _tell(self, kind: str, refund: Refund, **detail: object) -> None:
        self._change.event(
            kind,
            evidence_id=self._evidence_id,
            refund_id=refund.id,
            payment_id=refund.payment_id,
            amount_fen=refund.amount_fen,
            reason=refund.reason.value,
            **detail,
        )

    def _book(self, debit: LedgerAccount, credit: LedgerAccount, payment: Payment, refund: Refund) -> None:
        book(
            self._tx,
            self._deps,
            payment,
            debit=debit,
            credit=credit,
            amount_fen=refund.amount_fen,
            at=self._change.now,
            refund_id=refund.id,
        )
