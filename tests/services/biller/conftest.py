"""A world with banks that collect."""

import pytest

from gateway.store import Store
from tests.support.biller import BillerWorld


@pytest.fixture
def world(store: Store) -> BillerWorld:
    return BillerWorld(store)
