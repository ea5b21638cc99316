"""One premium, one paid order: whatever two apps do at once."""

import pytest

from gateway.domain.states import OrderState, PaymentState, RefundReason, RefundState
from sandbox.faults import Fault
from tests.journeys.faulting import METHOD
from tests.journeys.settled import assert_settled
from tests.journeys.world import AMOUNT_FEN, World
from tests.support.databases import Database

_DAY = 86_400
_SUBJECT = {
    "region": "341200",
    "insured_year": 2026,
    "insurance_kind": "resident_medical",
    "insured": {"name": "测试参保人", "id_type": "other", "id_number": "TEST-NOT-A-PERSON-1"},
}
_PAIRS = [(first, second) for first in METHOD for second in METHOD]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("callbacks", ["callbacks_come", "callbacks_never_come"])
@pytest.mark.parametrize(("first", "second"), _PAIRS, ids=["-".join(pair) for pair in _PAIRS])
def test_two_apps_orders_for_one_premium_both_paid_keep_one(
    world: World, database: Database, first: str, second: str, callbacks: str
) -> None:
    """One order is paid; the other's money goes back in full, and it can't be paid any more."""
    if callbacks == "callbacks_never_come":
        world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="payment_callback")
    orders = [world.open_order(app=app, subject=_SUBJECT) for app in ("web", "counter")]
    payments = [
        world.start(order_id, provider, METHOD[provider], app=app)
        for order_id, provider, app in zip(orders, (first, second), ("web", "counter"), strict=True)
    ]
    for payment in payments:
        world.pay(payment)
    world.advance(2 * _DAY)

    assert {OrderState.PAID, OrderState.CLOSED} == {world.order(order_id).state for order_id in orders}
    assert [PaymentState.PAID] * 2 == [world.payment(payment).state for payment in payments]
    (sent_back,) = [order_id for order_id in orders if world.order(order_id).state is OrderState.CLOSED]
    assert [(RefundReason.SURPLUS, RefundState.SUCCEEDED, AMOUNT_FEN)] == [
        (refund.reason, refund.state, refund.amount_fen) for refund in world.refunds(sent_back)
    ]
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_slot_is_free_after_a_whole_refund_and_not_after_a_part(
    world: World, database: Database, provider: str
) -> None:
    """Who got everything back may pay the same premium again."""
    order_id = world.open_order(subject=_SUBJECT)
    world.pay(world.start(order_id, provider, METHOD[provider]))
    world.advance(20)
    world.refund(order_id, 12_001)
    world.advance(_DAY)
    again = {"client_order_no": "again-1", "amount_fen": AMOUNT_FEN, "description": "城乡居民医保", "subject": _SUBJECT}
    taken = world.call("POST", "/v1/orders", again, app="counter")
    assert (taken.status, taken.body["code"]) == (409, "premium_already_paid")
    world.refund(order_id)
    world.advance(_DAY)

    second = world.open_order(app="counter", subject=_SUBJECT)
    world.pay(world.start(second, provider, METHOD[provider], app="counter"))
    world.advance(_DAY)
    assert [OrderState.PAID] * 2 == [world.order(one).state for one in (order_id, second)]
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_other_order_of_a_paid_premium_is_shut_when_it_is_paid_nevertheless(
    world: World, database: Database, provider: str
) -> None:
    """An instruction given before the other order was paid still works at the provider; its money goes back."""
    orders = [world.open_order(app=app, subject=_SUBJECT) for app in ("web", "counter")]
    early = [
        world.start(order_id, provider, METHOD[provider], app=app)
        for order_id, app in zip(orders, ("web", "counter"), strict=True)
    ]
    world.pay(early[0])
    world.advance(30)
    refused = world.try_start(orders[1], provider, METHOD[provider], app="counter")
    assert (refused.status, refused.body["code"]) == (409, "premium_already_paid")
    world.pay(early[1])
    world.advance(_DAY)

    assert [OrderState.PAID, OrderState.CLOSED] == [world.order(order_id).state for order_id in orders]
    assert [RefundState.SUCCEEDED] == [refund.state for refund in world.refunds(orders[1])]
    assert_settled(world, database)
