"""
Refunds (退货) and undos (消费撤销): accepted first, done a little later, and told by notice and query.

Source: sheet unionpay.md sections 5, 7 and 10. They always succeed here.
"""

from datetime import timedelta
from functools import partial
from typing import Final

from sandbox.unionpay.notices import send_notice
from sandbox.unionpay.orders import Order, Refund, Refusal, clearing_day
from sandbox.unionpay.world import Call, World

REFUND_WINDOW: Final = timedelta(days=334)
"""Up to 11 months."""


def refund(world: World, call: Call) -> dict[str, str]:
    """Pay back a part or all; respCode 00 means accepted."""
    order = _original(world, call)
    amount_fen = int(call.fields["txnAmt"])
    if order.refunded_fen == order.amount_fen:
        raise Refusal("45")
    if order.refunded_fen + amount_fen > order.amount_fen:
        raise Refusal("36")
    if order.settled_at is None or world.clock.now() - order.settled_at > REFUND_WINDOW:
        raise Refusal("35")
    return _accepted(world, call, order)


def undo(world: World, call: Call) -> dict[str, str]:
    """Take the whole payment back within its clearing day, when nothing was refunded yet."""
    order = _original(world, call)
    if order.refunds:
        raise Refusal("45")
    if int(call.fields["txnAmt"]) != order.amount_fen:
        raise Refusal("36")
    if order.settled_at is None or clearing_day(order.settled_at) != clearing_day(world.clock.now()):
        raise Refusal("35")
    return _accepted(world, call, order)


def original_of(world: World, call: Call) -> Order | None:
    """The payment a refund or undo names, by origQryId or by origOrderId + origTxnTime."""
    fields = call.fields
    if "origQryId" in fields:
        return world.book.by_query_id.get(fields["origQryId"])
    return world.book.orders.get((fields.get("origOrderId", ""), fields.get("origTxnTime", "")))


def _original(world: World, call: Call) -> Order:
    if world.book.knows(call.key):
        raise Refusal("12")
    named = call.fields.get("origQryId") or (call.fields.get("origOrderId") and call.fields.get("origTxnTime"))
    if not named:
        raise Refusal("13", "origQryId")
    order = original_of(world, call)
    if order is None or order.settled_at is None:
        raise Refusal("35")
    return order


def _accepted(world: World, call: Call, order: Order) -> dict[str, str]:
    now = world.clock.now()
    accepted = Refund(
        request={**call.fields, "origQryId": order.query_id},
        amount_fen=int(call.fields["txnAmt"]),
        created_at=now,
        query_id=world.book.next_query_id(now),
    )
    world.book.add_refund(order, accepted)
    world.clock.call_later(world.refund_seconds, partial(_complete, world, order, accepted))
    return {
        "origQryId": order.query_id,
        "queryId": accepted.query_id,
        "txnAmt": str(accepted.amount_fen),
    }


def _complete(world: World, order: Order, accepted: Refund) -> None:
    """The money is on its way back. Runs as a job of the clock."""
    with world.lock:
        accepted.settled_at = world.clock.now()
        send_notice(world, order, accepted)
