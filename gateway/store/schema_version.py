"""Brings a database to the newest schema, and says whether it is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from gateway.store.errors import StoreUnavailable

_MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"


def _url(database_url: str) -> URL:
    url = make_url(database_url)
    return url.set(drivername="postgresql+psycopg") if url.get_backend_name() == "postgresql" else url


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


@contextmanager
def _connected(database_url: str) -> Iterator[Connection]:
    engine = create_engine(_url(database_url), poolclass=NullPool)
    try:
        with engine.begin() as connection:
            yield connection
    except OperationalError as exc:
        raise StoreUnavailable("the database does not answer") from exc
    finally:
        engine.dispose()


def upgrade(database_url: str) -> None:
    """
    Apply every migration that is missing; safe to repeat.

    Raises:
        StoreUnavailable: The database does not answer.
    """
    with _connected(database_url) as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def schema_is_current(database_url: str) -> bool:
    """
    True when the database is at the newest migration.

    Raises:
        StoreUnavailable: The database does not answer.
    """
    with _connected(database_url) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return current == ScriptDirectory.from_config(_config()).get_current_head()
