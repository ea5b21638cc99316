"""A unit of work is whole or nothing, and whoever comes second starts again."""

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.order import KeyState, Task, TaskKind, TaskState
from gateway.domain.states import NotificationState, OrderState, PaymentState
from gateway.store import Conflict, Store, StoreContended, Tx
from tests.support.clock import START
from tests.support.databases import Database
from tests.support.rows import (
    a_key,
    a_ledger_entry,
    a_notification,
    a_payment,
    a_refund,
    a_task,
    an_event,
    an_order,
)

TAKEN: dict[str, Callable[[Tx], None]] = {
    "orders.id": lambda tx: tx.insert(an_order(client_order_no="other")),
    "orders.client_order_no": lambda tx: tx.insert(an_order("ord_9", client_order_no="C-ord_1")),
    "events.order_seq": lambda tx: tx.insert(an_event(said="otherwise")),
    "payments.id": lambda tx: tx.insert(a_payment(out_trade_no="other", kept=False)),
    "payments.out_trade_no": lambda tx: tx.insert(a_payment("pay_9", out_trade_no="no-pay_1", kept=False)),
    "payments.one_kept": lambda tx: tx.insert(a_payment("pay_9")),
    "refunds.id": lambda tx: tx.insert(a_refund(out_refund_no="other", client_refund_no="other")),
    "refunds.out_refund_no": lambda tx: tx.insert(a_refund("ref_9", out_refund_no="no-ref_1")),
    "refunds.client_refund_no": lambda tx: tx.insert(a_refund("ref_9", client_refund_no="R-ref_1")),
    "notifications.id": lambda tx: tx.insert(a_notification(dedup_key="other")),
    "notifications.dedup_key": lambda tx: tx.insert(a_notification("ntf_9", dedup_key="key-ntf_1")),
    "idempotency_keys.key": lambda tx: tx.insert(a_key()),
    "tasks.subject": lambda tx: tx.insert(a_task()),
    "ledger_entries.id": lambda tx: tx.insert(a_ledger_entry()),
    "premium_slots.slot": lambda tx: tx.take_slot("slot-ord_1", "ord_1"),
    "request_nonces.nonce": lambda tx: tx.use_nonce("wallet", "n-1", START),
}
GUARDED: dict[str, Callable[[Tx], None]] = {
    "order_absent": lambda tx: tx.update(an_order("ord_9")),
    "payment_absent": lambda tx: tx.update(a_payment("pay_9")),
    "refund_absent": lambda tx: tx.update(a_refund("ref_9")),
    "notification_absent": lambda tx: tx.update(a_notification("ntf_9")),
    "key_of_another_fence": lambda tx: tx.own_key(a_key(fence=2), lease_until=START),
    "key_absent": lambda tx: tx.own_key(a_key("key-9"), lease_until=START),
    "key_finished_by_an_old_owner": lambda tx: tx.finish_key(a_key(fence=2), subject_id=None, status=200, sealed=b"x"),
}


@pytest.fixture
def filled(store: Store) -> Store:
    def job(tx: Tx) -> None:
        for row in (an_order(), an_event(), a_payment(), a_refund(), a_notification(), a_key(), a_task()):
            tx.insert(row)
        tx.insert(a_ledger_entry())
        tx.take_slot("slot-ord_1", "ord_1")
        tx.use_nonce("wallet", "n-1", START)

    store.run(job)
    return store


def _flush(store: Store, act: Callable[[Tx], None]) -> None:
    """One try of a job, without the store's repetitions."""
    tx = store.read()
    act(tx)
    store._engine.flush(tx.writes)


@pytest.mark.parametrize("name", [*TAKEN, *GUARDED])
def test_batch_that_loses_is_a_conflict_and_leaves_nothing(filled: Store, database: Database, name: str) -> None:
    """N15: the database itself keeps every key unique and every guard true; the batch's other writes are gone too."""
    lose = (TAKEN | GUARDED)[name]
    before = database.rows("SELECT count(*) FROM orders")

    def act(tx: Tx) -> None:
        tx.insert(an_order("ord_5"))
        lose(tx)
        tx.insert(an_order("ord_6"))

    with pytest.raises(Conflict):
        _flush(filled, act)
    assert before == database.rows("SELECT count(*) FROM orders")


@pytest.mark.parametrize("name", [*TAKEN, *GUARDED])
def test_single_write_that_loses_is_a_conflict(filled: Store, name: str) -> None:
    """A batch of one goes another way in PostgreSQL."""
    with pytest.raises(Conflict):
        _flush(filled, (TAKEN | GUARDED)[name])


def test_batch_with_every_kind_of_write_is_applied_whole(store: Store, database: Database) -> None:
    """Parents before children, inserts and updates, all in one commit."""

    def job(tx: Tx) -> None:
        tx.insert(an_order())
        tx.insert(an_event())
        tx.insert(a_payment())
        tx.insert(a_refund())
        tx.insert(a_ledger_entry())
        tx.take_slot("slot-ord_1", "ord_1")
        tx.schedule(a_task())
        tx.use_nonce("wallet", "n", START)

    store.run(job)

    tables = ("orders", "events", "payments", "refunds", "ledger_entries", "premium_slots", "tasks", "request_nonces")
    assert [database.rows(f"SELECT count(*) FROM {table}") for table in tables] == [[(1,)]] * 8


def test_job_that_lost_runs_again_on_the_newer_state(filled: Store) -> None:
    """The second run sees what the winner wrote."""
    seen = []

    def job(tx: Tx) -> int:
        last = tx.events_page("ord_1", after=0, limit=9)[-1]
        seen.append(last.seq)
        if len(seen) == 1:  # the rival comes between the read and the write
            _flush(filled, lambda rival: rival.insert(an_event(after_seq=1, after_hash=last.hash)))
        tx.insert(an_event(after_seq=last.seq, after_hash=last.hash))
        return last.seq

    assert filled.run(job) == 2
    assert seen == [1, 2]
    assert [event.seq for event in filled.read().events_page("ord_1", after=0, limit=9)] == [1, 2, 3]


def test_job_that_always_loses_gives_up(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sixty tries, then StoreContended; nothing was written."""
    monkeypatch.setattr("gateway.store.unit_of_work.time.sleep", lambda _seconds: None)
    with pytest.raises(StoreContended):
        filled.run(lambda tx: tx.insert(an_event(said="otherwise")))


def test_job_without_writes_does_not_reach_the_writer(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading costs no commit."""
    monkeypatch.setattr(filled._engine.inner, "flush", None)

    assert filled.run(lambda tx: tx.order("ord_1")).id == "ord_1"


def test_reads_of_a_unit_of_work_do_not_see_its_own_writes(filled: Store) -> None:
    """Read first, then write."""

    def job(tx: Tx) -> Any:
        tx.insert(an_order("ord_2"))
        return tx.order("ord_2")

    assert filled.run(job) is None
    assert filled.read().order("ord_2") is not None


def test_schedule_of_a_known_task_makes_it_due_anew(filled: Store) -> None:
    """Tries, lease and error begin again; the holder of the old lease can no longer settle it."""
    due_at = START + timedelta(seconds=7)
    filled.run(lambda tx: tx.schedule(a_task(due_at=due_at, tries=0, lease=None, last_error="", account="x")))

    expected = a_task(due_at=due_at, tries=0, lease=None, last_error="")
    assert expected == filled.read().task(TaskKind.QUERY, "pay_1")


@pytest.mark.parametrize(
    ("state", "expected"), [(TaskState.DUE, TaskState.DONE), (TaskState.DEAD, TaskState.DEAD)], ids=["due", "dead"]
)
def test_drop_of_a_task_ends_only_a_due_one(store: Store, state: TaskState, expected: TaskState) -> None:
    """A dead task stays visible."""
    store.run(lambda tx: tx.insert(a_task(state=state)))
    store.run(lambda tx: tx.drop_task(TaskKind.QUERY, "pay_1"))

    assert expected == store.read().task(TaskKind.QUERY, "pay_1").state


@pytest.mark.parametrize(
    ("row", "withdrawn"),
    [
        (a_task(tries=0, lease=None), True),
        (a_task(tries=1, lease=None), False),
        (a_task(tries=0, lease="lease-1"), False),
        (a_task(tries=0, lease=None, state=TaskState.DONE), False),
    ],
    ids=["never_claimed", "begun", "claimed", "done"],
)
def test_withdrawal_of_a_task_ends_only_one_that_was_never_claimed(store: Store, row: Task, *, withdrawn: bool) -> None:
    """Anything else is a Conflict, for as long as it is asked."""
    store.run(lambda tx: tx.insert(row))
    with contextlib.nullcontext() if withdrawn else pytest.raises(StoreContended):
        store.run(lambda tx: tx.withdraw_task(TaskKind.QUERY, "pay_1"))

    expected = replace(row, state=TaskState.DONE) if withdrawn else row
    assert expected == store.read().task(TaskKind.QUERY, "pay_1")


def test_slot_taken_and_freed_in_one_unit_is_free(filled: Store, database: Database) -> None:
    """A payment may turn out paid and wholly refunded by one report; both engines must leave the slot free."""

    def job(tx: Tx) -> None:
        tx.take_slot("slot-9", "ord_1")
        tx.free_slot("slot-9", "ord_1")

    filled.run(job)

    assert filled.read().slot_holder("slot-9") is None


def test_slot_is_freed_by_its_holder_alone(filled: Store) -> None:
    """Another order's refund does not free it."""
    filled.run(lambda tx: tx.free_slot("slot-ord_1", "ord_2"))

    assert filled.read().slot_holder("slot-ord_1") == "ord_1"


def test_key_taken_over_cannot_be_finished_by_its_old_owner(filled: Store) -> None:
    """The fence grows with every owner."""
    old = a_key()
    filled.run(lambda tx: tx.own_key(old, lease_until=START + timedelta(seconds=60)))
    with pytest.raises(Conflict):
        _flush(filled, lambda tx: tx.finish_key(old, subject_id="pay_1", status=200, sealed=b"old"))
    new = replace(old, fence=2)
    filled.run(lambda tx: tx.finish_key(new, subject_id="pay_1", status=201, sealed=b"new"))

    finished = filled.read().idempotency_key("wallet", "key-1")
    assert (
        finished.state,
        finished.fence,
        finished.response_status,
        finished.response_sealed,
    ) == (KeyState.FINISHED, 2, 201, b"new")
    with pytest.raises(Conflict):
        _flush(filled, lambda tx: tx.finish_key(new, subject_id="pay_1", status=500, sealed=b"again"))


def test_purge_forgets_old_nonces_and_old_finished_keys(store: Store, database: Database) -> None:
    """What still runs, and what is young, stays."""

    def job(tx: Tx) -> None:
        tx.insert(a_key("old", state=KeyState.FINISHED))
        tx.insert(a_key("running"))
        tx.insert(a_key("young", state=KeyState.FINISHED, created_at=START + timedelta(days=1)))
        tx.use_nonce("wallet", "old", START)
        tx.use_nonce("wallet", "young", START + timedelta(days=1))

    store.run(job)
    moment = START + timedelta(hours=1)
    store.run(lambda tx: tx.purge(nonces_before=moment, keys_before=moment))

    assert database.rows("SELECT key FROM idempotency_keys ORDER BY key") == [("running",), ("young",)]
    assert database.rows("SELECT nonce FROM request_nonces") == [("young",)]


BROKEN: dict[str, Callable[[Tx], None]] = {
    "paid_without_evidence": lambda tx: tx.insert(a_payment("pay_9", kept=False, evidence_id=None)),
    "more_refunded_than_paid": lambda tx: tx.update(a_payment(amount_refunded_fen=38001)),
    "refund_below_zero": lambda tx: tx.update(a_payment(amount_refunding_fen=-1)),
    "refund_without_evidence": lambda tx: tx.insert(a_refund("ref_9", evidence_id=None)),
    "order_of_nothing": lambda tx: tx.insert(an_order("ord_9", amount_fen=0)),
    "paid_by_nobody": lambda tx: tx.insert(an_order("ord_9", state=OrderState.PAID)),
    "event_of_no_order": lambda tx: tx.insert(an_event("ord_9")),
    "payment_of_no_order": lambda tx: tx.insert(a_payment("pay_9", "ord_9")),
    "negative_movement": lambda tx: tx.insert(a_ledger_entry("led_9", amount_fen=-1)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_batch_against_a_check_of_the_schema_is_an_error_and_leaves_nothing(
    filled: Store, database: Database, name: str
) -> None:
    """The last line of defence: a bug of ours is neither a Conflict to be retried nor written."""

    def act(tx: Tx) -> None:
        tx.insert(a_notification("ntf_5", state=NotificationState.QUARANTINED))
        break_(tx)

    break_ = BROKEN[name]
    with pytest.raises(Exception, match=r"(?i)constraint|evaluates to true") as caught:
        filled.run(act)
    assert not isinstance(caught.value, (Conflict, StoreContended))
    assert database.rows("SELECT count(*) FROM notifications") == [(1,)]


def test_payment_states_of_the_schema_are_those_of_the_domain(store: Store) -> None:
    """Every state can be stored, with evidence."""
    store.run(lambda tx: tx.insert(an_order()))
    for state in PaymentState:
        payment = a_payment(f"pay_{state.value}", state=state, kept=False)
        store.run(lambda tx, payment=payment: tx.insert(payment))
        assert state is store.read().payment(payment.id).state
