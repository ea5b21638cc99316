"""What needs a person is found, told by the worker, and goes away when it is put right."""

from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.domain.order import TaskKind
from gateway.domain.provider import NoVerdict, RequestRefused
from gateway.domain.report import RefundReport, ReportedRefundState
from gateway.domain.webhook import MessageState
from gateway.services.alarms import Alarm, find_alarms
from gateway.services.tasks import due_task
from gateway.services.webhook_desk import enable_endpoint, newest_messages, resend
from gateway.services.webhook_wire import WebhookAnswer
from gateway.store.families import open_work
from tests.services.webhooks.journeys import work_until
from tests.support.clock import START
from tests.support.databases import Database
from tests.support.receiver import FakeReceiver
from tests.support.world import APP, World


def named(world: World) -> list[tuple[str, str, int]]:
    return [(alarm.name, alarm.subject, alarm.count) for alarm in find_alarms(world.deps)]


def mute(_asked: Any) -> None:
    raise NoVerdict("no answer", code="TIMEOUT")


def abnormal(world: World) -> Any:
    """A refund of a part that the provider could not pay out."""
    order, payment = world.paid()
    refund = world.refund(order, 100)
    world.work()
    world.alpha.refunds[refund.out_refund_no].state = ReportedRefundState.ABNORMAL
    said = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.ABNORMAL, amount_fen=100)
    world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=said))
    return refund


def test_gateway_that_is_well_raises_nothing(world: World) -> None:
    """Payments on their way and refunds under way are no trouble."""
    order, _ = world.paid()
    world.refund(order, 100)
    world.start(world.open("C-2"))

    assert [] == find_alarms(world.deps)


def test_payment_without_a_verdict_is_an_alarm_an_hour_after_its_life(world: World) -> None:
    """Not at the limit, but one microsecond past it; by account, with the oldest one's start; until evidence comes."""
    payments = [world.start(world.open(f"C-{number}")) for number in range(2)]
    world.start(world.open("C-9"), "beta")
    world.alpha.always("query", mute)
    work_until(world, START + timedelta(hours=3))
    at_the_limit = named(world)
    world.clock.advance(microseconds=1)

    assert [] == at_the_limit
    assert [Alarm(name="payments_unresolved", subject="alpha_main", count=2, since=START)] == find_alarms(world.deps)
    for payment in payments:
        world.pay(payment)
    assert [] == find_alarms(world.deps)


def test_refund_without_an_end_is_an_alarm_after_seven_days(world: World) -> None:
    """It has no end of its own; a person asks the provider."""
    order, _ = world.paid()
    world.refund(order, 100)
    work_until(world, START + timedelta(days=7))
    at_the_limit = named(world)
    world.clock.advance(microseconds=1)

    assert [] == at_the_limit
    assert [("refunds_unresolved", "alpha_main", 1)] == named(world)


def test_abnormal_refund_is_an_alarm_until_it_succeeds(world: World) -> None:
    """退款异常 waits for a person."""
    refund = abnormal(world)
    before = named(world)
    world.alpha.refunds[refund.out_refund_no].state = ReportedRefundState.SUCCEEDED
    world.deliver(world.payment(refund.payment_id), world.alpha.refund_callback(refund.out_refund_no))

    assert [("refunds_abnormal", "alpha_main", 1)] == before
    assert [] == named(world)


def test_failed_refund_is_an_alarm_for_a_day(world: World) -> None:
    """Its app was told; it stays failed for ever."""
    order, _ = world.paid()
    world.refund(order, 100)
    world.alpha.script("refund", RequestRefused("no", code="NO"))
    world.work()
    before = named(world)
    world.clock.advance(hours=24, microseconds=1)

    assert [("refunds_failed", "alpha_main", 1)] == before
    assert [] == named(world)


def test_dead_task_is_an_alarm(world: World) -> None:
    """Given up is not forgotten."""
    now = world.clock.now()
    world.store.run(lambda tx: tx.schedule(due_task(TaskKind.QUERY, "pay_missing", "alpha_main", at=now, now=now)))
    world.work()

    assert [("tasks_dead", "query", 1)] == named(world)


def test_message_that_no_receiver_took_is_an_alarm_until_it_is_sent_again(world: World) -> None:
    """After its last try."""
    receiver = FakeReceiver(world.clock)
    receiver.usual = WebhookAnswer(status=500)
    world.deps.webhooks[APP] = receiver.endpoint()
    world.paid()
    work_until(world, START + timedelta(hours=84))
    before = named(world)
    receiver.usual = WebhookAnswer(status=204)
    resend(world.deps, newest_messages(world.deps, app=APP, state=MessageState.DEAD, since=None, limit=9))

    assert [("webhooks_dead", APP, 1)] == before
    assert [] == named(world)


def test_disabled_receiver_is_an_alarm_with_what_waits_for_it(world: World) -> None:
    """Until an operator enables it."""
    receiver = FakeReceiver(world.clock)
    receiver.script(410)
    world.deps.webhooks[APP] = receiver.endpoint()
    world.paid()
    world.work()
    before = find_alarms(world.deps)
    enable_endpoint(world.deps, APP)

    assert [Alarm(name="webhook_endpoint_disabled", subject=APP, count=1, since=START)] == before
    assert [] == named(world)


def test_worker_tells_every_alarm_now_and_then(world: World) -> None:
    """At its start and every ten minutes, by our own ids alone."""
    abnormal(world)
    worker = World(world.store, seed=2, sister=world).worker
    with capture_logs() as logs:
        for minutes in (0, 9, 1):
            world.clock.advance(minutes=minutes)
            worker.run_due()
    told = [line for line in logs if line["event"] == "alarm_raised"]

    assert 2 == len(told)
    assert {
        "event": "alarm_raised",
        "log_level": "error",
        "alarm": "refunds_abnormal",
        "subject": "alpha_main",
        "count": 1,
        "since": "2026-03-01T10:20:30+08:00",
    } == told[0]


def test_unresolved_work_is_counted_by_account(world: World) -> None:
    """Payments from their start on, refunds as they are submitted and followed."""
    order, _ = world.paid()
    world.refund(order, 100)
    world.work()
    world.clock.advance(seconds=1)
    world.start(world.open("C-2"))
    world.start(world.open("C-3"), "beta")
    tx = world.store.read()

    assert [("alpha_main", 1), ("beta_main", 1)] == [(one.name, one.count) for one in open_work.unresolved_payments(tx)]
    assert [("alpha_main", 1, START)] == [
        (one.name, one.count, one.oldest_at) for one in open_work.unresolved_refunds(tx)
    ]


def test_payment_that_is_being_shut_is_as_old_as_its_start(world: World) -> None:
    """It is counted once, whichever tasks ask about it, and not any more once it has its verdict."""
    order = world.open()
    world.start(order)
    world.clock.advance(hours=1)
    world.close(order)
    tx = world.store.read()
    shutting = open_work.unresolved_payments(tx)
    world.work()

    assert [("alpha_main", 1, START)] == [(one.name, one.count, one.oldest_at) for one in shutting]
    assert [] == open_work.unresolved_payments(tx)


@pytest.mark.parametrize("engine", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("_PAYMENTS", "ix_tasks_due"),
        ("_REFUNDS", "ix_tasks_due"),
        ("_DEAD", "ix_tasks_dead"),
        ("_TROUBLED", "ix_refunds_troubled"),
    ],
)
def test_counting_never_reads_a_whole_table(world: World, database: Database, query: str, index: str) -> None:
    """What is done and settled grows for ever; a scrape looks at the rest alone."""
    compiled = world.store._queries.compiled(getattr(open_work, query))
    values = compiled.values({"state": "failed", "since": 0})
    sql = compiled.sql.replace("?", "{}").format(*(repr(value) for value in values))
    plan = " ".join(str(row[3]) for row in database.rows(f"EXPLAIN QUERY PLAN {sql}"))

    assert index in plan
    assert "SCAN payments" not in plan
    assert "SCAN refunds" not in plan
