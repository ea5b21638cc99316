"""The edge over a real SQLite file; tests marked BOTH run on PostgreSQL, too."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from gateway.store import Store
from tests.support.databases import Database
from tests.web.front import Front


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """SQLite, or what the test is parametrized with."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def front(store: Store, database: Database) -> Front:
    return Front(store, database.url)


@pytest.fixture
def make_front(store: Store, database: Database) -> Callable[..., Front]:
    """Builds a front with changed settings."""

    def make(**changes: Any) -> Front:
        return Front(store, database.url, **changes)

    return make


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[Any]]:
    """Every event logged, at every level."""
    before = structlog.get_config()
    structlog.reset_defaults()
    with capture_logs() as events:
        yield events
    structlog.configure(**before)
