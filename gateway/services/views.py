"""What is read of an order, ready to be shown: opened instructions and next steps, no sealed bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gateway.domain.order import Event, Order, Payment, Person, PremiumSubject, Refund
from gateway.domain.refusal import Refusal
from gateway.domain.states import OrderState, PaymentState, payment_is_open
from gateway.services.deps import Deps
from gateway.store import Tx

INSTRUCTION_PURPOSE: Final = "instruction"
SUBJECT_PURPOSE: Final = "subject"
FIELDS_PURPOSE: Final = "payment_fields"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentView:
    """A payment with its opened instruction, shown only while it can still be used."""

    payment: Payment
    instruction: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order with its payments and refunds, oldest first."""

    order: Order
    payments: tuple[PaymentView, ...]
    refunds: tuple[Refund, ...]

    @property
    def next_steps(self) -> tuple[str, ...]:
        """What can happen next, for the front end."""
        return _NEXT_STEPS[self.order.state]


_NEXT_STEPS: Final[dict[OrderState, tuple[str, ...]]] = {
    OrderState.OPEN: ("start_payment", "close"),
    OrderState.CLOSING: ("wait",),
    OrderState.PAID: ("refund",),
    OrderState.CLOSED: (),
}


def payment_view(deps: Deps, payment: Payment) -> PaymentView:
    """Open a payment's instruction for its front end."""
    usable = payment.instruction_sealed is not None and payment_is_open(payment.state)
    instruction = (
        deps.vault.unseal_json(payment.instruction_sealed, INSTRUCTION_PURPOSE)
        if usable and payment.instruction_sealed is not None
        else None
    )
    return PaymentView(payment=payment, instruction=instruction)


def order_view(deps: Deps, tx: Tx, order: Order) -> OrderView:
    """Read what belongs to an order."""
    payments = tx.payments_of_order(order.id) if order.payments else []
    refunds = tx.refunds_of_order(order.id) if any(p.state is PaymentState.PAID for p in payments) else []
    return OrderView(
        order=order,
        payments=tuple(payment_view(deps, payment) for payment in payments),
        refunds=tuple(refunds),
    )


def premium_subject(deps: Deps, order: Order) -> PremiumSubject | None:
    """Open what a premium order pays for; None for an ordinary charge."""
    if order.subject_sealed is None:
        return None
    members = deps.vault.unseal_json(order.subject_sealed, SUBJECT_PURPOSE)
    people = {role: Person(**members[role]) if members[role] else None for role in ("insured", "payer")}
    return PremiumSubject(**{**members, **people})


def find_order(tx: Tx, app: str, order_id: str) -> Order:
    """
    An app's own order.

    Raises:
        Refusal: not_found, also for orders of other apps.
    """
    order = tx.order(order_id)
    if order is None or order.app != app:
        raise Refusal("not_found", "there is no such order")
    return order


def find_payment(tx: Tx, app: str, payment_id: str) -> tuple[Order, Payment]:
    """
    A payment of an app's own order.

    Raises:
        Refusal: not_found.
    """
    payment = tx.payment(payment_id)
    order = tx.order(payment.order_id) if payment else None
    if payment is None or order is None or order.app != app:
        raise Refusal("not_found", "there is no such payment")
    return order, payment


def find_refund(tx: Tx, app: str, refund_id: str) -> Refund:
    """
    A refund of an app's own order.

    Raises:
        Refusal: not_found.
    """
    refund = tx.refund(refund_id)
    order = tx.order(refund.order_id) if refund else None
    if refund is None or order is None or order.app != app:
        raise Refusal("not_found", "there is no such refund")
    return refund


def read_order(deps: Deps, app: str, order_id: str) -> OrderView:
    """
    Read an app's order with its payments and refunds.

    Raises:
        Refusal: not_found.
    """
    tx = deps.store.read()
    return order_view(deps, tx, find_order(tx, app, order_id))


def orders_of(deps: Deps, app: str, *, before: str, limit: int, state: OrderState | None) -> list[OrderView]:
    """A page of an app's orders, newest first."""
    tx = deps.store.read()
    return [order_view(deps, tx, order) for order in tx.orders_page(app, before=before, limit=limit, state=state)]


def order_by_client_no(deps: Deps, app: str, client_order_no: str) -> OrderView:
    """
    Read by the app's own number.

    Raises:
        Refusal: not_found.
    """
    tx = deps.store.read()
    order = tx.order_by_client_no(app, client_order_no)
    if order is None:
        raise Refusal("not_found", "there is no such order")
    return order_view(deps, tx, order)


def events_of(deps: Deps, app: str, order_id: str, *, after: int, limit: int) -> list[Event]:
    """
    A page of an order's history, oldest first.

    Raises:
        Refusal: not_found.
    """
    tx = deps.store.read()
    find_order(tx, app, order_id)
    return tx.events_page(order_id, after=after, limit=limit)
