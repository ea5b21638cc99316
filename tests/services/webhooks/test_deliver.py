"""Delivery to an app: what is told, in which order, how often, and that no crash loses or renames a message."""

import threading
from datetime import timedelta

import pytest

from gateway.domain.order import TaskKind, TaskState
from gateway.domain.webhook import PAUSES, MessageState, TryOutcome, pause_before
from gateway.services.audit import offences
from gateway.services.deliver_webhook import ANSWER_PURPOSE, deliver_webhooks
from gateway.services.tasks import due_task
from gateway.services.webhook_wire import Unanswered, WebhookAnswer
from gateway.services.work import LEASE
from tests.services.webhooks.journeys import endpoint, messages, only_message, refund_succeeds, tries, work_until
from tests.support.clock import START
from tests.support.databases import Database
from tests.support.engines import TouchesOnce
from tests.support.invariants import assert_invariants
from tests.support.receiver import NEXT_SECRET, SECRET, FakeReceiver, every_turn_taken
from tests.support.world import World

# --- what is told -----------------------------------------------------------------------------------------------------


def test_paid_order_is_told_signed_and_recorded(world: World, receiver: FakeReceiver) -> None:
    """One post, one try on record, the message delivered, its task done."""
    order, payment = world.paid()
    world.work()
    message = only_message(world, order)
    (post,) = receiver.posts
    (attempt,) = tries(world, message)

    assert (post.type, post.id) == ("order.paid", message.id)
    assert post.content["data"]["payment"]["out_trade_no"] == payment.out_trade_no
    assert post.is_signed_with(SECRET)
    assert post.headers["webhook-timestamp"] == str(int(world.clock.now().timestamp()))
    assert post.headers["Content-Type"] == "application/json"
    assert (message.state, message.settled_at) == (MessageState.DELIVERED, world.clock.now())
    assert (attempt.outcome, attempt.answer_status, attempt.number) == (TryOutcome.ACCEPTED, 204, 1)
    assert world.task(TaskKind.WEBHOOK, order.id).state is TaskState.DONE
    assert endpoint(world) is None
    assert_invariants(world.store)


def test_app_without_a_receiver_costs_not_a_row(world: World, receiver: FakeReceiver, database: Database) -> None:
    """Neither task nor message; the neighbour's receiver hears nothing."""
    order = world.open(app="village")
    world.pay(world.start(order))
    world.work()

    assert world.task(TaskKind.WEBHOOK, order.id) is None
    assert database.rows("SELECT * FROM webhook_messages") == []
    assert receiver.posts == []


def test_event_that_is_told_costs_one_row(
    world: World, receiver: FakeReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The callback that pays an order writes its task beside what it writes anyway, and nothing else."""
    batches: list[list[str]] = []
    flush = TouchesOnce.flush
    monkeypatch.setattr(
        TouchesOnce, "flush", lambda self, batch: (batches.append([w.name for w, _ in batch]), flush(self, batch))[1]
    )
    told = world.start(world.open("C-1"))
    untold = world.start(world.open("C-2", app="village"))
    batches.clear()
    world.pay(untold)
    world.pay(told)

    assert sorted([*batches[0], "schedule_task"]) == sorted(batches[1])


def test_second_secret_signs_as_well(world: World, receiver: FakeReceiver) -> None:
    """The app can change over at any moment between the two."""
    world.deps.webhooks["wallet"] = receiver.endpoint(secrets=(NEXT_SECRET, SECRET))
    world.paid()
    world.work()
    (post,) = receiver.posts

    assert (post.is_signed_with(SECRET), post.is_signed_with(NEXT_SECRET)) == (True, True)
    assert len(post.headers["webhook-signature"].split(" ")) == 2


def test_events_of_one_order_arrive_in_their_order(world: World, receiver: FakeReceiver) -> None:
    """Paid, refunded in part, refunded in part: sequence grows, each as its own event left the order."""
    order, _ = world.paid()
    refund_succeeds(world, order, 10001, "R-1")
    refund_succeeds(world, order, 20002, "R-2")
    world.work()

    assert receiver.types == ["order.paid", "refund.succeeded", "refund.succeeded"]
    sequences = [post.content["sequence"] for post in receiver.posts]
    assert sequences == sorted(set(sequences))
    told = [post.content["data"]["order"]["amount_refunded_fen"] for post in receiver.posts[1:]]
    assert told == [10001, 30003]


# --- failures ---------------------------------------------------------------------------------------------------------


def test_failing_message_is_tried_by_the_schedule_and_then_dead(world: World, receiver: FakeReceiver) -> None:
    """Ten tries over 75 hours and a little, one row each; after that nothing more."""
    receiver.usual = WebhookAnswer(status=500)
    order, _ = world.paid()
    began = world.clock.now()
    work_until(world, began + timedelta(days=20))
    message = only_message(world, order)
    waits = [(after.at - before.at) for before, after in zip(receiver.posts, receiver.posts[1:], strict=False)]

    assert message.state is MessageState.DEAD
    assert len(PAUSES) == len(waits) + 1 == len(tries(world, message)) == 10
    assert waits == [pause_before(message, step) for step in range(1, 10)]
    for wait, seconds in zip(waits, PAUSES[1:], strict=True):
        assert timedelta(seconds=seconds) <= wait <= timedelta(seconds=seconds * 1.1)
    assert {post.id for post in receiver.posts} == {message.id}
    assert len({post.body for post in receiver.posts}) == 1
    assert_invariants(world.store)


def test_second_message_waits_until_the_first_is_delivered(world: World, receiver: FakeReceiver) -> None:
    """The refund is not told before the payment, however often the payment's message fails."""
    receiver.script(500, 500, 500)
    order, _ = world.paid()
    world.work()
    refund_succeeds(world, order, 100)
    world.work()
    assert receiver.types == ["order.paid"]
    work_until(world, world.clock.now() + timedelta(hours=1))

    assert receiver.types == ["order.paid"] * 4 + ["refund.succeeded"]
    assert_invariants(world.store)


def test_second_message_goes_out_when_the_first_is_dead(world: World, receiver: FakeReceiver) -> None:
    """A dead message blocks nothing."""
    receiver.script(*[500] * 10)
    order, _ = world.paid()
    world.work()
    refund_succeeds(world, order, 100)
    work_until(world, world.clock.now() + timedelta(hours=84))

    assert receiver.types == ["order.paid"] * 10 + ["refund.succeeded"]
    assert [message.state for message in messages(world, order)] == [MessageState.DEAD, MessageState.DELIVERED]
    assert_invariants(world.store)


def test_new_event_does_not_bring_a_failed_message_forward(world: World, receiver: FakeReceiver) -> None:
    """The task is made due by the event; the message keeps its own time."""
    receiver.script(500, 500)
    order, _ = world.paid()
    world.work()
    world.clock.advance(seconds=6)
    world.work()
    assert len(receiver.posts) == 2
    due_at = only_message(world, order).due_at
    refund_succeeds(world, order, 100)
    world.work()

    assert len(receiver.posts) == 2
    assert world.task(TaskKind.WEBHOOK, order.id).due_at == due_at


REFUSALS = {
    "server_error": WebhookAnswer(status=500),
    "redirect": WebhookAnswer(status=302),
    "not_modified": WebhookAnswer(status=304),
    "unauthorised": WebhookAnswer(status=401),
    "informational": WebhookAnswer(status=199),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_answer_that_is_not_2xx_is_a_failure(world: World, receiver: FakeReceiver, name: str) -> None:
    """The status is on record; the message comes again in five seconds."""
    receiver.script(REFUSALS[name])
    order, _ = world.paid()
    world.work()
    message = only_message(world, order)
    (attempt,) = tries(world, message)

    assert (attempt.outcome, attempt.answer_status) == (TryOutcome.REFUSED, REFUSALS[name].status)
    assert message.state is MessageState.PENDING
    assert message.due_at - world.clock.now() == pause_before(message, 1)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_answer_2xx_is_a_success(world: World, receiver: FakeReceiver, status: int) -> None:
    """Whatever its body."""
    receiver.script(status)
    order, _ = world.paid()
    world.work()

    assert only_message(world, order).state is MessageState.DELIVERED


def test_no_answer_is_a_failure_with_its_reason(world: World, receiver: FakeReceiver) -> None:
    """It may have arrived: the same id comes again."""
    receiver.script(Unanswered("timeout"))
    order, _ = world.paid()
    world.work()
    (attempt,) = tries(world, only_message(world, order))
    world.clock.advance(seconds=6)
    world.work()

    assert (attempt.outcome, attempt.answer_status, attempt.error) == (TryOutcome.UNANSWERED, None, "timeout")
    assert len({post.id for post in receiver.posts}) == 1
    assert [attempt.outcome for attempt in tries(world, only_message(world, order))] == [
        TryOutcome.UNANSWERED,
        TryOutcome.ACCEPTED,
    ]


def test_answer_of_the_receiver_is_kept_sealed(world: World, receiver: FakeReceiver, database: Database) -> None:
    """It may hold anything, so it does not lie in clear."""
    receiver.script(WebhookAnswer(status=500, excerpt="失败 canary-张三".encode()))
    order, _ = world.paid()
    world.work()
    (attempt,) = tries(world, only_message(world, order))

    assert world.vault.unseal(attempt.answer_sealed or b"", ANSWER_PURPOSE).decode() == "失败 canary-张三"
    assert b"canary" not in database.everything()


# --- crashes, rivals --------------------------------------------------------------------------------------------------


def test_crash_between_send_and_record_sends_again_under_the_same_id(world: World, receiver: FakeReceiver) -> None:
    """The app sees it twice and can tell; our record shows a try that began and never ended."""

    def die() -> WebhookAnswer:
        raise KeyboardInterrupt

    receiver.script(die)
    order, _ = world.paid()
    with pytest.raises(KeyboardInterrupt):
        world.worker.run_due()
    World(world.store, seed=2, sister=world)
    world.clock.advance(seconds=LEASE.total_seconds() + 1)
    world.work()
    message = only_message(world, order)

    assert [post.id for post in receiver.posts] == [message.id, message.id]
    assert receiver.posts[0].body == receiver.posts[1].body
    assert message.state is MessageState.DELIVERED
    assert [attempt.outcome for attempt in tries(world, message)] == [TryOutcome.STARTED, TryOutcome.ACCEPTED]
    assert_invariants(world.store)


def test_event_during_a_try_starts_no_second_one(world: World, receiver: FakeReceiver) -> None:
    """Another worker claims the task that the new event made due, and leaves the message that is being sent alone."""
    order, _ = world.paid()
    pauses: list[timedelta | None] = []

    def meanwhile() -> WebhookAnswer:
        refund_succeeds(world, order, 100)
        pauses.append(deliver_webhooks(world.deps, order.id))
        return WebhookAnswer(status=200)

    receiver.script(meanwhile)
    deliver_webhooks(world.deps, order.id)

    assert pauses == [timedelta(seconds=60)]
    assert receiver.types == ["order.paid", "refund.succeeded"]
    assert [message.state for message in messages(world, order)] == [MessageState.DELIVERED] * 2


def test_try_that_outlived_its_lease_does_not_undo_the_next(world: World, receiver: FakeReceiver) -> None:
    """The older try answers 500 after the newer one was delivered: delivered it stays."""
    order, _ = world.paid()

    def late() -> WebhookAnswer:
        world.clock.advance(seconds=61)
        deliver_webhooks(world.deps, order.id)
        return WebhookAnswer(status=500)

    receiver.script(late, 200)
    deliver_webhooks(world.deps, order.id)
    message = only_message(world, order)

    assert message.state is MessageState.DELIVERED
    assert [attempt.outcome for attempt in tries(world, message)] == [TryOutcome.REFUSED, TryOutcome.ACCEPTED]


def test_many_workers_at_once_send_each_message_once(world: World, receiver: FakeReceiver) -> None:
    """Four deliveries of one order race; nothing is sent twice, nothing is lost."""
    order, _ = world.paid()
    refund_succeeds(world, order, 100)
    sisters = [World(world.store, seed=seed, sister=world) for seed in range(2, 6)]
    for sister in sisters:
        sister.deps.webhooks["wallet"] = world.deps.webhooks["wallet"]
    barrier = threading.Barrier(4)

    def deliver(sister: World) -> None:
        barrier.wait()
        deliver_webhooks(sister.deps, order.id)

    threads = [threading.Thread(target=deliver, args=(sister,)) for sister in sisters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert receiver.types == ["order.paid", "refund.succeeded"]


def test_busy_receiver_takes_no_more_than_its_turns(world: World, receiver: FakeReceiver) -> None:
    """When as many tries run as may, the next looks again in two seconds and counts no try."""
    order, _ = world.paid()
    with every_turn_taken(world.deps.webhooks["wallet"]):
        assert deliver_webhooks(world.deps, order.id) == timedelta(seconds=2)

    assert (receiver.posts, messages(world, order)) == ([], [])
    assert deliver_webhooks(world.deps, order.id) is None
    assert receiver.types == ["order.paid"]


def test_app_that_lost_its_receiver_keeps_what_is_pending(world: World, receiver: FakeReceiver) -> None:
    """Without an address nothing is sent, nothing dies; with one again, the next event brings all of it."""
    receiver.script(500)
    order, _ = world.paid()
    world.work()
    kept = world.deps.webhooks.pop("wallet")
    world.clock.advance(seconds=6)
    world.work()
    assert only_message(world, order).state is MessageState.PENDING
    world.deps.webhooks["wallet"] = kept
    refund_succeeds(world, order, 100)
    world.work()

    assert receiver.types == ["order.paid", "order.paid", "refund.succeeded"]


def test_receiver_that_is_back_gets_what_waited_for_it_without_a_new_event(
    world: World, receiver: FakeReceiver
) -> None:
    """Once a day it is looked whether there is one again; the audit finds nothing amiss meanwhile."""
    receiver.script(500)
    order, _ = world.paid()
    world.work()
    kept = world.deps.webhooks.pop("wallet")
    world.clock.advance(seconds=6)
    world.work()
    offended = offences(world.store)
    world.deps.webhooks["wallet"] = kept
    world.clock.advance(hours=24)
    world.work()

    assert offended == {}
    assert only_message(world, order).state is MessageState.DELIVERED


def test_tries_of_delivered_messages_are_forgotten_after_half_a_year(world: World, receiver: FakeReceiver) -> None:
    """Their messages stay, so that nothing is told twice; the tries of dead ones and of younger ones stay, too."""
    receiver.script(500)
    old, _ = world.paid("C-1")
    world.work()
    world.clock.advance(seconds=6)
    world.work()
    receiver.usual = WebhookAnswer(status=500)
    dead, _ = world.paid("C-2")
    work_until(world, START + timedelta(days=90))
    receiver.usual = WebhookAnswer(status=204)
    young, _ = world.paid("C-3")
    world.work()
    before = [len(tries(world, only_message(world, order))) for order in (old, dead, young)]
    world.clock.advance(days=91)
    world.work()

    assert before == [2, 10, 1]
    assert [0, 10, 1] == [len(tries(world, only_message(world, order))) for order in (old, dead, young)]
    assert offences(world.store) == {}


def test_webhook_task_without_its_order_is_dead(world: World) -> None:
    """It stays visible."""
    now = world.clock.now()
    world.store.run(lambda tx: tx.schedule(due_task(TaskKind.WEBHOOK, "ord_missing", None, at=now, now=now)))
    world.worker.run_due()

    assert world.task(TaskKind.WEBHOOK, "ord_missing").state is TaskState.DEAD
