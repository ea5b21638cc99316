"""What every refund leaves behind, whoever made it: a line of the history, a ledger entry, the sums it counts in."""

from dataclasses import replace

from gateway.domain.order import LedgerAccount, Payment, Refund
from gateway.services.deps import Deps
from gateway.services.ledger import book
from gateway.services.order_change import OrderChange
from gateway.store import Tx


class RefundBooks:
    """
    The books of one unit of work.

    Attributes:
        evidence_id: The message that the unit acts on.
    """

    def __init__(self, tx: Tx, deps: Deps, change: OrderChange, evidence_id: str) -> None:
        self.tx = tx
        self.deps = deps
        self.change = change
        self.evidence_id = evidence_id

    def tell(self, kind: str, refund: Refund, *, evidence_id: str | None = None, **detail: object) -> None:
        """Add a line to the order's history."""
        self.change.event(
            kind,
            evidence_id=evidence_id or self.evidence_id,
            refund_id=refund.id,
            payment_id=refund.payment_id,
            amount_fen=refund.amount_fen,
            reason=refund.reason.value,
            **detail,
        )

    def book(self, debit: LedgerAccount, credit: LedgerAccount, payment: Payment, refund: Refund) -> None:
        """Move the refund's sum in the ledger."""
        book(
            self.tx,
            self.deps,
            payment,
            debit=debit,
            credit=credit,
            amount_fen=refund.amount_fen,
            at=self.change.now,
            refund_id=refund.id,
        )

    def refunded(self, payment: Payment, amount_fen: int) -> Payment:
        """Count a proven refund on the payment and, when it is the kept one, on the order and its slot."""
        payment = replace(payment, amount_refunded_fen=payment.amount_refunded_fen + amount_fen)
        if payment.kept:
            order = self.change.order
            self.change.set(amount_refunded_fen=order.amount_refunded_fen + amount_fen)
            if order.slot is not None and payment.amount_refunded_fen == payment.amount_fen:
                self.tx.free_slot(order.slot, order.id)
        return payment
