"""SQLite: WAL, full durability, group commit by whichever thread comes first, one writer among all processes."""

import contextlib
import fcntl
import json
import os
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Dialect
from sqlalchemy.dialects import sqlite as sqlite_dialect

from gateway.store.engine import Batch, Row
from gateway.store.errors import Conflict, StoreUnavailable
from gateway.store.rows import TASK
from gateway.store.statements import Query

_PRAGMAS: Final = (
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",  # NORMAL may lose acknowledged callbacks when the power fails
    "PRAGMA foreign_keys = ON",
    "PRAGMA busy_timeout = 10000",
    "PRAGMA cache_size = -32768",
)
_UNIQUE_CODES: Final = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
_CLAIM: Final = (
    "UPDATE tasks SET tries = tries + 1, due_at = ?, lease = ? WHERE state = 'due' AND (kind, subject_id) IN"  # noqa: S608  names of our own schema
    " (SELECT kind, subject_id FROM tasks WHERE state = 'due' AND due_at <= ?"
    " AND (account IS NULL OR account NOT IN (SELECT value FROM json_each(?))) ORDER BY due_at LIMIT ?)"
    f" RETURNING {', '.join(TASK.columns)}"
)


class _Job:
    """A batch on its way through the group commit, and the thread that waits for it."""

    __slots__ = ("batch", "error", "leads", "wake")

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.error: Exception | None = None
        self.leads = False
        self.wake = threading.Lock()
        self.wake.acquire()


class SqliteEngine:
    """
    One SQLite file.

    Reads run on a connection per thread. Writes are committed in groups: the first thread to come leads, writes what
    is queued (each batch in its own savepoint) in one commit, wakes the others and hands over; there is no writer
    thread and no delay. A file lock keeps processes from meeting inside SQLite, where a loser would sleep and retry.
    """

    def __init__(self, path: Path) -> None:
        self.dialect: Dialect = sqlite_dialect.dialect(paramstyle="qmark")
        self._path = path
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self._mutex = threading.Lock()
        self._queue: list[_Job] = []
        self._led = False
        self._turn = threading.Lock()
        self._writer: sqlite3.Connection | None = None
        self._lock_file = -1

    def read(self, query: Query, values: Sequence[Any]) -> list[Row]:
        try:
            return self._reader().execute(query.sql, values).fetchall()
        except sqlite3.DatabaseError as exc:  # a damaged file included
            raise StoreUnavailable(str(exc)) from exc

    def flush(self, batch: Batch) -> None:
        job = _Job(batch)
        with self._mutex:
            self._queue.append(job)
            job.leads, self._led = not self._led, True
        if not job.leads:
            job.wake.acquire()
        if job.leads:
            self._lead()
        if job.error is not None:
            raise job.error

    def claim(self, due: int, lease_until: int, lease: str, limit: int, busy: Sequence[str]) -> list[Row]:
        try:
            with self._exclusive() as writer:
                rows = writer.execute(_CLAIM, (lease_until, lease, due, json.dumps(list(busy)), limit)).fetchall()
                writer.execute("COMMIT")
                return rows
        except (sqlite3.OperationalError, OSError) as exc:
            raise StoreUnavailable(str(exc)) from exc

    def close(self) -> None:
        with self._mutex:
            for connection in (*self._readers, *([self._writer] if self._writer else [])):
                connection.close()
            self._readers.clear()
            self._writer = None
            if self._lock_file >= 0:
                os.close(self._lock_file)
                self._lock_file = -1

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False, cached_statements=256)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        return connection

    def _reader(self) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            self._local.connection = connection
            with self._mutex:
                self._readers.append(connection)
        return connection

    def _lead(self) -> None:
        """Write what is queued, then hand the lead to the next waiter or give it up."""
        with self._mutex:
            jobs, self._queue = self._queue, []
        try:
            self._write(jobs)
        finally:
            self._hand_over(jobs)

    def _hand_over(self, jobs: list[_Job]) -> None:
        with self._mutex:
            heir = self._queue[0] if self._queue else None
            self._led = heir is not None
        for job in jobs:
            job.leads = False
            job.wake.release()
        if heir is not None:
            heir.leads = True
            heir.wake.release()

    def _write(self, jobs: list[_Job]) -> None:
        try:
            with self._exclusive() as writer:
                for job in jobs:
                    self._apply(writer, job)
                writer.execute("COMMIT")
        except BaseException as exc:
            for job in jobs:  # a failed commit fails all, and nobody may be left waiting or believing
                job.error = job.error or StoreUnavailable(str(exc))
            if not isinstance(exc, (sqlite3.Error, OSError)):
                raise

    @contextlib.contextmanager
    def _exclusive(self) -> Iterator[sqlite3.Connection]:
        """The writer's connection inside a begun unit of work, with every other thread and process shut out."""
        with self._turn:
            if self._lock_file < 0:
                self._lock_file = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if self._writer is None:
                self._writer = self._connect()
            fcntl.flock(self._lock_file, fcntl.LOCK_EX)
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield self._writer
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                fcntl.flock(self._lock_file, fcntl.LOCK_UN)

    @staticmethod
    def _apply(writer: sqlite3.Connection, job: _Job) -> None:
        writer.execute("SAVEPOINT job")
        try:
            for write, values in job.batch:
                changed = writer.execute(write.sql, values).rowcount
                if write.guarded and changed != 1:
                    raise Conflict(write.name)
        except sqlite3.IntegrityError as exc:
            unique = exc.sqlite_errorcode in _UNIQUE_CODES
            job.error = Conflict(str(exc)) if unique else exc
        except (Conflict, ValueError, TypeError, OverflowError, sqlite3.ProgrammingError) as exc:
            job.error = exc  # a value that SQLite cannot take spoils its own batch, not its neighbours'
        if job.error is not None:
            writer.execute("ROLLBACK TO job")
        writer.execute("RELEASE job")
