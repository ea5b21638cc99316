"""Orders that wait for their payment, written in bulk, with the rows that the real services would have left."""

import itertools
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from bench.ground import ACCOUNT, APP
from gateway.domain.events import CHAIN_START, next_event
from gateway.domain.ids import TimeOrderedIds
from gateway.domain.order import Event, Order, Payment, Task, TaskKind
from gateway.domain.states import OrderState, PaymentState
from gateway.services.tasks import due_task
from gateway.store.rows import ROW_MAPS
from gateway.store.statements import INSERT

AMOUNT_FEN = 38001
_SEALED_SUBJECT = bytes(260)
_SEALED_INSTRUCTION = bytes(420)
_SEALED_FIELDS = bytes(90)
_IDS = TimeOrderedIds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One order and, unless it is only to be opened, its payment that the payer is about to make."""

    rows: tuple[Any, ...]
    order_id: str
    out_trade_no: str


def waiting_orders(count: int, *, with_payment: bool = True) -> list[Waiting]:
    """Premium orders with one pending payment each, or with none yet."""
    now = datetime.now(UTC)
    return [_waiting(now, with_payment=with_payment) for _ in range(count)]


def _waiting(now: datetime, *, with_payment: bool) -> Waiting:
    number, out_trade_no = _IDS.new(), _IDS.new()
    order = _order(f"ord_{number}", now)
    rows: list[Any] = []
    history = [("order_opened", {"amount_fen": AMOUNT_FEN, "region": "341200", "insured_year": 2027})]
    tasks = [due_task(TaskKind.CLOSE_ORDER, order.id, None, at=order.expires_at, now=now)]
    if with_payment:
        payment = _payment(order, out_trade_no, now)
        history += [("payment_created", {"payment_id": payment.id}), ("payment_pending", {"payment_id": payment.id})]
        history += [("instruction_given", {"payment_id": payment.id})]
        tasks += [due_task(TaskKind.QUERY, payment.id, ACCOUNT, at=now + timedelta(hours=1), now=now)]
        rows = [payment]
        order = replace(order, payments=1)
    events: list[Event] = []
    for kind, detail in history:
        event = next_event(
            order_id=order.id,
            after_seq=order.event_seq,
            after_hash=order.event_hash,
            kind=kind,
            at=now,
            actor=f"app:{APP}",
            detail=detail,
        )
        order = replace(order, event_seq=event.seq, event_hash=event.hash)
        events.append(event)
    return Waiting(rows=(order, *rows, *events, *tasks), order_id=order.id, out_trade_no=out_trade_no)


def _order(order_id: str, now: datetime) -> Order:
    return Order(
        id=order_id,
        app=APP,
        client_order_no=order_id[4:],
        meaning="0" * 64,
        state=OrderState.OPEN,
        amount_fen=AMOUNT_FEN,
        description="城乡居民医保",
        region="341200",
        insured_year=2027,
        insurance_kind="resident_medical",
        insured_index=order_id[4:] * 2,
        slot=order_id[:3:-1] * 2,
        subject_sealed=_SEALED_SUBJECT,
        expires_at=now + timedelta(days=1),
        created_at=now,
        updated_at=now,
        payments=0,
        paid_payment_id=None,
        amount_paid_fen=0,
        amount_refunded_fen=0,
        event_seq=0,
        event_hash=CHAIN_START,
    )


def _payment(order: Order, out_trade_no: str, now: datetime) -> Payment:
    return Payment(
        id=f"pay_{out_trade_no}",
        order_id=order.id,
        account=ACCOUNT,
        provider="wechatpay",
        method="mini_program",
        out_trade_no=out_trade_no,
        state=PaymentState.PENDING,
        amount_fen=AMOUNT_FEN,
        fields_sealed=_SEALED_FIELDS,
        instruction_sealed=_SEALED_INSTRUCTION,
        provider_trade_no=None,
        kept=False,
        amount_refunding_fen=0,
        amount_refunded_fen=0,
        evidence_id=None,
        paid_at=None,
        created_at=now,
        expires_at=order.expires_at,
        updated_at=now,
    )


def store_rows(database_url: str, waiting: Iterable[Waiting], *, analyze: bool = True) -> None:
    """Insert all rows, table by table, in one commit."""
    rows = sorted((row for one in waiting for row in one.rows), key=_rank)
    groups = [
        (INSERT[kind].sql, [ROW_MAPS[kind].encode(row) for row in group])
        for kind, group in itertools.groupby(rows, type)
    ]
    execute_many(database_url, groups, analyze=analyze)


def _rank(row: Any) -> int:
    return (Order, Payment, Event, Task).index(type(row))


def execute_many(
    database_url: str, groups: Sequence[tuple[str, Sequence[Sequence[Any]]]], *, analyze: bool = True
) -> None:
    """Run each statement, written with `?`, for each of its rows; one commit."""
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite":
        connection = sqlite3.connect(url.database or "", timeout=30)
        with connection:
            for sql, values in groups:
                connection.executemany(sql, values)
        connection.close()
        return
    with psycopg.connect(database_url) as postgres, postgres.cursor() as cursor:
        for sql, values in groups:
            cursor.executemany(sql.replace("?", "%s"), values)
        if analyze:
            cursor.execute("ANALYZE")  # as after any bulk load: plans made for empty tables must not stay
