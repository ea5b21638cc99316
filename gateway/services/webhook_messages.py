"""
Makes an app's messages out of an order's history.

A message tells the order or the refund as that very event left it: the state comes from the history up to the event,
never from the row as it is now. The members are a part of what GET shows; nothing personal and no free text is in it.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from gateway.domain.clock import rfc3339
from gateway.domain.order import Event, Order, Payment, Refund
from gateway.domain.report import CURRENCY
from gateway.domain.states import OrderState, RefundState
from gateway.domain.webhook import MessageState, WebhookMessage, message_type
from gateway.services.deps import Deps
from gateway.store import Tx

_PAGE: Final = 500
_ORDER_STATES: Final = {
    "order_opened": OrderState.OPEN,
    "order_closing": OrderState.CLOSING,
    "order_closed": OrderState.CLOSED,
    "order_paid": OrderState.PAID,
}
_REFUND_STATES: Final = {
    "refund_succeeded": RefundState.SUCCEEDED,
    "refund_outside": RefundState.SUCCEEDED,
    "refund_failed": RefundState.FAILED,
    "refund_abnormal": RefundState.ABNORMAL,
}
_MONEY_BACK: Final = frozenset({"refund_succeeded", "refund_outside"})


def history(tx: Tx, order_id: str) -> list[Event]:
    """Every event of an order, oldest first."""
    events: list[Event] = []
    while page := tx.events_page(order_id, after=len(events), limit=_PAGE):
        events += page
    return events


def untold(deps: Deps, order: Order, events: Iterable[Event], *, after: int) -> Iterator[WebhookMessage]:
    """New messages, due now, for the events behind position `after` that are told at all."""
    for event in events:
        kind = message_type(event) if event.seq > after else None
        if kind is not None:
            yield WebhookMessage(
                order_id=order.id,
                seq=event.seq,
                app=order.app,
                type=kind,
                state=MessageState.PENDING,
                occurred_at=event.at,
                due_at=deps.clock.now(),
                tries=0,
                step=0,
                lease_until=None,
                settled_at=None,
            )


def order_as_of(order: Order, events: Iterable[Event]) -> Order:
    """The order as it was behind these events, its first ones: state and sums as they tell them."""
    was = replace(order, state=OrderState.OPEN, paid_payment_id=None, amount_paid_fen=0, amount_refunded_fen=0)
    for event in events:
        detail = json.loads(event.detail)
        was = replace(was, state=_ORDER_STATES.get(event.kind, was.state), event_seq=event.seq, event_hash=event.hash)
        if event.kind == "payment_paid":
            was = replace(was, paid_payment_id=detail["payment_id"], amount_paid_fen=detail["amount_fen"])
        elif event.kind in _MONEY_BACK and detail["payment_id"] == was.paid_payment_id:
            was = replace(was, amount_refunded_fen=was.amount_refunded_fen + detail["amount_fen"])
    return was


def body_of(tx: Tx, order: Order, events: Sequence[Event], message: WebhookMessage) -> bytes:
    """The bytes to be signed and sent: the same for every try, because nothing in them changes after the event."""
    event = events[message.seq - 1]
    was = order_as_of(order, events[: message.seq])
    detail = json.loads(event.detail)
    told = _order_told(tx, was) if event.kind in _ORDER_STATES else _refund_told(tx, was, event, detail["refund_id"])
    content = {"type": message.type, "timestamp": rfc3339(event.at), "sequence": event.seq, "data": told}
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _order_told(tx: Tx, order: Order) -> dict[str, Any]:
    kept = tx.payment(order.paid_payment_id) if order.paid_payment_id else None
    subject = {"region": order.region, "insured_year": order.insured_year, "insurance_kind": order.insurance_kind}
    return _order_summary(order) | {
        "currency": CURRENCY,
        "subject": subject if order.slot else None,
        "expires_at": rfc3339(order.expires_at),
        "created_at": rfc3339(order.created_at),
        "paid_payment_id": order.paid_payment_id,
        "payment": _payment_told(kept) if kept else None,
    }


def _order_summary(order: Order) -> dict[str, Any]:
    return {
        "order_id": order.id,
        "client_order_no": order.client_order_no,
        "state": order.state.value,
        "amount_fen": order.amount_fen,
        "amount_paid_fen": order.amount_paid_fen,
        "amount_refunded_fen": order.amount_refunded_fen,
    }


def _payment_told(payment: Payment) -> dict[str, Any]:
    """What is settled for ever once a payment is paid."""
    return {
        "payment_id": payment.id,
        "provider": payment.provider,
        "method": payment.method,
        "account": payment.account,
        "amount_fen": payment.amount_fen,
        "out_trade_no": payment.out_trade_no,
        "provider_trade_no": payment.provider_trade_no,
        "paid_at": rfc3339(payment.paid_at) if payment.paid_at else None,
    }


def _refund_told(tx: Tx, order: Order, event: Event, refund_id: str) -> dict[str, Any]:
    refund = tx.refund(refund_id)
    if refund is None:
        raise LookupError(f"event {event.seq} of {order.id} names a refund that does not exist")
    state = _REFUND_STATES[event.kind]
    return _refund_members(refund) | {
        "state": state.value,
        "evidence_id": event.evidence_id,
        "succeeded_at": _succeeded_at(refund) if state is RefundState.SUCCEEDED else None,
        "order": _order_summary(order),
    }


def _refund_members(refund: Refund) -> dict[str, Any]:
    return {
        "refund_id": refund.id,
        "order_id": refund.order_id,
        "payment_id": refund.payment_id,
        "client_refund_no": refund.client_refund_no,
        "out_refund_no": refund.out_refund_no,
        "reason": refund.reason.value,
        "amount_fen": refund.amount_fen,
        "created_at": rfc3339(refund.created_at),
    }


def _succeeded_at(refund: Refund) -> str | None:
    return rfc3339(refund.succeeded_at) if refund.succeeded_at else None
