"""One keyring for all journeys (keys are slow to make and to check), and a fresh world for each."""

from collections.abc import Callable, Iterator

import pytest

from gateway.services.audit import audit
from gateway.store import open_store
from sandbox.keyring import Keyring, create_keyring
from tests.journeys.accounts import settings_for
from tests.journeys.quick import quick_gateways
from tests.journeys.world import World, no_waiting
from tests.support.databases import Database

pytest.register_assert_rewrite("tests.journeys.settled")


@pytest.fixture(scope="session")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Keyring:
    return create_keyring(tmp_path_factory.mktemp("journeys") / "ring")


@pytest.fixture(autouse=True)
def _fast_beginnings() -> Iterator[None]:
    with quick_gateways():
        yield


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for both engines: journeys are about protocols, the store has its own tests."""
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture
def make_world(ring: Keyring, database: Database) -> Iterator[Callable[..., World]]:
    """Builds the world of the named account modes; it ends with the test."""
    worlds: list[World] = []

    def make(*, neighbours: bool = False, **modes: str) -> World:
        worlds.append(World(ring, settings_for(ring, database.url, neighbours=neighbours, **modes)))
        return worlds[-1]

    with no_waiting():
        yield make
        found = _offences(database) if worlds else {}
        for world in worlds:
            world.end()
        assert {} == found, "the audit disagrees"


def _offences(database: Database) -> dict[str, tuple[str, ...]]:
    """What the audit finds wherever the journey has ended, also one whose gateway is stopped or about to die."""
    store = open_store(database.url)
    try:
        return {finding.name: finding.offenders for finding in audit(store) if finding.offenders}
    finally:
        store.close()


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """WeChat Pay direct with the public key, Alipay in key mode, UnionPay with a PEM pair."""
    return make_world()
