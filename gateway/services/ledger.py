"""Writes the double entry of what a payment moves."""

from datetime import datetime

from gateway.domain.order import LedgerAccount, LedgerEntry, Payment
from gateway.services.deps import Deps
from gateway.store import Tx


def book(
    tx: Tx,
    deps: Deps,
    payment: Payment,
    *,
    debit: LedgerAccount,
    credit: LedgerAccount,
    amount_fen: int,
    at: datetime,
    refund_id: str | None = None,
) -> None:
    """Move an amount of this payment from `credit` to `debit`, at its merchant account."""
    tx.insert(
        LedgerEntry(
            id=f"led_{deps.ids.new()}",
            account=payment.account,
            at=at,
            debit=debit,
            credit=credit,
            amount_fen=amount_fen,
            payment_id=payment.id,
            refund_id=refund_id,
        )
    )
