"""The reads, in SQLAlchemy Core; `Queries` compiles them once for an engine."""

from typing import Any

from sqlalchemy import Dialect, Select, and_, bindparam, func, literal, literal_column, select

from gateway.domain.order import TaskState
from gateway.store.rows import EVENT, IDEMPOTENCY_KEY, NOTIFICATION, ORDER, PAYMENT, REFUND, TASK, RowMap
from gateway.store.statements import Query
from gateway.store.tables import NOTIFICATIONS, ORDERS, PAYMENTS, PREMIUM_SLOTS, REQUEST_NONCES, TASKS


def _columns(row_map: RowMap[Any]) -> list[Any]:
    return [row_map.table.c[name] for name in row_map.columns]


class Queries:
    """Every read of the store, by name."""

    def __init__(self, dialect: Dialect) -> None:
        def query(select_: Select[Any]) -> Query:
            return Query(select_, dialect)

        order, payment, refund = ORDER.table.c, PAYMENT.table.c, REFUND.table.c
        event, task, notification = EVENT.table.c, TASK.table.c, NOTIFICATION.table.c
        orders = select(*_columns(ORDER))
        payments = select(*_columns(PAYMENT))
        refunds = select(*_columns(REFUND))

        self.order = query(orders.where(order.id == bindparam("id")))
        self.order_by_client_no = query(
            orders.where(order.app == bindparam("app"), order.client_order_no == bindparam("client_order_no"))
        )
        self.orders_page = query(
            orders.where(
                order.app == bindparam("app"),
                order.id < bindparam("before"),
            )
            .order_by(order.id.desc())
            .limit(bindparam("limit"))
        )
        self.orders_page_in_state = query(
            orders.where(
                order.app == bindparam("app"), order.id < bindparam("before"), order.state == bindparam("state")
            )
            .order_by(order.id.desc())
            .limit(bindparam("limit"))
        )
        self.all_orders_page = query(
            orders.where(order.id < bindparam("before")).order_by(order.id.desc()).limit(bindparam("limit"))
        )
        self.slot_holder = query(select(PREMIUM_SLOTS.c.order_id).where(PREMIUM_SLOTS.c.slot == bindparam("slot")))
        self.payment = query(payments.where(payment.id == bindparam("id")))
        self.payments_of_order = query(payments.where(payment.order_id == bindparam("order_id")).order_by(payment.id))
        self.refund = query(refunds.where(refund.id == bindparam("id")))
        self.refund_by_no = query(refunds.where(refund.out_refund_no == bindparam("out_refund_no")))
        self.refund_by_client_no = query(
            refunds.where(
                refund.order_id == bindparam("order_id"), refund.client_refund_no == bindparam("client_refund_no")
            )
        )
        self.refunds_of_order = query(refunds.where(refund.order_id == bindparam("order_id")).order_by(refund.id))
        self.refunds_of_payment = query(refunds.where(refund.payment_id == bindparam("payment_id")).order_by(refund.id))
        self.events_page = query(
            select(*_columns(EVENT))
            .where(event.order_id == bindparam("order_id"), event.seq > bindparam("after"))
            .order_by(event.seq)
            .limit(bindparam("limit"))
        )
        self.idempotency_key = query(
            select(*_columns(IDEMPOTENCY_KEY)).where(
                IDEMPOTENCY_KEY.table.c.app == bindparam("app"), IDEMPOTENCY_KEY.table.c.key == bindparam("key")
            )
        )
        self.notification = query(select(*_columns(NOTIFICATION)).where(notification.id == bindparam("id")))
        self.notification_by_key = query(
            select(*_columns(NOTIFICATION)).where(
                notification.account == bindparam("account"), notification.dedup_key == bindparam("dedup_key")
            )
        )
        self.task = query(
            select(*_columns(TASK)).where(task.kind == bindparam("kind"), task.subject_id == bindparam("subject_id"))
        )
        self.due_counts = query(
            select(TASKS.c.kind, func.count(), func.min(TASKS.c.due_at))
            .where(TASKS.c.state == literal_column(f"'{TaskState.DUE.value}'"))
            .group_by(TASKS.c.kind)
        )
        self.next_due = query(
            select(func.min(TASKS.c.due_at)).where(TASKS.c.state == literal_column(f"'{TaskState.DUE.value}'"))
        )
        self.nonce = query(
            select(REQUEST_NONCES.c.nonce).where(
                REQUEST_NONCES.c.app == bindparam("app"), REQUEST_NONCES.c.nonce == bindparam("nonce")
            )
        )
        here = select(literal(1).label("one")).subquery()
        self.callback = query(
            select(
                NOTIFICATIONS.c.id,
                NOTIFICATIONS.c.state,
                PREMIUM_SLOTS.c.order_id,
                *_columns(PAYMENT),
                *_columns(ORDER),
            ).select_from(
                here.outerjoin(
                    NOTIFICATIONS,
                    and_(
                        NOTIFICATIONS.c.account == bindparam("account"),
                        NOTIFICATIONS.c.dedup_key == bindparam("dedup_key"),
                    ),
                )
                .outerjoin(
                    PAYMENTS,
                    and_(
                        PAYMENTS.c.out_trade_no == bindparam("out_trade_no"), PAYMENTS.c.account == bindparam("account")
                    ),
                )
                .outerjoin(ORDERS, ORDERS.c.id == PAYMENTS.c.order_id)
                .outerjoin(PREMIUM_SLOTS, PREMIUM_SLOTS.c.slot == ORDERS.c.slot)
            )
        )
        self.ping = query(select(literal(1)))
