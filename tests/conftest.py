"""Databases and a small world around them, for every test room. Without PostgreSQL tests fail; none is skipped."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from gateway.store import Store, open_store, upgrade
from tests.support.databases import Database, PostgresServer, emptied
from tests.support.engines import TouchesOnce
from tests.support.world import World

pytest.register_assert_rewrite("tests.support.invariants", "tests.support.webhook_invariants")


@pytest.fixture(autouse=True)
def _loggers_follow_the_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A logger that kept the configuration of its first use would be deaf to the capture of every later test."""
    configure, before = structlog.configure, structlog.get_config()
    monkeypatch.setattr(
        structlog, "configure", lambda **given: configure(**{**given, "cache_logger_on_first_use": False})
    )
    yield
    configure(**before)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for each test process."""
    server = PostgresServer()
    yield server
    server.cleanup()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file without a row."""
    path = tmp_path_factory.mktemp("template") / "orders.sqlite3"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str:
    """Every test that touches a database runs on both."""
    return str(request.param)


@pytest.fixture
def database(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """A migrated database without a row."""
    if engine == "postgresql":
        return emptied(request.getfixturevalue("postgres_server"))
    path = tmp_path / "orders.sqlite3"
    shutil.copyfile(request.getfixturevalue("sqlite_template"), path)
    return Database("sqlite", f"sqlite:///{path}")


@pytest.fixture
def store(database: Database) -> Iterator[Store]:
    """The store over it; a unit of work that touches one row twice fails, whatever the engine makes of it."""
    opened = open_store(database.url)
    opened._engine = TouchesOnce(opened._engine)
    yield opened
    opened.close()


@pytest.fixture
def world(store: Store) -> World:
    """The services' world: two fake providers, a clock set by hand."""
    return World(store)
