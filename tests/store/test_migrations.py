"""Migrations bring an empty database to exactly the schema of `tables`, on both engines."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from gateway.store import open_store, schema_is_current, upgrade
from gateway.store.rows import METADATA
from gateway.store.schema_version import _url
from tests.support.rows import an_order


@pytest.fixture
def empty_url(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table."""
    if engine == "sqlite":
        return f"sqlite:///{tmp_path / 'a%20folder' / 'empty.sqlite3'}".replace("a%20folder/", "")
    return str(request.getfixturevalue("postgres_server").create("jiaofei_empty"))


def test_upgrade_of_an_empty_database_makes_it_current(empty_url: str) -> None:
    """Before: not current; after, and after once more: current, with its rows."""
    assert not schema_is_current(empty_url)
    upgrade(empty_url)
    store = open_store(empty_url)
    store.run(lambda tx: tx.insert(an_order()))
    upgrade(empty_url)

    assert schema_is_current(empty_url)
    assert store.read().order("ord_1") is not None
    store.close()


def test_upgrade_gives_exactly_the_tables_of_the_code(empty_url: str) -> None:
    """Alembic finds nothing to do between the migrated schema and METADATA, and every unique key is there."""
    upgrade(empty_url)
    engine = create_engine(_url(empty_url), poolclass=NullPool)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, METADATA)
        found = {table: inspect(connection).get_check_constraints(table) for table in METADATA.tables}
        indexes = {index["name"]: index for index in inspect(connection).get_indexes("payments")}
    engine.dispose()

    assert differences == []
    checks = {check["name"] for table in found.values() for check in table}
    expected = {
        constraint.name
        for table in METADATA.tables.values()
        for constraint in table.constraints
        if str(constraint.name).startswith("ck_")
    }
    assert expected <= checks
    assert indexes["uq_payments_kept"]["unique"]
