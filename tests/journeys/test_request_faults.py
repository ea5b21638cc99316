"""Whatever single fault meets our own requests: who pays is charged once and has paid, who does not is not."""

import pytest

from gateway.domain.states import OrderState, PaymentState
from sandbox.faults import AFTER_COMMIT, Fault
from tests.journeys.accounts import ORDER_TTL_SECONDS
from tests.journeys.faulting import LASTINGS, METHOD, PAGE_METHOD, Case, request_cases
from tests.journeys.settled import assert_settled
from tests.journeys.world import Json, World
from tests.support.databases import Database

_HOURS = 3600
_OTHER = {
    "wechatpay": "alipay",
    "alipay": "unionpay",
    "unionpay": "wechatpay",
    "bank_ccb": "wechatpay",
    "bank_abchina": "wechatpay",
    "bank_icbc": "alipay",
}
_TRIES_MAX = 6


def _switch_on(world: World, case: Case) -> None:
    world.watch_invariants()
    world.network.loss = case.loss
    world.sandbox.faults.add(case.fault, **case.rule)


def _start_anew(world: World, order_id: str, provider: str) -> Json:
    """
    The front end asks for another payment each time.

    UnionPay tells the tn and the code once: the same order again is a duplicate (12), and whoever lost the answer needs
    a payment of another number.
    """
    for _ in range(_TRIES_MAX):
        answer = world.try_start(order_id, provider, METHOD[provider])
        if answer.body.get("instruction"):
            payment: Json = answer.body
            return payment
        world.advance(5)
    raise AssertionError("no instruction")


def _one_payment_paid(world: World, order_id: str) -> None:
    assert world.order(order_id).state is OrderState.PAID
    assert [PaymentState.PAID] == [
        payment.state for payment in world.payments(order_id) if payment.state is not PaymentState.CLOSED
    ]
    assert world.refunds(order_id) == []
    books = [world.sandbox.simulators[provider].books() for provider in METHOD]
    assert sum(len(book["payments"]) for book in books) == 1
    assert sum(len(book["refunds"]) for book in books) == 0


def _never_paid(world: World, order_id: str) -> None:
    assert world.order(order_id).state is OrderState.CLOSED
    assert {PaymentState.CLOSED} == {payment.state for payment in world.payments(order_id)}
    assert "payment_paid" not in world.kinds(order_id)
    assert "order_closed" == world.kinds(order_id)[-1]


@pytest.mark.parametrize("case", request_cases("create", lastings=tuple(LASTINGS)), ids=str)
def test_order_is_paid_once_when_create_meets_a_fault(world: World, database: Database, case: Case) -> None:
    """The front end repeats its request until it has an instruction, and the payer pays with that."""
    _switch_on(world, case)
    order_id = world.open_order()
    if case.lasting == "half_an_hour":  # longer than an order lives: the payer turns to the other provider
        world.try_start(order_id, case.provider, METHOD[case.provider])
        other = _OTHER[case.provider]
        payment = world.start(order_id, other, METHOD[other])
    elif case.provider == "unionpay" and case.fault in AFTER_COMMIT:
        payment = _start_anew(world, order_id, case.provider)
    else:
        payment = world.start(order_id, case.provider, METHOD[case.provider])
    world.pay(payment)
    world.advance(2 * _HOURS)

    _one_payment_paid(world, order_id)
    assert_settled(world, database)


@pytest.mark.parametrize("case", request_cases("create", lastings=tuple(LASTINGS)), ids=str)
def test_order_is_closed_with_proof_when_create_met_a_fault_and_nobody_pays(
    world: World, database: Database, case: Case
) -> None:
    """The front end gives up after its first request."""
    _switch_on(world, case)
    order_id = world.open_order()
    world.try_start(order_id, case.provider, METHOD[case.provider])
    world.advance(ORDER_TTL_SECONDS + 2 * _HOURS)

    _never_paid(world, order_id)
    assert_settled(world, database)


@pytest.mark.parametrize("case", request_cases("query", lastings=("four_times", "half_an_hour")), ids=str)
@pytest.mark.parametrize("callback", ["callback_comes", "callback_never_comes"])
def test_order_is_paid_once_when_queries_meet_a_fault(
    world: World, database: Database, case: Case, callback: str
) -> None:
    """With the callback lost as well, the queries alone must find the money."""
    world.watch_invariants()
    _switch_on(world, case)
    if callback == "callback_never_comes":
        world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="payment_callback")
    order_id = world.open_order()
    payment = world.start(order_id, case.provider, METHOD[case.provider])
    world.advance(25)
    world.pay(payment)
    world.advance(ORDER_TTL_SECONDS + 3 * _HOURS)

    _one_payment_paid(world, order_id)
    assert_settled(world, database)


@pytest.mark.parametrize("arrival", ["looked_at", "never_seen"])
@pytest.mark.parametrize("case", request_cases("query", "close"), ids=str)
def test_order_is_closed_with_proof_when_closing_meets_a_fault(
    world: World, database: Database, case: Case, arrival: str
) -> None:
    """The payer looks at the cashier or not even that, and never pays; the app asks for the order's end."""
    order_id = world.open_order()
    payment = world.start(order_id, case.provider, METHOD[case.provider])
    if arrival == "looked_at":
        world.look(payment)
    world.network.loss = case.loss
    world.sandbox.faults.add(case.fault, **case.rule)
    assert world.close(order_id).status == 202
    world.advance(ORDER_TTL_SECONDS + 3 * _HOURS)

    _never_paid(world, order_id)
    assert_settled(world, database)


@pytest.mark.parametrize("case", request_cases("close"), ids=str)
def test_change_of_mind_is_paid_once_when_closing_the_first_way_meets_a_fault(
    world: World, database: Database, case: Case
) -> None:
    """The payer gave up the first way and pays by the second while the first is being shut."""
    order_id = world.open_order()
    first = world.start(order_id, case.provider, METHOD[case.provider])
    world.look(first)
    _switch_on(world, case)
    other = _OTHER[case.provider]
    second = world.start(order_id, other, METHOD[other])
    world.advance(11)
    world.pay(second)
    world.advance(ORDER_TTL_SECONDS + 3 * _HOURS)

    _one_payment_paid(world, order_id)
    assert world.payment(first).state is PaymentState.CLOSED
    assert_settled(world, database)


@pytest.mark.parametrize(
    "case",
    request_cases("page", lastings=("once", "four_times")),
    ids=str,
)
def test_page_order_is_paid_once_when_the_payers_browser_meets_a_fault(
    world: World, database: Database, case: Case
) -> None:
    """
    The browser gets an error page or nothing, and the payer opens the same address again.

    UnionPay takes a form once (12), so that there the front end asks for another payment.
    """
    _switch_on(world, case)
    order_id = world.open_order()
    payment = world.start(order_id, case.provider, PAGE_METHOD[case.provider])
    for _ in range(6):
        try:
            world.pay(payment)
            break
        except AssertionError:
            world.advance(5)
            if case.provider == "unionpay":
                payment = world.start(order_id, case.provider, "wap")
    world.advance(2 * _HOURS)

    _one_payment_paid(world, order_id)
    assert_settled(world, database)
