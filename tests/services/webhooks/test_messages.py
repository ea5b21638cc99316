"""What a message says: the order or refund as its own event left it, in the words of GET, nothing personal."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.order import Order
from gateway.domain.report import ReportedRefundState, ReportedState
from gateway.domain.states import RefundState
from gateway.domain.webhook import TYPE_BY_EVENT, message_type
from gateway.services.views import read_order
from gateway.services.webhook_messages import history, order_as_of
from gateway.web.shapes import order_shape, refund_shape
from tests.services.webhooks.journeys import messages, refund_succeeds
from tests.support.receiver import FakeReceiver
from tests.support.rows import an_event
from tests.support.world import APP, World, subject


def shown(world: World, order: Order) -> dict[str, Any]:
    """What GET of the order shows now."""
    return order_shape(read_order(world.deps, order.app, order.id))


def of_get(told: dict[str, Any], get: dict[str, Any]) -> dict[str, Any]:
    """The members of GET that the message tells."""
    return {name: get[name] for name in told if name in get}


def test_order_paid_tells_what_get_shows(world: World, receiver: FakeReceiver) -> None:
    """Every member of the message is one of GET with its value, but for the kept payment, which GET has in its list."""
    order, payment = world.paid(subject=subject())
    world.work()
    (post,) = receiver.posts
    told, get = post.content["data"], shown(world, order)
    kept = told.pop("payment")

    assert post.content["type"] == "order.paid"
    assert post.content["timestamp"] == "2026-03-01T10:20:30+08:00"
    assert told == of_get(told, get)
    assert told["state"] == "paid"
    assert kept == of_get(kept, get["payments"][0])
    assert kept["payment_id"] == payment.id


def test_refund_tells_what_get_shows_with_its_order(world: World, receiver: FakeReceiver) -> None:
    """A part of the premium goes back."""
    order, _ = world.paid()
    refund_succeeds(world, order, 10001)
    world.work()
    told = receiver.posts[-1].content["data"]
    summary = told.pop("order")

    assert told == refund_shape(world.refunds(order)[0])
    assert summary == of_get(summary, shown(world, order))
    assert summary["amount_refunded_fen"] == 10001


def test_message_tells_its_own_event_and_not_a_later_state(world: World, receiver: FakeReceiver) -> None:
    """#35 the other way round: the first post fails, the money goes back, the second post still says the same."""
    receiver.script(500)
    order, _ = world.paid()
    world.work()
    refund_succeeds(world, order)
    world.clock.advance(seconds=6)
    world.work()
    first, second, refunded = receiver.posts

    assert first.body == second.body
    assert first.content["data"]["amount_refunded_fen"] == 0
    assert refunded.content["data"]["order"]["amount_refunded_fen"] == order.amount_fen


def test_late_payment_of_a_closed_order_is_told_as_it_is_stored(world: World, receiver: FakeReceiver) -> None:
    """N2: closed, then paid by a late proof: database, GET and messages agree at each step."""
    order = world.open()
    payment = world.start(order)
    world.close(order)
    world.work()
    assert shown(world, order)["state"] == "closed"
    world.alpha.trades[payment.out_trade_no].state = ReportedState.PAID
    world.deliver(payment, world.alpha.callback(payment.out_trade_no))
    world.work()

    assert receiver.types == ["order.closing", "order.closed", "order.paid"]
    assert [post.content["data"]["state"] for post in receiver.posts] == ["closing", "closed", "paid"]
    assert receiver.posts[-1].content["data"]["state"] == shown(world, order)["state"] == world.order(order.id).state


def test_surplus_that_went_back_has_a_name_of_its_own(world: World, receiver: FakeReceiver) -> None:
    """Two providers were paid: one payment is kept, the other's refund is told as such, and is none of the order's."""
    order = world.open()
    first, second = world.start(order), world.start(order, "beta")
    world.pay(first)
    world.pay(second)
    world.work()
    (refund,) = world.refunds(order)
    world.beta.refunds[refund.out_refund_no].state = ReportedRefundState.SUCCEEDED
    world.deliver(second, world.beta.refund_callback(refund.out_refund_no))
    world.work()
    told = receiver.posts[-1].content["data"]

    assert receiver.types == ["order.paid", "payment.surplus_refunded"]
    assert (told["payment_id"], told["reason"], told["state"]) == (second.id, "surplus", "succeeded")
    assert told["order"]["amount_refunded_fen"] == 0


@pytest.mark.parametrize("state", [RefundState.FAILED, RefundState.ABNORMAL])
def test_refund_that_does_not_succeed_is_told(world: World, receiver: FakeReceiver, state: RefundState) -> None:
    """With its state and without a time of success."""
    order, payment = world.paid()
    refund = world.refund(order, 100)
    world.work()
    world.alpha.refunds[refund.out_refund_no].state = ReportedRefundState(state.value)
    world.deliver(payment, world.alpha.refund_callback(refund.out_refund_no))
    world.work()
    told = receiver.posts[-1].content["data"]

    assert receiver.types == ["order.paid", f"refund.{state.value}"]
    assert (told["state"], told["succeeded_at"], told["client_refund_no"]) == (state.value, None, "R-1")


def test_abnormal_refund_that_succeeds_later_is_told_twice(world: World, receiver: FakeReceiver) -> None:
    """Each with the state of its own event, although the row has moved on before the first was delivered."""
    order, payment = world.paid()
    world.work()
    refund = world.refund(order, 100)
    world.work()
    receiver.script(500)
    for state in (ReportedRefundState.ABNORMAL, ReportedRefundState.SUCCEEDED):
        world.alpha.refunds[refund.out_refund_no].state = state
        world.deliver(payment, world.alpha.refund_callback(refund.out_refund_no))
    world.work()
    world.clock.advance(seconds=6)
    world.work()

    assert [post.content["data"]["state"] for post in receiver.posts[1:]] == ["abnormal", "abnormal", "succeeded"]


def test_expired_order_is_told_closed(world: World, receiver: FakeReceiver) -> None:
    """Nobody paid."""
    world.open(expires_at=world.clock.now() + timedelta(minutes=2))
    world.clock.advance(minutes=2)
    world.work()

    assert receiver.types == ["order.closed"]
    assert receiver.posts[0].content["data"]["payment"] is None


def test_events_before_the_receiver_are_told_with_the_next_one(world: World, receiver: FakeReceiver) -> None:
    """The stream of an order is whole: its payment is told before its refund, with the payment's own time."""
    endpoint = world.deps.webhooks.pop(APP)
    order, _ = world.paid()
    world.work()
    world.clock.advance(days=3)
    world.deps.webhooks[APP] = endpoint
    refund_succeeds(world, order)
    world.work()

    assert receiver.types == ["order.paid", "refund.succeeded"]
    assert receiver.posts[0].content["timestamp"] == "2026-03-01T10:20:30+08:00"


def test_message_holds_nothing_personal_and_no_free_text(world: World, receiver: FakeReceiver) -> None:
    """Neither the person nor what the app wrote for the payer, nor the payment's own fields."""
    order = world.open(subject=subject(), description="canary-张三 2026")
    payment = world.start(order, fields={"openid": "canary-openid"})
    world.pay(payment)
    refund_succeeds(world, order)
    world.work()
    text = b"".join(post.body for post in receiver.posts).decode()

    assert len(receiver.posts) == 2
    for secret in ("canary", "张三", "测试参保人", "34010019000101001X", "退保"):
        assert secret not in text


def test_history_folds_to_the_stored_order(world: World, receiver: FakeReceiver) -> None:
    """The state and the sums that messages are made of are those of the row, once all events are told."""
    order, _ = world.paid()
    refund_succeeds(world, order, 10001, "R-1")
    refund_succeeds(world, order, 20002, "R-2")
    closed = world.open("C-2")
    world.close(closed)

    for one in (order, closed):
        stored = world.order(one.id)
        assert order_as_of(stored, history(world.store.read(), one.id)) == stored


def test_long_history_is_read_whole(world: World, receiver: FakeReceiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page boundary loses no event."""
    monkeypatch.setattr("gateway.services.webhook_messages._PAGE", 2)
    order, _ = world.paid()
    events = history(world.store.read(), order.id)

    assert [event.seq for event in events] == list(range(1, world.order(order.id).event_seq + 1))


@pytest.mark.parametrize("kind", sorted(TYPE_BY_EVENT))
def test_event_that_is_told_has_a_name(kind: str) -> None:
    """Two words, joined by a full stop."""
    event = replace(an_event(), kind=kind, detail='{"reason":"asked"}')

    assert message_type(event) == TYPE_BY_EVENT[kind]


@pytest.mark.parametrize("reason", ["surplus", "late"])
def test_refund_of_our_own_decision_is_a_surplus(reason: str) -> None:
    """The app never asked for it."""
    event = replace(an_event(), kind="refund_succeeded", detail=json.dumps({"reason": reason}))

    assert message_type(event) == "payment.surplus_refunded"


@pytest.mark.parametrize("kind", ["payment_paid", "order_opened", "report_quarantined", "refund_submitted"])
def test_event_that_concerns_nobody_outside_is_not_told(kind: str) -> None:
    """Apps are told outcomes."""
    assert message_type(replace(an_event(), kind=kind)) is None


def test_every_message_of_an_order_is_an_event_of_it(world: World, receiver: FakeReceiver) -> None:
    """The webhook-id names order and event."""
    order, _ = world.paid()
    world.work()
    (message,) = messages(world, order)
    event = history(world.store.read(), order.id)[message.seq - 1]

    assert message.id == f"evt_{order.id[4:]}_{event.seq}"
    assert (event.kind, event.at) == ("order_paid", message.occurred_at)
