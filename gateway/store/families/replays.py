"""Replays and what became of each thing in them; and what can be selected for one."""

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, ForeignKey, Integer, LargeBinary, Select, String, Table, bindparam, func, select

from gateway.domain.clock import micros
from gateway.domain.replay import Replay, ReplayItem
from gateway.store.columns import METADATA, instant, key_id, words
from gateway.store.families.webhooks import MESSAGES
from gateway.store.row_map import RowMap
from gateway.store.tables import NOTIFICATIONS, PAYMENTS, REFUNDS, TASKS

if TYPE_CHECKING:
    from gateway.store.tx import Tx

REPLAYS: Final = Table(
    "replays",
    METADATA,
    key_id(),
    words("kind"),
    words("who"),
    Column("reason_sealed", LargeBinary, nullable=False),
    words("selection"),
    instant("created_at"),
)
ITEMS: Final = Table(
    "replay_items",
    METADATA,
    Column("replay_id", String(40), ForeignKey("replays.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    words("subject_id"),
    words("outcome"),
    words("detail"),
    words("changes"),
    instant("done_at"),
)

REPLAY: Final = RowMap(Replay, REPLAYS)
ITEM: Final = RowMap(ReplayItem, ITEMS)
ROW_MAPS: Final[tuple[RowMap[Any], ...]] = (REPLAY, ITEM)

_ONE: Final = select(*(REPLAYS.c[name] for name in REPLAY.columns)).where(REPLAYS.c.id == bindparam("id"))
_ITEMS_OF: Final = (
    select(*(ITEMS.c[name] for name in ITEM.columns))
    .where(ITEMS.c.replay_id == bindparam("replay_id"), ITEMS.c.seq > bindparam("after"))
    .order_by(ITEMS.c.seq)
    .limit(bindparam("limit"))
)


def _chosen(table: Table, subject: Any, born: Any) -> Select[Any]:
    """Ids of the things in a state since an instant, oldest first; an empty account is any."""
    states = select(subject).where(table.c.state == bindparam("state"), born >= bindparam("since"))
    return states.where((table.c.account == bindparam("account")) | (bindparam("account") == "")).order_by(
        born, subject
    )


_M: Final = MESSAGES.c
_TOLD_ORDERS: Final = (
    select(_M.order_id)
    .where(_M.state == bindparam("state"), _M.occurred_at >= bindparam("since"))
    .where((_M.app == bindparam("account")) | (bindparam("account") == ""))
    .group_by(_M.order_id)
    .order_by(func.min(_M.occurred_at), _M.order_id)
)
_CHOSEN: Final = {
    "notification": _chosen(NOTIFICATIONS, NOTIFICATIONS.c.id, NOTIFICATIONS.c.received_at),
    "query": _chosen(PAYMENTS, PAYMENTS.c.id, PAYMENTS.c.created_at),
    "refund": _chosen(REFUNDS, REFUNDS.c.id, REFUNDS.c.created_at),
    "webhook": _TOLD_ORDERS,
    "task": _chosen(TASKS, TASKS.c.kind + ":" + TASKS.c.subject_id, TASKS.c.created_at),
}
_LIMITED: Final = {kind: chosen.limit(bindparam("limit")) for kind, chosen in _CHOSEN.items()}


def chosen(tx: "Tx", kind: str, *, state: str, account: str, since: datetime, limit: int) -> list[str]:
    """Ids for a replay of this kind, oldest first; a task's is <kind>:<subject>, a webhook's its order's."""
    values = {"state": state, "account": account, "since": micros(since), "limit": limit}
    return [str(row[0]) for row in tx.rows(_LIMITED[kind], **values)]


def replay(tx: "Tx", replay_id: str) -> Replay | None:
    return tx.one(REPLAY, _ONE, id=replay_id)


def items_of(tx: "Tx", replay_id: str, *, after: int, limit: int) -> list[ReplayItem]:
    """In the order in which they were done."""
    return tx.all(ITEM, _ITEMS_OF, replay_id=replay_id, after=after, limit=limit)
