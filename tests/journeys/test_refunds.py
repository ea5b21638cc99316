"""Refunds to their end: whole, in parts, lost on the way, refused, made elsewhere; never more than came."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from adapters.unionpay.adapter import UnionpayProvider
from gateway.domain.provider import RefundRequest
from gateway.domain.states import NotificationState, OrderState, RefundReason, RefundState
from gateway.store.tables import NOTIFICATIONS
from sandbox.faults import Fault
from tests.journeys.accounts import ACCOUNT
from tests.journeys.faulting import METHOD, REFUSING_REFUNDS, TELLING_REFUNDS, Case, callback_cases, request_cases
from tests.journeys.settled import assert_settled, rows
from tests.journeys.world import AMOUNT_FEN, World
from tests.support.databases import Database

_HOUR = 3600
_DAY = 86_400
_NOTIFY = {
    "wechatpay": "https://pay.example.test/callbacks/wechatpay/wx",
    "alipay": "",
    "unionpay": "https://pay.example.test/callbacks/unionpay/up",
}


def _paid(world: World, provider: str, **order: Any) -> tuple[str, Mapping[str, Any]]:
    order_id = world.open_order(**order)
    payment = world.start(order_id, provider, METHOD[provider])
    world.pay(payment)
    world.advance(20)
    if world.order(order_id).state is OrderState.OPEN:  # a callback held back; UnionPay is asked in five minutes
        world.advance(300)
    assert world.order(order_id).state is OrderState.PAID
    return order_id, payment


def _refunds(world: World, order_id: str) -> list[tuple[RefundReason, RefundState, int]]:
    return [(refund.reason, refund.state, refund.amount_fen) for refund in world.refunds(order_id)]


def _assert_refunded(world: World, database: Database, order_id: str, *amounts_fen: int) -> None:
    """Asked by the app, each amount once, both sides' books the same."""
    assert sorted((RefundReason.ASKED, RefundState.SUCCEEDED, amount) for amount in amounts_fen) == sorted(
        _refunds(world, order_id)
    )
    assert world.order(order_id).amount_refunded_fen == sum(amounts_fen)
    assert_settled(world, database)


def _trade_no(world: World, payment: Mapping[str, Any]) -> str:
    """The provider's number, which its console shows."""
    entries = world.sandbox.simulators[payment["provider"]].books()["payments"]
    return next(str(e["provider_trade_no"]) for e in entries if e["out_trade_no"] == payment["out_trade_no"])


def _console_refund(
    world: World, payment: Mapping[str, Any], no: str, amount_fen: int, trade_no: str = ""
) -> RefundRequest:
    return RefundRequest(
        out_refund_no=no,
        out_trade_no=payment["out_trade_no"],
        amount_fen=amount_fen,
        total_fen=payment["amount_fen"],
        reason="控制台退款",
        method=payment["method"],
        requested_at=world.clock.now(),
        notify_url=_NOTIFY[payment["provider"]],
        provider_trade_no=trade_no or _trade_no(world, payment),
    )


def _in_the_console(world: World, payment: Mapping[str, Any], no: str, amount_fen: int, trade_no: str = "") -> None:
    """
    Somebody refunds in the provider's own console: the gateway hears of it by the callback alone.

    Of UnionPay's it can tell only those that name our payment in `reqReserved`, as its other systems may.
    """
    provider = world.gateway.providers[ACCOUNT[payment["provider"]]]
    provider.refund(_console_refund(world, payment, no, amount_fen, trade_no))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
@pytest.mark.parametrize("amounts_fen", [(AMOUNT_FEN,), (1,), (12_001, 26_000), (1, 38_000)], ids=str)
@pytest.mark.parametrize("provider", METHOD)
def test_refunds_reach_their_end(world: World, database: Database, provider: str, amounts_fen: tuple[int, ...]) -> None:
    """Whole, part, and two parts at once, which WeChat wants a minute apart."""
    order_id, _ = _paid(world, provider)
    for amount_fen in amounts_fen:
        assert world.refund(order_id, amount_fen).status == 202
    world.advance(_DAY)

    _assert_refunded(world, database, order_id, *amounts_fen)


@pytest.mark.parametrize("mode", ["partner-public_key", "partner-certificate"])
def test_refund_of_a_partners_payment_reaches_its_end(
    make_world: Callable[..., World], database: Database, mode: str
) -> None:
    """The sub merchant's money, by the service provider's call."""
    world = make_world(wechatpay=mode)
    order_id, _ = _paid(world, "wechatpay")
    world.refund(order_id, 12_001)
    world.advance(_DAY)

    _assert_refunded(world, database, order_id, 12_001)


@pytest.mark.parametrize("provider", METHOD)
def test_refund_above_what_is_left_is_turned_down(world: World, database: Database, provider: str) -> None:
    """What is under way counts as gone."""
    order_id, _ = _paid(world, provider)
    world.refund(order_id, 38_000)
    answer = world.refund(order_id, 2)
    world.advance(_DAY)

    assert (answer.status, answer.body["code"]) == (409, "refund_exceeds_payment")
    _assert_refunded(world, database, order_id, 38_000)


@pytest.mark.parametrize("lost", ["callback_comes", "callback_never_comes"])
@pytest.mark.parametrize("case", request_cases("refund", "refund_query"), ids=str)
def test_refund_is_made_once_when_its_calls_meet_a_fault(
    world: World, database: Database, case: Case, lost: str
) -> None:
    """Before or after the provider took it: the same number again, the money back once."""
    world.watch_invariants()
    if lost == "callback_never_comes":
        world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="refund_callback")
    order_id, _ = _paid(world, case.provider)
    world.network.loss = case.loss
    world.sandbox.faults.add(case.fault, **case.rule)
    world.refund(order_id, 12_001)
    world.advance(2 * _DAY)

    _assert_refunded(world, database, order_id, 12_001)


@pytest.mark.parametrize("case", callback_cases("refund_callback"), ids=str)
def test_refund_is_made_once_when_its_callbacks_meet_a_fault(world: World, database: Database, case: Case) -> None:
    """Two refunds, so that there is something to be reordered."""
    order_id, _ = _paid(world, case.provider)
    world.sandbox.faults.add(case.fault, **case.rule)
    world.refund(order_id, 12_001)
    world.advance(90)
    world.refund(order_id, 1)
    world.advance(2 * _DAY)

    spoilt = [delivery for delivery in world.deliveries(case.provider) if delivery["fault"] == case.fault.value]
    different = {delivery["notice_id"] for delivery in spoilt} if case.fault is Fault.CALLBACK_AMOUNT_DIFFERS else ()
    assert sorted([12_001, 1]) == sorted(amount for _, _, amount in _refunds(world, order_id))
    assert world.order(order_id).amount_refunded_fen == 12_002
    assert_settled(world, database, quarantined=len(different))


@pytest.mark.parametrize("operation", ["payment_callback", "refund_callback"])
@pytest.mark.parametrize("provider", TELLING_REFUNDS)
def test_refund_callback_before_the_payment_callback_is_understood(
    world: World, database: Database, provider: str, operation: str
) -> None:
    """The notice of payment is held back until the refund's was delivered; nothing goes backwards."""
    world.sandbox.faults.add(Fault.CALLBACK_REORDERED, provider=provider, operation=operation)
    order_id, _ = _paid(world, provider)
    world.refund(order_id)
    world.advance(_DAY)

    _assert_refunded(world, database, order_id, AMOUNT_FEN)


@pytest.mark.parametrize("provider", TELLING_REFUNDS)
def test_console_refund_of_a_payment_that_we_do_not_know_to_be_paid_is_counted(
    world: World, database: Database, provider: str
) -> None:
    """Paid and sent back at the provider before any of our looks: its refund notice proves both."""
    world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="payment_callback")
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    world.pay(payment)
    _in_the_console(world, payment, "console1", AMOUNT_FEN)
    world.advance(_DAY)

    assert world.order(order_id).state is OrderState.PAID
    assert [(RefundReason.OUTSIDE, RefundState.SUCCEEDED, AMOUNT_FEN)] == _refunds(world, order_id)
    assert_settled(world, database)


@pytest.mark.parametrize("amount_fen", [1, 12_001, AMOUNT_FEN])
@pytest.mark.parametrize("provider", TELLING_REFUNDS)
def test_refund_in_the_providers_console_is_learnt_and_booked(
    world: World, database: Database, provider: str, amount_fen: int
) -> None:
    """It was not ours, its money is gone nevertheless, and what is left can be refunded here."""
    order_id, payment = _paid(world, provider)
    _in_the_console(world, payment, "console1", amount_fen)
    world.advance(100)
    assert [(RefundReason.OUTSIDE, RefundState.SUCCEEDED, amount_fen)] == _refunds(world, order_id)
    rest = world.refund(order_id)
    world.advance(_DAY)

    assert rest.status == (409 if amount_fen == AMOUNT_FEN else 202)
    assert world.order(order_id).amount_refunded_fen == AMOUNT_FEN
    assert_settled(world, database)


def test_unionpay_undo_by_an_operator_is_learnt_and_booked(world: World, database: Database) -> None:
    """消费撤销 is a notify of its own kind (31), and the whole payment is back."""
    order_id, payment = _paid(world, "unionpay")
    stored = world.payment(payment)
    provider = world.gateway.providers["up"]
    assert isinstance(provider, UnionpayProvider)
    assert stored.paid_at is not None
    provider.undo(_console_refund(world, payment, "undo0001", AMOUNT_FEN), paid_at=stored.paid_at)
    world.advance(_DAY)

    assert [(RefundReason.OUTSIDE, RefundState.SUCCEEDED, AMOUNT_FEN)] == _refunds(world, order_id)
    assert (world.refund(order_id).status, world.order(order_id).amount_refunded_fen) == (409, AMOUNT_FEN)
    assert_settled(world, database)


def test_unionpay_console_refund_that_names_no_payment_of_ours_is_an_orphan(world: World, database: Database) -> None:
    """Without our `reqReserved` it is kept, asked for again, and left to the statement; the order does not move."""
    order_id, payment = _paid(world, "unionpay")
    before = world.order(order_id), world.payment(payment)
    _in_the_console(world, {**payment, "out_trade_no": ""}, "console1", 5_000, trade_no=_trade_no(world, payment))
    world.advance(_HOUR)

    notices = [notice for notice in world.deliveries("unionpay") if notice["kind"] == "refund_callback"]
    assert [503] * 5 == [notice["answered"] for notice in notices]
    assert [NotificationState.ORPHAN] == [
        row["state"] for row in rows(database, NOTIFICATIONS) if row["event"] == "txnType 04"
    ]
    assert before == (world.order(order_id), world.payment(payment))


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours_first", "console_first"])
@pytest.mark.parametrize("provider", TELLING_REFUNDS)
def test_console_refund_beside_one_of_ours_is_counted_once(
    world: World, database: Database, provider: str, ours_first: bool
) -> None:
    """The console refunds a part while a part of ours is on its way."""
    order_id, payment = _paid(world, provider)
    if ours_first:
        world.refund(order_id, 12_001)
        world.advance(1)
        world.clock.advance(70)
        _in_the_console(world, payment, "console1", 5_000)
    else:
        _in_the_console(world, payment, "console1", 5_000)
        world.refund(order_id, 12_001)
    world.advance(_DAY)

    assert {(RefundReason.ASKED, 12_001), (RefundReason.OUTSIDE, 5_000)} == {
        (reason, amount) for reason, _, amount in _refunds(world, order_id)
    }
    assert world.order(order_id).amount_refunded_fen == 17_001
    assert_settled(world, database)


@pytest.mark.parametrize("provider", TELLING_REFUNDS)
def test_refund_that_the_console_made_superfluous_is_refused_and_fails(
    world: World, database: Database, provider: str
) -> None:
    """The console gives the whole back unseen; ours is refused, and that is asked about before it is believed."""
    world.sandbox.faults.add(Fault.CALLBACK_DELAYED, operation="refund_callback", seconds=2 * _HOUR)
    order_id, payment = _paid(world, provider)
    _in_the_console(world, payment, "console1", AMOUNT_FEN)
    world.advance(70)
    world.refund(order_id, 12_001)
    world.advance(_DAY)

    assert {
        (RefundReason.ASKED, RefundState.FAILED, 12_001),
        (RefundReason.OUTSIDE, RefundState.SUCCEEDED, AMOUNT_FEN),
    } == set(_refunds(world, order_id))
    assert_settled(world, database)


@pytest.mark.parametrize("provider", REFUSING_REFUNDS)
def test_refund_after_the_providers_window_fails(world: World, database: Database, provider: str) -> None:
    """A year and a day later the provider refuses for good."""
    order_id, _ = _paid(world, provider)
    world.advance(timedelta(days=366).total_seconds())
    world.refund(order_id, 12_001)
    world.advance(2 * _DAY)

    assert [(RefundReason.ASKED, RefundState.FAILED, 12_001)] == _refunds(world, order_id)
    assert world.order(order_id).amount_refunded_fen == 0
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_same_refund_asked_twice_is_one_refund(world: World, database: Database, provider: str) -> None:
    """The app's own number holds for ever, whatever the idempotency key."""
    order_id, _ = _paid(world, provider)
    answers = [world.refund(order_id, 12_001, no="R-1") for _ in range(2)]
    world.advance(_DAY)

    assert len({answer.body["refund_id"] for answer in answers}) == 1
    _assert_refunded(world, database, order_id, 12_001)
