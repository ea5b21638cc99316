"""Things that happen at the same moment, or in the order that nobody expects."""

from collections.abc import Callable

import pytest

from gateway.domain.states import OrderState, PaymentState, RefundReason, RefundState
from sandbox.faults import Fault
from sandbox.wire import PayRefused
from tests.journeys.accounts import ORDER_TTL_SECONDS
from tests.journeys.faulting import CALLING, CLOSING, METHOD
from tests.journeys.network import Asked
from tests.journeys.settled import assert_settled
from tests.journeys.world import World
from tests.support.databases import Database

_HOUR = 3600
_DAY = 86_400
_OTHER = {
    "wechatpay": "alipay",
    "alipay": "unionpay",
    "unionpay": "wechatpay",
    "bank_ccb": "wechatpay",
    "bank_abchina": "wechatpay",
    "bank_icbc": "alipay",
}
_PAIRS = [(first, second) for first in METHOD for second in METHOD if first != second]
_PAY_SECONDS = {
    "wechatpay": ORDER_TTL_SECONDS,
    "alipay": ORDER_TTL_SECONDS,
    "unionpay": 900,
    "bank_ccb": 900,
    "bank_abchina": 900,
    "bank_icbc": 600,
}
"""How long a payment may be paid; elsewhere `pay_minutes` are shorter than an order's life."""

_CREATES = {
    "wechatpay": "/v3/pay/transactions/native",
    "alipay": "alipay.trade.precreate",
    "unionpay": "/backTransReq.do",
    "bank_ccb": "TXCODE=530550",
    "bank_abchina": '"TrxType":"PayReq"',
}
_CLOSES = {"wechatpay": "/close", "alipay": "alipay.trade.close"}
_QUERIES = {
    "wechatpay": "mchid=",
    "alipay": "alipay.trade.query",
    "unionpay": "/queryTrans.do",
    "bank_ccb": "/ebs",
    "bank_abchina": '"TrxType":"Query"',
    "bank_icbc": "/orderqry/",
}


def _surpluses(world: World, order_id: str) -> list[tuple[RefundReason, RefundState, int]]:
    return [(refund.reason, refund.state, refund.amount_fen) for refund in world.refunds(order_id)]


def _at(world: World, provider: str, names: dict[str, str], act: Callable[[], None], *, when: str) -> None:
    """Do something once, just before or just after the provider has taken a request of this name."""

    def watch(asked: Asked) -> None:
        if asked.provider == provider and names[provider] in f"{asked.target} {asked.body.decode(errors='replace')}":
            setattr(world.network, when, lambda _asked: None)
            act()

    setattr(world.network, when, watch)


@pytest.mark.parametrize("callback", ["callback_comes", "callback_never_comes"])
@pytest.mark.parametrize("provider", CLOSING)
def test_payment_during_close_pays_the_order(world: World, database: Database, provider: str, callback: str) -> None:
    """The payer stands at the password page while the order is closed under their feet."""
    if callback == "callback_never_comes":
        world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="payment_callback")
    world.sandbox.faults.add(Fault.PAY_DURING_CLOSE, provider=provider, times=1)
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    world.look(payment)
    assert world.close(order_id).status == 202
    world.advance(_DAY)

    assert world.order(order_id).state is OrderState.PAID
    assert world.payment(payment).kept
    assert not {"payment_closed", "order_closed"} & set(world.kinds(order_id))
    assert_settled(world, database)


@pytest.mark.parametrize("callback", ["callback_comes", "callback_never_comes"])
@pytest.mark.parametrize("seconds", [0, 1, 60, 899])
def test_unionpay_payment_while_the_order_is_closing_pays_it(
    world: World, database: Database, seconds: int, callback: str
) -> None:
    """Nobody can shut it there: until its time is over it can be paid, and that counts."""
    if callback == "callback_never_comes":
        world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="payment_callback")
    order_id = world.open_order()
    payment = world.start(order_id, "unionpay", "qr")
    world.look(payment)
    assert world.close(order_id).status == 202
    world.advance(seconds)
    assert world.order(order_id).state is OrderState.CLOSING
    world.pay(payment)
    world.advance(_DAY)

    assert world.order(order_id).state is OrderState.PAID
    assert world.payment(payment).kept
    assert not {"payment_closed", "order_closed"} & set(world.kinds(order_id))
    assert_settled(world, database)


def test_unionpay_order_is_closing_until_its_payment_is_proven_unpayable(world: World, database: Database) -> None:
    """The provider's word that it knows no such payment counts from the order's end and ten minutes on."""
    order_id = world.open_order()
    world.look(world.start(order_id, "unionpay", "qr"))
    assert world.close(order_id).status == 202
    world.advance(ORDER_TTL_SECONDS + 599)
    assert world.order(order_id).state is OrderState.CLOSING
    world.advance(_HOUR)

    assert world.order(order_id).state is OrderState.CLOSED
    assert_settled(world, database)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    ("provider", "names"),
    [(provider, _QUERIES) for provider in METHOD] + [(provider, _CLOSES) for provider in CLOSING],
    ids=[f"{provider}-query" for provider in METHOD] + [f"{provider}-close" for provider in CLOSING],
)
def test_payment_around_any_call_of_a_close_is_counted(
    world: World, database: Database, provider: str, names: dict[str, str], when: str
) -> None:
    """Before or after our query, before our close: the money counts. After the close nobody can pay."""
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    world.look(payment)
    paid = []

    def pay() -> None:
        try:
            world.sandbox.simulators[provider].pay(payment["out_trade_no"])
            world.sandbox.clock.advance(0)
            paid.append(payment)
        except PayRefused:
            pass

    _at(world, provider, names, pay, when=when)
    world.close(order_id)
    world.advance(_DAY)

    assert (names is _QUERIES or when == "before") == bool(paid)
    assert world.order(order_id).state is (OrderState.PAID if paid else OrderState.CLOSED)
    assert_settled(world, database)


@pytest.mark.parametrize("fault", ["", Fault.TIMEOUT_AFTER_COMMIT, Fault.HALF_JSON, Fault.ERROR_5XX_AFTER_COMMIT])
@pytest.mark.parametrize("provider", CALLING)
def test_callback_before_the_answer_to_create_pays_the_order(
    world: World, database: Database, provider: str, fault: str
) -> None:
    """The payer is faster than our own call, whose answer then comes late or never."""
    if fault:
        world.sandbox.faults.add(fault, provider=provider, operation="create", times=1)
    order_id = world.open_order()

    def pay() -> None:
        world.sandbox.simulators[provider].pay(world.payments(order_id)[0].out_trade_no)
        world.sandbox.clock.advance(0)

    _at(world, provider, _CREATES, pay, when="after")
    answer = world.try_start(order_id, provider, METHOD[provider])
    assert answer.status == 201
    assert (answer.body["state"], answer.body["instruction"]) == ("paid", None)
    world.advance(_DAY)

    assert world.order(order_id).state is OrderState.PAID
    assert len(world.payments(order_id)) == 1
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_payment_that_a_broken_query_hid_until_the_order_was_closed_is_kept(
    world: World, database: Database, provider: str
) -> None:
    """The provider denies the trade until its time to be paid is long over; then its callback comes."""
    world.sandbox.faults.add(Fault.CALLBACK_DELAYED, operation="payment_callback", seconds=3 * _HOUR)
    world.sandbox.faults.add(Fault.NOT_FOUND_THEN_PAID, operation="query", for_seconds=3 * _HOUR)
    world.sandbox.faults.add(Fault.TIMEOUT_BEFORE_COMMIT, operation="close")
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    world.pay(payment)
    world.advance(ORDER_TTL_SECONDS + _HOUR)
    assert world.order(order_id).state is OrderState.CLOSED
    world.advance(3 * _HOUR)

    assert world.order(order_id).state is OrderState.PAID
    assert world.payment(payment).kept
    assert world.refunds(order_id) == []
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_payment_that_queries_do_not_find_at_first_is_found_later(
    world: World, database: Database, provider: str
) -> None:
    """Not found is not failed: the next query sees it."""
    world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="payment_callback")
    world.sandbox.faults.add(Fault.NOT_FOUND_THEN_PAID, operation="query", times=3)
    order_id = world.open_order()
    world.pay(world.start(order_id, provider, METHOD[provider]))
    world.advance(_HOUR)

    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("last", [0, 1], ids=["first_way_paid_last", "second_way_paid_last"])
@pytest.mark.parametrize(
    "fault", ["", *sorted({Fault.CALLBACK_NEVER, Fault.CALLBACK_DELAYED, Fault.CALLBACK_DUPLICATE})]
)
@pytest.mark.parametrize("first", METHOD)
def test_two_ways_both_paid_keep_one_and_send_the_other_back(
    world: World, database: Database, first: str, fault: str, last: int
) -> None:
    """One is kept; the other goes back in full by itself, and the provider has really refunded it."""
    if fault:
        world.sandbox.faults.add(fault, operation="payment_callback")
    order_id = world.open_order()
    ways = [world.start(order_id, name, METHOD[name]) for name in (first, _OTHER[first])]
    for payment in (ways[1 - last], ways[last]):
        world.pay(payment)
    world.advance(2 * _DAY)

    order = world.order(order_id)
    assert order.state is OrderState.PAID
    assert [False, True] == sorted(payment.kept for payment in world.payments(order_id))
    assert [(RefundReason.SURPLUS, RefundState.SUCCEEDED, order.amount_fen)] == _surpluses(world, order_id)
    assert order.amount_refunded_fen == 0
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_two_attempts_with_one_provider_both_paid_keep_one(world: World, database: Database, provider: str) -> None:
    """The payer started twice with the same provider; each attempt has its own number there."""
    order_id = world.open_order()
    ways = [world.start(order_id, provider, METHOD[provider]) for _ in range(2)]
    for payment in ways:
        world.pay(payment)
    world.advance(_DAY)

    assert len({payment["out_trade_no"] for payment in ways}) == 2
    assert [(RefundReason.SURPLUS, RefundState.SUCCEEDED, 38001)] == _surpluses(world, order_id)
    assert_settled(world, database)


@pytest.mark.parametrize(("provider", "other"), _PAIRS, ids=["-to-".join(pair) for pair in _PAIRS])
def test_change_of_mind_leaves_the_first_way_closed(
    world: World, database: Database, provider: str, other: str
) -> None:
    """The way that was left behind is shut at its provider, where it can be, and else ends by its time."""
    order_id = world.open_order()
    first = world.start(order_id, provider, METHOD[provider])
    world.look(first)
    if provider not in CLOSING:
        world.advance(_PAY_SECONDS[provider] - 30)
    second = world.start(order_id, other, METHOD[other])
    world.advance(30)

    with pytest.raises(PayRefused):
        world.pay(first)
    world.pay(second)
    world.advance(_DAY)
    assert [PaymentState.CLOSED, PaymentState.PAID] == [world.payment(way).state for way in (first, second)]
    assert_settled(world, database)


@pytest.mark.parametrize("paid_first", [True, False], ids=["second_way_paid_first", "second_way_paid_last"])
@pytest.mark.parametrize("other", CLOSING)
def test_unionpay_way_left_behind_and_paid_nevertheless_is_sent_back_when_it_is_too_many(
    world: World, database: Database, other: str, paid_first: bool
) -> None:
    """Half a minute after the change of mind the first code is scanned: the later money goes back."""
    order_id = world.open_order()
    left = world.start(order_id, "unionpay", "qr")
    world.look(left)
    second = world.start(order_id, other, METHOD[other])
    world.advance(30)
    ways = [second, left] if paid_first else [left, second]
    world.pay(ways[0])
    world.sandbox.simulators[ways[1]["provider"]].pay(ways[1]["out_trade_no"])
    world.advance(2 * _DAY)

    assert [True, False] == [world.payment(way).kept for way in ways]
    assert [(RefundReason.SURPLUS, RefundState.SUCCEEDED, 38001)] == _surpluses(world, order_id)
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_code_scanned_twice_is_paid_once(world: World, database: Database, provider: str) -> None:
    """Two people scan one code: the provider takes the first one's money alone."""
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    world.look(payment)
    world.pay(payment)
    with pytest.raises(PayRefused):
        world.pay(payment)
    world.advance(_DAY)

    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_payment_in_the_last_second_counts(world: World, database: Database, provider: str) -> None:
    """One second before the end of its time the payer may pay, at its end nobody."""
    order_id, late_id = world.open_order(), world.open_order()
    payment, late = (world.start(one, provider, METHOD[provider]) for one in (order_id, late_id))
    world.look(payment)
    world.look(late)
    world.advance(_PAY_SECONDS[provider] - 1)
    world.pay(payment)
    world.clock.advance(1)
    with pytest.raises(PayRefused):
        world.pay(late)
    world.advance(_DAY)

    assert [OrderState.PAID, OrderState.CLOSED] == [world.order(one).state for one in (order_id, late_id)]
    assert_settled(world, database)
