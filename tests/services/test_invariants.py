"""The check of the invariants notices damage: each of these rows, changed behind the store's back, makes it fail."""

import pytest

from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import World, subject

DAMAGE = {
    "kept_flag_lost": "UPDATE payments SET kept = 0 WHERE kept = 1",
    "surplus_refund_lost": "UPDATE refunds SET state = 'failed', evidence_id = 'ntf_x' WHERE reason = 'surplus'",
    "order_unpaid": "UPDATE orders SET state = 'open' WHERE state = 'paid'",
    "order_sum": "UPDATE orders SET amount_refunded_fen = amount_refunded_fen + 1 WHERE state = 'paid'",
    "payment_sum": "UPDATE payments SET amount_refunding_fen = amount_refunding_fen + 1 WHERE kept = 1",
    "payment_moved": "UPDATE payments SET state = 'closed' WHERE state = 'pending'",
    "payment_count": "UPDATE orders SET payments = payments + 1",
    "slot_lost": "DELETE FROM premium_slots",
    "evidence_lost": "DELETE FROM notifications",
    "event_lost": "DELETE FROM events WHERE seq = 2",
    "last_event_lost": "DELETE FROM events WHERE kind = 'payment_surplus'",
    "event_changed": "UPDATE events SET actor = 'operator:x' WHERE seq = 1",
    "event_retold": "UPDATE events SET detail = '{}' WHERE kind = 'payment_pending'",
    "ledger_lost": "DELETE FROM ledger_entries WHERE credit = 'receivable'",
    "ledger_changed": "UPDATE ledger_entries SET amount_fen = amount_fen + 1",
    "query_forgotten": "UPDATE tasks SET state = 'done' WHERE kind = 'query'",
    "refund_forgotten": "UPDATE tasks SET state = 'dead' WHERE kind IN ('refund', 'query_refund')",
    "expiry_forgotten": "DELETE FROM tasks WHERE kind = 'close_order'",
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_behind_the_stores_back_is_noticed(world: World, database: Database, name: str) -> None:
    """Whole before, found after."""
    order = world.open("C-1", subject=subject())
    first, second = world.start(order), world.start(order, "beta")
    world.pay(first)
    world.pay(second)
    world.refund(world.order(order.id), 100)
    world.start(world.open("C-2"))
    assert_invariants(world.store)
    database.rows(DAMAGE[name])

    with pytest.raises(AssertionError):
        assert_invariants(world.store)
