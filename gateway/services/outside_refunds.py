"""Counts money that went back by no refund of ours, each fen once: the refund half of a report, see `record_refund`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from gateway.domain.order import LedgerAccount, Payment, Refund
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState
from gateway.domain.states import NotificationState, RefundReason, RefundState
from gateway.services.refund_books import RefundBooks
from gateway.services.told_refunds import Told, highest_total, keep_told, outside_success, tells_more, told_of

TOO_MUCH: Final = "refund_exceeds_payment"


class OutsideRefunds:
    """Those of one payment, in one unit of work."""

    def __init__(self, books: RefundBooks) -> None:
        self._books = books

    def count(self, payment: Payment, said: RefundReport, amount_fen: int, *, evidence_id: str) -> Payment:
        """Put a refund on record that was made in the provider's console, by the bank, or where money was collected."""
        books, now = self._books, self._books.change.now
        refund = Refund(
            id=f"ref_{books.deps.ids.new()}",
            order_id=payment.order_id,
            payment_id=payment.id,
            account=payment.account,
            out_refund_no=said.out_refund_no or f"outside-{books.deps.ids.new()}",
            client_refund_no=None,
            state=RefundState.SUCCEEDED,
            reason=RefundReason.REVERSED if said.is_reversal else RefundReason.OUTSIDE,
            note="",
            amount_fen=amount_fen,
            provider_refund_no=said.provider_refund_no,
            evidence_id=evidence_id,
            succeeded_at=said.occurred_at or now,
            created_at=now,
            updated_at=now,
        )
        books.tx.insert(refund)
        books.tell("refund_outside", refund, evidence_id=evidence_id, kept=payment.kept)
        books.book(LedgerAccount.RECEIVABLE, LedgerAccount.COLLECTED, payment, refund)
        return books.refunded(payment, amount_fen)

    def keep(self, payment: Payment, refund: Refund | None, report: ProviderReport) -> None:
        """What a report tells beyond what we know is kept once, while ours are in flight, until they have an end."""
        if not tells_more(payment, refund, report):
            return
        told = told_of(self._books.tx, payment)
        highest = highest_total(told)
        outside = outside_success(report) if refund is None else None
        numbers = {one.refund.out_refund_no for one in told if one.refund}
        is_new_number = outside is not None and outside.out_refund_no not in numbers
        is_new_total = (report.refunded_total_fen or 0) > ((highest.total_fen or 0) if highest else 0)
        if is_new_number or is_new_total:
            keep_told(self._books.change, payment, report, self._books.evidence_id)

    def settle(self, payment: Payment, report: ProviderReport, told: Sequence[Told]) -> Payment:
        """
        Count what was told, by this report and by those kept before it: nothing of ours is in flight any more.

        Refunds with a number of their own come first, then what they leave of the greatest sum that was told.
        """
        verdicts: dict[str, NotificationState] = {}
        numbers = {report.refund.out_refund_no if report.refund else None}
        for one in told:
            no = one.refund.out_refund_no if one.refund else None
            if no not in numbers:
                numbers.add(no)
                payment = self._named(payment, one, verdicts)
        payment = self._rest(payment, [*told, _told_now(report, self._books.evidence_id)], verdicts)
        self._judge_kept(told, verdicts)
        return payment

    def _named(self, payment: Payment, one: Told, verdicts: dict[str, NotificationState]) -> Payment:
        """More than is left cannot have gone back: a person looks at it."""
        tx, said = self._books.tx, one.refund
        if said is None or said.out_refund_no is None or tx.refund_by_no(said.out_refund_no) is not None:
            return payment
        amount_fen = said.amount_fen or 0
        if amount_fen <= payment.amount_fen - payment.amount_refunded_fen:
            verdicts[one.evidence_id] = NotificationState.APPLIED
            return self.count(payment, said, amount_fen, evidence_id=one.evidence_id)
        kept = tx.notification(one.evidence_id)
        if kept is not None and kept.state is not NotificationState.QUARANTINED:
            verdicts[one.evidence_id] = NotificationState.QUARANTINED
            self._books.change.event(
                "report_quarantined",
                evidence_id=one.evidence_id,
                payment_id=payment.id,
                reason=TOO_MUCH,
                refund_amount_fen=amount_fen,
                source=kept.source,
            )
        return payment

    def _rest(self, payment: Payment, told: Sequence[Told], verdicts: dict[str, NotificationState]) -> Payment:
        """A cumulative sum above what we know is a refund made elsewhere."""
        highest = highest_total(told)
        rest_fen = (highest.total_fen or 0) - payment.amount_refunded_fen if highest else 0
        if highest is None or rest_fen <= 0:
            return payment
        verdicts[highest.evidence_id] = NotificationState.APPLIED
        said = RefundReport(out_refund_no=None, state=ReportedRefundState.SUCCEEDED, occurred_at=highest.occurred_at)
        return self.count(payment, said, rest_fen, evidence_id=highest.evidence_id)

    def _judge_kept(self, told: Sequence[Told], verdicts: Mapping[str, NotificationState]) -> None:
        """Say of the messages that waited what has become of them; this report's own is written by `record_report`."""
        for evidence_id in sorted({one.evidence_id for one in told} - {self._books.evidence_id}):
            kept = self._books.tx.notification(evidence_id)
            state = verdicts.get(evidence_id, NotificationState.DUPLICATE)
            if kept is not None and (kept.state is NotificationState.ORPHAN or state is NotificationState.QUARANTINED):
                reason = TOO_MUCH if state is NotificationState.QUARANTINED else ""
                self._books.tx.update(replace(kept, state=state, reason=reason, updated_at=self._books.change.now))


def _told_now(report: ProviderReport, evidence_id: str) -> Told:
    occurred_at = report.refund.occurred_at if report.refund else report.occurred_at
    return Told(evidence_id=evidence_id, refund=None, total_fen=report.refunded_total_fen, occurred_at=occurred_at)
