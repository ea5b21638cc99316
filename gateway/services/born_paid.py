"""Puts a payment on record that was never started here: the first we hear of it is that it is paid."""

from gateway.domain.order import Order, Payment
from gateway.domain.report import ProviderReport
from gateway.domain.states import PaymentState
from gateway.services.deps import Deps
from gateway.services.order_change import OrderChange, announce_payment
from gateway.services.record_report import Message, Recorded, record_report
from gateway.store import KnownMessage, ReportView, Tx


def unstarted_payment(deps: Deps, order: Order, *, account: str, provider: str, method: str) -> Payment:
    """A payment of the order's whole amount, without a verdict; its number is ours and new."""
    no = deps.ids.new()
    now = deps.clock.now()
    return Payment(
        id=f"pay_{no}",
        order_id=order.id,
        account=account,
        provider=provider,
        method=method,
        out_trade_no=no,
        state=PaymentState.CREATED,
        amount_fen=order.amount_fen,
        fields_sealed=None,
        instruction_sealed=None,
        provider_trade_no=None,
        kept=False,
        amount_refunding_fen=0,
        amount_refunded_fen=0,
        evidence_id=None,
        paid_at=None,
        created_at=now,
        expires_at=order.expires_at,
        updated_at=now,
    )


def record_born_paid(
    tx: Tx,
    deps: Deps,
    change: OrderChange,
    payment: Payment,
    report: ProviderReport,
    *,
    message: Message,
    actor: str,
    slot_holder: str | None,
    known: KnownMessage | None = None,
) -> Recorded:
    """
    Let a payment enter by the one door, together with the report that proves it.

    Order (when `change` is its first), payment, ledger, slot, refund of a surplus, events and evidence are one unit of
    work; `change` may hold earlier events of the same unit and must not be written by the caller.

    Args:
        slot_holder: The order that holds the premium slot now, as this unit of work has read it.
        known: The message's own notification, when it was stored before without having been applied.

    Raises:
        ValueError: The report is no proof of payment, or contradicts the payment; nothing may be born of it.
    """
    announce_payment(change, payment)
    view = ReportView(known=known, payment=payment, order=change.order, slot_holder=slot_holder)
    return record_report(tx, deps, view, report, message, actor=actor, born=change)
