"""
What newbank does with orders and refunds. Every function runs under the lock.

Fact to replace: the rules of each interface: repetition, closing, when a refund is done (source: their sections).
"""

import secrets
from datetime import datetime
from functools import partial
from typing import Final

from sandbox.clock import BEIJING
from sandbox.faults import Fault
from sandbox.money import fen_of
from sandbox.newbank.notices import send_payment_notice, send_refund_notice
from sandbox.newbank.orders import (
    CLOSED,
    EXPIRED,
    PAID,
    REFUND_DONE,
    Order,
    Refund,
    Refusal,
    order_members,
    refund_members,
)
from sandbox.newbank.world import Call, Members, World
from sandbox.wire import PayRefused, SandboxFull

_PAY_TYPES: Final = frozenset({"QR", "H5"})


def place(world: World, call: Call) -> Members:
    """
    A new order; the same one again is answered as the first time.

    Raises:
        Refusal: 1002, 1005, 2003, 2004 or 2005.
    """
    content, now = dict(call.content), world.clock.now()
    order = world.book.orders.get(content["out_trade_no"])
    if order is None:
        order = _new_order(content, now)
        try:
            world.book.add(order)
        except SandboxFull as exc:
            raise Refusal("1002") from exc
    if order.request != content:
        raise Refusal("2003")
    _must_be_payable(order, now)
    return _named(order) | {"pay_url": f"{world.base_url}/cashier?visit={order.visit}"}


def query(world: World, call: Call) -> Members:
    """An order as it is now."""
    order = _order(world, call)
    if order.paid_at and world.fault(Fault.NOT_FOUND_THEN_PAID, operation="query", out_trade_no=order.out_trade_no):
        raise Refusal("2001")
    return order_members(order, world.clock.now())


def close(world: World, call: Call) -> Members:
    """
    Make an unpaid order unpayable.

    Raises:
        Refusal: 2001 or 2004.
    """
    order, now = _order(world, call), world.clock.now()
    if order.paid_at is not None:
        raise Refusal("2004")
    order.closed_at = order.closed_at or now
    return order_members(order, now)


def refund(world: World, call: Call) -> Members:
    """
    Pay back a part or all; the same number again is the same refund.

    Raises:
        Refusal: 1005, 2001, 2003, 2006 or 2007.
    """
    order, content, now = _order(world, call), dict(call.content), world.clock.now()
    known = order.refund_of(content["out_refund_no"])
    if known is not None:
        if known.request != content:
            raise Refusal("2003")
        return refund_members(order, known)
    amount_fen = _fen(content)
    if order.paid_at is None:
        raise Refusal("2007")
    if order.refunded_fen + amount_fen > order.amount_fen:
        raise Refusal("2006")
    accepted = Refund(request=content, amount_fen=amount_fen, created_at=now, refund_no=world.book.next_number(now))
    order.refunds.append(accepted)
    world.clock.call_later(world.refund_seconds, partial(_complete, world, order, accepted))
    return refund_members(order, accepted)


def query_refund(world: World, call: Call) -> Members:
    """
    A refund as it is now.

    Raises:
        Refusal: 2001 or 2002.
    """
    order = _order(world, call)
    known = order.refund_of(call.content["out_refund_no"])
    if known is None:
        raise Refusal("2002")
    return refund_members(order, known)


def commit_payment(world: World, order: Order) -> None:
    """
    The payer pays, and the notice goes out.

    Raises:
        PayRefused: Paid already, closed, or its time is over.
    """
    now = world.clock.now()
    if order.paid_at is not None:
        raise PayRefused("订单已支付，请勿重复付款")
    if order.state(now) in {CLOSED, EXPIRED}:
        raise PayRefused("订单已关闭或已超过支付时限，无法支付")
    order.paid_at = now
    order.trade_no = world.book.next_number(now)
    send_payment_notice(world, order)


def _new_order(content: dict[str, str], now: datetime) -> Order:
    if content["pay_type"] not in _PAY_TYPES:
        raise Refusal("1005", "pay_type")
    try:
        expires_at = datetime.strptime(content["expire_time"], "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError as exc:
        raise Refusal("1005", "expire_time") from exc
    return Order(
        request=content,
        amount_fen=_fen(content),
        created_at=now,
        expires_at=expires_at,
        visit=secrets.token_urlsafe(24),
    )


def _must_be_payable(order: Order, now: datetime) -> None:
    state = order.state(now)
    if state == PAID:
        raise Refusal("2004")
    if state in {CLOSED, EXPIRED}:
        raise Refusal("2005")


def _fen(content: Members) -> int:
    try:
        amount_fen = fen_of(content["amount"])
    except ValueError as exc:
        raise Refusal("1005", "amount") from exc
    if amount_fen == 0:
        raise Refusal("1005", "amount")
    return amount_fen


def _order(world: World, call: Call) -> Order:
    order = world.book.orders.get(call.content["out_trade_no"])
    if order is None:
        raise Refusal("2001")
    return order


def _named(order: Order) -> Members:
    return {"merchant_no": order.request["merchant_no"], "out_trade_no": order.out_trade_no}


def _complete(world: World, order: Order, accepted: Refund) -> None:
    """The money is back. Runs as a job of the clock."""
    with world.lock:
        accepted.state = REFUND_DONE
        accepted.settled_at = world.clock.now()
        send_refund_notice(world, order, accepted)
