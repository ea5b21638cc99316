"""Values of the order model as the public JSON shows them, and people as it brings them."""

import json
from collections.abc import Mapping
from typing import Any

from gateway.domain.clock import moment, rfc3339
from gateway.domain.order import Event, Person, Refund
from gateway.domain.replay import Change
from gateway.services.views import OrderView, PaymentView
from schemas.order import normal_id_number


def person_from(members: Mapping[str, str]) -> Person:
    """The person of a loaded `PersonIn`."""
    return Person(name=members["name"], id_type=members["id_type"], id_number=normal_id_number(members["id_number"]))


def payment_shape(view: PaymentView) -> dict[str, Any]:
    """A payment for `PaymentOut`."""
    payment = view.payment
    return {
        "payment_id": payment.id,
        "order_id": payment.order_id,
        "state": payment.state.value,
        "provider": payment.provider,
        "method": payment.method,
        "account": payment.account,
        "amount_fen": payment.amount_fen,
        "amount_refunded_fen": payment.amount_refunded_fen,
        "out_trade_no": payment.out_trade_no,
        "provider_trade_no": payment.provider_trade_no,
        "kept": payment.kept,
        "evidence_id": payment.evidence_id,
        "paid_at": rfc3339(payment.paid_at) if payment.paid_at else None,
        "created_at": rfc3339(payment.created_at),
        "expires_at": rfc3339(payment.expires_at),
        "instruction": _instruction_shape(view),
    }


def _instruction_shape(view: PaymentView) -> dict[str, Any] | None:
    instruction = view.instruction
    if instruction is None:
        return None
    expires_at = instruction["expires_at_micros"]
    return {
        "kind": instruction["kind"],
        "payload": instruction["payload"],
        "expires_at": rfc3339(moment(expires_at)) if expires_at else None,
    }


def change_shape(change: Change) -> dict[str, Any]:
    """A row's change for `ChangeOut`."""
    values = {name: list(pair) for name, pair in change.values.items()}
    return {"table": change.table, "subject": change.subject, "values": values}


def refund_shape(refund: Refund) -> dict[str, Any]:
    """A refund for `RefundOut`."""
    return {
        "refund_id": refund.id,
        "order_id": refund.order_id,
        "payment_id": refund.payment_id,
        "client_refund_no": refund.client_refund_no,
        "out_refund_no": refund.out_refund_no,
        "state": refund.state.value,
        "reason": refund.reason.value,
        "amount_fen": refund.amount_fen,
        "evidence_id": refund.evidence_id,
        "created_at": rfc3339(refund.created_at),
        "succeeded_at": rfc3339(refund.succeeded_at) if refund.succeeded_at else None,
    }


def order_shape(view: OrderView, *, order_token: str | None = None) -> dict[str, Any]:
    """An order for `OrderOut`; people are not shown."""
    order = view.order
    subject = (
        {"region": order.region, "insured_year": order.insured_year, "insurance_kind": order.insurance_kind}
        if order.slot
        else None
    )
    shape = {
        "order_id": order.id,
        "client_order_no": order.client_order_no,
        "state": order.state.value,
        "amount_fen": order.amount_fen,
        "amount_paid_fen": order.amount_paid_fen,
        "amount_refunded_fen": order.amount_refunded_fen,
        "currency": "CNY",
        "description": order.description,
        "subject": subject,
        "expires_at": rfc3339(order.expires_at),
        "created_at": rfc3339(order.created_at),
        "paid_payment_id": order.paid_payment_id,
        "payments": [payment_shape(payment) for payment in view.payments],
        "refunds": [refund_shape(refund) for refund in view.refunds],
        "next_steps": list(view.next_steps),
    }
    return {**shape, "order_token": order_token} if order_token else shape


def event_shape(event: Event) -> dict[str, Any]:
    """An event for `EventOut`."""
    return {
        "seq": event.seq,
        "kind": event.kind,
        "at": rfc3339(event.at),
        "actor": event.actor,
        "evidence_id": event.evidence_id,
        "detail": json.loads(event.detail),
        "hash": event.hash,
    }
