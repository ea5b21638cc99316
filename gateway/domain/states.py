"""States of orders, payments, refunds and messages, and the arrows between them."""

from enum import StrEnum
from typing import Final


class OrderState(StrEnum):
    OPEN = "open"
    CLOSING = "closing"
    PAID = "paid"
    CLOSED = "closed"


class PaymentState(StrEnum):
    CREATED = "created"
    PENDING = "pending"
    UNKNOWN = "unknown"
    PAID = "paid"
    CLOSED = "closed"
    FAILED = "failed"


class RefundState(StrEnum):
    REQUESTED = "requested"
    SUBMITTED = "submitted"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABNORMAL = "abnormal"


class RefundReason(StrEnum):
    ASKED = "asked"
    SURPLUS = "surplus"
    LATE = "late"
    POLICY = "policy"
    OUTSIDE = "outside"  # made at the provider, in its console, and learnt from its notice
    REVERSED = "reversed"  # 冲正: the bank that collects has taken its own payment back


OWED: Final = frozenset({RefundReason.SURPLUS, RefundReason.LATE})
"""Money that we have no right to keep: its refund is tried until it has gone back."""


class NotificationState(StrEnum):
    RECEIVED = "received"
    APPLIED = "applied"
    DUPLICATE = "duplicate"
    ORPHAN = "orphan"
    QUARANTINED = "quarantined"
    MALFORMED = "malformed"


_PAYMENT_OPEN: Final = frozenset({PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN})
_PAYMENT_ANY_VERDICT: Final = frozenset({PaymentState.PAID, PaymentState.CLOSED, PaymentState.FAILED})

PAYMENT_ARROWS: Final[dict[PaymentState, frozenset[PaymentState]]] = {
    PaymentState.CREATED: frozenset({PaymentState.PENDING, PaymentState.UNKNOWN}) | _PAYMENT_ANY_VERDICT,
    PaymentState.PENDING: frozenset({PaymentState.UNKNOWN}) | _PAYMENT_ANY_VERDICT,
    PaymentState.UNKNOWN: frozenset({PaymentState.PENDING}) | _PAYMENT_ANY_VERDICT,
    # Money that turns out to have moved is never dropped: a later proof of payment outranks "closed" and "failed".
    PaymentState.CLOSED: frozenset({PaymentState.PAID}),
    PaymentState.FAILED: frozenset({PaymentState.PAID}),
    PaymentState.PAID: frozenset(),
}

ORDER_ARROWS: Final[dict[OrderState, frozenset[OrderState]]] = {
    OrderState.OPEN: frozenset({OrderState.PAID, OrderState.CLOSING, OrderState.CLOSED}),
    OrderState.CLOSING: frozenset({OrderState.PAID, OrderState.CLOSED}),
    OrderState.CLOSED: frozenset({OrderState.PAID}),
    OrderState.PAID: frozenset(),
}

REFUND_ARROWS: Final[dict[RefundState, frozenset[RefundState]]] = {
    RefundState.REQUESTED: frozenset(RefundState) - {RefundState.REQUESTED},
    RefundState.SUBMITTED: frozenset(
        {RefundState.UNKNOWN, RefundState.SUCCEEDED, RefundState.FAILED, RefundState.ABNORMAL}
    ),
    RefundState.UNKNOWN: frozenset(
        {RefundState.SUBMITTED, RefundState.SUCCEEDED, RefundState.FAILED, RefundState.ABNORMAL}
    ),
    # 退款异常 waits for an operator; it is re-issued or proven either way.
    RefundState.ABNORMAL: frozenset({RefundState.SUBMITTED, RefundState.SUCCEEDED, RefundState.FAILED}),
    RefundState.SUCCEEDED: frozenset(),
    RefundState.FAILED: frozenset(),
}


def payment_is_open(state: PaymentState) -> bool:
    """True while no verdict is known: the payer may still be paying."""
    return state in _PAYMENT_OPEN
