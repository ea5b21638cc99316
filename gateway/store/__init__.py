"""The only room with SQL: schema, statements, the two engines, and the unit of work over them."""

from pathlib import Path

from sqlalchemy.engine import make_url

from gateway.store.engine import Engine
from gateway.store.errors import Conflict, StoreContended, StoreUnavailable
from gateway.store.observed import ObservedStore
from gateway.store.postgres import PostgresEngine
from gateway.store.schema_version import schema_is_current, upgrade
from gateway.store.sqlite import SqliteEngine
from gateway.store.tx import DueWork, KnownMessage, ReportView, Tx
from gateway.store.unit_of_work import Store
from gateway.store.vault import Unsealable, Vault

__all__ = [
    "Conflict",
    "DueWork",
    "KnownMessage",
    "ObservedStore",
    "ReportView",
    "Store",
    "StoreContended",
    "StoreUnavailable",
    "Tx",
    "Unsealable",
    "Vault",
    "open_store",
    "schema_is_current",
    "upgrade",
]


def open_store(database_url: str) -> Store:
    """
    Open the order database named by a SQLAlchemy URL; connections are made when first used.

    Raises:
        ValueError: Neither sqlite:///<file> nor postgresql://…
    """
    return Store(_engine(database_url))


def _engine(database_url: str) -> Engine:
    url = make_url(database_url)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return SqliteEngine(Path(url.database))
    if url.get_backend_name() == "postgresql":
        return PostgresEngine(url.set(drivername="postgresql").render_as_string(hide_password=False))
    raise ValueError("the database must be sqlite:///<file> or postgresql://…")
