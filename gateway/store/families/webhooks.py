"""Webhooks to apps: messages, tries, and what we learnt of each app's receiver."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Column,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Text,
    bindparam,
    func,
    select,
    text,
    tuple_,
)

from gateway.domain.clock import micros, moment
from gateway.domain.ids import first_id
from gateway.domain.webhook import MessageState, WebhookEndpoint, WebhookMessage, WebhookTry
from gateway.store.columns import METADATA, instant, words
from gateway.store.row_map import RowMap
from gateway.store.write import Write

if TYPE_CHECKING:
    from gateway.store.tx import Tx

MESSAGES: Final = Table(
    "webhook_messages",
    METADATA,
    Column("order_id", String(40), ForeignKey("orders.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    words("app"),
    words("type"),
    words("state"),
    instant("occurred_at"),
    instant("due_at"),
    Column("tries", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    instant("lease_until", nullable=True),
    instant("settled_at", nullable=True),
    Index(None, "app", "occurred_at", "order_id", "seq"),
)

_IS_UNDELIVERED: Final = f"state <> '{MessageState.DELIVERED.value}'"
UNDELIVERED: Final = Index(
    "ix_webhook_messages_undelivered",
    MESSAGES.c.app,
    MESSAGES.c.state,
    MESSAGES.c.order_id,
    sqlite_where=text(_IS_UNDELIVERED),
    postgresql_where=text(_IS_UNDELIVERED),
)

TRIES: Final = Table(
    "webhook_tries",
    METADATA,
    Column("order_id", String(40), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    instant("started_at"),
    instant("ended_at", nullable=True),
    words("outcome"),
    Column("answer_status", Integer),
    words("error"),
    words("digest"),
    Column("answer_sealed", LargeBinary),
    ForeignKeyConstraint(["order_id", "seq"], ["webhook_messages.order_id", "webhook_messages.seq"]),
)

ENDPOINTS: Final = Table(
    "webhook_endpoints",
    METADATA,
    Column("app", Text, primary_key=True),
    words("address_digest"),
    words("state"),
    words("reason"),
    instant("failing_since", nullable=True),
    instant("quiet_until", nullable=True),
    instant("changed_at"),
    Column("version", Integer, nullable=False),
)

MESSAGE: Final = RowMap(WebhookMessage, MESSAGES, fixed=("app", "type", "occurred_at"))
TRY: Final = RowMap(WebhookTry, TRIES, fixed=("started_at", "digest"))
ENDPOINT: Final = RowMap(WebhookEndpoint, ENDPOINTS)
ROW_MAPS: Final[tuple[RowMap[Any], ...]] = (MESSAGE, TRY, ENDPOINT)

_M, _T = MESSAGES.c, TRIES.c
_messages = select(*(_M[name] for name in MESSAGE.columns))
_endpoints = select(*(ENDPOINTS.c[name] for name in ENDPOINT.columns))
_newest_first = (_M.occurred_at.desc(), _M.order_id.desc(), _M.seq.desc())

_OF_ORDER: Final = _messages.where(_M.order_id == bindparam("order_id")).order_by(_M.seq)
_ONE: Final = _messages.where(_M.order_id == bindparam("order_id"), _M.seq == bindparam("seq"))
_TRIES_OF: Final = (
    select(*(_T[name] for name in TRY.columns))
    .where(_T.order_id == bindparam("order_id"), _T.seq == bindparam("seq"))
    .order_by(_T.number)
)
_NEWEST: Final[dict[tuple[bool, bool], Select[Any]]] = {
    (by_app, by_state): _messages.where(
        _M.occurred_at >= bindparam("since"),
        *((_M.app == bindparam("app"),) if by_app else ()),
        *((_M.state == bindparam("state"),) if by_state else ()),
    )
    .order_by(*_newest_first)
    .limit(bindparam("limit"))
    for by_app in (False, True)
    for by_state in (False, True)
}
_OLDEST: Final = (
    _messages.where(
        _M.app == bindparam("app"),
        _M.state == bindparam("state"),
        tuple_(_M.occurred_at, _M.order_id, _M.seq)
        > tuple_(bindparam("occurred_at"), bindparam("order_id"), bindparam("seq")),
        _M.occurred_at < bindparam("until"),
    )
    .order_by(_M.occurred_at, _M.order_id, _M.seq)
    .limit(bindparam("limit"))
)
_WAITING_ORDERS: Final = (
    select(_M.order_id)
    .distinct()
    .where(
        text(_IS_UNDELIVERED),
        _M.app == bindparam("app"),
        _M.state == MessageState.PENDING.value,
        _M.order_id > bindparam("after"),
    )
    .order_by(_M.order_id)
    .limit(bindparam("limit"))
)
_UNDELIVERED_COUNTS: Final = (
    select(_M.app, _M.state, func.count(), func.min(_M.occurred_at))
    .where(text(_IS_UNDELIVERED))
    .group_by(_M.app, _M.state)
    .order_by(_M.app, _M.state)
)
_ENDPOINT: Final = _endpoints.where(ENDPOINTS.c.app == bindparam("app"))
_ENDPOINTS: Final = _endpoints.order_by(ENDPOINTS.c.app)


def _guarded_update(name: str, row_map: RowMap[Any], guard: str) -> Write:
    """As an ordinary update, but only of the row as it was read: `guard` has kept its value."""
    changes = ", ".join(f"{column} = ?" for column in row_map.changing)
    where = " AND ".join(f"{column} = ?" for column in (*row_map.key, guard))
    return Write(name=name, sql=f"UPDATE {row_map.table.name} SET {changes} WHERE {where}", guarded=True)  # noqa: S608  names of our own schema


_PURGE_TRIES_MAX: Final = 5_000
_PURGE_TRIES: Final = Write(
    name="purge_webhook_tries",
    sql=(
        "DELETE FROM webhook_tries WHERE (order_id, seq, number) IN (SELECT t.order_id, t.seq, t.number"
        " FROM webhook_tries AS t JOIN webhook_messages AS m ON m.order_id = t.order_id AND m.seq = t.seq"
        " WHERE t.order_id < ? AND t.started_at < ? AND m.state = 'delivered'"
        " ORDER BY t.order_id, t.seq, t.number LIMIT ?)"
    ),
    guarded=False,
)
_MOVE_MESSAGE: Final = _guarded_update("move_webhook_message", MESSAGE, "tries")
_MOVE_ENDPOINT: Final = _guarded_update("move_webhook_endpoint", ENDPOINT, "version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Undelivered:
    """How many messages of an app are in a state, and since when the oldest of them waits."""

    app: str
    state: MessageState
    count: int
    oldest_at: datetime


def messages_of_order(tx: "Tx", order_id: str) -> list[WebhookMessage]:
    """In the order in which they go out."""
    return tx.all(MESSAGE, _OF_ORDER, order_id=order_id)


def message(tx: "Tx", order_id: str, seq: int) -> WebhookMessage | None:
    return tx.one(MESSAGE, _ONE, order_id=order_id, seq=seq)


def newest_messages(
    tx: "Tx", *, app: str | None, state: MessageState | None, since: datetime, limit: int
) -> list[WebhookMessage]:
    """Newest first, of one app or of all."""
    query = _NEWEST[app is not None, state is not None]
    return tx.all(MESSAGE, query, app=app, state=state.value if state else None, since=micros(since), limit=limit)


def oldest_messages(
    tx: "Tx", *, app: str, state: MessageState, after: tuple[datetime, str, int], until: datetime, limit: int
) -> list[WebhookMessage]:
    """
    Oldest first.

    Args:
        after: Time, order and position of the last message of the page before.
    """
    occurred_at, order_id, seq = after
    return tx.all(
        MESSAGE,
        _OLDEST,
        app=app,
        state=state.value,
        occurred_at=micros(occurred_at),
        order_id=order_id,
        seq=seq,
        until=micros(until),
        limit=limit,
    )


def waiting_orders(tx: "Tx", app: str, *, after: str, limit: int) -> list[str]:
    """Orders of an app with a message to be sent, by id, those above `after`."""
    return [order_id for (order_id,) in tx.rows(_WAITING_ORDERS, app=app, after=after, limit=limit)]


def undelivered(tx: "Tx") -> list[Undelivered]:
    """What is pending and what is dead, by app."""
    return [
        Undelivered(app=app, state=MessageState(state), count=count, oldest_at=moment(oldest_at))
        for app, state, count, oldest_at in tx.rows(_UNDELIVERED_COUNTS)
    ]


def move_message(tx: "Tx", before: WebhookMessage, after: WebhookMessage) -> None:
    """Replace a message; a Conflict when another try was begun since it was read."""
    tx.write(_MOVE_MESSAGE, [*MESSAGE.encode_update(after), before.tries])


def tries_of(tx: "Tx", order_id: str, seq: int) -> list[WebhookTry]:
    """Oldest first."""
    return tx.all(TRY, _TRIES_OF, order_id=order_id, seq=seq)


def purge_tries(tx: "Tx", *, before: datetime) -> None:
    """
    Forget tries of delivered messages that began before then, some thousands at a time.

    Only orders that are older still are looked at: their ids sort by time, so that one look at the key finds them.
    """
    tx.write(_PURGE_TRIES, [first_id("ord", before), micros(before), _PURGE_TRIES_MAX])


def endpoint(tx: "Tx", app: str) -> WebhookEndpoint | None:
    return tx.one(ENDPOINT, _ENDPOINT, app=app)


def endpoints(tx: "Tx") -> list[WebhookEndpoint]:
    """Every app's, by name."""
    return tx.all(ENDPOINT, _ENDPOINTS)


def move_endpoint(tx: "Tx", endpoint: WebhookEndpoint) -> None:
    """Replace an endpoint, given with the version it was read at, or add it (version 0); a Conflict if it has moved."""
    moved = replace(endpoint, version=endpoint.version + 1)
    if endpoint.version:
        tx.write(_MOVE_ENDPOINT, [*ENDPOINT.encode_update(moved), endpoint.version])
    else:
        tx.insert(moved)
