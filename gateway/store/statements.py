"""Every statement of the store, built once: writes from the schema, reads from SQLAlchemy Core."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Dialect, Select

from gateway.store.row_map import RowMap
from gateway.store.rows import ROW_MAPS
from gateway.store.write import Write


def _insert(row_map: RowMap[Any]) -> Write:
    marks = ", ".join("?" for _ in row_map.columns)
    table = row_map.table.name
    columns = ", ".join(row_map.columns)
    return Write(name=f"insert_{table}", sql=f"INSERT INTO {table} ({columns}) VALUES ({marks})", guarded=False)  # noqa: S608  names of our own schema


def _update(row_map: RowMap[Any]) -> Write:
    table = row_map.table.name
    changes = ", ".join(f"{name} = ?" for name in row_map.changing)
    where = " AND ".join(f"{name} = ?" for name in row_map.key)
    return Write(name=f"update_{table}", sql=f"UPDATE {table} SET {changes} WHERE {where}", guarded=True)  # noqa: S608  names of our own schema


INSERT: Final[Mapping[type, Write]] = {value: _insert(row_map) for value, row_map in ROW_MAPS.items()}
UPDATE: Final[Mapping[type, Write]] = {value: _update(row_map) for value, row_map in ROW_MAPS.items()}

SCHEDULE_TASK: Final = Write(
    name="schedule_task",
    sql=(
        "INSERT INTO tasks (kind, subject_id, account, state, due_at, tries, lease, last_error, created_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, subject_id) DO UPDATE SET"
        " state = excluded.state, due_at = excluded.due_at, tries = excluded.tries, lease = NULL, last_error = ''"
    ),
    guarded=False,
)
DROP_TASK: Final = Write(
    name="drop_task",
    sql="UPDATE tasks SET state = 'done', lease = NULL WHERE kind = ? AND subject_id = ? AND state = 'due'",
    guarded=False,
)
WITHDRAW_TASK: Final = Write(
    name="withdraw_task",
    sql=(
        "UPDATE tasks SET state = 'done' WHERE kind = ? AND subject_id = ?"
        " AND state = 'due' AND tries = 0 AND lease IS NULL"
    ),
    guarded=True,
)
SETTLE_TASK: Final = Write(
    name="settle_task",
    sql=(
        "UPDATE tasks SET state = ?, due_at = ?, last_error = ?, lease = NULL"
        " WHERE kind = ? AND subject_id = ? AND lease = ?"
    ),
    guarded=False,  # the lease is its fence: who has lost it settles nothing, and has nothing to decide anew
)
TAKE_SLOT: Final = Write(
    name="take_slot", sql="INSERT INTO premium_slots (slot, order_id) VALUES (?, ?)", guarded=False
)
FREE_SLOT: Final = Write(
    name="free_slot", sql="DELETE FROM premium_slots WHERE slot = ? AND order_id = ?", guarded=False
)
OWN_KEY: Final = Write(
    name="own_key",
    sql="UPDATE idempotency_keys SET fence = ?, lease_until = ?, state = ? WHERE app = ? AND key = ? AND fence = ?",
    guarded=True,
)
FINISH_KEY: Final = Write(
    name="finish_key",
    sql=(
        "UPDATE idempotency_keys SET state = 'finished', subject_id = ?, response_status = ?, response_sealed = ?"
        " WHERE app = ? AND key = ? AND fence = ? AND state = 'running'"
    ),
    guarded=True,
)
USE_NONCE: Final = Write(
    name="use_nonce", sql="INSERT INTO request_nonces (app, nonce, expires_at) VALUES (?, ?, ?)", guarded=False
)
PURGE_NONCES: Final = Write(name="purge_nonces", sql="DELETE FROM request_nonces WHERE expires_at < ?", guarded=False)
PURGE_KEYS: Final = Write(
    name="purge_keys",
    sql="DELETE FROM idempotency_keys WHERE created_at < ? AND state = 'finished'",
    guarded=False,
)


class Query:
    """A Core select compiled once for one engine; run with the values of its bind names."""

    def __init__(self, select: Select[Any], dialect: Dialect) -> None:
        compiled = select.compile(dialect=dialect)
        self.sql = str(compiled)
        self._names: list[str] = list(compiled.positiontup or ())
        self._literals = dict(compiled.params)

    def values(self, given: Mapping[str, Any]) -> list[Any]:
        """The positional values, in the statement's order."""
        return [given[name] if name in given else self._literals[name] for name in self._names]
