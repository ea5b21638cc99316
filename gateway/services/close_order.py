"""Makes an order unpayable. Only proof closes it: until every payment is proven unpayable it is `closing`."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from gateway.domain.order import Order, Payment, TaskKind
from gateway.domain.refusal import Refusal
from gateway.domain.states import OrderState, payment_is_open
from gateway.services.deps import Deps
from gateway.services.idempotent import KeyedRequest, Reply, once
from gateway.services.order_change import OrderChange
from gateway.services.tasks import due_task
from gateway.services.views import OrderView, find_order, payment_view
from gateway.store import Tx

_CLOSABLE: Final = frozenset({OrderState.OPEN, OrderState.CLOSING})


def close_order(
    deps: Deps, app: str, order_id: str, request: KeyedRequest, render: Callable[[OrderView], Reply]
) -> Reply:
    """
    Close an order for its app, or begin to.

    Raises:
        Refusal: idempotency_key_reused, idempotency_in_flight. order_already_paid and not_found are stored answers.
    """

    def act(tx: Tx) -> OrderView:
        order = find_order(tx, app, order_id)
        if order.state is OrderState.PAID:
            raise Refusal("order_already_paid", "the order is paid", extra={"order_state": order.state.value})
        payments = tx.payments_of_order(order.id)
        order = begin_close(tx, deps, order, payments, actor=f"app:{app}", reason="asked")
        return OrderView(order=order, payments=tuple(payment_view(deps, p) for p in payments), refunds=())

    return once(deps, request, act, render)


def begin_close(tx: Tx, deps: Deps, order: Order, payments: list[Payment], *, actor: str, reason: str) -> Order:
    """Close an order whose payments are all proven unpayable; otherwise shut each open one by a task."""
    if order.state not in _CLOSABLE:
        return order
    now = deps.clock.now()
    open_payments = [payment for payment in payments if payment_is_open(payment.state)]
    for payment in open_payments:
        shut_soon(tx, payment, at=now, now=now)
    target = OrderState.CLOSING if open_payments else OrderState.CLOSED
    if order.state is target:
        return order
    change = OrderChange(tx, deps, order, now=now, actor=actor)
    change.set(state=target)
    change.event(f"order_{target.value}", reason=reason)
    if target is OrderState.CLOSED:
        tx.drop_task(TaskKind.CLOSE_ORDER, order.id)
    return change.write()


def shut_soon(tx: Tx, payment: Payment, *, at: datetime, now: datetime) -> None:
    """A payment that nobody is to pay any more is shut; whoever shuts it asks about it, so nobody else needs to."""
    tx.schedule(due_task(TaskKind.CLOSE, payment.id, payment.account, at=at, now=now))
    tx.drop_task(TaskKind.QUERY, payment.id)


def close_expired(deps: Deps, order_id: str, *, actor: str) -> None:
    """Begin to close an order whose life is over, or that another order made superfluous."""

    def job(tx: Tx) -> None:
        order = tx.order(order_id)
        if order is not None:
            reason = "expired" if deps.clock.now() >= order.expires_at else "premium_already_paid"
            begin_close(tx, deps, order, tx.payments_of_order(order_id), actor=actor, reason=reason)

    deps.store.run(job)
