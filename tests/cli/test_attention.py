"""`alarms` on a real database."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from gateway.domain.order import TaskKind
from gateway.services.tasks import due_task
from gateway.settings import Settings
from tests.cli.conftest import Jiaofei
from tests.support.world import World


@pytest.fixture
def engine() -> str:
    """One engine: the service behind has tests on both."""
    return "sqlite"


@pytest.fixture
def world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The services' world behind the command."""

    @contextmanager
    def opened(_settings: Settings) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(deps=world.deps)

    monkeypatch.setattr("gateway.cli.attention.opened_world", opened)
    monkeypatch.setattr("gateway.cli.attention.load_settings", lambda: None)
    return world


def test_alarms_of_a_gateway_that_is_well_exit_0(world: World, jiaofei: Jiaofei) -> None:
    """And say so."""
    world.paid()
    result = jiaofei("alarms")

    assert (result.exit_code, result.stdout) == (0, "nothing needs a person\n")
    assert json.loads(jiaofei("alarms", "--json").stdout) == []


def test_alarms_name_what_needs_a_person_and_exit_1(world: World, jiaofei: Jiaofei) -> None:
    """In text and as JSON: a task that was given up."""
    now = world.clock.now()
    world.store.run(lambda tx: tx.schedule(due_task(TaskKind.QUERY, "pay_missing", "alpha_main", at=now, now=now)))
    world.work()
    text, document = jiaofei("alarms"), jiaofei("alarms", "--json")

    assert (text.exit_code, document.exit_code) == (1, 1)
    assert text.stdout.splitlines()[1].split()[:3] == ["tasks_dead", "query", "1"]
    assert json.loads(document.stdout) == [
        {"alarm": "tasks_dead", "subject": "query", "count": 1, "since": "2026-03-01T10:20:30+08:00"}
    ]
