"""`webhooks`: what operators type, over a real database with a real history."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from gateway.domain.webhook import MessageState
from gateway.services.webhook_wire import WebhookAnswer
from gateway.settings import Settings
from gateway.store import open_store, upgrade
from tests.cli.conftest import Jiaofei
from tests.services.webhooks.journeys import only_message, refund_succeeds
from tests.settings.configuration import VALID, Configuration
from tests.support.receiver import FakeReceiver
from tests.support.world import APP, World


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration that loads; the world below stands in for what it would build."""
    made = Configuration(tmp_path)
    for name, value in made.environ.items():
        monkeypatch.setenv(name, value)
    return made.write("gateway.toml", VALID)


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """One order told, one whose message was refused and waits."""
    url = f"sqlite:///{tmp_path / 'orders.db'}"
    upgrade(url)
    store = open_store(url)
    world = World(store)
    receiver = FakeReceiver(world.clock)
    world.deps.webhooks[APP] = receiver.endpoint()
    world.paid("C-1")
    world.work()
    receiver.script(WebhookAnswer(status=500, excerpt="满了\n".encode()))
    world.paid("C-2")
    world.work()

    @contextmanager
    def opened(_: Settings) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(deps=world.deps, store=store)

    monkeypatch.setattr("gateway.cli.sent_webhooks.opened_world", opened)
    yield world
    store.close()


def told_and_waiting(world: World) -> tuple[str, str]:
    """Their webhook-ids."""
    found = [world.store.read().order_by_client_no(APP, name) for name in ("C-1", "C-2")]
    first, second = (only_message(world, order).id for order in found if order)
    return first, second


def test_list_shows_the_newest_first(jiaofei: Jiaofei, configuration: Path, stored: World) -> None:
    """With everything an operator asks of a message."""
    first, second = told_and_waiting(stored)
    result = jiaofei("webhooks", "list", "--json", configuration=configuration)
    documents = json.loads(result.stdout)

    assert {document["webhook_id"] for document in documents} == {first, second}
    by_id = {document["webhook_id"]: document for document in documents}
    assert by_id[first]["state"] == "delivered"
    assert by_id[second] == {
        "webhook_id": second,
        "app": APP,
        "order_id": by_id[second]["order_id"],
        "sequence": int(second.rpartition("_")[2]),
        "type": "order.paid",
        "state": "pending",
        "occurred_at": "2026-03-01T10:20:30+08:00",
        "tries": 1,
        "due_at": by_id[second]["due_at"],
        "settled_at": None,
    }


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (("--state", "pending"), 1),
        (("--state", "dead"), 0),
        (("--app", "village"), 0),
        (("--since", "2026-03-01T10:20:30"), 2),
        (("--since", "2026-03-01T10:20:31"), 0),
        (("--since", "2026-03-02"), 0),
        (("--limit", "1"), 1),
    ],
    ids=str,
)
def test_list_obeys_its_options(
    jiaofei: Jiaofei, configuration: Path, stored: World, options: tuple[str, ...], count: int
) -> None:
    """Times are Beijing's."""
    result = jiaofei("webhooks", "list", *options, configuration=configuration)

    assert result.exit_code == 0
    assert result.stdout.count("order.paid") == count


def test_show_of_a_message_has_its_tries_and_body(jiaofei: Jiaofei, configuration: Path, stored: World) -> None:
    """For scripts and for eyes; a line break of the receiver's breaks no line of ours."""
    _, second = told_and_waiting(stored)
    (document,) = json.loads(jiaofei("webhooks", "show", second, "--json", configuration=configuration).stdout)
    text = jiaofei("webhooks", "show", second, configuration=configuration).stdout

    assert document["body"]["type"] == "order.paid"
    assert [(attempt["outcome"], attempt["answer_status"], attempt["answer"]) for attempt in document["attempts"]] == [
        ("refused", 500, "满了\n")
    ]
    assert r"\xe6\xbb\xa1\xe4\xba\x86\n" in text


def test_show_of_an_order_has_all_its_messages(jiaofei: Jiaofei, configuration: Path, stored: World) -> None:
    """#44: did a webhook already fire for this order."""
    order = stored.store.read().order_by_client_no(APP, "C-1")
    assert order is not None
    refund_succeeds(stored, order, 100)
    stored.work()
    documents = json.loads(jiaofei("webhooks", "show", order.id, "--json", configuration=configuration).stdout)

    assert [document["type"] for document in documents] == ["order.paid", "refund.succeeded"]


@pytest.mark.parametrize("number", ["evt_nobody_1", "ord_nobody", "nonsense", ""])
@pytest.mark.parametrize("command", ["show", "resend"])
def test_number_of_nothing_is_an_error(
    jiaofei: Jiaofei, configuration: Path, stored: World, command: str, number: str
) -> None:
    """One line on stderr."""
    result = jiaofei("webhooks", command, number, configuration=configuration)

    assert result.exit_code == 1
    assert "there is no" in result.stderr


def test_resend_of_a_message_has_it_sent(jiaofei: Jiaofei, configuration: Path, stored: World) -> None:
    """Named twice, it is sent once."""
    _, second = told_and_waiting(stored)
    result = jiaofei("webhooks", "resend", second, second, "--json", configuration=configuration)
    assert json.loads(result.stdout) == {"resent": 1}
    stored.work()

    order = stored.store.read().order_by_client_no(APP, "C-2")
    assert order is not None
    assert only_message(stored, order).state is MessageState.DELIVERED


def test_resend_by_app_takes_state_and_time(jiaofei: Jiaofei, configuration: Path, stored: World) -> None:
    """What was delivered since, once more."""
    options = ("--app", APP, "--state", "delivered", "--since", "2026-03-01", "--until", "2026-03-01T10:20:31")
    stored.clock.advance(minutes=1)
    dry = jiaofei("webhooks", "resend", *options, "--dry-run", configuration=configuration)
    first, _ = told_and_waiting(stored)
    assert first in dry.stdout
    order = stored.store.read().order_by_client_no(APP, "C-1")
    assert order is not None
    assert only_message(stored, order).state is MessageState.DELIVERED
    result = jiaofei("webhooks", "resend", *options, configuration=configuration)

    assert result.stdout == "to be sent again: 1\n"
    assert only_message(stored, order).state is MessageState.PENDING


def test_resend_of_an_order_that_told_nothing_wakes_it(jiaofei: Jiaofei, configuration: Path, stored: World) -> None:
    """Paid before the app had a receiver."""
    endpoint = stored.deps.webhooks.pop(APP)
    order, _ = stored.paid("C-3")
    stored.deps.webhooks[APP] = endpoint
    jiaofei("webhooks", "resend", order.id, configuration=configuration)
    stored.work()

    assert only_message(stored, order).state is MessageState.DELIVERED


@pytest.mark.parametrize(
    "options",
    [(), ("evt_1_1", "--app", APP, "--since", "2026-03-01"), ("--app", APP)],
    ids=["none", "both", "no_since"],
)
def test_resend_without_a_clear_choice_is_a_usage_error(
    jiaofei: Jiaofei, configuration: Path, stored: World, options: tuple[str, ...]
) -> None:
    """Nothing is guessed."""
    assert jiaofei("webhooks", "resend", *options, configuration=configuration).exit_code == 2


def test_endpoints_and_enable(jiaofei: Jiaofei, configuration: Path, stored: World) -> None:
    """Disabled by a 410, enabled by hand."""
    receiver = stored.deps.webhooks[APP].post
    assert isinstance(receiver, FakeReceiver)
    receiver.script(410)
    stored.paid("C-3")
    stored.work()
    (shown,) = json.loads(jiaofei("webhooks", "endpoints", "--json", configuration=configuration).stdout)
    assert (shown["app"], shown["state"], shown["reason"], shown["pending"]) == (APP, "disabled", "gone", 2)
    assert "disabled" in jiaofei("webhooks", "endpoints", configuration=configuration).stdout
    result = jiaofei("webhooks", "enable", "--app", APP, "--json", configuration=configuration)
    assert json.loads(result.stdout) == {"app": APP, "orders_waiting": 2}
    stored.work()

    (shown,) = json.loads(jiaofei("webhooks", "endpoints", "--json", configuration=configuration).stdout)
    assert (shown["state"], shown["pending"], shown["dead"]) == ("enabled", 0, 0)


def test_enable_of_an_app_without_a_receiver_is_an_error(jiaofei: Jiaofei, configuration: Path, stored: World) -> None:
    """There is nothing to enable."""
    result = jiaofei("webhooks", "enable", "--app", "village", configuration=configuration)

    assert result.exit_code == 1
    assert "has no webhook_url" in result.stderr
