"""The gateway dies at any moment, or is restarted between any two: nothing is lost, nothing happens twice."""

from contextlib import suppress

import pytest

from gateway.domain.order import TaskKind
from gateway.domain.states import OrderState, PaymentState, RefundReason, RefundState
from sandbox.wire import PayRefused
from tests.journeys import faulting
from tests.journeys.settled import assert_settled
from tests.journeys.world import World
from tests.support.databases import Database

METHOD = {**faulting.METHOD, "unionpay": "wap"}
"""Methods whose start can be repeated after a death in it; UnionPay tells its code once, but a form is made anew."""

POINTS_MAX = 56
_HOURS = 3600


def _other(provider: str) -> str:
    return next(name for name in METHOD if name != provider)


def _refunded_journey(world: World, provider: str) -> str:
    """Pay by the second of two ways, and take a part back."""
    order_id = world.open_order()
    other = _other(provider)
    first = world.start(order_id, other, METHOD[other])
    world.look(first)
    payment = world.start(order_id, provider, METHOD[provider])
    world.advance(2)
    world.pay(payment)
    world.advance(30)
    assert world.refund(order_id, 12_001).status == 202
    world.advance(8 * _HOURS)
    return order_id


def _surplus_journey(world: World, provider: str) -> str:
    """Pay by both ways at once."""
    order_id = world.open_order()
    both = [world.start(order_id, name, METHOD[name]) for name in (provider, _other(provider))]
    for payment in both:
        with suppress(PayRefused):  # while the second way was started again, the first was shut
            world.pay(payment)
    world.advance(8 * _HOURS)
    return order_id


def _assert_refunded(world: World, order_id: str) -> None:
    assert world.order(order_id).state is OrderState.PAID
    assert sorted([PaymentState.PAID, PaymentState.CLOSED]) == sorted(p.state for p in world.payments(order_id))
    assert [(RefundReason.ASKED, RefundState.SUCCEEDED, 12_001)] == [
        (refund.reason, refund.state, refund.amount_fen) for refund in world.refunds(order_id)
    ]


def _assert_one_sent_back(world: World, order_id: str) -> None:
    order = world.order(order_id)
    received = sum(len(simulator.books()["payments"]) for simulator in world.sandbox.simulators.values())
    assert received == 2 or world.fate.dies_at
    assert order.state is OrderState.PAID
    assert [(RefundReason.SURPLUS, RefundState.SUCCEEDED, order.amount_fen)] * (received - 1) == [
        (refund.reason, refund.state, refund.amount_fen) for refund in world.refunds(order_id)
    ]


JOURNEYS = {"refunded": (_refunded_journey, _assert_refunded), "surplus": (_surplus_journey, _assert_one_sent_back)}


@pytest.mark.parametrize("point", range(1, POINTS_MAX + 1))
@pytest.mark.parametrize("provider", METHOD)
@pytest.mark.parametrize("journey", JOURNEYS)
def test_journey_in_which_the_gateway_dies_once_ends_as_without(
    world: World, database: Database, journey: str, provider: str, point: int
) -> None:
    """The apps repeat what was not answered, the providers repeat their callbacks, leases run out."""
    walk, check = JOURNEYS[journey]
    world.fate.dies_at = point
    order_id = walk(world, provider)

    check(world, order_id)
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
@pytest.mark.parametrize("journey", JOURNEYS)
def test_every_point_of_a_journey_is_one_at_which_the_gateway_dies(world: World, journey: str, provider: str) -> None:
    """Otherwise POINTS_MAX is too small."""
    JOURNEYS[journey][0](world, provider)

    assert len(world.fate.points) <= POINTS_MAX


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("provider", METHOD)
@pytest.mark.parametrize("journey", JOURNEYS)
def test_journey_with_a_restart_after_every_step_ends_as_without(
    world: World, database: Database, journey: str, provider: str
) -> None:
    """Nothing that matters lives in the process."""
    world.watching = world.restart
    walk, check = JOURNEYS[journey]
    order_id = walk(world, provider)

    check(world, order_id)
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_tasks_of_a_dead_worker_are_done_when_their_leases_run_out(
    world: World, database: Database, provider: str
) -> None:
    """The callback is lost, and the worker that claimed the query dies with it."""
    world.sandbox.faults.add("callback_never", operation="payment_callback")
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    world.pay(payment)
    query = world.gateway.store.read().task(TaskKind.QUERY, payment["payment_id"])
    assert query is not None
    world.clock.advance((query.due_at - world.clock.now()).total_seconds())
    assert [payment["payment_id"]] == [task.subject_id for task in world.claim()]
    world.advance(119)
    assert world.order(order_id).state is OrderState.OPEN
    world.advance(1)

    assert world.order(order_id).state is OrderState.PAID
    world.advance(_HOURS)
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_callbacks_sent_while_the_gateway_is_down_are_taken_later(
    world: World, database: Database, provider: str
) -> None:
    """The provider repeats its callback by its own schedule until somebody answers."""
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    world.stop_gateway()
    world.pay(payment)
    world.advance(20)
    world.start_gateway()
    world.advance(_HOURS)

    assert world.order(order_id).state is OrderState.PAID
    assert [False, True] == sorted({delivery["accepted"] for delivery in world.deliveries(provider)})
    assert_settled(world, database)
