"""Opening an order: once per client_order_no, for ever."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.order import TaskKind
from gateway.domain.states import OrderState
from gateway.services.open_order import LIFE_MAX, LIFE_MIN
from gateway.services.views import SUBJECT_PURPOSE
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import SETTINGS, World, subject

MICROSECOND = timedelta(microseconds=1)


def _code(reply: Any) -> str:
    assert reply.status == 409
    return str(json.loads(reply.body)["code"])


def test_order_when_opened_is_open_and_will_expire(world: World) -> None:
    """Its row, its first event and its end are one commit."""
    order = world.open(subject=subject())

    assert order.state is OrderState.OPEN
    assert order.expires_at == world.clock.now() + timedelta(seconds=SETTINGS.order_ttl_seconds)
    assert world.kinds(order) == ["order_opened"]
    assert world.task(TaskKind.CLOSE_ORDER, order.id).due_at == order.expires_at
    assert order.subject_sealed is not None
    assert world.deps.vault.unseal_json(order.subject_sealed, SUBJECT_PURPOSE) == asdict(subject())
    assert_invariants(world.store)


def test_order_of_an_ordinary_charge_has_no_slot(world: World) -> None:
    """A charge without an insured person may be paid any number of times."""
    order = world.open()

    assert (order.slot, order.region, order.insured_index, order.subject_sealed) == (None, None, None, None)


def test_order_opened_again_with_the_same_content_is_the_first(world: World, database: Database) -> None:
    """Whatever the idempotency key; also when its state has moved on."""
    first = world.open_reply("C-1", subject=subject())
    world.clock.advance(minutes=5)
    world.start(world.order(json.loads(first.body)["id"]))
    again = world.open_reply("C-1", subject=subject())

    assert json.loads(again.body)["id"] == json.loads(first.body)["id"]
    assert not again.replayed
    assert database.rows("SELECT count(*) FROM orders") == [(1,)]


OTHER_CONTENT: dict[str, dict[str, Any]] = {
    "amount": {"amount_fen": 38002},
    "description": {"description": "其他"},
    "person": {"subject": subject("34010019000101002X")},
    "year": {"subject": subject(year=2027)},
    "region": {"subject": subject(region="340200")},
    "no_person": {"subject": None},
}


@pytest.mark.parametrize("name", OTHER_CONTENT)
def test_order_opened_again_with_other_content_is_refused(world: World, database: Database, name: str) -> None:
    """N10: the same client_order_no with another amount or person never gives the old order silently."""
    order = world.open("C-1", subject=subject())
    reply = world.open_reply("C-1", **{"subject": subject()} | OTHER_CONTENT[name])

    assert _code(reply) == "client_order_no_reused"
    assert json.loads(reply.body)["order_id"] == order.id
    assert world.order(order.id) == order
    assert database.rows("SELECT count(*) FROM orders") == [(1,)]


def test_client_order_no_of_another_app_is_another_order(world: World) -> None:
    """Apps do not share their numbers."""
    assert world.open("C-1").id != world.open("C-1", app="village").id


def test_orders_of_one_premium_share_a_slot_and_others_do_not(world: World) -> None:
    """Region, year, kind and insured person make the slot; app, payer and name do not."""
    same = {world.open("C-1", subject=subject()).slot, world.open("C-2", subject=subject(), app="village").slot}
    others = {
        world.open("C-3", subject=subject("34010019000101002X")).slot,
        world.open("C-4", subject=subject(year=2027)).slot,
        world.open("C-5", subject=subject(region="340200")).slot,
    }

    assert len(same) == 1
    assert len(others - same) == 3


def test_order_for_a_paid_premium_is_refused_until_it_is_refunded(world: World) -> None:
    """One premium is collected once; after a whole refund it is owed again."""
    order, payment = world.paid("C-1", subject=subject())
    assert _code(world.open_reply("C-2", subject=subject(), app="village")) == "premium_already_paid"
    assert world.open("C-3", subject=subject(year=2027)).state is OrderState.OPEN

    refund = world.refund(order)
    world.work()
    world.alpha.refunds[refund.out_refund_no].state = "succeeded"
    world.deliver(payment, world.alpha.refund_callback(refund.out_refund_no))

    assert world.open("C-2", subject=subject()).state is OrderState.OPEN
    assert_invariants(world.store)


@pytest.mark.parametrize(
    ("life", "opens"),
    [(LIFE_MIN, True), (LIFE_MIN - MICROSECOND, False), (LIFE_MAX, True), (LIFE_MAX + MICROSECOND, False)],
    ids=["shortest", "too_short", "longest", "too_long"],
)
def test_expiry_at_the_bounds_opens_and_one_past_them_is_refused(world: World, life: timedelta, opens: bool) -> None:
    """Two minutes to four hundred days."""
    reply = world.open_reply("C-1", expires_at=world.clock.now() + life)

    if opens:
        assert reply.status == 201
    else:
        assert _code(reply) == "expiry_out_of_range"


def test_region_that_the_app_may_not_collect_for_is_refused(world: World) -> None:
    """The answer names what is allowed."""
    reply = world.open_reply("C-1", subject=subject(region="340200"), app="village")

    assert _code(reply) == "region_not_allowed"
    assert json.loads(reply.body)["allowed"] == ["340100"]


def test_refusal_of_an_order_is_stored_under_its_key(world: World) -> None:
    """A business rejection is an answer like another."""
    world.open("C-1")
    request = world.request()
    first = world.open_reply("C-1", amount_fen=1, request=request)
    again = world.open_reply("C-1", amount_fen=1, request=request)

    assert again.body == first.body
    assert (first.replayed, again.replayed) == (False, True)


def test_many_equal_orders_at_once_open_one(world: World, database: Database) -> None:
    """N15: the database decides, whatever the number of askers and keys."""
    with ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: world.open_reply("C-1", subject=subject()), range(64)))

    assert {reply.status for reply in replies} == {201}
    assert len({json.loads(reply.body)["id"] for reply in replies}) == 1
    assert database.rows("SELECT count(*) FROM orders") == [(1,)]
    assert_invariants(world.store)
