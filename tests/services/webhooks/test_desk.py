"""What operators see and do: list, show, send again, enable."""

from datetime import timedelta

import pytest

from gateway.domain.webhook import EndpointState, MessageState, TryOutcome
from gateway.services.webhook_desk import (
    PAGE,
    Choice,
    chosen_messages,
    enable_endpoint,
    endpoint_figures,
    find_message,
    newest_messages,
    resend,
    show_message,
    tell_order,
)
from gateway.services.webhook_wire import WebhookAnswer
from tests.services.webhooks.journeys import messages, only_message, refund_succeeds, tries, work_until
from tests.support.invariants import assert_invariants
from tests.support.receiver import FakeReceiver
from tests.support.world import APP, World


def dead(world: World, receiver: FakeReceiver, *names: str) -> None:
    """Orders whose message died."""
    receiver.usual = WebhookAnswer(status=500)
    for name in names:
        world.paid(name)
    work_until(world, world.clock.now() + timedelta(hours=84))
    receiver.usual = WebhookAnswer(status=204)
    receiver.posts.clear()


def choice(world: World, **changes: object) -> Choice:
    members: dict[str, object] = {
        "app": APP,
        "state": MessageState.DEAD,
        "since": world.clock.now() - timedelta(days=30),
        "until": world.clock.now(),
    }
    return Choice(**members | changes)  # type: ignore[arg-type]


def test_dead_messages_are_sent_again_under_their_old_ids(world: World, receiver: FakeReceiver) -> None:
    """With a fresh schedule; the tries go on counting."""
    dead(world, receiver, "C-1", "C-2")
    (page,) = chosen_messages(world.deps, choice(world))
    assert resend(world.deps, page) == 2
    world.work()

    assert sorted(post.id for post in receiver.posts) == sorted(message.id for message in page)
    again = [find_message(world.deps, message.order_id, message.seq) for message in page]
    assert [(message.state, message.tries, message.step) for message in again if message] == [
        (MessageState.DELIVERED, 11, 0)
    ] * 2
    assert_invariants(world.store)


def test_delivered_messages_of_one_order_are_sent_again_in_their_order(world: World, receiver: FakeReceiver) -> None:
    """The app lost its database: everything of the order once more."""
    order, _ = world.paid()
    refund_succeeds(world, order, 100)
    world.work()
    receiver.posts.clear()
    assert tell_order(world.deps, world.order(order.id)) == 2
    world.work()

    assert receiver.types == ["order.paid", "refund.succeeded"]
    assert_invariants(world.store)


def test_order_that_was_never_told_is_told(world: World, receiver: FakeReceiver) -> None:
    """Paid before its app had a receiver."""
    endpoint = world.deps.webhooks.pop(APP)
    order, _ = world.paid()
    world.work()
    world.deps.webhooks[APP] = endpoint
    assert tell_order(world.deps, order) == 0
    world.work()

    assert receiver.types == ["order.paid"]


def test_message_that_waits_is_brought_forward(world: World, receiver: FakeReceiver) -> None:
    """Its next try lay hours ahead."""
    receiver.script(500, 500, 500, 500)
    order, _ = world.paid()
    work_until(world, world.clock.now() + timedelta(hours=1))
    assert len(receiver.posts) == 4
    assert resend(world.deps, messages(world, order)) == 1
    world.work()

    assert len(receiver.posts) == 5
    assert only_message(world, order).state is MessageState.DELIVERED


def test_message_that_is_being_sent_is_left_alone(world: World, receiver: FakeReceiver) -> None:
    """Its outcome is not known yet."""
    order, _ = world.paid()
    counts: list[int] = []

    def meanwhile() -> WebhookAnswer:
        counts.append(resend(world.deps, messages(world, order)))
        return WebhookAnswer(status=200)

    receiver.script(meanwhile)
    world.work()

    assert counts == [0]
    assert len(receiver.posts) == 1


def test_choice_takes_its_span_of_time_and_state(world: World, receiver: FakeReceiver) -> None:
    """From since, to before until, by the time of the event."""
    for number in range(4):
        world.paid(f"C-{number}")
        world.work()
        world.clock.advance(seconds=1)
    first = min(post.at for post in receiver.posts)
    span = choice(
        world, state=MessageState.DELIVERED, since=first + timedelta(seconds=1), until=first + timedelta(seconds=3)
    )
    (page,) = chosen_messages(world.deps, span)

    assert [message.occurred_at - first for message in page] == [timedelta(seconds=1), timedelta(seconds=2)]
    assert list(chosen_messages(world.deps, choice(world))) == []
    assert list(chosen_messages(world.deps, choice(world, state=MessageState.DELIVERED, app="village"))) == []


def test_choice_of_many_comes_in_pages_and_whole(world: World, receiver: FakeReceiver) -> None:
    """Many events at one instant: none is lost between two pages, none comes twice."""
    orders = [world.paid(f"C-{number}")[0] for number in range(PAGE + 3)]
    while world.worker.run_due():
        pass
    pages = list(
        chosen_messages(
            world.deps, choice(world, state=MessageState.DELIVERED, until=world.clock.now() + timedelta(seconds=1))
        )
    )

    assert [len(page) for page in pages] == [PAGE, 3]
    assert {message.order_id for page in pages for message in page} == {order.id for order in orders}


LISTS = {
    "all": ({"app": None, "state": None}, ["village", APP]),
    "of_app": ({"app": APP, "state": None}, [APP]),
    "dead": ({"app": None, "state": MessageState.DEAD}, []),
    "delivered_of_app": ({"app": "village", "state": MessageState.DELIVERED}, ["village"]),
}


@pytest.mark.parametrize("name", LISTS)
def test_list_is_newest_first_of_what_was_asked_for(world: World, receiver: FakeReceiver, name: str) -> None:
    """#44: one can see whether a webhook already fired."""
    world.deps.webhooks["village"] = FakeReceiver(world.clock).endpoint()
    world.paid("C-1")
    world.clock.advance(seconds=1)
    order = world.open("C-2", app="village")
    world.pay(world.start(order))
    world.work()
    asked, apps = LISTS[name]

    found = newest_messages(world.deps, since=None, limit=10, **asked)  # type: ignore[arg-type]
    assert [message.app for message in found] == apps
    assert newest_messages(world.deps, since=world.clock.now() + timedelta(seconds=1), limit=10, **asked) == []  # type: ignore[arg-type]
    assert len(newest_messages(world.deps, since=None, limit=1, **asked)) <= 1  # type: ignore[arg-type]


def test_show_opens_the_tries_and_the_body(world: World, receiver: FakeReceiver) -> None:
    """Exactly the bytes that were sent."""
    receiver.script(WebhookAnswer(status=500, excerpt=b"no room"))
    order, _ = world.paid()
    world.work()
    world.clock.advance(seconds=6)
    world.work()
    shown = show_message(world.deps, only_message(world, order))

    assert shown.body == receiver.posts[0].body
    assert [(one.attempt.outcome, one.answer) for one in shown.tries] == [
        (TryOutcome.REFUSED, b"no room"),
        (TryOutcome.ACCEPTED, b""),
    ]
    assert len({one.attempt.digest for one in shown.tries}) == 1


def test_figures_name_every_app_that_has_or_had_a_receiver(world: World, receiver: FakeReceiver) -> None:
    """Pending, dead, the oldest that waits."""
    dead(world, receiver, "C-1")
    receiver.script(500)
    order, _ = world.paid("C-2")
    world.work()
    (figures,) = endpoint_figures(world.deps)
    assert (figures.endpoint.app, figures.pending, figures.dead) == (APP, 1, 1)
    assert figures.oldest_pending_at == only_message(world, order).occurred_at
    assert figures.endpoint.state is EndpointState.ENABLED
    world.deps.webhooks.pop(APP)

    (figures,) = endpoint_figures(world.deps)
    assert (figures.endpoint.app, figures.pending, figures.dead) == (APP, 1, 1)


def test_app_without_a_receiver_cannot_be_enabled(world: World) -> None:
    """There is nothing to enable."""
    with pytest.raises(LookupError):
        enable_endpoint(world.deps, "village")


def test_enabling_an_endpoint_that_is_well_changes_nothing(world: World, receiver: FakeReceiver) -> None:
    """No row is written."""
    order, _ = world.paid()
    world.work()
    assert enable_endpoint(world.deps, APP) == 0

    assert len(tries(world, only_message(world, order))) == 1
