"""Several processes on one database lose nothing."""

import multiprocessing
from datetime import timedelta

import pytest

from gateway.domain.order import Event
from gateway.store import Tx, open_store
from tests.support.clock import START
from tests.support.databases import Database
from tests.support.rows import a_task, an_event, an_order

_PROCESSES = 3
_EVENTS = 60
_TASKS = 120


def _append(url: str) -> None:
    """Add events to one order, whose chain all processes fight for."""
    store = open_store(url)

    def job(tx: Tx) -> None:
        last = tx.events_page("ord_1", after=0, limit=10_000)[-1]
        tx.insert(an_event(after_seq=last.seq, after_hash=last.hash))

    for _ in range(_EVENTS):
        store.run(job)
    store.close()


def _claim(url: str, lease: str) -> list[str]:
    store = open_store(url)
    claimed = []
    while tasks := store.claim_tasks(now=START, lease_until=START + timedelta(minutes=2), lease=lease, limit=7):
        claimed += [task.subject_id for task in tasks]
    store.close()
    return claimed


def test_processes_that_write_one_chain_leave_it_whole(database: Database) -> None:
    """Every event of every process is there, in one chain without gaps."""
    store = open_store(database.url)
    store.run(lambda tx: (tx.insert(an_order()), tx.insert(an_event())))
    with multiprocessing.get_context("spawn").Pool(_PROCESSES) as pool:
        pool.map(_append, [database.url] * _PROCESSES, chunksize=1)
    events: list[Event] = store.read().events_page("ord_1", after=0, limit=10_000)
    store.close()

    assert list(range(1, 2 + _PROCESSES * _EVENTS)) == [event.seq for event in events]
    previous = events[0]
    for event in events[1:]:
        assert event == an_event(after_seq=previous.seq, after_hash=previous.hash)
        previous = event


def test_processes_that_claim_never_get_the_same_task(database: Database) -> None:
    """N24: each due task goes to one worker, whichever process it lives in."""
    store = open_store(database.url)

    def job(tx: Tx) -> None:
        for number in range(_TASKS):
            tx.insert(a_task(f"pay_{number}", lease=None))

    store.run(job)
    store.close()
    with multiprocessing.get_context("spawn").Pool(_PROCESSES) as pool:
        claims = pool.starmap(_claim, [(database.url, f"lease-{n}") for n in range(_PROCESSES)], chunksize=1)

    claimed = [subject for claim in claims for subject in claim]
    assert sorted(claimed) == sorted(f"pay_{number}" for number in range(_TASKS))


@pytest.mark.parametrize("engine", ["sqlite"])
def test_lock_file_lies_beside_the_database_for_its_owner_alone(database: Database) -> None:
    """Other users can neither read nor block it."""
    store = open_store(database.url)
    store.run(lambda tx: tx.insert(an_order()))
    store.close()

    lock = database.path.with_name(f"{database.path.name}.lock")
    assert lock.stat().st_mode & 0o777 == 0o600
