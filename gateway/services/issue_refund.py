"""Puts a refund on record, whoever wants it: its row, its ledger entry, and the task that submits it."""

from datetime import datetime

from gateway.domain.order import LedgerAccount, Payment, Refund, TaskKind
from gateway.domain.states import RefundReason, RefundState
from gateway.services.deps import Deps
from gateway.services.ledger import book
from gateway.services.tasks import due_task
from gateway.store import Tx


def issue_refund(
    tx: Tx,
    deps: Deps,
    payment: Payment,
    *,
    amount_fen: int,
    reason: RefundReason,
    note: str,
    now: datetime,
    client_refund_no: str | None = None,
    due_at: datetime | None = None,
) -> Refund:
    """
    Write a requested refund that is due at once, or when it is said.

    The caller counts it in the payment's `amount_refunding_fen` and tells it in the order's history.
    """
    no = deps.ids.new()
    refund = Refund(
        id=f"ref_{no}",
        order_id=payment.order_id,
        payment_id=payment.id,
        account=payment.account,
        out_refund_no=no,
        client_refund_no=client_refund_no,
        state=RefundState.REQUESTED,
        reason=reason,
        note=note,
        amount_fen=amount_fen,
        provider_refund_no=None,
        evidence_id=None,
        succeeded_at=None,
        created_at=now,
        updated_at=now,
    )
    tx.insert(refund)
    book(
        tx,
        deps,
        payment,
        debit=LedgerAccount.REFUNDING,
        credit=LedgerAccount.COLLECTED,
        amount_fen=amount_fen,
        at=now,
        refund_id=refund.id,
    )
    tx.schedule(due_task(TaskKind.REFUND, refund.id, payment.account, at=due_at or now, now=now))
    return refund
