"""The database goes away and comes back."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.store import Store, StoreUnavailable, open_store
from tests.support.clock import START
from tests.support.databases import Database, PostgresServer
from tests.support.rows import an_order

POSTGRESQL = pytest.mark.parametrize("engine", ["postgresql"])


@pytest.fixture
def stopped(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that the test may stop; it runs again afterwards, whatever happened."""
    yield postgres_server
    postgres_server.start()


@POSTGRESQL
def test_write_on_a_cut_connection_is_unavailable_and_the_next_goes_through(
    store: Store, database: Database, postgres_server: PostgresServer
) -> None:
    """The outcome of a broken-off write is not known: it is an error, never a success."""
    store.run(lambda tx: tx.insert(an_order("ord_1")))
    postgres_server.terminate_backends()
    with pytest.raises(StoreUnavailable):
        store._engine.flush(_insert(store, "ord_2"))
    store.run(lambda tx: tx.insert(an_order("ord_3")))

    assert database.rows("SELECT id FROM orders ORDER BY id") == [("ord_1",), ("ord_3",)]


@POSTGRESQL
def test_read_on_a_cut_connection_is_asked_again(store: Store, postgres_server: PostgresServer) -> None:
    """A read may be repeated, so a restart of the server is not noticed by it."""
    store.run(lambda tx: tx.insert(an_order("ord_1")))
    postgres_server.terminate_backends()

    assert store.read().order("ord_1") is not None


@POSTGRESQL
def test_claim_on_a_cut_connection_is_unavailable_then_recovers(store: Store, postgres_server: PostgresServer) -> None:
    """A claim may have been granted before the connection broke, so it is not repeated blindly."""
    store.ping()
    postgres_server.terminate_backends()
    with pytest.raises(StoreUnavailable):
        store.claim_tasks(now=START, lease_until=START + timedelta(minutes=1), lease="l", limit=1)
    assert store.claim_tasks(now=START, lease_until=START + timedelta(minutes=1), lease="l", limit=1) == []


@POSTGRESQL
def test_server_that_stops_is_unavailable_until_it_starts(store: Store, stopped: PostgresServer) -> None:
    """A restart of the server needs no restart of ours; what was committed before is there."""
    store.run(lambda tx: tx.insert(an_order("ord_1")))
    stopped.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            store.run(lambda tx: tx.insert(an_order("ord_2")))
    stopped.start()
    store.run(lambda tx: tx.insert(an_order("ord_2")))

    assert [order.id for order in store.read().orders_page("wallet", before="~", limit=9)] == ["ord_2", "ord_1"]


@POSTGRESQL
def test_server_that_turned_read_only_is_unavailable_until_it_is_not(store: Store, database: Database) -> None:
    """After a failover a kept connection may lead to the standby: it must be dropped, not used for ever."""
    store.ping()
    store._engine.inner._connection().execute("SET default_transaction_read_only = on")
    with pytest.raises(StoreUnavailable):
        store.run(lambda tx: tx.insert(an_order("ord_1")))
    store.run(lambda tx: tx.insert(an_order("ord_1")))

    assert store.read().order("ord_1") is not None


def _insert(store: Store, order_id: str) -> list[object]:
    tx = store.read()
    tx.insert(an_order(order_id))
    return tx.writes


@pytest.mark.parametrize(
    "url", ["sqlite:////nowhere/at/all.sqlite3", "postgresql://nobody@/x?host=/nowhere"], ids=["sqlite", "postgresql"]
)
def test_database_that_is_not_there_is_unavailable(url: str) -> None:
    """Opening makes no connection; using it tells."""
    store = open_store(url)
    with pytest.raises(StoreUnavailable):
        store.ping()
    with pytest.raises(StoreUnavailable):
        store.run(lambda tx: tx.insert(an_order()))
    store.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y"])
def test_database_of_another_kind_is_refused(url: str) -> None:
    """Only a SQLite file or PostgreSQL."""
    with pytest.raises(ValueError, match="sqlite"):
        open_store(url)


def test_store_that_was_closed_opens_again_when_used(store: Store) -> None:
    """Closing lets go of connections, no more."""
    store.run(lambda tx: tx.insert(an_order("ord_1")))
    store.close()
    store.run(lambda tx: tx.insert(an_order("ord_2")))

    assert store.read().order("ord_1") is not None


@pytest.mark.parametrize("engine", ["sqlite"])
def test_sqlite_file_is_in_wal_with_full_durability(store: Store, database: Database) -> None:
    """NORMAL could lose an acknowledged callback when the power fails."""
    store.run(lambda tx: tx.insert(an_order()))
    connection = store._engine.inner._reader()

    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    assert Path(f"{database.path}-wal").exists()
