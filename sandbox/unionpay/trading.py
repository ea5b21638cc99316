"""
Payments: the three ways to order, the query, and the payer's payment. There is no close: payTimeout ends an order.

Source: sheet unionpay.md sections 4 to 7.
"""

import secrets
from datetime import timedelta
from typing import Final

from sandbox.faults import Fault
from sandbox.unionpay.admission import beijing_time
from sandbox.unionpay.notices import send_notice
from sandbox.unionpay.orders import MESSAGES, Order, Refund, Refusal, result_fields
from sandbox.unionpay.world import Call, World
from sandbox.wire import PayRefused, SandboxFull

Fields = dict[str, str]

ORDER_LIFE: Final = timedelta(days=1)
"""How long an order without payTimeout can be paid; unknown there."""


def front(world: World, call: Call) -> Order:
    """The payer's browser brings the form of a front order: it goes on to the cashier."""
    return _added(world, call, "front")


def app(world: World, call: Call) -> Fields:
    """The number an app starts the control with."""
    return {"tn": _added(world, call, "app").tn}


def qr(world: World, call: Call) -> Fields:
    """主扫: the text of a code for the payer to scan."""
    return {"qrCode": cashier_url(world, _added(world, call, "qr"))}


def query(world: World, call: Call) -> Fields:
    """
    The verdict is origRespCode; respCode 00 only says that the query worked.

    An order nobody has paid is not found (34): the payer has not submitted it yet.
    """
    known = world.book.refunds.get(call.key)
    if known is not None:
        return _verdict(known[1], known[1].outcome)
    order = world.book.orders.get(call.key)
    if order is None or order.settled_at is None:
        raise Refusal("34")
    if world.fault(Fault.NOT_FOUND_THEN_PAID, operation="query", out_trade_no=order.order_id):
        raise Refusal("34")
    return _verdict(order, "00")


def commit_payment(world: World, order: Order) -> None:
    """
    The payer pays, and the notice goes out.

    Raises:
        PayRefused: Paid already, or past payTimeout.
    """
    now = world.clock.now()
    if order.settled_at is not None:
        raise PayRefused("订单已支付，请勿重复付款")
    if now >= order.expires_at:
        raise PayRefused("订单已超过支付时限，无法支付")
    order.settled_at = now
    order.query_id = world.book.next_query_id(now)
    world.book.by_query_id[order.query_id] = order
    send_notice(world, order, order)


def cashier_url(world: World, order: Order) -> str:
    """Where the payer pays this order."""
    return f"{world.base_url}/cashier?visit={order.visit}"


def _verdict(item: Order | Refund, code: str) -> Fields:
    return result_fields(item) | {
        "issuerIdentifyMode": "0",
        "origRespCode": code,
        "origRespMsg": MESSAGES[code],
    }


def _added(world: World, call: Call, kind: str) -> Order:
    """A new order; the same orderId + txnTime again is a duplicate, paid or not."""
    if world.book.knows(call.key):
        raise Refusal("12")
    now = world.clock.now()
    expires_at = now + ORDER_LIFE
    if "payTimeout" in call.fields:
        expires_at = beijing_time(call.fields["payTimeout"], "payTimeout")
    if expires_at <= now:
        raise Refusal("10", "payTimeout 已过")
    order = Order(
        request=dict(call.fields),
        amount_fen=int(call.fields["txnAmt"]),
        created_at=now,
        kind=kind,
        expires_at=expires_at,
        visit=secrets.token_urlsafe(24),
        tn=world.book.next_tn(now) if kind == "app" else "",
    )
    try:
        world.book.add(order)
    except SandboxFull as exc:
        raise Refusal("06") from exc
    return order
