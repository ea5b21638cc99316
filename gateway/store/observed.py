"""
A store that tells what its units of work change, and on demand changes nothing: a rehearsal runs the very same jobs.

What is told leaves out times, sealed columns and ids that are made anew, so that a rehearsal and the run behind it tell
the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import and_, bindparam, select

from gateway.domain.replay import Change
from gateway.store.row_map import RowMap
from gateway.store.rows import ROW_MAPS, TASK
from gateway.store.tx import Tx
from gateway.store.unit_of_work import Store
from gateway.store.write import Write

T = TypeVar("T")

_SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "orders": ("state", "paid_payment_id", "amount_paid_fen", "amount_refunded_fen"),
    "payments": ("state", "kept", "provider_trade_no", "amount_refunding_fen", "amount_refunded_fen"),
    "refunds": ("state", "reason", "amount_fen", "payment_id"),
    "notifications": ("state", "reason", "source", "event", "payment_id"),
    "events": ("order_id", "kind"),
    "ledger_entries": ("debit", "credit", "amount_fen", "payment_id"),
    "tasks": ("kind", "state"),
    "webhook_messages": ("state",),
}
_GUARDED_UPDATES: Final = {"move_webhook_message": "webhook_messages"}
"""Updates that name the row's former state beside its key."""

_TABLE_OF: Final = {row_map.table.name: row_map for row_map in ROW_MAPS.values()}
_BY_KEY: Final = {
    name: select(*(row_map.table.c[column] for column in row_map.columns)).where(
        and_(*(row_map.table.c[column] == bindparam(column) for column in row_map.key))
    )
    for name, row_map in _TABLE_OF.items()
}


class ObservedStore(Store):
    """
    Runs jobs as its original does and keeps what they changed.

    Attributes:
        changes: Of every job so far, in order.
    """

    def __init__(self, original: Store, *, rehearse: bool) -> None:
        self._engine = original._engine  # noqa: SLF001  of its own class
        self._queries = original._queries  # noqa: SLF001  of its own class
        self._rehearse = rehearse
        self.changes: list[Change] = []

    def run(self, job: Callable[[Tx], T]) -> T:
        """As the original, or, in a rehearsal, without the writes."""
        seen: list[Change] = []

        def watched(tx: Tx) -> T:
            outcome = job(tx)
            seen[:] = _described(tx)
            if self._rehearse:
                tx.writes.clear()
            return outcome

        outcome = super().run(watched)
        self.changes += seen
        return outcome


def _described(tx: Tx) -> list[Change]:
    return [change for write, values in tx.writes for change in _change(tx, write, values)]


def _change(tx: Tx, write: Write, values: Sequence[Any]) -> Iterator[Change]:
    verb, _, table = write.name.partition("_")
    if verb == "insert" and table in _SHOWN:
        after = dict(zip(_TABLE_OF[table].columns, values, strict=True))
        yield Change(table=table, subject="", values={name: (None, after[name]) for name in _SHOWN[table]})
    elif verb == "update" and table in _SHOWN:
        row_map = _TABLE_OF[table]
        names = [*row_map.changing, *row_map.key]
        yield from _difference(tx, row_map, dict(zip(names, values, strict=True)))
    elif write.name in _GUARDED_UPDATES:
        row_map = _TABLE_OF[_GUARDED_UPDATES[write.name]]
        names = [*row_map.changing, *row_map.key]
        yield from _difference(tx, row_map, dict(zip(names, values, strict=False)))
    elif write.name == "schedule_task":
        yield from _scheduled(tx, dict(zip(TASK.columns, values, strict=True)))
    elif write.name in ("drop_task", "withdraw_task"):
        yield from _difference(tx, TASK, {"kind": values[0], "subject_id": values[1], "state": "done"}, only="due")
    elif write.name in ("take_slot", "free_slot"):
        yield Change(table="premium_slots", subject=str(values[1]), values={verb: (None, True)})


def _row(tx: Tx, row_map: RowMap[Any], key: Mapping[str, Any]) -> dict[str, Any] | None:
    rows = tx.rows(_BY_KEY[row_map.table.name], **key)
    return dict(zip(row_map.columns, rows[0], strict=True)) if rows else None


def _difference(tx: Tx, row_map: RowMap[Any], after: Mapping[str, Any], *, only: str = "") -> Iterator[Change]:
    """What an update changes of the shown columns; `only`: nothing unless the row is in this state."""
    key = {name: after[name] for name in row_map.key}
    before = _row(tx, row_map, key)
    if before is None or (only and before["state"] != only):
        return
    shown = _SHOWN[row_map.table.name]
    changed = {n: (before[n], after[n]) for n in shown if n in after and before[n] != after[n]}
    if changed:
        yield Change(table=row_map.table.name, subject=":".join(map(str, key.values())), values=changed)


def _scheduled(tx: Tx, after: Mapping[str, Any]) -> Iterator[Change]:
    """A task made due: of a thing that was there before it is named, of a new one the id would be another each time."""
    before = _row(tx, TASK, {"kind": after["kind"], "subject_id": after["subject_id"]})
    known = before is not None
    was = before["state"] if before else None
    values = {"kind": (after["kind"] if known else None, after["kind"]), "state": (was, after["state"])}
    subject = f"{after['kind']}:{after['subject_id']}" if known else ""
    yield Change(table="tasks", subject=subject, values=values)
