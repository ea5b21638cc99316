"""One unit of work: it reads the newest committed state at once and gathers its writes, to be applied as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import Select

from gateway.domain.clock import micros, moment
from gateway.domain.order import (
    Event,
    IdempotencyKey,
    KeyState,
    Notification,
    Order,
    Payment,
    Refund,
    Task,
    TaskKind,
    TaskState,
)
from gateway.domain.states import NotificationState, OrderState
from gateway.store.engine import Engine, Row
from gateway.store.queries import Queries
from gateway.store.row_map import RowMap
from gateway.store.rows import (
    EVENT,
    IDEMPOTENCY_KEY,
    NOTIFICATION,
    ORDER,
    PAYMENT,
    REFUND,
    ROW_MAPS,
    TASK,
)
from gateway.store.statements import (
    DROP_TASK,
    FINISH_KEY,
    FREE_SLOT,
    INSERT,
    OWN_KEY,
    PURGE_KEYS,
    PURGE_NONCES,
    SCHEDULE_TASK,
    SETTLE_TASK,
    TAKE_SLOT,
    UPDATE,
    USE_NONCE,
    WITHDRAW_TASK,
    Query,
)
from gateway.store.write import Write

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownMessage:
    """What we already hold of a message: its notification and what became of it."""

    notification_id: str
    state: NotificationState


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportView:
    """
    What a report is judged against, read in one statement.

    Attributes:
        known: The notification with the same dedup key, if the message came before.
        payment, order: The payment that the report names, and its order; None if we have no such payment.
        slot_holder: The order that holds the premium slot, if any.
    """

    known: KnownMessage | None
    payment: Payment | None
    order: Order | None
    slot_holder: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWork:
    """How much work of one kind is open, and since when the oldest of it is due."""

    kind: TaskKind
    count: int
    oldest_due_at: datetime


class Tx:
    """
    Reads run at once and see only what is committed, never this unit's own writes: read first, then write.

    Every change of an order, its payments or its refunds goes together with that order's next event, whose key is
    what makes a concurrent writer start again.
    """

    def __init__(self, engine: Engine, queries: Queries) -> None:
        self._engine = engine
        self._queries = queries
        self.writes: list[tuple[Write, Sequence[Any]]] = []

    # --- reads ---

    def _rows(self, query: Query, **values: Any) -> list[Row]:
        return self._engine.read(query, query.values(values))

    def _all(self, row_map: RowMap[R], query: Query, **values: Any) -> list[R]:
        return [row_map.decode(row) for row in self._rows(query, **values)]

    def _one(self, row_map: RowMap[R], query: Query, **values: Any) -> R | None:
        rows = self._rows(query, **values)
        return row_map.decode(rows[0]) if rows else None

    # What the families of rows beside the order model are read and written with; their modules alone use it.

    def rows(self, select: Select[Any], **values: Any) -> list[Row]:
        """Plain rows of a family's select."""
        return self._rows(self._queries.compiled(select), **values)

    def all(self, row_map: RowMap[R], select: Select[Any], **values: Any) -> list[R]:
        """The values of a family's select over the columns of `row_map`."""
        return self._all(row_map, self._queries.compiled(select), **values)

    def one(self, row_map: RowMap[R], select: Select[Any], **values: Any) -> R | None:
        """The first value of a family's select, None when there is none."""
        return self._one(row_map, self._queries.compiled(select), **values)

    def write(self, write: Write, values: Sequence[Any]) -> None:
        """One of a family's own statements."""
        self.writes.append((write, values))

    # --- reads of the order model ---

    def order(self, order_id: str) -> Order | None:
        return self._one(ORDER, self._queries.order, id=order_id)

    def order_by_client_no(self, app: str, client_order_no: str) -> Order | None:
        return self._one(ORDER, self._queries.order_by_client_no, app=app, client_order_no=client_order_no)

    def orders_page(self, app: str, *, before: str, limit: int, state: OrderState | None = None) -> list[Order]:
        """Newest first, those with an id below `before`."""
        if state is None:
            return self._all(ORDER, self._queries.orders_page, app=app, before=before, limit=limit)
        query = self._queries.orders_page_in_state
        return self._all(ORDER, query, app=app, before=before, limit=limit, state=state.value)

    def all_orders_page(self, *, before: str, limit: int) -> list[Order]:
        """Orders of every app, newest first."""
        return self._all(ORDER, self._queries.all_orders_page, before=before, limit=limit)

    def slot_holder(self, slot: str) -> str | None:
        rows = self._rows(self._queries.slot_holder, slot=slot)
        return rows[0][0] if rows else None

    def payment(self, payment_id: str) -> Payment | None:
        return self._one(PAYMENT, self._queries.payment, id=payment_id)

    def payments_of_order(self, order_id: str) -> list[Payment]:
        return self._all(PAYMENT, self._queries.payments_of_order, order_id=order_id)

    def refund(self, refund_id: str) -> Refund | None:
        return self._one(REFUND, self._queries.refund, id=refund_id)

    def refund_by_no(self, out_refund_no: str) -> Refund | None:
        return self._one(REFUND, self._queries.refund_by_no, out_refund_no=out_refund_no)

    def refund_by_client_no(self, order_id: str, client_refund_no: str) -> Refund | None:
        query = self._queries.refund_by_client_no
        return self._one(REFUND, query, order_id=order_id, client_refund_no=client_refund_no)

    def refunds_of_order(self, order_id: str) -> list[Refund]:
        return self._all(REFUND, self._queries.refunds_of_order, order_id=order_id)

    def refunds_of_payment(self, payment_id: str) -> list[Refund]:
        return self._all(REFUND, self._queries.refunds_of_payment, payment_id=payment_id)

    def events_page(self, order_id: str, *, after: int, limit: int) -> list[Event]:
        """Oldest first, those behind position `after`."""
        return self._all(EVENT, self._queries.events_page, order_id=order_id, after=after, limit=limit)

    def idempotency_key(self, app: str, key: str) -> IdempotencyKey | None:
        return self._one(IDEMPOTENCY_KEY, self._queries.idempotency_key, app=app, key=key)

    def notification(self, notification_id: str) -> Notification | None:
        return self._one(NOTIFICATION, self._queries.notification, id=notification_id)

    def notification_by_key(self, account: str, dedup_key: str) -> Notification | None:
        return self._one(NOTIFICATION, self._queries.notification_by_key, account=account, dedup_key=dedup_key)

    def task(self, kind: TaskKind, subject_id: str) -> Task | None:
        return self._one(TASK, self._queries.task, kind=kind.value, subject_id=subject_id)

    def next_due(self) -> datetime | None:
        """When the next open task is due, by one look at an index."""
        due_at = self._rows(self._queries.next_due)[0][0]
        return None if due_at is None else moment(due_at)

    def due_work(self) -> list[DueWork]:
        """Open tasks by kind."""
        return [
            DueWork(kind=TaskKind(kind), count=count, oldest_due_at=moment(oldest))
            for kind, count, oldest in self._rows(self._queries.due_counts)
        ]

    def report_view(self, *, account: str, out_trade_no: str, dedup_key: str) -> ReportView:
        """Everything that a report about this payment is judged against."""
        query = self._queries.callback
        row = self._rows(query, account=account, out_trade_no=out_trade_no, dedup_key=dedup_key)[0]
        known_id, known_state, slot_holder = row[:3]
        middle = 3 + len(PAYMENT.columns)
        found = row[3] is not None
        return ReportView(
            known=KnownMessage(notification_id=known_id, state=NotificationState(known_state)) if known_id else None,
            payment=PAYMENT.decode(row[3:middle]) if found else None,
            order=ORDER.decode(row[middle:]) if found else None,
            slot_holder=slot_holder,
        )

    def nonce_is_used(self, app: str, nonce: str) -> bool:
        return bool(self._rows(self._queries.nonce, app=app, nonce=nonce))

    # --- writes ---

    def insert(self, row: Any) -> None:
        """Add a row of the order model."""
        self.writes.append((INSERT[type(row)], ROW_MAPS[type(row)].encode(row)))

    def insert_first(self, row: Any) -> None:
        """Add a row that rows already gathered refer to: SQLite checks each reference as it is written."""
        self.writes.insert(0, (INSERT[type(row)], ROW_MAPS[type(row)].encode(row)))

    def update(self, row: Any) -> None:
        """Replace every column that may change after the insert."""
        self.writes.append((UPDATE[type(row)], ROW_MAPS[type(row)].encode_update(row)))

    def schedule(self, task: Task) -> None:
        """Make a task due; one that exists is made due anew."""
        self.writes.append((SCHEDULE_TASK, TASK.encode(task)))

    def drop_task(self, kind: TaskKind, subject_id: str) -> None:
        """Mark a task done because its question was answered in another way."""
        self.writes.append((DROP_TASK, (kind.value, subject_id)))

    def withdraw_task(self, kind: TaskKind, subject_id: str) -> None:
        """Mark a task done that no worker has ever claimed; a Conflict if one has."""
        self.writes.append((WITHDRAW_TASK, (kind.value, subject_id)))

    def settle_task(self, task: Task, state: TaskState, *, due_at: datetime, last_error: str = "") -> None:
        """Finish or postpone a claimed task; nothing if its lease is another's by now, or given up."""
        values = (state.value, micros(due_at), last_error, task.kind.value, task.subject_id, task.lease)
        self.writes.append((SETTLE_TASK, values))

    def take_slot(self, slot: str, order_id: str) -> None:
        self.writes.append((TAKE_SLOT, (slot, order_id)))

    def free_slot(self, slot: str, order_id: str) -> None:
        """Give a slot up; one taken in this same unit of work was never taken (a unit touches no row twice)."""
        taken = (TAKE_SLOT, (slot, order_id))
        if taken in self.writes:
            self.writes.remove(taken)
        else:
            self.writes.append((FREE_SLOT, (slot, order_id)))

    def own_key(self, held: IdempotencyKey, *, lease_until: datetime) -> None:
        """Take a key over from an owner whose lease has run out."""
        values = (held.fence + 1, micros(lease_until), KeyState.RUNNING.value, held.app, held.key, held.fence)
        self.writes.append((OWN_KEY, values))

    def release_key(self, held: IdempotencyKey, *, now: datetime) -> None:
        """Let the next equal request resume at once."""
        values = (held.fence, micros(now), KeyState.RUNNING.value, held.app, held.key, held.fence)
        self.writes.append((OWN_KEY, values))

    def finish_key(self, held: IdempotencyKey, *, subject_id: str | None, status: int, sealed: bytes) -> None:
        """Store the answer for every later equal request; a Conflict if the key was taken over."""
        self.writes.append((FINISH_KEY, (subject_id, status, sealed, held.app, held.key, held.fence)))

    def use_nonce(self, app: str, nonce: str, expires_at: datetime) -> None:
        self.writes.append((USE_NONCE, (app, nonce, micros(expires_at))))

    def purge(self, *, nonces_before: datetime, keys_before: datetime) -> None:
        """Forget nonces and idempotency keys that have served their time."""
        self.writes.append((PURGE_NONCES, (micros(nonces_before),)))
        self.writes.append((PURGE_KEYS, (micros(keys_before),)))
