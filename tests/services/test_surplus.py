"""Money that comes twice, late, or for a premium already paid: exactly one payment is kept, the rest goes back."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from gateway.domain.order import Order, Payment, TaskKind
from gateway.domain.provider import RawCallback, RequestRefused
from gateway.domain.states import OrderState, PaymentState, RefundReason, RefundState
from gateway.services.ask_provider import ask_payment
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, World, subject

ROUNDS = 20


def _paid_callback(world: World, payment: Payment) -> RawCallback:
    provider = world.fake(payment)
    provider.pay(payment.out_trade_no)
    return provider.callback(payment.out_trade_no)


def _at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Run the calls in as many threads, let go at the same moment."""
    barrier = Barrier(len(calls))

    def one(call: Callable[[], Any]) -> Any:
        barrier.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def test_second_channel_paid_too_goes_back_by_itself(world: World) -> None:
    """N8: the second success is committed as surplus, acknowledged, with refund, task and ledger in the same commit."""
    order = world.open()
    first, second = world.start(order), world.start(order, "beta")
    world.pay(first)
    accepted = world.pay(second)
    refund = world.refunds(order)[0]

    assert (accepted.outcome, accepted.acknowledgement.body) == ("applied", b"accepted")
    assert (world.payment(first.id).kept, world.payment(second.id).kept) == (True, False)
    assert world.payment(second.id).state is PaymentState.PAID
    assert (refund.reason, refund.state, refund.amount_fen, refund.payment_id) == (
        RefundReason.SURPLUS,
        RefundState.REQUESTED,
        AMOUNT_FEN,
        second.id,
    )
    assert world.task(TaskKind.REFUND, refund.id).due_at == world.clock.now()
    assert world.kinds(order)[-1] == "payment_surplus"
    assert_invariants(world.store)
    world.work()

    assert world.beta.numbers("refund") == [refund.out_refund_no]
    world.beta.refunds[refund.out_refund_no].state = "succeeded"
    world.deliver(second, world.beta.refund_callback(refund.out_refund_no))
    assert world.refund_row(refund.id).state is RefundState.SUCCEEDED
    assert world.order(order.id).amount_refunded_fen == 0
    assert world.order(order.id).state is OrderState.PAID
    assert_invariants(world.store)


def test_surplus_payment_paid_again_by_a_repeated_message_goes_back_once(world: World) -> None:
    """The refund is made by the transition, not by the message."""
    order = world.open()
    first, second = world.start(order), world.start(order, "beta")
    world.pay(first)
    for _ in range(3):
        world.pay(second)

    assert len(world.refunds(order)) == 1
    assert_invariants(world.store)


def test_kept_payment_shuts_its_open_sisters(world: World) -> None:
    """Less surplus: the other cashier is closed at once."""
    order = world.open()
    first, second = world.start(order), world.start(order, "beta")
    world.pay(second)
    world.work()

    assert world.payment(first.id).state is PaymentState.CLOSED
    assert world.alpha.numbers("close") == [first.out_trade_no]
    assert world.refunds(order) == []
    assert_invariants(world.store)


def test_two_channels_paid_at_the_same_moment_keep_exactly_one(world: World) -> None:
    """N8: both callbacks at once in two processes, many rounds: one kept, the other on its way back whole."""
    sisters = [World(world.store, seed=seed, sister=world) for seed in (2, 3)]
    for round_ in range(ROUNDS):
        order = world.open(f"C-{round_}")
        payments = [world.start(order), world.start(order, "beta")]
        raws = [_paid_callback(world, payment) for payment in payments]
        outcomes = _at_once(
            *(
                lambda sister=sister, payment=payment, raw=raw: sister.deliver(payment, raw)
                for sister, payment, raw in zip(sisters, payments, raws, strict=True)
            )
        )

        assert [one.outcome for one in outcomes] == ["applied", "applied"]
        assert sorted(world.payment(payment.id).kept for payment in payments) == [False, True]
        assert [refund.amount_fen for refund in world.refunds(order)] == [AMOUNT_FEN]
    assert_invariants(world.store)


def test_one_payment_told_paid_by_two_messages_at_the_same_moment_is_booked_once(
    world: World, database: Database
) -> None:
    """Two notices with different ids, and our own question, meet: one transition, one ledger entry, one chain."""
    sisters = [World(world.store, seed=seed, sister=world) for seed in (2, 3, 4)]
    for round_ in range(ROUNDS):
        order = world.open(f"C-{round_}")
        payment = world.start(order)
        raws = [_paid_callback(world, payment) for _ in range(2)]
        _at_once(
            lambda payment=payment, raws=raws: sisters[0].deliver(payment, raws[0]),
            lambda payment=payment, raws=raws: sisters[1].deliver(payment, raws[1]),
            lambda payment=payment: ask_payment(sisters[2].deps, payment, actor="worker"),
        )

    assert database.rows("SELECT count(*) FROM ledger_entries") == [(ROUNDS,)]
    assert_invariants(world.store)


def test_two_orders_of_one_premium_paid_at_the_same_moment_keep_exactly_one(world: World) -> None:
    """Son and daughter pay for the same grandmother in different apps: one order is paid, the other sends back."""
    sisters = [World(world.store, seed=seed, sister=world) for seed in (2, 3)]
    for round_ in range(ROUNDS):
        person = subject(f"3401001900010100{round_:02d}")
        orders = [
            world.open(f"C-{round_}", subject=person),
            world.open(f"C-{round_}", subject=person, app="village"),
        ]
        payments = [world.start(orders[0]), world.start(orders[1], "beta")]
        raws = [_paid_callback(world, payment) for payment in payments]
        outcomes = _at_once(
            *(
                lambda sister=sister, payment=payment, raw=raw: sister.deliver(payment, raw)
                for sister, payment, raw in zip(sisters, payments, raws, strict=True)
            )
        )

        assert [one.outcome for one in outcomes] == ["applied", "applied"]
        assert sorted(world.payment(payment.id).kept for payment in payments) == [False, True]
        states = sorted(world.order(order.id).state.value for order in orders)
        assert states == ["closing", "paid"]
    assert_invariants(world.store)
    world.work()
    assert {world.order(order.id).state for order in orders} == {OrderState.PAID, OrderState.CLOSED}
    assert_invariants(world.store)


def _closed_order(world: World, client_order_no: str = "C-1", **more: Any) -> tuple[Order, Payment]:
    order = world.open(client_order_no, **more)
    payment = world.start(order)
    world.close(order)
    world.work()
    assert world.order(order.id).state is OrderState.CLOSED
    return world.order(order.id), world.payment(payment.id)


def test_late_payment_of_a_closed_order_is_kept_when_nobody_paid_the_premium(world: World) -> None:
    """N2: database, events and ledger all say paid; the proof of payment outranks `closed`."""
    order, payment = _closed_order(world, subject=subject())
    accepted = world.pay(payment)

    assert accepted.outcome == "applied"
    assert world.order(order.id).state is OrderState.PAID
    assert world.payment(payment.id).kept
    assert world.store.read().slot_holder(order.slot) == order.id
    assert world.refunds(order) == []
    last = world.store.read().events_page(order.id, after=0, limit=99)[-1]
    assert (last.kind, '"late":true' in last.detail) == ("order_paid", True)
    assert_invariants(world.store)


def test_late_payment_of_a_closed_order_goes_back_when_the_premium_is_paid(world: World) -> None:
    """N2: refunded as `late`, and the order stays closed."""
    order, payment = _closed_order(world, subject=subject())
    world.paid("C-2", subject=subject())
    world.pay(payment)

    assert world.order(order.id).state is OrderState.CLOSED
    assert [(refund.reason, refund.amount_fen) for refund in world.refunds(order)] == [(RefundReason.LATE, AMOUNT_FEN)]
    assert world.payment(payment.id).state is PaymentState.PAID
    assert_invariants(world.store)


@pytest.mark.parametrize("by", ["app", "expiry"])
def test_order_that_waits_for_its_last_payment_closes_when_that_is_sent_back(world: World, by: str) -> None:
    """Closing, its last payment turns out paid, the premium is another's: nothing is left to wait for."""
    order, rival = world.open("C-1", subject=subject()), world.open("C-2", subject=subject())
    payment = world.start(order)
    world.pay(world.start(rival, "beta"))
    world.alpha.pay(payment.out_trade_no)
    if by == "app":
        world.close(order)
    else:
        world.clock.advance(seconds=7200)
    world.work()

    assert world.payment(payment.id).state is PaymentState.PAID
    assert world.refunds(order)[0].reason is RefundReason.SURPLUS
    assert world.order(order.id).state is OrderState.CLOSED
    assert_invariants(world.store)


def test_payment_after_a_whole_refund_goes_back_too(world: World) -> None:
    """An order keeps one payment in its life."""
    order = world.open()
    first, second = world.start(order), world.start(order, "beta")
    world.pay(first)
    refund = world.refund(world.order(order.id))
    world.work()
    world.alpha.refunds[refund.out_refund_no].state = "succeeded"
    world.deliver(first, world.alpha.refund_callback(refund.out_refund_no))
    world.beta.trades[second.out_trade_no].state = "pending"
    world.pay(second)

    assert [r.reason for r in world.refunds(order)] == [RefundReason.ASKED, RefundReason.SURPLUS]
    assert_invariants(world.store)


def test_premium_paid_and_wholly_refunded_by_one_message_is_free(world: World) -> None:
    """The first we hear of a payment may be its refund in the provider's console."""
    world.alpha.tells_total = True
    order = world.open(subject=subject())
    payment = world.start(order)
    world.alpha.pay(payment.out_trade_no)
    world.deliver(payment, world.alpha.callback(payment.out_trade_no, refunded_total_fen=AMOUNT_FEN))

    assert world.order(order.id).amount_refunded_fen == AMOUNT_FEN
    assert world.store.read().slot_holder(order.slot) is None
    assert world.open("C-2", subject=subject()).state is OrderState.OPEN
    assert_invariants(world.store)


def test_refund_we_owe_goes_out_again_under_a_new_number_when_it_has_failed(world: World) -> None:
    """The provider refuses three for good; the next one is written in the same commit, and due later each time."""
    order = world.open()
    first, second = world.start(order), world.start(order, "beta")
    world.pay(first)
    world.pay(second)
    waits = []
    for _ in range(3):
        world.beta.script("refund", RequestRefused("refused", code="USER_ACCOUNT_CLOSED"))
        world.work()
        assert_invariants(world.store)
        due_at = world.task(TaskKind.REFUND, world.refunds(order)[-1].id).due_at
        waits.append((due_at - world.clock.now()).total_seconds())
        world.clock.advance(seconds=waits[-1])
    world.work()
    refunds = world.refunds(order)

    assert [RefundState.FAILED] * 3 + [RefundState.SUBMITTED] == [refund.state for refund in refunds]
    assert [600.0, 3600.0, 21600.0] == waits
    assert len({refund.out_refund_no for refund in refunds}) == 4
    assert {RefundReason.SURPLUS} == {refund.reason for refund in refunds}
    assert world.kinds(order).count("refund_issued_again") == 3


def test_refund_that_was_asked_for_is_not_issued_again_when_it_has_failed(world: World) -> None:
    """The app hears of it and decides."""
    order, _ = world.paid()
    refund = world.refund(order)
    world.alpha.script("refund", RequestRefused("refused", code="USER_ACCOUNT_CLOSED"))
    world.work()

    assert [(refund.id, RefundState.FAILED)] == [(one.id, one.state) for one in world.refunds(order)]
    assert_invariants(world.store)
