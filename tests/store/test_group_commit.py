"""SQLite's group commit: who shares a commit, who fails alone, and that nobody waits for ever."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.store import Conflict, Store, StoreUnavailable, Tx
from gateway.store.sqlite import SqliteEngine
from tests.support.rows import a_notification, a_payment, an_order

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])


class _Held:
    """Keeps the first leader inside its commit until the others are in the queue behind it."""

    def __init__(self, store: Store) -> None:
        self.engine: SqliteEngine = store._engine.inner
        self.store = store

    def together(self, *acts: Callable[[Tx], Any]) -> list[Any]:
        """Run the acts as one group, in the given order; each outcome or error."""
        with ThreadPoolExecutor(len(acts) + 1) as pool:
            with self.engine._turn:  # the leader stops at the door
                pool.submit(self._flush, lambda tx: tx.insert(a_notification("ntf_lead")))
                while not self.engine._led or self.engine._queue:
                    pass
                futures = []
                for place, act in enumerate(acts, start=1):
                    futures.append(pool.submit(self._flush, act))
                    while len(self.engine._queue) < place:
                        pass
            return [future.exception(timeout=20) for future in futures]

    def _flush(self, act: Callable[[Tx], Any]) -> None:
        tx = self.store.read()
        act(tx)
        self.engine.flush(tx.writes)


@pytest.fixture
def held(store: Store) -> _Held:
    store.run(lambda tx: tx.insert(an_order("ord_0")))
    return _Held(store)


def _insert(row: Any) -> Callable[[Tx], None]:
    return lambda tx: tx.insert(row)


def test_group_with_one_conflict_fails_that_one_alone(held: _Held, database: Any) -> None:
    """Each batch has its own savepoint, and its writer its own verdict."""
    outcomes = held.together(
        _insert(an_order("ord_1")),
        _insert(an_order("ord_9", client_order_no="C-ord_0")),
        _insert(an_order("ord_2")),
    )

    assert [type(None), Conflict, type(None)] == [type(outcome) for outcome in outcomes]
    assert database.rows("SELECT id FROM orders ORDER BY id") == [("ord_0",), ("ord_1",), ("ord_2",)]


def test_group_with_rivals_for_one_key_lets_the_first_win(held: _Held, database: Any) -> None:
    """A batch sees what earlier batches of its group wrote."""
    outcomes = held.together(
        _insert(an_order("ord_1", client_order_no="same")), _insert(an_order("ord_2", client_order_no="same"))
    )

    assert [type(None), Conflict] == [type(outcome) for outcome in outcomes]


POISON = {
    "broken_check": a_payment("pay_9", "ord_0", evidence_id=None),
    "number_too_big": an_order("ord_9", amount_fen=1 << 63),
    "lone_surrogate": an_order("ord_9", description="\ud800"),
    "value_of_no_kind": an_order("ord_9", description=object()),
}


@pytest.mark.parametrize("name", POISON)
def test_group_with_an_unwritable_batch_fails_that_one_alone(held: _Held, database: Any, name: str) -> None:
    """One caller's bad value must not fail, and never stop, the callers beside it."""
    outcomes = held.together(_insert(an_order("ord_1")), _insert(POISON[name]), _insert(an_order("ord_2")))

    assert [outcome is None for outcome in outcomes] == [True, False, True]
    assert not isinstance(outcomes[1], (Conflict, StoreUnavailable))
    assert database.rows("SELECT id FROM orders ORDER BY id") == [("ord_0",), ("ord_1",), ("ord_2",)]
    held.store.run(_insert(an_order("ord_3")))


class _Failing:
    """A writer's connection that fails at one statement."""

    def __init__(self, inner: sqlite3.Connection, statement: str, error: BaseException) -> None:
        self._inner, self._statement, self._error = inner, statement, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def execute(self, sql: str, *values: Any) -> Any:
        if sql.startswith(self._statement):
            raise self._error
        return self._inner.execute(sql, *values)


@pytest.mark.parametrize("statement", ["COMMIT", "BEGIN", "INSERT INTO orders"])
def test_commit_that_fails_fails_everyone_in_the_group(held: _Held, database: Any, statement: str) -> None:
    """Nobody may believe in a commit that did not happen; the next group goes through."""
    writer = held.engine._writer
    held.engine._writer = _Failing(writer, statement, sqlite3.OperationalError("disk I/O error"))
    outcomes = held.together(_insert(an_order("ord_1")), _insert(an_order("ord_2")))
    held.engine._writer = writer

    assert [StoreUnavailable, StoreUnavailable] == [type(outcome) for outcome in outcomes]
    assert database.rows("SELECT id FROM orders") == [("ord_0",)]
    held.store.run(_insert(an_order("ord_1")))
    assert database.rows("SELECT id FROM orders ORDER BY id") == [("ord_0",), ("ord_1",)]


def test_leader_that_is_broken_off_fails_its_group_and_hands_over(held: _Held, database: Any) -> None:
    """A leader may be broken off by anything, such as an interrupt; nobody waits for ever or is deceived."""
    writer = held.engine._writer
    held.engine._writer = _Failing(writer, "COMMIT", KeyboardInterrupt())
    outcomes = held.together(_insert(an_order("ord_1")), _insert(an_order("ord_2")))
    held.engine._writer = writer

    assert {KeyboardInterrupt, StoreUnavailable} == {type(outcome) for outcome in outcomes}
    assert database.rows("SELECT id FROM orders") == [("ord_0",)]
    held.store.run(_insert(an_order("ord_1")))


def test_many_threads_each_get_their_own_result(store: Store, database: Any) -> None:
    """A thousand batches from 16 threads, every tenth a loser: winners are durable, losers told."""
    store.run(lambda tx: tx.insert(an_order("ord_0")))

    def one(number: int) -> bool:
        tx = store.read()
        tx.insert(an_order(f"ord_{number:04d}", client_order_no="C-ord_0" if number % 10 == 0 else f"C-{number}"))
        try:
            store._engine.flush(tx.writes)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(one, range(1, 1001)))

    assert [number % 10 != 0 for number in range(1, 1001)] == outcomes
    assert database.rows("SELECT count(*) FROM orders") == [(901,)]


def test_lock_that_cannot_be_opened_is_unavailable_and_recovers(store: Store, database: Any) -> None:
    """A failure to make the lock file is no reason to fail for ever."""
    obstacle = database.path.with_name(f"{database.path.name}.lock")
    obstacle.mkdir()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            store.run(_insert(an_order()))
    obstacle.rmdir()
    store.run(_insert(an_order()))

    assert store.read().order("ord_1") is not None
