"""Closing an order: only proof closes it."""

import json
from typing import Any

import pytest

from gateway.domain.order import TaskKind
from gateway.domain.provider import NoVerdict, OperationUnsupported
from gateway.domain.report import ReportedState, Source
from gateway.domain.states import OrderState, PaymentState
from tests.support.invariants import assert_invariants
from tests.support.world import World


def test_order_without_payments_closes_at_once(world: World) -> None:
    """Nobody can pay it; it will not expire either."""
    order = world.open()
    reply = world.close(order)

    assert json.loads(reply.body)["state"] == "closed"
    assert world.task(TaskKind.CLOSE_ORDER, order.id).state == "done"
    assert_invariants(world.store)


def test_order_with_an_open_payment_is_closing_until_the_provider_has_closed_it(world: World) -> None:
    """N1: asked, closed there, asked again; the second answer is the evidence."""
    order = world.open()
    payment = world.start(order)
    assert json.loads(world.close(order).body)["state"] == "closing"
    assert world.payment(payment.id).state is PaymentState.PENDING
    assert_invariants(world.store)
    world.work()

    assert world.order(order.id).state is OrderState.CLOSED
    closed = world.payment(payment.id)
    assert (closed.state, world.store.read().notification(closed.evidence_id).event) == (PaymentState.CLOSED, "query")
    assert [call for call, _ in world.alpha.calls] == ["create", "query", "close", "query"]
    assert_invariants(world.store)


def test_order_with_a_payment_that_will_not_close_stays_closing(world: World) -> None:
    """N1: never by our clock alone: as long as the provider says pending, the order is not closed."""
    order = world.open()
    payment = world.start(order)
    world.alpha.always("close", lambda _ref: world.alpha._answer(payment.out_trade_no, Source.ANSWER))
    world.close(order)
    for _ in range(30):
        world.clock.advance(hours=12)
        world.work()

    assert world.order(order.id).state is OrderState.CLOSING
    assert_invariants(world.store)
    world.alpha.always("close", None)
    world.clock.advance(hours=1)
    world.work()
    assert world.order(order.id).state is OrderState.CLOSED
    assert_invariants(world.store)


def test_order_whose_payment_was_paid_while_closing_is_paid(world: World) -> None:
    """Asking first finds the money; nothing is closed."""
    order = world.open()
    payment = world.start(order)
    world.close(order)
    world.alpha.pay(payment.out_trade_no)
    world.work()

    assert world.order(order.id).state is OrderState.PAID
    assert world.alpha.count("close") == 0
    assert world.task(TaskKind.CLOSE_ORDER, order.id).state == "done"
    assert_invariants(world.store)


def test_order_paid_in_the_moment_of_closing_is_paid(world: World) -> None:
    """The provider refuses to close what was just paid: the second question tells."""
    order = world.open()
    payment = world.start(order)

    def too_late(_ref: Any) -> None:
        world.alpha.pay(payment.out_trade_no)

    world.alpha.script("close", too_late)
    world.close(order)
    world.work()

    assert world.order(order.id).state is OrderState.PAID
    assert_invariants(world.store)


@pytest.mark.parametrize("error", [NoVerdict("time-out"), OperationUnsupported("never")], ids=["silent", "unsupported"])
def test_order_whose_provider_cannot_close_waits_for_the_end_of_the_payment(world: World, error: Exception) -> None:
    """Without an answer, or without that operation, a query settles it in the end."""
    order = world.open()
    payment = world.start(order)
    world.alpha.always("close", error)
    world.close(order)
    world.work()
    assert world.order(order.id).state is OrderState.CLOSING
    world.alpha.trades[payment.out_trade_no].state = ReportedState.CLOSED
    world.clock.advance(seconds=30)
    world.work()

    assert world.order(order.id).state is OrderState.CLOSED
    assert_invariants(world.store)


def test_order_that_expires_closes_by_the_same_rule(world: World) -> None:
    """At its last moment, not before; by proof, not by the clock."""
    order = world.open()
    payment = world.start(order)
    world.clock.advance(seconds=7199)
    world.work()
    assert world.order(order.id).state is OrderState.OPEN
    world.clock.advance(seconds=1)
    world.work()

    assert world.payment(payment.id).state is PaymentState.CLOSED
    assert world.order(order.id).state is OrderState.CLOSED
    assert_invariants(world.store)


def test_order_closes_when_the_last_of_its_payments_is_proven_dead(world: World) -> None:
    """One after the other."""
    order = world.open()
    first, second = world.start(order), world.start(order, "beta")
    world.close(order)
    world.deliver(first, world.alpha.callback(first.out_trade_no, state="closed"))
    assert world.order(order.id).state is OrderState.CLOSING
    world.deliver(second, world.beta.callback(second.out_trade_no, state="failed"))

    assert world.order(order.id).state is OrderState.CLOSED
    assert_invariants(world.store)


def test_payment_unknown_to_the_provider_keeps_the_order_closing_until_the_grace_is_over(world: World) -> None:
    """The payer may hold a code that the provider will only know when it is scanned."""
    order = world.open()
    payment = world.start(order)
    del world.alpha.trades[payment.out_trade_no]
    world.close(order)
    world.work()
    assert world.order(order.id).state is OrderState.CLOSING
    assert [call for call, _ in world.alpha.calls] == ["create", "query"]  # there is nothing yet to close
    world.clock.advance(seconds=7200 + 600)
    world.work()

    assert world.order(order.id).state is OrderState.CLOSED
    assert_invariants(world.store)


def test_order_that_is_paid_cannot_be_closed(world: World) -> None:
    """The answer tells its state, and is stored."""
    order, _ = world.paid()
    reply = world.close(order)

    assert json.loads(reply.body) == {"code": "order_already_paid", "order_state": "paid"}


def test_order_closed_twice_is_closed_once(world: World) -> None:
    """Another key, the same outcome, no second event."""
    order = world.open()
    world.close(order)
    world.close(order)

    assert world.kinds(order) == ["order_opened", "order_closed"]
    assert json.loads(world.start_reply(order).body)["code"] == "order_closed"
