"""Rows of webhooks: what goes in comes out, and who read an older state does not write over a newer one."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.webhook import (
    EndpointState,
    MessageState,
    TryOutcome,
    WebhookEndpoint,
    WebhookMessage,
    WebhookTry,
)
from gateway.store import Conflict, Store
from gateway.store.families import webhooks
from tests.support.clock import START
from tests.support.rows import LATER, an_order

MESSAGE = WebhookMessage(
    order_id="ord_1",
    seq=3,
    app="wallet",
    type="order.paid",
    state=MessageState.PENDING,
    occurred_at=START,
    due_at=LATER,
    tries=0,
    step=0,
    lease_until=None,
    settled_at=None,
)
TRY = WebhookTry(
    order_id="ord_1",
    seq=3,
    number=1,
    started_at=START,
    ended_at=LATER,
    outcome=TryOutcome.REFUSED,
    answer_status=500,
    error="",
    digest="d" * 64,
    answer_sealed=bytes(range(256)),
)
ENDPOINT = WebhookEndpoint(
    app="wallet",
    address_digest="a" * 64,
    state=EndpointState.DISABLED,
    reason="gone",
    failing_since=START,
    quiet_until=LATER,
    changed_at=LATER,
    version=0,
)


@pytest.fixture
def filled(store: Store) -> Store:
    """An order with one message and one try of it, and an endpoint."""
    store.run(lambda tx: tx.insert(an_order()))

    def job(tx: Any) -> None:
        tx.insert(MESSAGE)
        tx.insert(TRY)
        webhooks.move_endpoint(tx, ENDPOINT)

    store.run(job)
    return store


def test_rows_are_read_back_as_they_were(filled: Store) -> None:
    """To the microsecond; the endpoint at its first version."""
    tx = filled.read()

    assert webhooks.message(tx, "ord_1", 3) == MESSAGE
    assert webhooks.tries_of(tx, "ord_1", 3) == [TRY]
    assert webhooks.endpoint(tx, "wallet") == replace(ENDPOINT, version=1)
    assert webhooks.endpoints(tx) == [replace(ENDPOINT, version=1)]


def test_message_moves_once_from_what_was_read(filled: Store) -> None:
    """A second writer that read the same state is told, instead of undoing the first."""
    begun = replace(MESSAGE, tries=1, lease_until=LATER)
    filled.run(lambda tx: webhooks.move_message(tx, MESSAGE, begun))
    late = filled.read()
    webhooks.move_message(late, MESSAGE, replace(MESSAGE, state=MessageState.DEAD, settled_at=LATER))

    with pytest.raises(Conflict):
        filled._engine.flush(late.writes)
    assert webhooks.message(filled.read(), "ord_1", 3) == begun


def test_endpoint_moves_once_from_what_was_read(filled: Store) -> None:
    """The same for what is learnt of a receiver, the very first word of it included."""
    known = replace(ENDPOINT, version=1)
    enabled = replace(known, state=EndpointState.ENABLED, reason="")
    filled.run(lambda tx: webhooks.move_endpoint(tx, enabled))
    for stale in (known, ENDPOINT):
        late = filled.read()
        webhooks.move_endpoint(late, stale)
        with pytest.raises(Conflict):
            filled._engine.flush(late.writes)

    assert webhooks.endpoint(filled.read(), "wallet") == replace(enabled, version=2)


def test_update_of_a_message_leaves_what_never_changes(filled: Store) -> None:
    """Whose it is, what it is called and when it happened."""
    filled.run(
        lambda tx: webhooks.move_message(tx, MESSAGE, replace(MESSAGE, app="x", type="x", occurred_at=LATER, step=2))
    )

    assert webhooks.message(filled.read(), "ord_1", 3) == replace(MESSAGE, step=2)
