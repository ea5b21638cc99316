"""
Payments: the browser's arrival at the cashier, the query, and what the payer does there. There is no close.

Source: sheet bank.md section 4.3; pay_status 0 成功, 1 失败, 2 未知 as public clients tell it.
"""

import secrets
from datetime import timedelta
from typing import Final

from sandbox.bank_icbc.faults import IcbcFault
from sandbox.bank_icbc.notices import send_notice
from sandbox.bank_icbc.orders import FAILED, PAID, Order, Refusal, beijing
from sandbox.bank_icbc.world import Call, World
from sandbox.faults import Fault
from sandbox.wire import PayRefused, SandboxFull

Members = dict[str, str]

EXPIRE_SECONDS: Final = 86_400
"""How long an order without expireTime can be paid; unknown there."""


def arrive(world: World, call: Call) -> Order:
    """
    The payer's browser brings the form: it goes on to the cashier. The same order again is the same cashier.

    Raises:
        Refusal: 500021 for another order of this number.
    """
    content, now = call.content, world.clock.now()
    known = world.book.orders.get(content["out_trade_no"])
    if known is not None:
        if known.request != content:
            raise Refusal(500021)
        return known
    seconds = int(content.get("expireTime", EXPIRE_SECONDS))
    order = Order(
        request=dict(content),
        amount_fen=int(content["order_amt"]),
        created_at=now,
        expires_at=now + timedelta(seconds=seconds),
        visit=secrets.token_urlsafe(24),
        sealed=call.sealed,
    )
    try:
        world.book.add(order)
    except SandboxFull as exc:
        raise Refusal(500098) from exc
    return order


def query(world: World, call: Call) -> Members:
    """An order that nobody has tried to pay does not exist; a failed try can be followed by a good one."""
    order = world.book.orders.get(call.content["out_trade_no"])
    if order is None or (order.paid_at is None and not order.tried):
        raise Refusal(500020)
    if world.fault(Fault.NOT_FOUND_THEN_PAID, operation="query", out_trade_no=order.out_trade_no):
        raise Refusal(500020)
    shown = {
        "mer_id": world.keys.identity.mer_id,
        "out_trade_no": order.out_trade_no,
        "total_amt": str(order.amount_fen),
        "attach": order.request.get("attach", ""),
    }
    if order.paid_at is None:
        return shown | {"pay_status": FAILED}
    return shown | {
        "pay_status": PAID,
        "payment_amt": str(order.amount_fen),
        "card_no": "621226****0001",
        "order_id": order.order_id,
        "pay_time": beijing(order.paid_at),
    }


def commit_payment(world: World, order: Order) -> None:
    """
    The payer pays, and the notice goes out.

    Raises:
        PayRefused: Paid already, its time is over, or the card is turned down: the cashier stays open then.
    """
    now = world.clock.now()
    if order.paid_at is not None:
        raise PayRefused("订单已支付，请勿重复付款")
    if now >= order.expires_at:
        raise PayRefused("订单已超过支付时限，无法支付")
    if world.fault(IcbcFault.PAYMENT_DECLINED, operation="page", out_trade_no=order.out_trade_no):
        order.tried = True
        raise PayRefused("支付失败，请换一张卡重试")
    order.paid_at = now
    order.order_id = world.book.next_number(world.keys.identity.mer_id, now)
    send_notice(world, order)


def cashier_url(world: World, order: Order) -> str:
    """Where the payer pays this order."""
    return f"{world.base_url}/cashier?visit={order.visit}"
