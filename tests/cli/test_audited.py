"""`audit` and `replay` on a real database: what they print, and how they exit."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from gateway.domain.order import TaskKind, TaskState
from gateway.settings import Settings
from tests.cli.conftest import Jiaofei
from tests.support.databases import Database
from tests.support.world import World

WHO = ("--who", "operator-1", "--why", "the bank telephoned")


@pytest.fixture
def engine() -> str:
    """One engine: the services behind have tests on both."""
    return "sqlite"


@pytest.fixture
def world(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """The services' world behind the commands."""

    @contextmanager
    def opened(_settings: Settings) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(store=world.store, deps=world.deps)

    for module in ("audited", "replayed"):
        monkeypatch.setattr(f"gateway.cli.{module}.opened_world", opened)
        monkeypatch.setattr(f"gateway.cli.{module}.load_settings", lambda: None)
    return world


def test_audit_of_a_healthy_database_exits_0(world: World, jiaofei: Jiaofei) -> None:
    """Every check is named, and holds."""
    world.paid()
    result = jiaofei("audit")

    assert result.exit_code == 0
    assert "premium_paid_twice" in result.stdout
    assert result.stdout.count("holds") == len(result.stdout.splitlines()) - 1


def test_audit_of_a_damaged_database_exits_1_and_names_the_offender(
    world: World, database: Database, jiaofei: Jiaofei
) -> None:
    """In text and as JSON."""
    order, _ = world.paid()
    database.rows("DELETE FROM ledger_entries")
    text, document = jiaofei("audit"), jiaofei("audit", "--json")
    payment_id = world.order(order.id).paid_payment_id

    assert (1, 1) == (text.exit_code, document.exit_code)
    assert f"  {payment_id}" in text.stdout.splitlines()
    assert [["ledger_disagrees", [payment_id]]] == [
        [finding["name"], finding["offenders"]] for finding in json.loads(document.stdout) if finding["offenders"]
    ]


def test_dry_run_says_what_would_change_and_changes_nothing(world: World, jiaofei: Jiaofei) -> None:
    """The run behind it says the same, but for one word."""
    payment = world.start(world.open())
    world.alpha.pay(payment.out_trade_no)
    dry = jiaofei("replay", "query", payment.id, *WHO, "--dry-run")
    unchanged = world.payment(payment.id)
    real = jiaofei("replay", "query", payment.id, *WHO)
    again = jiaofei("replay", "query", payment.id, *WHO)

    assert unchanged == payment
    assert "orders" in dry.stdout
    assert "state: open → paid" in dry.stdout
    assert dry.stdout.replace("would change", "changed") == real.stdout
    assert again.stdout.splitlines()[-1] == "1 items, 0 changed something, 0 failed"


def test_replay_by_state_as_json(world: World, jiaofei: Jiaofei) -> None:
    """One document for scripts."""
    payment = world.start(world.open())
    result = jiaofei("replay", "query", "--state", "pending", "--account", "alpha_main", "--json", *WHO)

    assert [(payment.id, "unchanged")] == [(one["subject_id"], one["outcome"]) for one in json.loads(result.stdout)]


def test_replay_of_nothing_known_exits_1(world: World, jiaofei: Jiaofei) -> None:
    """The others are done all the same."""
    payment = world.start(world.open())
    result = jiaofei("replay", "task", "query:pay_none", f"query:{payment.id}", *WHO)

    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "2 items, 1 changed something, 1 failed"
    assert world.task(TaskKind.QUERY, payment.id).state is TaskState.DUE  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "arguments",
    [
        ("query",),
        ("query", "pay_1", "--state", "pending"),
        ("query", "--state", "paid"),
        ("webhook", "--state", "pending"),
    ],
    ids=["nothing", "ids-and-state", "state-of-no-filter", "no-filter"],
)
def test_replay_that_selects_nothing_sensible_is_refused(
    world: World, jiaofei: Jiaofei, arguments: tuple[str, ...]
) -> None:
    """Before anything is put on record."""
    result = jiaofei("replay", *arguments, *WHO)

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert world.store is not None


@pytest.mark.parametrize("missing", ["--who", "--why"])
def test_replay_without_who_and_why_is_refused(jiaofei: Jiaofei, missing: str) -> None:
    """Every item is audited."""
    given = dict(zip(WHO[::2], WHO[1::2], strict=True))
    given.pop(missing)
    result = jiaofei("replay", "query", "pay_1", *(part for pair in given.items() for part in pair))

    assert result.exit_code == 2
    assert missing in result.stderr
