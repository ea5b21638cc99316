"""A world whose app has a receiver."""

import pytest

from tests.support.receiver import FakeReceiver
from tests.support.world import APP, World


@pytest.fixture
def receiver(world: World) -> FakeReceiver:
    """The receiver of the app `wallet`; `village` has none."""
    fake = FakeReceiver(world.clock)
    world.deps.webhooks[APP] = fake.endpoint()
    return fake
