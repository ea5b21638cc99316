"""`offline-refund`: money that went back where it was collected, put on record."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.settings import Settings
from gateway.store import Store
from tests.cli.conftest import Jiaofei
from tests.settings.configuration import VALID, Configuration
from tests.support.collecting import record, take, with_agents
from tests.support.world import AMOUNT_FEN, World


@pytest.fixture
def engine() -> str:
    """The command uses nothing that differs."""
    return "sqlite"


@pytest.fixture
def world(store: Store) -> World:
    return with_agents(World(store))


@pytest.fixture
def path(tmp_path: Path, world: World, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration over the tests' database and clock."""
    configuration = Configuration(tmp_path)
    for name, value in configuration.environ.items():
        monkeypatch.setenv(name, value)

    @contextmanager
    def opened(_settings: Settings) -> Iterator[SimpleNamespace]:
        yield world

    monkeypatch.setattr("gateway.cli.offline_refunds.opened_world", opened)
    return configuration.write("gateway.toml", VALID)


def _run(jiaofei: Jiaofei, path: Path, payment_id: str, *more: str) -> Any:
    by = ("--reference", "TK-7", "--on", "2026-03-01", "--who", "tester", "--why", "测试")
    return jiaofei("offline-refund", payment_id, *by, *more, configuration=path)


def _collected(world: World) -> str:
    payment_id = take(world, record()).payment_id
    assert payment_id is not None
    return payment_id


def test_offline_refund_is_shown_recorded_and_known(path: Path, jiaofei: Jiaofei, world: World) -> None:
    """What the dry run shows is what is done; a second time nothing is."""
    payment_id = _collected(world)
    dry = _run(jiaofei, path, payment_id, "--dry-run")
    untouched = world.payment(payment_id).amount_refunded_fen
    real, again = _run(jiaofei, path, payment_id), _run(jiaofei, path, payment_id)

    assert (0, 0, 0) == (dry.exit_code, real.exit_code, again.exit_code)
    assert (0, AMOUNT_FEN) == (untouched, world.payment(payment_id).amount_refunded_fen)
    assert f"{payment_id}  recorded  {AMOUNT_FEN} fen" == dry.stdout.splitlines()[0]
    assert dry.stdout.splitlines()[1:] == real.stdout.splitlines()[1:] != []
    [refund] = world.store.read().refunds_of_payment(payment_id)
    assert [f"{payment_id}  unchanged  {AMOUNT_FEN} fen  {refund.id}"] == again.stdout.splitlines()


def test_offline_refund_as_json_tells_the_part(path: Path, jiaofei: Jiaofei, world: World) -> None:
    """For scripts."""
    document = json.loads(_run(jiaofei, path, _collected(world), "--amount-fen", "101", "--json").stdout)

    assert ("recorded", 101) == (document["outcome"], document["amount_fen"])


def test_offline_refund_that_is_refused_fails_with_the_reason(path: Path, jiaofei: Jiaofei, world: World) -> None:
    """One line, exit 1."""
    _, payment = world.paid()
    result = _run(jiaofei, path, payment.id)

    assert 1 == result.exit_code
    assert "Error: its provider gives it back: ask for an ordinary refund of the order\n" == result.stderr


@pytest.mark.parametrize(
    "more",
    [("--reference", " "), ("--why", ""), ("--amount-fen", "0"), ("--who", "\n"), ("--on", "yesterday")],
    ids=["no-paper", "no-reason", "nothing", "no-name", "no-day"],
)
def test_offline_refund_with_an_option_at_fault_is_refused(
    path: Path, jiaofei: Jiaofei, world: World, more: tuple[str, str]
) -> None:
    """Exit 2, nothing done."""
    payment_id = _collected(world)

    assert 2 == _run(jiaofei, path, payment_id, *more).exit_code
    assert 0 == world.payment(payment_id).amount_refunded_fen
