"""The reads of the order model, in SQLAlchemy Core; `Queries` compiles them once for an engine."""

from typing import Any, Final

from sqlalchemy import Dialect, Select, and_, bindparam, func, literal, literal_column, select

from gateway.domain.order import TaskState
from gateway.store.row_map import RowMap
from gateway.store.rows import EVENT, IDEMPOTENCY_KEY, NOTIFICATION, ORDER, PAYMENT, REFUND, TASK
from gateway.store.statements import Query
from gateway.store.tables import NOTIFICATIONS, ORDERS, PAYMENTS, PREMIUM_SLOTS, REQUEST_NONCES, TASKS


def _columns(row_map: RowMap[Any]) -> list[Any]:
    return [row_map.table.c[name] for name in row_map.columns]


_ORDER, _PAYMENT, _REFUND = ORDERS.c, PAYMENTS.c, REFUND.table.c
_EVENT, _KEY = EVENT.table.c, IDEMPOTENCY_KEY.table.c
_orders = select(*_columns(ORDER))
_payments = select(*_columns(PAYMENT))
_refunds = select(*_columns(REFUND))
_here = select(literal(1).label("one")).subquery()
_is_due = TASKS.c.state == literal_column(f"'{TaskState.DUE.value}'")  # a literal, so that the partial index serves

_SELECTS: Final[dict[str, Select[Any]]] = {
    "order": _orders.where(_ORDER.id == bindparam("id")),
    "order_by_client_no": _orders.where(
        _ORDER.app == bindparam("app"), _ORDER.client_order_no == bindparam("client_order_no")
    ),
    "orders_page": _orders.where(
        _ORDER.app == bindparam("app"),
        _ORDER.id < bindparam("before"),
    )
    .order_by(_ORDER.id.desc())
    .limit(bindparam("limit")),
    "orders_page_in_state": _orders.where(
        _ORDER.app == bindparam("app"), _ORDER.id < bindparam("before"), _ORDER.state == bindparam("state")
    )
    .order_by(_ORDER.id.desc())
    .limit(bindparam("limit")),
    "all_orders_page": _orders.where(_ORDER.id < bindparam("before"))
    .order_by(_ORDER.id.desc())
    .limit(bindparam("limit")),
    "slot_holder": select(PREMIUM_SLOTS.c.order_id).where(PREMIUM_SLOTS.c.slot == bindparam("slot")),
    "payment": _payments.where(_PAYMENT.id == bindparam("id")),
    "payments_of_order": _payments.where(_PAYMENT.order_id == bindparam("order_id")).order_by(_PAYMENT.id),
    "refund": _refunds.where(_REFUND.id == bindparam("id")),
    "refund_by_no": _refunds.where(_REFUND.out_refund_no == bindparam("out_refund_no")),
    "refund_by_client_no": _refunds.where(
        _REFUND.order_id == bindparam("order_id"), _REFUND.client_refund_no == bindparam("client_refund_no")
    ),
    "refunds_of_order": _refunds.where(_REFUND.order_id == bindparam("order_id")).order_by(_REFUND.id),
    "refunds_of_payment": _refunds.where(_REFUND.payment_id == bindparam("payment_id")).order_by(_REFUND.id),
    "events_page": select(*_columns(EVENT))
    .where(_EVENT.order_id == bindparam("order_id"), _EVENT.seq > bindparam("after"))
    .order_by(_EVENT.seq)
    .limit(bindparam("limit")),
    "idempotency_key": select(*_columns(IDEMPOTENCY_KEY)).where(
        _KEY.app == bindparam("app"), _KEY.key == bindparam("key")
    ),
    "notification": select(*_columns(NOTIFICATION)).where(NOTIFICATIONS.c.id == bindparam("id")),
    "notification_by_key": select(*_columns(NOTIFICATION)).where(
        NOTIFICATIONS.c.account == bindparam("account"), NOTIFICATIONS.c.dedup_key == bindparam("dedup_key")
    ),
    "task": select(*_columns(TASK)).where(
        TASKS.c.kind == bindparam("kind"), TASKS.c.subject_id == bindparam("subject_id")
    ),
    "due_counts": select(TASKS.c.kind, func.count(), func.min(TASKS.c.due_at)).where(_is_due).group_by(TASKS.c.kind),
    "next_due": select(func.min(TASKS.c.due_at)).where(_is_due),
    "nonce": select(REQUEST_NONCES.c.nonce).where(
        REQUEST_NONCES.c.app == bindparam("app"), REQUEST_NONCES.c.nonce == bindparam("nonce")
    ),
    "callback": select(
        NOTIFICATIONS.c.id,
        NOTIFICATIONS.c.state,
        PREMIUM_SLOTS.c.order_id,
        *_columns(PAYMENT),
        *_columns(ORDER),
    ).select_from(
        _here.outerjoin(
            NOTIFICATIONS,
            and_(
                NOTIFICATIONS.c.account == bindparam("account"),
                NOTIFICATIONS.c.dedup_key == bindparam("dedup_key"),
            ),
        )
        .outerjoin(
            PAYMENTS,
            and_(PAYMENTS.c.out_trade_no == bindparam("out_trade_no"), PAYMENTS.c.account == bindparam("account")),
        )
        .outerjoin(ORDERS, ORDERS.c.id == PAYMENTS.c.order_id)
        .outerjoin(PREMIUM_SLOTS, PREMIUM_SLOTS.c.slot == ORDERS.c.slot)
    ),
    "ping": select(literal(1)),
}


class Queries:
    """Every read of the store, by name."""

    order: Query
    order_by_client_no: Query
    orders_page: Query
    orders_page_in_state: Query
    all_orders_page: Query
    slot_holder: Query
    payment: Query
    payments_of_order: Query
    refund: Query
    refund_by_no: Query
    refund_by_client_no: Query
    refunds_of_order: Query
    refunds_of_payment: Query
    events_page: Query
    idempotency_key: Query
    notification: Query
    notification_by_key: Query
    task: Query
    due_counts: Query
    next_due: Query
    nonce: Query
    callback: Query
    ping: Query

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: dict[Select[Any], Query] = {}
        for name, select_ in _SELECTS.items():
            setattr(self, name, Query(select_, dialect))

    def compiled(self, select_: Select[Any]) -> Query:
        """The query of a family's own select, a constant of its module: compiled at its first use."""
        query = self._compiled.get(select_)
        if query is None:
            query = self._compiled[select_] = Query(select_, self._dialect)
        return query
