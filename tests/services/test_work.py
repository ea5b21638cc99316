"""The worker: every open question is asked again until evidence or a person ends it."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.order import TaskKind, TaskState
from gateway.domain.provider import NoVerdict, PaymentRef, ProviderUnavailable
from gateway.domain.report import ReportedState
from gateway.domain.schedule import QUERY_PAUSES, pause
from gateway.domain.states import OrderState, PaymentState
from gateway.services.tasks import due_task
from gateway.services.work import LEASE, Worker
from gateway.store import StoreUnavailable
from tests.support.invariants import assert_invariants
from tests.support.world import APP, World


def test_query_finds_the_payment_whose_callback_was_lost(world: World) -> None:
    """掉单: no callback ever comes; the first look finds the money."""
    order = world.open()
    payment = world.start(order)
    world.alpha.pay(payment.out_trade_no)
    world.clock.advance(seconds=9.999999)
    assert world.work() == 0
    world.clock.advance(seconds=0.000001)
    world.work()

    assert world.order(order.id).state is OrderState.PAID
    assert world.task(TaskKind.QUERY, payment.id).state is TaskState.DONE
    assert_invariants(world.store)


def test_query_without_verdict_comes_again_after_growing_pauses(world: World) -> None:
    """10, 20, 30 … seconds, then every hour, never ending by itself."""
    world.deps = replace(world.deps, settings=replace(world.deps.settings, payment_ttl_seconds=30 * 86400))
    world.worker = Worker(world.deps)
    order = world.open(expires_at=world.clock.now() + timedelta(days=30))
    payment = world.start(order)
    looks = []
    for _ in range(13):
        due_at = world.task(TaskKind.QUERY, payment.id).due_at
        looks.append(int((due_at - world.clock.now()).total_seconds()))
        world.clock.advance(seconds=looks[-1])
        assert world.worker.run_due() == 1

    assert looks == [*QUERY_PAUSES, 3600, 3600, 3600, 3600]
    assert world.alpha.numbers("query") == [payment.out_trade_no] * 13


def test_query_follows_the_timetable_of_its_method(world: World) -> None:
    """From the start of the payment on; another method of another provider keeps the usual one."""
    usual = world.alpha.methods["native"]
    world.alpha.methods = {"native": replace(usual, query_pauses=(300, 300, 1200))}
    advised, other = world.start(world.open("C-1")), world.start(world.open("C-2"), "beta")
    looks = []
    for _ in range(4):
        due_at = world.task(TaskKind.QUERY, advised.id).due_at
        looks.append(int((due_at - world.clock.now()).total_seconds()))
        world.clock.advance(seconds=looks[-1])
        world.work()

    assert looks == [300, 300, 1200, 1200]
    assert world.beta.numbers("query")[:2] == [other.out_trade_no] * 2
    assert world.alpha.numbers("query") == [advised.out_trade_no] * 4


def test_way_left_behind_is_shut_soon_whatever_the_timetable_of_the_new_one(world: World) -> None:
    """A code that can still be paid is a payment too many."""
    world.beta.methods = {"native": replace(world.beta.methods["native"], query_pauses=(300,))}
    order = world.open()
    first = world.start(order)
    world.start(order, "beta")
    world.clock.advance(seconds=10)
    world.work()

    assert world.payment(first.id).state is PaymentState.CLOSED


@pytest.mark.parametrize(("chance", "expected"), [(0.0, 20.0), (0.5, 21.0), (1.0, 22.0)])
def test_pause_grows_by_up_to_a_tenth_by_chance(world: World, chance: float, expected: float) -> None:
    """What failed together does not come back together."""
    payment = world.start(world.open())
    world.clock.advance(seconds=10)
    Worker(world.deps, spread=lambda: chance).run_due()

    assert timedelta(seconds=expected) == world.task(TaskKind.QUERY, payment.id).due_at - world.clock.now()


def test_payment_whose_own_life_is_over_is_shut_and_its_order_lives_on(world: World) -> None:
    """An order may be owed for months; a payer who went away two hours ago is not waited for."""
    order = world.open(expires_at=world.clock.now() + timedelta(days=122))
    payment = world.start(order)
    world.clock.advance(hours=1, minutes=59, seconds=59)
    world.work()
    assert (world.payment(payment.id).state, world.alpha.count("close")) == (PaymentState.PENDING, 0)
    world.clock.advance(hours=1)
    world.work()

    assert payment.expires_at == payment.created_at + timedelta(hours=2)
    assert (world.payment(payment.id).state, world.alpha.count("close")) == (PaymentState.CLOSED, 1)
    assert world.order(order.id).state is OrderState.OPEN
    assert world.start(order).state is PaymentState.PENDING
    assert_invariants(world.store)


def test_payment_near_the_end_of_its_order_ends_with_it(world: World) -> None:
    """A payment never outlives its order."""
    order = world.open(expires_at=world.clock.now() + timedelta(minutes=30))

    assert world.start(order).expires_at == order.expires_at


def test_resume_of_a_payment_whose_life_is_over_is_told_to_start_another(world: World) -> None:
    """The payer could not finish it; the stored answer says so."""
    order, request = world.open(expires_at=world.clock.now() + timedelta(days=30)), world.request()
    world.alpha.script("create", NoVerdict("time-out", code="TIMEOUT"))
    assert world.start_reply(order, request=request).status == 202
    world.clock.advance(hours=1, minutes=59, seconds=1)

    assert json.loads(world.start_reply(order, request=request).body)["code"] == "payment_expired"
    assert world.alpha.count("create") == 1


@pytest.mark.parametrize(
    "error", [NoVerdict("time-out", code="TIMEOUT"), ProviderUnavailable("no route", code="TIMEOUT")], ids=type
)
def test_query_without_an_answer_leaves_everything_and_comes_again(world: World, error: Exception) -> None:
    """The error stands in the task; the payment is as it was."""
    payment = world.start(world.open())
    world.alpha.script("query", error)
    world.clock.advance(seconds=10)
    world.work()
    task = world.task(TaskKind.QUERY, payment.id)

    assert (task.state, task.last_error, task.lease) == (TaskState.DUE, f"{type(error).__name__} TIMEOUT", None)
    assert task.due_at == world.clock.now() + pause(QUERY_PAUSES, 1)
    assert world.payment(payment.id).state is PaymentState.PENDING
    assert_invariants(world.store)


UNEXPECTED = [
    ZeroDivisionError("bug"),
    KeyError("account that left the configuration"),
    IndexError("bug in an adapter"),
    RuntimeError("bug"),
]


@pytest.mark.parametrize("error", UNEXPECTED, ids=lambda error: type(error).__name__)
def test_unexpected_exception_stops_neither_the_worker_nor_the_task(world: World, error: Exception) -> None:
    """N12: a bug postpones, it never gives up: the other task is done, this one has a next look."""
    first, second = world.start(world.open("C-1")), world.start(world.open("C-2"))
    world.alpha.pay(second.out_trade_no)

    def fail_for_first(asked: PaymentRef) -> None:
        if asked.out_trade_no == first.out_trade_no:
            raise error

    world.alpha.always("query", fail_for_first)
    world.clock.advance(seconds=10)
    world.work()
    failed = world.task(TaskKind.QUERY, first.id)

    assert world.task(TaskKind.QUERY, second.id).state is TaskState.DONE
    assert (failed.state, failed.last_error) == (TaskState.DUE, type(error).__name__)
    assert_invariants(world.store)


def test_account_that_left_the_configuration_keeps_its_questions(world: World) -> None:
    """When it is back, its payments are settled."""
    order = world.open()
    payment = world.start(order)
    world.alpha.pay(payment.out_trade_no)
    other = World(world.store, seed=2, sister=world)
    other.deps.providers.pop("alpha_main")
    world.clock.advance(seconds=10)
    other.work()
    assert world.task(TaskKind.QUERY, payment.id).state is TaskState.DUE
    world.clock.advance(seconds=60)
    world.work()

    assert world.order(order.id).state is OrderState.PAID


@pytest.mark.parametrize("kind", [TaskKind.QUERY, TaskKind.CLOSE, TaskKind.REFUND, TaskKind.QUERY_REFUND])
def test_task_without_its_subject_is_dead(world: World, kind: TaskKind) -> None:
    """It stays visible and is not tried again."""
    now = world.clock.now()
    world.store.run(lambda tx: tx.schedule(due_task(kind, "pay_missing", "alpha_main", at=now, now=now)))
    assert world.worker.run_due() == 1
    task = world.task(kind, "pay_missing")

    assert (task.state, task.last_error) == (TaskState.DEAD, "the subject does not exist")
    world.clock.advance(days=9)
    assert world.worker.run_due() == 0


@pytest.mark.parametrize("kind", [TaskKind.QUERY, TaskKind.CLOSE])
def test_task_whose_question_is_answered_asks_nobody(world: World, kind: TaskKind) -> None:
    """Evidence came by another way, after the task was claimed."""
    _, payment = world.paid()
    now = world.clock.now()
    world.store.run(lambda tx: tx.schedule(due_task(kind, payment.id, "alpha_main", at=now, now=now)))
    calls = len(world.alpha.calls)
    world.work()

    assert world.task(kind, payment.id).state is TaskState.DONE
    assert len(world.alpha.calls) == calls


def test_workers_on_one_database_poll_each_payment_once_per_due_time(world: World) -> None:
    """N24: four workers with several threads each; every due payment is asked about once."""
    payments = [world.start(world.open(f"C-{number}")) for number in range(60)]
    sisters = [World(world.store, seed=seed, sister=world) for seed in range(2, 6)]
    world.clock.advance(seconds=10)
    with ThreadPoolExecutor(8) as pool:
        done = sum(pool.map(lambda sister: sister.worker.run_due(limit=7), sisters * 6))

    assert done == 60
    assert sorted(world.alpha.numbers("query")) == sorted(payment.out_trade_no for payment in payments)


def test_worker_that_died_gives_its_tasks_back_after_the_lease(world: World) -> None:
    """A crash between claim and settle costs two minutes, not the payment."""
    order = world.open()
    payment = world.start(order)
    world.alpha.pay(payment.out_trade_no)
    world.clock.advance(seconds=10)
    dead = World(world.store, seed=2, sister=world)
    assert len(dead.worker._claim(10)) == 1
    world.clock.advance(seconds=LEASE.total_seconds() - 0.000001)
    assert world.work() == 0
    world.clock.advance(seconds=0.000001)
    world.work()

    assert world.order(order.id).state is OrderState.PAID
    assert_invariants(world.store)


def test_slow_worker_does_not_settle_what_another_has_claimed(world: World) -> None:
    """Fencing: its answer is recorded, its claim on the task is not."""
    payment = world.start(world.open())
    world.clock.advance(seconds=10)
    slow = World(world.store, seed=2, sister=world).worker
    (task,) = slow._claim(10)
    world.clock.advance(seconds=LEASE.total_seconds())
    (taken,) = world.worker._claim(10)
    slow.do(task)

    assert world.task(TaskKind.QUERY, payment.id) == taken


def test_task_scheduled_anew_while_it_runs_runs_again(world: World) -> None:
    """The close of a sister asked for during its own query is not lost."""
    payment = world.start(world.open())
    later = world.clock.now() + timedelta(seconds=10)

    def meanwhile(_ref: Any) -> None:
        task = due_task(TaskKind.QUERY, payment.id, payment.account, at=later, now=later)
        world.store.run(lambda tx: tx.schedule(task))

    world.alpha.script("query", meanwhile)
    world.clock.advance(seconds=10)
    assert world.worker.run_due(limit=1) == 1
    task = world.task(TaskKind.QUERY, payment.id)

    assert (task.state, task.due_at, task.tries) == (TaskState.DUE, later, 0)


def test_worker_whose_database_is_away_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claiming and settling survive it; the lease brings the task back."""
    payment = world.start(world.open())
    world.clock.advance(seconds=10)
    (task,) = world.worker._claim(1)

    def gone(*_args: Any) -> Any:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patch:
        patch.setattr(type(world.store), "run", gone)
        world.worker.do(task)
        patch.setattr(type(world.store), "read", gone)
        assert world.worker.run_due() == 0
    assert world.task(TaskKind.QUERY, payment.id) == task


def test_idle_worker_purges_old_keys(world: World) -> None:
    """Answers are kept thirty days."""
    request = world.request("old")
    world.close(world.open(), request=request)
    world.clock.advance(days=30, seconds=1)
    world.work()

    assert world.store.read().idempotency_key(APP, "old") is None


def test_worker_runs_until_told_to_stop(world: World) -> None:
    """What is due is done in its threads; stopping waits for what has begun."""
    order = world.open()
    payment = world.start(order)
    world.alpha.pay(payment.out_trade_no)
    world.clock.advance(seconds=10)
    stop, asked = threading.Event(), threading.Event()
    world.alpha.script("query", lambda _ref: asked.set())
    thread = threading.Thread(target=world.worker.run, args=(stop,))
    thread.start()
    assert asked.wait(20)
    stop.set()
    thread.join(20)

    assert not thread.is_alive()
    assert world.order(order.id).state is OrderState.PAID
    assert world.task(TaskKind.QUERY, payment.id).state is TaskState.DONE


def test_everything_unsettled_comes_to_an_end_by_evidence(world: World) -> None:
    """A crowd of payments in every trouble: after the provider's books are asked, nothing is left open."""
    for number in range(12):
        order = world.open(f"C-{number}")
        world.alpha.script("create", *([NoVerdict("x")] if number % 3 == 0 else []))
        payment = world.start(order)
        if number % 2 and payment.out_trade_no in world.alpha.trades:
            world.alpha.pay(payment.out_trade_no)
        if number % 4 == 0:
            world.start(order, "beta")
    world.alpha.script("query", *[NoVerdict("x")] * 5)
    for _ in range(40):
        world.clock.advance(minutes=10)
        world.work()
    orders = world.store.read().orders_page(APP, before="~", limit=99)

    assert {order.state for order in orders} == {OrderState.PAID, OrderState.CLOSED}
    paid = sum(trade.state is ReportedState.PAID for trade in world.alpha.trades.values())
    assert sum(order.state is OrderState.PAID for order in orders) == paid
    assert_invariants(world.store)
