"""PostgreSQL: one connection per thread, autocommit, and each batch of writes as one data-modifying statement."""

import functools
import itertools
import re
import threading
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.types.numeric import Int8Dumper
from sqlalchemy import Dialect
from sqlalchemy.dialects.postgresql import psycopg as psycopg_dialect

from gateway.store.engine import Batch, Row
from gateway.store.errors import Conflict, StoreUnavailable
from gateway.store.rows import TASK
from gateway.store.statements import Query
from gateway.store.write import Write

_CLAIM: Final = (
    "UPDATE tasks SET tries = tries + 1, due_at = $1, lease = $2 WHERE (kind, subject_id) IN"  # noqa: S608  names of our own schema
    " (SELECT kind, subject_id FROM tasks WHERE state = 'due' AND due_at <= $3"
    " AND (account IS NULL OR NOT account = ANY($4::text[])) ORDER BY due_at LIMIT $5"
    f" FOR UPDATE SKIP LOCKED) RETURNING {', '.join(TASK.columns)}"
)
_LOST_RACE: Final = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.DivisionByZero,  # a guard changed no row: see _combined
)
_LOST_SERVER: Final = (
    psycopg.OperationalError,
    psycopg.InterfaceError,
    psycopg.errors.ReadOnlySqlTransaction,  # the server has become a standby: another connection may find the new one
    psycopg.errors.UndefinedTable,  # not migrated yet
    psycopg.errors.UndefinedColumn,
)


@functools.lru_cache(maxsize=256)
def _combined(writes: tuple[Write, ...]) -> str:
    """
    One statement for a whole batch: a round trip and a commit instead of one for each.

    A guard must be able to undo its neighbours, so a guarded write that changed no row makes the statement fail by
    dividing by the count of its rows.
    """
    parts = [f"w{i} AS ({write.sql} RETURNING 1)" for i, write in enumerate(writes)]
    guards = [f"1 / (SELECT count(*) FROM w{i})" for i, write in enumerate(writes) if write.guarded]  # noqa: S608  statements of our own
    return _numbered(f"WITH {', '.join(parts)} SELECT {', '.join(guards or ['1'])}")


@functools.lru_cache(maxsize=256)
def _numbered(sql: str) -> str:
    """The server's own marks, $1 $2 …, for each `?`; no literal of ours holds one."""
    numbers = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", sql)


class PostgresEngine:
    """One PostgreSQL database. A broken connection is dropped and opened anew by the next caller."""

    def __init__(self, conninfo: str) -> None:
        self.dialect: Dialect = psycopg_dialect.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
        self._conninfo = conninfo
        self._local = threading.local()
        self._mutex = threading.Lock()
        self._connections: list[psycopg.Connection] = []

    def read(self, query: Query, values: Sequence[Any]) -> list[Row]:
        was_open = getattr(self._local, "connection", None) is not None
        try:
            return self._execute(query.sql, values)
        except StoreUnavailable:
            if not was_open:
                raise
            return self._execute(query.sql, values)  # the server may have been restarted since this thread's last look

    def flush(self, batch: Batch) -> None:
        if len(batch) == 1 and not batch[0][0].guarded:
            self._execute(_numbered(batch[0][0].sql), batch[0][1])
            return
        self._execute(_combined(tuple(write for write, _ in batch)), [value for _, vs in batch for value in vs])

    def claim(self, due: int, lease_until: int, lease: str, limit: int, busy: Sequence[str]) -> list[Row]:
        return self._execute(_CLAIM, (lease_until, lease, due, list(busy), limit))

    def close(self) -> None:
        with self._mutex:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def _execute(self, sql: str, values: Sequence[Any]) -> list[Row]:
        connection = self._connection()
        try:
            cursor = connection.execute(sql, values)
            return list(cursor.fetchall()) if cursor.description else []
        except _LOST_RACE as exc:
            raise Conflict(str(exc)) from exc
        except _LOST_SERVER as exc:
            self._drop(connection)
            raise StoreUnavailable(str(exc)) from exc

    def _connection(self) -> psycopg.Connection:
        connection: psycopg.Connection | None = getattr(self._local, "connection", None)
        if connection is not None and not connection.closed:
            return connection
        try:
            connection = psycopg.connect(self._conninfo, autocommit=True, prepare_threshold=1, connect_timeout=5)
        except psycopg.Error as exc:
            raise StoreUnavailable(str(exc)) from exc
        # One width for every integer, so that one prepared statement serves all values.
        connection.adapters.register_dumper(int, Int8Dumper)
        connection.prepared_max = 256
        # psycopg reads a statement of more than 50 values anew each time to find its %s; these come with $1, $2 …
        connection.cursor_factory = psycopg.RawCursor
        self._local.connection = connection
        with self._mutex:
            self._connections.append(connection)
        return connection

    def _drop(self, connection: psycopg.Connection) -> None:
        connection.close()
        self._local.connection = None
        with self._mutex:
            if connection in self._connections:
                self._connections.remove(connection)
