"""The check of invariant 7 notices damage: each of these rows, changed behind the store's back, makes it fail."""

import pytest

from gateway.services.audit import offences
from tests.services.webhooks.journeys import refund_succeeds
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.receiver import FakeReceiver
from tests.support.world import World

_DONE = "UPDATE tasks SET state = 'done' WHERE kind = 'webhook'"
DAMAGE = {
    "task_lost": (_DONE,),
    "message_and_task_lost": (
        _DONE,
        "UPDATE webhook_messages SET state = 'delivered', settled_at = 1 WHERE state = 'pending' AND tries > 0",
        "UPDATE webhook_tries SET outcome = 'accepted'",
        "DELETE FROM webhook_messages WHERE tries = 0",
    ),
    "try_lost": ("DELETE FROM webhook_tries WHERE number = 1",),
    "delivered_untaken": ("UPDATE webhook_messages SET state = 'delivered', settled_at = 1 WHERE state = 'pending'",),
    "dead_too_soon": ("UPDATE webhook_messages SET state = 'dead', settled_at = 1 WHERE state = 'pending'",),
    "settled_and_pending": ("UPDATE webhook_messages SET settled_at = 1 WHERE state = 'pending'",),
    "overtaken": (
        "DELETE FROM webhook_tries WHERE seq = {first}",
        "UPDATE webhook_messages SET tries = 0, state = 'pending', settled_at = NULL WHERE seq = {first}",
        "UPDATE tasks SET state = 'due' WHERE kind = 'webhook'",
    ),
}


FOUND_BY = {
    "task_lost": "webhook_not_looked_at",
    "message_and_task_lost": "webhook_never_made",
    "delivered_untaken": "webhook_delivered_to_nobody",
    "dead_too_soon": "webhook_dead_too_soon",
    "overtaken": "webhook_overtaken",
}


def _damaged(world: World, receiver: FakeReceiver, database: Database, name: str) -> None:
    """Two orders, one told everything, one half of it; then rows are changed behind the store's back."""
    order, _ = world.paid("C-1")
    refund_succeeds(world, order, 100)
    world.work()
    receiver.script(500, 500)
    second, _ = world.paid("C-2")
    world.work()
    world.clock.advance(seconds=6)
    world.work()
    refund_succeeds(world, second, 100)
    world.work()
    assert_invariants(world.store)
    assert offences(world.store) == {}
    first = min(post.content["sequence"] for post in receiver.posts)
    for statement in DAMAGE[name]:
        database.rows(statement.format(first=first))


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_behind_the_stores_back_is_noticed(
    world: World, receiver: FakeReceiver, database: Database, name: str
) -> None:
    """Whole before, found after."""
    _damaged(world, receiver, database, name)

    with pytest.raises(AssertionError):
        assert_invariants(world.store)


@pytest.mark.parametrize("name", FOUND_BY)
def test_audit_names_the_order_whose_webhooks_are_damaged(
    world: World, receiver: FakeReceiver, database: Database, name: str
) -> None:
    """By the check that says what it is guilty of."""
    _damaged(world, receiver, database, name)

    assert FOUND_BY[name] in offences(world.store)
