"""Replays: a rehearsal tells what the run changes, the run changes that, and a second run changes nothing."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.domain.order import TaskKind
from gateway.domain.provider import ProviderUnavailable, RequestRefused
from gateway.domain.refusal import Refusal
from gateway.domain.replay import ReplayKind
from gateway.domain.report import RefundReport, ReportedRefundState, Source
from gateway.domain.states import NotificationState, PaymentState, RefundState
from gateway.domain.webhook import MessageState
from gateway.services.replay import Filter, ItemResult, ReplayRequest, rehearse, run_replay
from gateway.services.tasks import due_task
from gateway.services.webhook_desk import messages_of_order
from gateway.services.webhook_wire import WebhookAnswer
from gateway.store.families import replays
from tests.services.webhooks.journeys import work_until
from tests.support.clock import START
from tests.support.collecting import record, take, with_agents
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.receiver import FakeReceiver
from tests.support.world import AMOUNT_FEN, APP, World

WHY = "the bank telephoned: 测试"


def request(kind: ReplayKind, *ids: str, chosen: Filter | None = None) -> ReplayRequest:
    return ReplayRequest(kind=kind, ids=ids, chosen=chosen, who="operator-1", why=WHY)


def run(world: World, wanted: ReplayRequest) -> list[ItemResult]:
    return list(run_replay(world.deps, wanted)[1])


def notifications(world: World, state: str) -> list[str]:
    return replays.chosen(world.store.read(), "notification", state=state, account="", since=START, limit=9)


def test_failed_refund_that_its_app_has_asked_for_again_is_not_issued_beside_it(world: World) -> None:
    """Both numbers would send the same money back."""
    wanted = a_failed_refund(world)
    failed = world.refund_row(wanted.ids[0])
    world.refund(world.order(failed.order_id), failed.amount_fen, "R-2")

    assert [("unchanged", ())] == [(each.outcome, each.changes) for each in run(world, wanted)]
    assert world.payment(failed.payment_id).amount_refunding_fen == failed.amount_fen
    assert_invariants(world.store)


def test_query_of_a_payment_that_an_agent_collected_says_why_nobody_can_be_asked(world: World) -> None:
    """It is there; no provider has ever heard of it."""
    taken = take(with_agents(world), record())

    assert [("failed", True)] == [
        (each.outcome, "collected outside" in each.detail)
        for each in run(world, request(ReplayKind.QUERY, taken.payment_id or ""))
    ]


# --- one situation of each kind -------------------------------------------------------------------------------------


def a_wrong_account_put_right(world: World) -> ReplayRequest:
    """A callback that named another merchant, whose number was wrong in our configuration."""
    payment = world.start(world.open())
    world.alpha.pay(payment.out_trade_no)
    raw = world.alpha.callback(payment.out_trade_no, contradictions=("mchid",))
    assert world.deliver(payment, raw).outcome == "quarantined"
    honest = world.alpha.parse_callback
    world.alpha.parse_callback = lambda raw: _without_contradictions(honest(raw))  # type: ignore[method-assign]
    return request(ReplayKind.NOTIFICATION, *notifications(world, "quarantined"))


def _without_contradictions(callback: Any) -> Any:
    report: Any = callback.report
    return replace(callback, report=replace(report, contradictions=()))


def a_lost_callback(world: World) -> ReplayRequest:
    payment = world.start(world.open())
    world.alpha.pay(payment.out_trade_no)
    return request(ReplayKind.QUERY, payment.id)


def an_abnormal_refund(world: World) -> ReplayRequest:
    order, payment = world.paid()
    refund = world.refund(order, 100)
    world.work()
    said = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.ABNORMAL, amount_fen=100)
    world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=said))
    world.work()
    return request(ReplayKind.REFUND, refund.id)


def a_failed_refund(world: World) -> ReplayRequest:
    order, _ = world.paid()
    refund = world.refund(order, 100)
    world.alpha.script("refund", RequestRefused("no", code="NO"))
    world.work()
    return request(ReplayKind.REFUND, refund.id)


def a_dead_message(world: World) -> ReplayRequest:
    """A paid order whose app took nothing for 75 hours, and takes it now."""
    receiver = FakeReceiver(world.clock)
    receiver.usual = WebhookAnswer(status=500)
    world.deps.webhooks[APP] = receiver.endpoint()
    order, _ = world.paid()
    work_until(world, START + timedelta(hours=84))
    receiver.usual = WebhookAnswer(status=204)
    return request(ReplayKind.WEBHOOK, order.id)


def a_dead_task(world: World) -> ReplayRequest:
    """Somebody took a row away: the task was given up, and stays to be seen."""
    now = world.clock.now()
    world.store.run(lambda tx: tx.schedule(due_task(TaskKind.QUERY, "pay_missing", "alpha_main", at=now, now=now)))
    world.work()
    return request(ReplayKind.TASK, "query:pay_missing")


def a_waiting_task(world: World) -> ReplayRequest:
    payment = world.start(world.open())
    return request(ReplayKind.TASK, f"query:{payment.id}")


def a_console_refund_of_a_payment_too_many(world: World) -> ReplayRequest:
    """Its notice named another merchant, whose number was wrong; ours was never begun, and gives way."""
    order = world.open()
    first, second = world.start(order), world.start(order, "beta")
    world.pay(first)
    world.pay(second)
    said = RefundReport(out_refund_no="console-7", state=ReportedRefundState.SUCCEEDED, amount_fen=AMOUNT_FEN - 1)
    raw = world.beta.callback(second.out_trade_no, refund=said, contradictions=("mchid",))
    assert world.deliver(second, raw).outcome == "quarantined"
    honest = world.beta.parse_callback
    world.beta.parse_callback = lambda raw: _without_contradictions(honest(raw))  # type: ignore[method-assign]
    return request(ReplayKind.NOTIFICATION, *notifications(world, "quarantined"))


SITUATIONS = {
    "console_refund": a_console_refund_of_a_payment_too_many,
    "quarantined_message": a_wrong_account_put_right,
    "lost_callback": a_lost_callback,
    "abnormal_refund": an_abnormal_refund,
    "failed_refund": a_failed_refund,
    "waiting_task": a_waiting_task,
    "dead_task": a_dead_task,
    "dead_message": a_dead_message,
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_rehearsal_tells_exactly_what_the_run_changes_and_a_second_run_changes_nothing(
    world: World, database: Database, name: str
) -> None:
    """The rehearsal writes nothing at all."""
    wanted = SITUATIONS[name](world)
    before = database.everything()
    told = list(rehearse(world.deps, wanted))
    untouched = database.everything() == before
    done = run(world, wanted)
    again = run(world, wanted)

    assert untouched
    assert told == done
    assert [()] != [result.changes for result in done]
    assert [()] == [result.changes for result in again]
    assert_invariants(world.store)


def test_quarantined_message_that_no_longer_contradicts_pays_the_order(world: World) -> None:
    """By its own bytes, as fresh as at their receipt."""
    wanted = a_wrong_account_put_right(world)
    world.clock.advance(hours=9)
    [result] = run(world, wanted)
    [change] = [c for c in result.changes if c.table == "orders"]

    assert result.outcome == "applied"
    assert change.values["state"] == ("open", "paid")


def test_quarantined_message_that_contradicts_still_changes_nothing(world: World) -> None:
    """Nor does it write the same event again."""
    payment = world.start(world.open())
    world.alpha.pay(payment.out_trade_no)
    world.deliver(payment, world.alpha.callback(payment.out_trade_no, amount_fen=1))
    [result] = run(world, request(ReplayKind.NOTIFICATION, *notifications(world, "quarantined")))

    assert (result.outcome, result.changes) == ("quarantined", ())


def test_orphan_is_applied_once_its_payment_is_there(world: World) -> None:
    """The number in the message was not known when it came; now it is."""
    payment = world.start(world.open())
    world.alpha.pay(payment.out_trade_no)
    unknown = replace(world.alpha.report(payment.out_trade_no, Source.CALLBACK), out_trade_no="0" * 32)
    world.deliver(payment, world.alpha.message(unknown))
    honest = world.alpha.parse_callback

    def named(stored: Any) -> Any:
        callback = honest(stored)
        return replace(callback, report=replace(callback.report, out_trade_no=payment.out_trade_no))

    world.alpha.parse_callback = named  # type: ignore[method-assign]
    [result] = run(world, request(ReplayKind.NOTIFICATION, *notifications(world, "orphan")))

    assert (result.outcome, world.payment(payment.id).state) == ("applied", PaymentState.PAID)


def test_message_that_can_be_read_at_last_is_applied_and_no_longer_malformed(world: World) -> None:
    """An adapter was mended."""
    payment = world.start(world.open())
    world.alpha.pay(payment.out_trade_no)
    raw = world.alpha.callback(payment.out_trade_no)
    honest = world.alpha.parse_callback
    world.alpha.parse_callback = lambda _raw: honest(_broken(raw))  # type: ignore[method-assign]
    assert world.deliver(payment, raw).outcome == "malformed"
    stored = notifications(world, "malformed")
    world.alpha.parse_callback = honest  # type: ignore[method-assign]
    [result] = run(world, request(ReplayKind.NOTIFICATION, *stored))
    notification = world.store.read().notification(stored[0])

    assert result.outcome == "applied"
    assert notification is not None
    assert (notification.state, notification.reason) == (NotificationState.DUPLICATE, "read_later")


def _broken(raw: Any) -> Any:
    return replace(raw, body=b"{")


def test_failed_refund_is_issued_under_a_new_number_and_sent(world: World) -> None:
    """Once, however often it is replayed."""
    wanted = a_failed_refund(world)
    run(world, wanted)
    run(world, wanted)
    world.work()
    failed, again = world.store.read().refunds_of_payment(world.refund_row(wanted.ids[0]).payment_id)

    assert (RefundState.FAILED, RefundState.SUBMITTED) == (failed.state, again.state)
    assert failed.out_refund_no != again.out_refund_no


def test_failed_refund_of_more_than_is_left_is_refused(world: World) -> None:
    """The limit holds for operators, too."""
    order, _ = world.paid()
    refund = world.refund(order, AMOUNT_FEN)
    world.alpha.script("refund", RequestRefused("no", code="NO"))
    world.work()
    world.refund(world.order(order.id), AMOUNT_FEN, "R-2")
    [result] = run(world, request(ReplayKind.REFUND, refund.id))

    assert (result.outcome, result.detail) == ("failed", "not that much is left to refund")


def test_abnormal_refund_goes_on_under_its_own_number(world: World) -> None:
    """退款异常 is not failed."""
    wanted = an_abnormal_refund(world)
    refund = world.refund_row(wanted.ids[0])
    run(world, wanted)
    world.work()

    assert world.alpha.numbers("refund") == [refund.out_refund_no] * 2


def test_provider_that_does_not_answer_fails_its_item_and_no_other(world: World) -> None:
    """Each item is done for itself."""
    first, second = (world.start(world.open(f"C-{n}")) for n in range(2))
    for payment in (first, second):
        world.alpha.pay(payment.out_trade_no)
    world.alpha.script("query", ProviderUnavailable("down", code="breaker_open"))
    results = run(world, request(ReplayKind.QUERY, first.id, second.id, "pay_none"))

    assert [
        ("failed", "ProviderUnavailable breaker_open"),
        ("applied", "paid"),
        ("failed", "there is no such thing"),
    ] == [(result.outcome, result.detail) for result in results]


def test_filter_finds_by_state_account_and_time(world: World) -> None:
    """Oldest first, limited."""
    early = world.start(world.open("C-1"))
    world.clock.advance(hours=1)
    since = world.clock.now()
    later = [world.start(world.open(f"C-{n}"), provider) for n, provider in ((2, "alpha"), (3, "beta"), (4, "alpha"))]
    wanted = Filter(state="pending", since=since, account="alpha_main")
    found = run(world, request(ReplayKind.QUERY, chosen=wanted))
    limited = run(world, request(ReplayKind.QUERY, chosen=Filter(state="pending", since=START, limit=1)))

    assert [later[0].id, later[2].id] == [result.subject_id for result in found]
    assert [early.id] == [result.subject_id for result in limited]


@pytest.mark.parametrize(
    "wanted",
    [
        request(ReplayKind.QUERY),
        request(ReplayKind.QUERY, "pay_1", chosen=Filter(state="pending", since=START)),
        request(ReplayKind.QUERY, chosen=Filter(state="paid", since=START)),
        request(ReplayKind.WEBHOOK, chosen=Filter(state="pending", since=START)),
    ],
    ids=["neither", "both", "state-of-no-filter", "webhooks-that-wait-anyway"],
)
def test_request_that_selects_nothing_sensible_is_refused(world: World, wanted: ReplayRequest) -> None:
    """Before anything is put on record."""
    with pytest.raises(Refusal):
        list(rehearse(world.deps, wanted))
    with pytest.raises(Refusal):
        run_replay(world.deps, wanted)


def test_replay_is_on_record_with_who_why_and_what(world: World, database: Database) -> None:
    """The reason may name people: it is sealed."""
    wanted = a_lost_callback(world)
    record, results = run_replay(world.deps, wanted)
    list(results)
    [item] = replays.items_of(world.store.read(), record.id, after=0, limit=9)
    stored = replays.replay(world.store.read(), record.id)

    assert stored is not None
    assert (stored.who, stored.kind, world.vault.unseal(stored.reason_sealed, "replay").decode()) == (
        "operator-1",
        ReplayKind.QUERY,
        WHY,
    )
    assert (item.subject_id, item.outcome) == (wanted.ids[0], "applied")
    assert '"orders"' in item.changes
    assert WHY.encode() not in database.everything()
    events = world.store.read().events_page(world.payment(wanted.ids[0]).order_id, after=0, limit=50)
    assert events[-1].actor == "operator:operator-1"


def test_dead_message_is_made_to_wait_again_and_its_rehearsal_says_so(world: World) -> None:
    """By its own row, beside the task that sends it."""
    wanted = a_dead_message(world)
    [told] = rehearse(world.deps, wanted)
    run(world, wanted)
    world.work()
    [message] = messages_of_order(world.deps, wanted.ids[0])

    assert {"webhook_messages": ("dead", "pending"), "tasks": ("done", "due")} == {
        change.table: change.values["state"] for change in told.changes
    }
    assert message.state is MessageState.DELIVERED


def test_dead_tasks_are_found_by_their_state(world: World) -> None:
    """Nobody has to know their names."""
    wanted = a_dead_task(world)
    [found] = rehearse(world.deps, request(ReplayKind.TASK, chosen=Filter(state="dead", since=START)))

    assert (found.subject_id, found.outcome) == (wanted.ids[0], "due")


def test_dead_messages_are_chosen_by_app_and_time(world: World) -> None:
    """Each order once, oldest first; those that were delivered are left alone."""
    order_id = a_dead_message(world).ids[0]
    world.paid("C-2")
    world.work()

    def found(app: str, since: datetime = START) -> list[str]:
        chosen = Filter(state="dead", since=since, account=app)
        return [one.subject_id for one in rehearse(world.deps, request(ReplayKind.WEBHOOK, chosen=chosen))]

    assert [order_id] == found("") == found(APP)
    assert [] == found("village") == found(APP, START + timedelta(seconds=1))


def test_waiting_task_is_due_now(world: World) -> None:
    """And its worker does it."""
    wanted = a_waiting_task(world)
    payment_id = wanted.ids[0].partition(":")[2]
    world.alpha.pay(world.payment(payment_id).out_trade_no)
    run(world, wanted)
    world.work()

    assert world.payment(payment_id).state is PaymentState.PAID
    assert world.task(TaskKind.QUERY, payment_id) is not None


def test_rehearsal_shows_that_the_task_of_a_refund_is_withdrawn(world: World) -> None:
    """As it shows every other row that changes."""
    [told] = rehearse(world.deps, a_console_refund_of_a_payment_too_many(world))

    assert {"state": ("due", "done")} in [change.values for change in told.changes if change.table == "tasks"]


def test_refund_task_that_was_begun_is_not_forgotten_as_begun_by_a_replay(world: World) -> None:
    """Its call may have arrived, so that it must not give way to a refund made elsewhere."""
    order, _ = world.paid()
    refund = world.refund(order, 100)
    world.alpha.script("refund", ProviderUnavailable("no route"))
    world.work()
    run(world, request(ReplayKind.TASK, f"refund:{refund.id}"))
    task = world.task(TaskKind.REFUND, refund.id)

    assert task is not None
    assert (1, world.clock.now()) == (task.tries, task.due_at)
