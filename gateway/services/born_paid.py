"""Puts a payment on record that was never started here: the first we hear of it is that it is paid."""

from gateway.domain.order import Payment
from gateway.domain.report import ProviderReport
from gateway.services.deps import Deps
from gateway.services.order_change import OrderChange, announce_payment
from gateway.services.record_report import Message, Recorded, record_report
from gateway.store import KnownMessage, ReportView, Tx


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
