"""Engines that watch what the store asks of the real one."""

from collections.abc import Sequence
from typing import Any

from gateway.store.engine import Batch
from gateway.store.rows import ROW_MAPS
from gateway.store.write import Write

_ROW_MAP_OF_TABLE = {row_map.table.name: row_map for row_map in ROW_MAPS.values()}
_PLACES = {
    "schedule_task": ("tasks", 0, 2),
    "drop_task": ("tasks", 0, 2),
    "settle_task": ("tasks", 3, 5),
    "take_slot": ("premium_slots", 0, 1),
    "free_slot": ("premium_slots", 0, 1),
    "own_key": ("idempotency_keys", 3, 5),
    "finish_key": ("idempotency_keys", 3, 5),
    "use_nonce": ("request_nonces", 0, 2),
    "move_webhook_message": ("webhook_messages", -3, -1),
    "move_webhook_endpoint": ("webhook_endpoints", -2, -1),
}


def touched(write: Write, values: Sequence[Any]) -> tuple[Any, ...] | None:
    """Table and key of the row that a write touches; None for one that may touch many."""
    verb, _, table = write.name.partition("_")
    if verb == "insert":
        row_map = _ROW_MAP_OF_TABLE[table]
        return (table, *(values[row_map.columns.index(name)] for name in row_map.key))
    if verb == "update":
        return (table, *values[-len(_ROW_MAP_OF_TABLE[table].key) :])
    if write.name not in _PLACES:
        return None
    table, start, stop = _PLACES[write.name]
    return (table, *values[start:stop])


class TouchesOnce:
    """
    Refuses a batch that touches a row twice: PostgreSQL, which runs the batch as one statement, would apply only one
    of the two writes, SQLite both.
    """

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def flush(self, batch: Batch) -> None:
        rows = [row for write, values in batch if (row := touched(write, values)) is not None]
        twice = {row[0] for row in rows if rows.count(row) > 1}
        assert not twice, f"one unit of work touches a row of {sorted(twice)} twice"
        self.inner.flush(batch)
