"""What a report leaves on record beside the payment's state: messages, tasks, and the words of the history."""

import json
from typing import Any

import pytest

from gateway.domain.clock import CHINA
from gateway.domain.order import Order, Payment, TaskKind
from gateway.domain.report import RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.states import NotificationState, OrderState, RefundReason
from gateway.services.record_report import Message
from tests.support.clock import START
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, World, subject

ABOUT_A_REFUND = RefundReport(out_refund_no="console-7", state=ReportedRefundState.SUCCEEDED, amount_fen=100)


def test_message_shows_neither_its_body_nor_its_headers() -> None:
    """They carry names and openids."""
    message = Message(
        id="ntf_1",
        account="alpha_main",
        source=Source.CALLBACK,
        dedup_key="k",
        event="notice",
        received_at=START.astimezone(CHINA),
        body=b"canary",
        headers={"x-payer": "canary"},
    )

    assert "canary" not in repr(message)
    assert "alpha_main" in repr(message)


def _ahead(world: World, payment: Payment) -> Any:
    """A notice of a refund for a payment that is not proven yet; it does not say the payment's sum."""
    world.alpha.pay(payment.out_trade_no)
    return world.alpha.callback(payment.out_trade_no, refund=ABOUT_A_REFUND, amount_fen=None)


def test_message_ahead_of_its_payment_is_kept_once_and_asked_for_again(world: World, database: Database) -> None:
    """It is stored as what it is; a second delivery finds it stored and changes nothing."""
    order = world.open()
    payment = world.start(order)
    raw = _ahead(world, payment)
    first = world.deliver(payment, raw)
    sql = "SELECT state, reason, payment_id, updated_at FROM notifications WHERE source = 'callback'"
    stored = database.rows(sql)
    world.clock.advance(seconds=60)
    again = world.deliver(payment, raw)

    assert ("orphan", "payment_not_proven") == (first.outcome, first.reason) == (again.outcome, again.reason)
    assert [(NotificationState.ORPHAN.value, "payment_not_proven", payment.id)] == [row[:3] for row in stored]
    assert stored == database.rows(sql)
    assert [] == world.refunds(order)


def _closing(world: World) -> tuple[Order, Payment]:
    order = world.open()
    payment = world.start(order)
    world.close(order)
    assert world.order(order.id).state is OrderState.CLOSING
    task = world.task(TaskKind.CLOSE_ORDER, order.id)
    assert task is not None
    assert task.state == "due"
    return order, payment


def test_order_closed_by_the_proof_of_its_last_payment_has_nothing_left_to_do(world: World) -> None:
    """The task that would have closed it is done."""
    order, payment = _closing(world)
    world.alpha.trades[payment.out_trade_no].state = ReportedState.CLOSED
    world.deliver(payment, world.alpha.callback(payment.out_trade_no))
    task = world.task(TaskKind.CLOSE_ORDER, order.id)

    assert world.order(order.id).state is OrderState.CLOSED
    assert task is not None
    assert task.state == "done"
    assert_invariants(world.store)


def test_order_paid_while_it_was_being_closed_has_nothing_left_to_close(world: World) -> None:
    """And its history says that the money came late."""
    order, payment = _closing(world)
    world.pay(payment)
    task = world.task(TaskKind.CLOSE_ORDER, order.id)

    assert (world.order(order.id).state, _detail(world, order, "order_paid")) == (OrderState.PAID, {"late": True})
    assert task is not None
    assert task.state == "done"


def _detail(world: World, order: Order, kind: str) -> Any:
    [event] = [found for found in world.store.read().events_page(order.id, after=0, limit=100) if found.kind == kind]
    return json.loads(event.detail)


def test_order_whose_premium_another_has_paid_is_closed_with_that_reason(world: World) -> None:
    """Its own payment was one too many; the history says why nobody can pay it any more."""
    first, second = (world.open(number, subject=subject()) for number in ("C-1", "C-2"))
    payments = [world.start(first), world.start(second)]
    for payment in payments:
        world.pay(payment)

    assert {"reason": "premium_already_paid"} == _detail(world, second, "order_closing")
    assert ["surplus"] == [_detail(world, second, "payment_surplus")["reason"]]
    assert_invariants(world.store)


@pytest.mark.parametrize(
    ("is_late", "reason", "note"),
    [
        (False, RefundReason.SURPLUS, "重复缴费自动退回"),
        (True, RefundReason.LATE, "订单关闭后到账自动退回"),
    ],
    ids=["surplus", "late"],
)
def test_money_too_many_goes_back_with_a_note_that_its_payer_understands(
    world: World, is_late: bool, reason: RefundReason, note: str
) -> None:
    """The provider shows it to the payer. Late: the order was closed, and another has paid the premium since."""
    order = world.open(subject=subject())
    payment = world.start(order)
    if is_late:
        world.close(order)
        world.alpha.trades[payment.out_trade_no].state = ReportedState.CLOSED
        world.deliver(payment, world.alpha.callback(payment.out_trade_no))
    world.pay(world.start(world.open("C-2", subject=subject()), "beta"))
    world.pay(payment)

    assert [(reason, note, AMOUNT_FEN)] == [(one.reason, one.note, one.amount_fen) for one in world.refunds(order)]
    assert_invariants(world.store)
