"""What the gateway learns of a receiver: rests, silence, its end and its return."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from gateway.domain.webhook import FAILING_MAX, EndpointState, MessageState, pause_before
from gateway.services.webhook_desk import enable_endpoint, endpoint_figures
from gateway.services.webhook_wire import Unanswered, WebhookAnswer
from tests.services.webhooks.journeys import endpoint, only_message, tries, work_until
from tests.support.invariants import assert_invariants
from tests.support.receiver import FakeReceiver
from tests.support.world import APP, World

OTHER_URL = "https://new.example.test/hooks"


def test_gone_disables_the_endpoint_and_holds_every_message(world: World, receiver: FakeReceiver) -> None:
    """410: nothing more is sent to it, old or new; what it would have got stays pending and visible."""
    receiver.script(410)
    first, _ = world.paid("C-1")
    with capture_logs() as logs:
        world.work()
    second, _ = world.paid("C-2")
    work_until(world, world.clock.now() + timedelta(days=9))
    learnt = endpoint(world)

    assert learnt is not None
    assert (learnt.state, learnt.reason) == (EndpointState.DISABLED, "gone")
    assert {"event": "webhook_endpoint_disabled", "app": APP, "reason": "gone", "log_level": "error"} in logs
    assert len(receiver.posts) == 1
    assert {only_message(world, order).state for order in (first, second)} == {MessageState.PENDING}
    (figures,) = endpoint_figures(world.deps)
    assert (figures.pending, figures.dead, figures.endpoint.state) == (2, 0, EndpointState.DISABLED)
    assert_invariants(world.store)


def test_enabled_endpoint_gets_all_that_waited_at_once(world: World, receiver: FakeReceiver) -> None:
    """Also the message whose next try lay hours ahead."""
    receiver.script(500, 500, 410)
    first, _ = world.paid("C-1")
    work_until(world, world.clock.now() + timedelta(minutes=6))
    second, _ = world.paid("C-2")
    world.work()
    assert len(receiver.posts) == 3
    assert enable_endpoint(world.deps, APP) == 2
    world.work()

    assert sorted(post.id for post in receiver.posts[3:]) == sorted(
        only_message(world, order).id for order in (first, second)
    )
    assert endpoint(world).state is EndpointState.ENABLED
    assert_invariants(world.store)


def test_enabling_many_orders_wakes_each_of_them(world: World, receiver: FakeReceiver) -> None:
    """More than one page of them."""
    receiver.script(410)
    orders = [world.paid(f"C-{number}")[0] for number in range(105)]
    world.work()
    assert enable_endpoint(world.deps, APP) == 105
    while world.worker.run_due():
        pass

    assert {only_message(world, order).state for order in orders} == {MessageState.DELIVERED}


def test_another_address_begins_with_a_clean_slate(world: World, receiver: FakeReceiver) -> None:
    """The configuration names a new address: the disabled one is history, after a day at the latest by itself."""
    receiver.script(410)
    order, _ = world.paid()
    world.work()
    world.deps.webhooks[APP] = receiver.endpoint(url=OTHER_URL)
    work_until(world, world.clock.now() + timedelta(hours=24))

    assert only_message(world, order).state is MessageState.DELIVERED
    assert [figures.endpoint.state for figures in endpoint_figures(world.deps)] == [EndpointState.ENABLED]


@pytest.mark.parametrize(
    ("hours", "state"), [(120, EndpointState.DISABLED), (119.9999, EndpointState.ENABLED)], ids=["at_120", "before"]
)
def test_endpoint_that_fails_for_120_hours_is_disabled(
    world: World, receiver: FakeReceiver, hours: float, state: EndpointState
) -> None:
    """Counted from the first failure after the last success, at the next failure."""
    receiver.usual = Unanswered("cannot_connect")
    world.paid("C-1")
    world.work()
    world.clock.advance(hours=hours)
    world.paid("C-2")
    world.work()
    learnt = endpoint(world)

    assert timedelta(hours=120) == FAILING_MAX
    assert learnt is not None
    assert (learnt.state, learnt.reason) == (state, "failing" if state is EndpointState.DISABLED else "")


def test_success_ends_the_count_of_failing_hours(world: World, receiver: FakeReceiver) -> None:
    """Failing for 119 hours, one success, failing again: the count begins anew; operators hear of both turns."""
    receiver.script(500)
    with capture_logs() as logs:
        world.paid("C-1")
        world.work()
        world.clock.advance(hours=119)
        world.work()
    receiver.script(500)
    world.clock.advance(hours=2)
    world.paid("C-2")
    world.work()

    assert endpoint(world).failing_since == world.clock.now()
    assert [log["event"] for log in logs if log["event"].startswith("webhook_")] == [
        "webhook_endpoint_failing",
        "webhook_endpoint_recovered",
    ]


def test_calm_endpoint_is_never_written(world: World, receiver: FakeReceiver) -> None:
    """No row for every message of a busy app to fight for."""
    for number in range(3):
        world.paid(f"C-{number}")
    world.work()

    assert endpoint(world) is None


# --- Retry-After ------------------------------------------------------------------------------------------------------

RESTS = {
    "seconds": (429, "120", 120),
    "seconds_503": (503, "120", 120),
    "too_long": (503, "999999", 3600),
    "absurd": (503, "9" * 40, 3600),
    "date": (429, "Sun, 01 Mar 2026 02:22:30 GMT", 119.876544),
    "date_in_the_past": (429, "Sun, 01 Mar 2026 02:00:00 GMT", 0),
    "date_without_zone": (429, "Sun, 01 Mar 2026 02:22:30", 0),
    "negative": (429, "-5", 0),
    "junk": (429, "soon", 0),
    "other_digits": (429, "１２０", 0),
    "nothing": (429, "", 0),
    "other_status": (500, "120", 0),
}


@pytest.mark.parametrize("name", RESTS)
def test_rest_that_the_receiver_asks_for_is_kept(world: World, receiver: FakeReceiver, name: str) -> None:
    """At 429 and 503, an hour at most, never sooner than the schedule."""
    status, header, seconds = RESTS[name]
    receiver.script(WebhookAnswer(status=status, retry_after=header))
    order, _ = world.paid()
    world.work()
    message = only_message(world, order)

    assert message.due_at - world.clock.now() == max(timedelta(seconds=seconds), pause_before(message, 1))


def test_rest_holds_the_other_orders_of_the_app_as_well(world: World, receiver: FakeReceiver) -> None:
    """It is the receiver that is overloaded; a rest counts no try."""
    receiver.script(WebhookAnswer(status=429, retry_after="60"))
    world.paid("C-1")
    world.work()
    second, _ = world.paid("C-2")
    world.clock.advance(seconds=59)
    world.work()
    assert len(receiver.posts) == 1
    assert tries(world, only_message(world, second)) == []
    world.clock.advance(seconds=1)
    world.work()

    assert len(receiver.posts) == 3


def test_silent_receiver_is_not_asked_by_every_order(world: World, receiver: FakeReceiver) -> None:
    """No answer for ten minutes: new orders wait a minute, and count no try; an answer, even a bad one, ends that."""
    receiver.usual = Unanswered("timeout")
    world.paid("C-1")
    world.work()
    world.clock.advance(minutes=10)
    world.work()
    assert len(receiver.posts) == 2
    orders = [world.paid(name)[0] for name in ("C-2", "C-3")]
    world.clock.advance(seconds=59)
    world.work()
    assert len(receiver.posts) == 2
    receiver.usual = WebhookAnswer(status=500)
    world.clock.advance(seconds=1)
    world.work()

    assert [len(tries(world, only_message(world, order))) for order in orders] == [1, 1]


def test_silence_is_ten_minutes_at_most(world: World, receiver: FakeReceiver) -> None:
    """However long it has failed."""
    receiver.usual = Unanswered("timeout")
    world.paid("C-1")
    world.work()
    world.clock.advance(hours=100)
    world.work()

    assert endpoint(world).quiet_until - world.clock.now() == timedelta(minutes=10)


def test_failing_receiver_delays_no_other_app(world: World, receiver: FakeReceiver) -> None:
    """Its neighbour is told at once, and payment work is done."""
    neighbour = FakeReceiver(world.clock)
    world.deps.webhooks["village"] = neighbour.endpoint()
    receiver.usual = WebhookAnswer(status=503, retry_after="3600")
    world.paid("C-1")
    order = world.open("C-2", app="village")
    world.pay(world.start(order))
    world.work()

    assert neighbour.types == ["order.paid"]
    assert len(receiver.posts) == 1
