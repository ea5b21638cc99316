"""The audit names the offender of every damage, on both engines, and finds nothing on a healthy database."""

from dataclasses import replace

import pytest

from gateway.domain.events import next_event
from gateway.services import audit as service
from gateway.services.audit import audit
from gateway.store import Tx
from tests.services.test_invariants import DAMAGE
from tests.support.databases import Database
from tests.support.world import World, subject

FOUND_BY = {
    "kept_flag_lost": "paid_without_kept_payment",
    "surplus_refund_lost": "surplus_not_sent_back",
    "order_unpaid": "paid_without_kept_payment",
    "order_sum": "order_and_payment_disagree",
    "payment_sum": "refund_sums_disagree",
    "payment_moved": "events_tell_otherwise",
    "payment_count": "payments_not_counted",
    "slot_lost": "premium_slot_not_held",
    "evidence_lost": "payment_without_evidence",
    "event_lost": "event_chain_broken",
    "last_event_lost": "event_chain_broken",
    "event_changed": "event_chain_broken",
    "event_retold": "event_chain_broken",
    "ledger_lost": "ledger_disagrees",
    "ledger_changed": "ledger_disagrees",
    "query_forgotten": "payment_not_looked_at",
    "refund_forgotten": "refund_not_looked_at",
    "expiry_forgotten": "order_not_looked_at",
}
MORE_DAMAGE = {
    "UPDATE ledger_entries SET account = 'beta_main' WHERE account = 'alpha_main'": "ledger_of_another_account",
    "DELETE FROM events": "event_chain_broken",
    "UPDATE refunds SET evidence_id = 'ntf_x', state = 'succeeded' WHERE reason = 'asked'": "refund_without_evidence",
    "UPDATE events SET evidence_id = 'ntf_gone' WHERE seq = 1": "event_evidence_missing",
    "UPDATE events SET evidence_id = NULL": "message_without_effect",
    "UPDATE orders SET state = 'closed' WHERE state = 'open'": "closed_before_proof",
    "UPDATE orders SET amount_refunded_fen = amount_paid_fen WHERE state = 'paid'": "premium_slot_held_in_vain",
    "UPDATE idempotency_keys SET state = 'running', subject_id = 'pay_never'": "key_without_effect",
    "UPDATE payments SET state = 'pending' WHERE kept = 1": "refunds_exceed_payment",
    "UPDATE orders SET slot = (SELECT slot FROM orders WHERE slot IS NOT NULL), state = 'paid', amount_paid_fen = 1,"
    " paid_payment_id = 'pay_x' WHERE slot IS NULL": "premium_paid_twice",
}


def found(world: World) -> dict[str, tuple[str, ...]]:
    """The checks that do not hold, with their offenders."""
    return {finding.name: finding.offenders for finding in audit(world.store) if finding.offenders}


@pytest.fixture
def busy(world: World) -> World:
    """An order paid twice with a refund under way, and one that is being paid."""
    order = world.open("C-1", subject=subject())
    first, second = world.start(order), world.start(order, "beta")
    world.pay(first)
    world.pay(second)
    world.refund(world.order(order.id), 100)
    world.start(world.open("C-2"))
    return world


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found_by_its_check(busy: World, database: Database, name: str) -> None:
    """Whole before, found after."""
    before = found(busy)
    database.rows(DAMAGE[name])

    assert before == {}
    assert FOUND_BY[name] in found(busy)


@pytest.mark.parametrize("damage", MORE_DAMAGE, ids=MORE_DAMAGE.values())
def test_damage_that_the_journeys_cannot_do_is_found(busy: World, database: Database, damage: str) -> None:
    """What no bug of ours has done yet, somebody with a database console can."""
    database.rows(damage)

    assert MORE_DAMAGE[damage] in found(busy)


def test_history_that_tells_another_state_is_found(busy: World, database: Database) -> None:
    """The chain is whole, and the payment's row was changed."""
    database.rows("UPDATE payments SET state = 'unknown' WHERE state = 'pending'")

    assert set(found(busy)) == {"events_tell_otherwise"}


def test_history_that_turns_back_is_found(busy: World) -> None:
    """Chain and rows agree; but what is paid does not become pending again."""
    payment = next(p for p in map(busy.payment, _payment_ids(busy)) if p.kept)
    order = busy.order(payment.order_id)
    event = next_event(
        order_id=order.id,
        after_seq=order.event_seq,
        after_hash=order.event_hash,
        kind="payment_pending",
        at=busy.clock.now(),
        actor="nobody",
        evidence_id=None,
        detail={"payment_id": payment.id},
    )

    def job(tx: Tx) -> None:
        tx.update(replace(order, event_seq=event.seq, event_hash=event.hash))
        tx.insert(event)

    busy.store.run(job)

    assert found(busy) == {"state_moved_back": (order.id,)}


def _payment_ids(world: World) -> list[str]:
    orders = world.store.read().all_orders_page(before="ord_z", limit=9)
    return [payment.id for order in orders for payment in world.store.read().payments_of_order(order.id)]


def test_histories_longer_than_a_page_are_read_to_their_end(busy: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages end in the middle of a history."""
    monkeypatch.setattr(service, "_PAGE", 3)

    assert found(busy) == {}


def test_offenders_are_limited(world: World, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken database must not fill the memory of whoever looks at it."""
    monkeypatch.setattr(service, "OFFENDERS_MAX", 2)
    for number in range(4):
        world.open(f"C-{number}")
    database.rows("DELETE FROM tasks")
    database.rows("DELETE FROM events")

    findings = found(world)

    assert {"order_not_looked_at": 2, "event_chain_broken": 2} == {name: len(ids) for name, ids in findings.items()}
