"""Bulkheads: one account that hangs keeps a few threads of a worker, and the others' work goes on."""

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.domain.order import Task, TaskKind
from gateway.domain.provider import PaymentRef, ProviderAnswer
from gateway.services.lanes import Lanes
from gateway.services.tasks import due_task
from gateway.services.webhook_endpoints import TRIES_AT_ONCE
from gateway.services.webhook_wire import WebhookAnswer
from gateway.services.work import LEASE, RUN_MAX, Worker, run_max
from gateway.store import Store
from tests.support.clock import START
from tests.support.receiver import FakeReceiver
from tests.support.world import World


def task(number: int, account: str | None) -> Task:
    """As a claim gives it: due again when its lease ends."""
    until = START + LEASE
    return due_task(TaskKind.QUERY, f"pay_{number}", account, at=until, now=START)


def begin(lanes: Lanes) -> list[str]:
    """Let run what may, and name it."""
    started = []
    for ready in lanes.ready(START):
        lanes.began(ready, Future())
        started.append(ready.subject_id)
    return started


def test_account_runs_no_more_than_its_share_and_the_rest_waits() -> None:
    """Of six tasks of one account two run; the other account's and the database's own all do."""
    lanes = Lanes(threads=10, per_account=2)
    lanes.take([task(n, "slow") for n in range(6)] + [task(6, "quick"), *(task(n, None) for n in (7, 8, 9))])

    assert ["pay_0", "pay_1", "pay_6", "pay_7", "pay_8", "pay_9"] == begin(lanes)
    assert (["slow"], 4) == (lanes.busy(), lanes.free())
    assert [] == begin(lanes)


def test_waiting_task_runs_when_one_of_its_account_is_done() -> None:
    """In the order of their coming."""
    lanes = Lanes(threads=4, per_account=1)
    lanes.take([task(n, "slow") for n in range(3)])
    first: Future[None] = Future()
    for ready in lanes.ready(START):
        lanes.began(ready, first)
    first.set_result(None)

    assert lanes.free() == 4
    assert ["pay_1"] == begin(lanes)


def test_waiting_task_whose_lease_ran_out_is_forgotten() -> None:
    """Another worker may have it: to run it here would be twice for one due time."""
    lanes = Lanes(threads=4, per_account=1)
    lanes.take([task(0, "slow"), task(1, "slow")])
    begin(lanes)

    assert [] == list(lanes.ready(START + LEASE))
    assert lanes.free() == 3


def test_claim_leaves_the_tasks_of_busy_accounts_to_others(store: Store) -> None:
    """On both engines; tasks without an account are never left."""
    tasks = [due_task(TaskKind.QUERY, f"pay_{n}", name, at=START, now=START) for n, name in enumerate(("a", "b", None))]
    store.run(lambda tx: [tx.schedule(one) for one in tasks] and None)

    def claimed(busy: Sequence[str]) -> set[str]:
        until = START + timedelta(seconds=1)
        return {t.subject_id for t in store.claim_tasks(now=START, lease_until=until, lease="l", limit=9, busy=busy)}

    assert {"pay_1", "pay_2"} == claimed(["a", "no-such"])
    assert {"pay_0"} == claimed([])


def test_task_is_not_begun_when_its_lease_may_end_before_it() -> None:
    """Another worker would have it while it still runs: two at once for one question."""
    lanes = Lanes(threads=4, per_account=1)
    lanes.take([task(0, "slow")])

    assert [] == list(lanes.ready(START + LEASE - RUN_MAX, needs=RUN_MAX))
    lanes.take([task(0, "slow")])
    just_in_time = START + LEASE - RUN_MAX - timedelta(microseconds=1)
    assert ["pay_0"] == [ready.subject_id for ready in lanes.ready(just_in_time, needs=RUN_MAX)]


@pytest.mark.parametrize(
    ("answer_seconds", "expected"), [(2.0, 80), (20.0, 92), (60.0, 252)], ids=["quick", "slow", "slowest"]
)
def test_lease_outlasts_the_slowest_accounts_time_outs(world: World, answer_seconds: float, expected: int) -> None:
    """Ask, close and ask again, with a call to spare; each call may take three connects and its answer's time."""
    settings = world.deps.settings
    slow = replace(settings.accounts["beta_main"], answer_seconds=answer_seconds)
    deps = replace(world.deps, settings=replace(settings, accounts={**settings.accounts, "beta_main": slow}))
    payment = world.start(world.open())
    world.clock.advance(seconds=10)
    [claimed] = Worker(deps)._claim(9)

    assert timedelta(seconds=expected) == run_max(deps)
    assert (claimed.subject_id, claimed.due_at - world.clock.now()) == (payment.id, run_max(deps) + LEASE - RUN_MAX)


def test_dead_provider_delays_no_other(world: World) -> None:
    """Twelve queries hang at one provider; the other's payment is found all the same, in the same worker."""
    hangs, found = threading.Event(), threading.Event()
    stuck = [world.start(world.open(f"S-{n}")) for n in range(12)]
    quick = world.start(world.open("Q"), "beta")
    world.clock.advance(seconds=30)
    world.beta.pay(quick.out_trade_no)
    honest = world.beta.query

    def hang(_payment: PaymentRef) -> ProviderAnswer:
        hangs.wait(30)
        return honest(_payment)

    def answer(payment: PaymentRef) -> ProviderAnswer:
        found.set()
        return honest(payment)

    world.alpha.query = hang  # type: ignore[method-assign]
    world.beta.query = answer  # type: ignore[method-assign]
    stop = threading.Event()
    running = threading.Thread(target=Worker(world.deps, threads=8).run, args=(stop,))
    running.start()
    try:
        assert found.wait(20)
    finally:
        stop.set()
        hangs.set()
        running.join(30)

    assert len(stuck) == 12
    assert not running.is_alive()


def test_slow_receiver_delays_no_other(world: World) -> None:
    """N11: twelve posts hang at one app; the other app is told and a payment is found, in the same worker."""
    released, told, found = threading.Event(), threading.Event(), threading.Event()
    slow, quick = FakeReceiver(world.clock), FakeReceiver(world.clock)

    def hang() -> WebhookAnswer:
        released.wait(30)
        return WebhookAnswer(status=204)

    def take() -> WebhookAnswer:
        told.set()
        return WebhookAnswer(status=204)

    slow.usual, quick.usual = hang, take
    world.deps.webhooks.update({"wallet": slow.endpoint(), "village": quick.endpoint()})
    for number in range(12):
        world.paid(f"S-{number}")
    world.pay(world.start(world.open("Q", app="village"), "beta"))
    lost = world.start(world.open("L"), "beta")
    world.beta.pay(lost.out_trade_no)
    world.beta.script("query", lambda _asked: found.set())
    world.clock.advance(seconds=10)
    stop = threading.Event()
    running = threading.Thread(target=Worker(world.deps, threads=8).run, args=(stop,))
    running.start()
    try:
        assert told.wait(20)
        assert found.wait(20)
        at_once = len(slow.posts)
    finally:
        stop.set()
        released.set()
        running.join(30)

    assert at_once <= TRIES_AT_ONCE
    assert not running.is_alive()
