"""Rows of the order model with every field filled, to be changed where a test cares."""

from datetime import timedelta
from typing import Any

from gateway.domain.events import CHAIN_START, next_event
from gateway.domain.order import (
    Event,
    IdempotencyKey,
    KeyState,
    LedgerAccount,
    LedgerEntry,
    Notification,
    Order,
    Payment,
    Refund,
    Task,
    TaskKind,
    TaskState,
)
from gateway.domain.states import (
    NotificationState,
    OrderState,
    PaymentState,
    RefundReason,
    RefundState,
)
from tests.support.clock import START

LATER = START + timedelta(microseconds=1)


def an_order(order_id: str = "ord_1", **changes: Any) -> Order:
    members: dict[str, Any] = {
        "id": order_id,
        "app": "wallet",
        "client_order_no": f"C-{order_id}",
        "meaning": "m" * 64,
        "state": OrderState.OPEN,
        "amount_fen": 38001,
        "description": "城乡居民医保 2026 — „é“",
        "region": "340100",
        "insured_year": 2026,
        "insurance_kind": "resident_medical",
        "insured_index": "b" * 64,
        "slot": f"slot-{order_id}",
        "subject_sealed": bytes(range(256)),
        "expires_at": START + timedelta(hours=2),
        "created_at": START,
        "updated_at": LATER,
        "payments": 0,
        "paid_payment_id": None,
        "amount_paid_fen": 0,
        "amount_refunded_fen": 0,
        "event_seq": 0,
        "event_hash": CHAIN_START,
    }
    return Order(**members | changes)


def a_payment(payment_id: str = "pay_1", order_id: str = "ord_1", **changes: Any) -> Payment:
    members: dict[str, Any] = {
        "id": payment_id,
        "order_id": order_id,
        "account": "alpha_main",
        "provider": "alpha",
        "method": "native",
        "out_trade_no": f"no-{payment_id}",
        "state": PaymentState.PAID,
        "amount_fen": 38001,
        "fields_sealed": b"\x00fields",
        "instruction_sealed": b"\xffinstruction",
        "provider_trade_no": "T-1",
        "kept": True,
        "amount_refunding_fen": 1,
        "amount_refunded_fen": 2,
        "evidence_id": "ntf_1",
        "paid_at": LATER,
        "created_at": START,
        "expires_at": START + timedelta(hours=2),
        "updated_at": LATER,
    }
    return Payment(**members | changes)


def a_refund(refund_id: str = "ref_1", payment_id: str = "pay_1", order_id: str = "ord_1", **changes: Any) -> Refund:
    members: dict[str, Any] = {
        "id": refund_id,
        "order_id": order_id,
        "payment_id": payment_id,
        "account": "alpha_main",
        "out_refund_no": f"no-{refund_id}",
        "client_refund_no": f"R-{refund_id}",
        "state": RefundState.SUCCEEDED,
        "reason": RefundReason.ASKED,
        "note": "退保",
        "amount_fen": 1,
        "provider_refund_no": "P-1",
        "evidence_id": "ntf_1",
        "succeeded_at": LATER,
        "created_at": START,
        "updated_at": LATER,
    }
    return Refund(**members | changes)


def a_notification(notification_id: str = "ntf_1", **changes: Any) -> Notification:
    members: dict[str, Any] = {
        "id": notification_id,
        "account": "alpha_main",
        "source": "callback",
        "dedup_key": f"key-{notification_id}",
        "event": "TRANSACTION.SUCCESS",
        "state": NotificationState.APPLIED,
        "reason": "",
        "digest": "d" * 64,
        "headers_sealed": b"\x00\x01",
        "body_sealed": bytes(range(255, -1, -1)),
        "payment_id": "pay_1",
        "received_at": START,
        "updated_at": LATER,
    }
    return Notification(**members | changes)


def an_event(order_id: str = "ord_1", *, after_seq: int = 0, after_hash: str = CHAIN_START, **detail: Any) -> Event:
    return next_event(
        order_id=order_id,
        after_seq=after_seq,
        after_hash=after_hash,
        kind="order_opened",
        at=LATER,
        actor="app:wallet",
        evidence_id="ntf_1",
        detail=detail or {"名": "值"},
    )


def a_task(subject_id: str = "pay_1", **changes: Any) -> Task:
    members: dict[str, Any] = {
        "kind": TaskKind.QUERY,
        "subject_id": subject_id,
        "account": "alpha_main",
        "state": TaskState.DUE,
        "due_at": START,
        "tries": 3,
        "lease": "lease-1",
        "last_error": "NoVerdict",
        "created_at": START,
    }
    return Task(**members | changes)


def a_ledger_entry(entry_id: str = "led_1", payment_id: str = "pay_1", **changes: Any) -> LedgerEntry:
    members: dict[str, Any] = {
        "id": entry_id,
        "account": "alpha_main",
        "at": LATER,
        "debit": LedgerAccount.COLLECTED,
        "credit": LedgerAccount.RECEIVABLE,
        "amount_fen": 38001,
        "payment_id": payment_id,
        "refund_id": "ref_1",
    }
    return LedgerEntry(**members | changes)


def a_key(key: str = "key-1", **changes: Any) -> IdempotencyKey:
    members: dict[str, Any] = {
        "app": "wallet",
        "key": key,
        "meaning": "m" * 64,
        "state": KeyState.RUNNING,
        "fence": 1,
        "lease_until": LATER,
        "subject_id": "pay_1",
        "response_status": 201,
        "response_sealed": b"\x00sealed",
        "created_at": START,
    }
    return IdempotencyKey(**members | changes)
