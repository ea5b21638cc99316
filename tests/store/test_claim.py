"""Claiming due tasks: a lease, never two at once, back again when the holder is silent."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.domain.order import Task, TaskKind, TaskState
from gateway.store import Store, Tx
from tests.support.clock import START
from tests.support.rows import a_task

LEASE_UNTIL = START + timedelta(minutes=2)


def _put(store: Store, *tasks: Task) -> None:
    def job(tx: Tx) -> None:
        for task in tasks:
            tx.insert(task)

    store.run(job)


def _claim(store: Store, lease: str = "lease-1", *, now: datetime = START, limit: int = 10) -> list[Task]:
    return store.claim_tasks(now=now, lease_until=now + timedelta(minutes=2), lease=lease, limit=limit)


def test_claim_takes_due_tasks_under_its_lease(store: Store) -> None:
    """Claimed: one try more, due again when the lease runs out; what is not due yet, done or dead stays."""
    due = a_task("pay_1", lease=None, tries=0)
    _put(
        store,
        due,
        a_task("pay_2", due_at=START + timedelta(microseconds=1)),
        a_task("pay_3", state=TaskState.DONE),
        a_task("pay_4", state=TaskState.DEAD),
    )

    expected = replace(due, tries=1, due_at=LEASE_UNTIL, lease="lease-1")
    assert [expected] == _claim(store)
    assert expected == store.read().task(TaskKind.QUERY, "pay_1")
    assert _claim(store, "lease-2") == []


def test_claim_of_a_few_takes_the_oldest(store: Store) -> None:
    """The limit holds, and the longest waiting come first."""
    _put(store, *(a_task(f"pay_{n}", due_at=START - timedelta(seconds=n)) for n in range(5)))

    assert {"pay_4", "pay_3"} == {task.subject_id for task in _claim(store, limit=2)}


def test_claim_after_the_lease_ran_out_gives_the_task_again(store: Store) -> None:
    """A worker that died holds nothing back: one microsecond before the end it is still its own, at the end not."""
    _put(store, a_task(lease=None, tries=0))
    _claim(store, "dead")

    assert _claim(store, "next", now=LEASE_UNTIL - timedelta(microseconds=1)) == []
    again = _claim(store, "next", now=LEASE_UNTIL)
    assert [(task.lease, task.tries) for task in again] == [("next", 2)]


@pytest.mark.parametrize("state", [TaskState.DONE, TaskState.DUE], ids=["finish", "postpone"])
def test_settle_under_an_old_lease_changes_nothing(store: Store, state: TaskState) -> None:
    """Fencing: the slow first worker cannot settle what another has claimed since."""
    _put(store, a_task(lease=None))
    old = _claim(store, "old")[0]
    new = _claim(store, "new", now=LEASE_UNTIL)[0]

    store.run(lambda tx: tx.settle_task(old, state, due_at=START, last_error="late"))
    assert new == store.read().task(TaskKind.QUERY, "pay_1")


def test_settle_under_the_own_lease_postpones_and_gives_it_back(store: Store) -> None:
    """Due at the given time, with its error, nobody's lease."""
    _put(store, a_task(lease=None, tries=0, last_error=""))
    task = _claim(store)[0]
    later = START + timedelta(seconds=20)
    store.run(lambda tx: tx.settle_task(task, TaskState.DUE, due_at=later, last_error="NoVerdict"))

    expected = replace(task, due_at=later, lease=None, last_error="NoVerdict")
    assert expected == store.read().task(TaskKind.QUERY, "pay_1")


def test_claimers_in_many_threads_never_share_a_task(store: Store) -> None:
    """N24: every due task is claimed exactly once, and no claim is larger than asked for."""
    _put(store, *(a_task(f"pay_{n:03d}", lease=None) for n in range(300)))

    def claim_all(lease: str) -> list[list[str]]:
        claims = []
        while tasks := _claim(store, lease, limit=4):
            claims.append([task.subject_id for task in tasks])
        return claims

    with ThreadPoolExecutor(8) as pool:
        claims = [claim for claims in pool.map(claim_all, [f"lease-{n}" for n in range(8)]) for claim in claims]

    assert max(map(len, claims)) <= 4
    assert sorted(f"pay_{n:03d}" for n in range(300)) == sorted(subject for claim in claims for subject in claim)
