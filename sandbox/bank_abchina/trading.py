"""
Orders, queries and refunds. There is no close: orderTimeoutDate ends an order.

Source: sheet bank.md sections 3.2 and 3.3.
"""

import base64
import json
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sandbox.bank_abchina.faults import BankAbchinaFault
from sandbox.bank_abchina.notices import send_notice
from sandbox.bank_abchina.orders import Order, Refund, Refusal
from sandbox.bank_abchina.world import Call, World
from sandbox.clock import BEIJING
from sandbox.faults import Fault
from sandbox.money import fen_of, yuan_of
from sandbox.wire import PayRefused, SandboxFull

Fields = dict[str, str]

REFUND_WINDOW: Final = timedelta(days=365)
"""Own choice."""

_PAYMENT: Final = "ImmediatePay"
_REFUND: Final = "Refund"


def place(world: World, call: Call) -> Fields:
    """PayReq: the same order again gets the same address, until it is paid or over."""
    asked = call.fields.get("Order")
    if not isinstance(asked, Mapping):
        raise Refusal("S001", "Order")
    number = str(asked.get("OrderNo", ""))
    order = world.book.orders.get(number) or _added(world, call, asked)
    if order.request != call.fields:
        raise Refusal("S010")
    if order.state(world.clock.now()) != "01":
        raise Refusal("S011")
    return {"OrderNo": number, "PaymentURL": cashier_url(world, order)}


def query(world: World, call: Call) -> Fields:
    """An unknown number is answered without an order (the demo's 查询结果为空)."""
    number, kind = call.text("OrderNo"), call.text("PayTypeID")
    found = {_PAYMENT: _payment_found, _REFUND: _refund_found}.get(kind, _nothing)(world, number)
    if found is None:
        return {"Order": ""}
    plain = json.dumps(
        {"PayTypeID": kind, "OrderNo": number, **found},
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return {"Order": base64.b64encode(plain.encode("gbk")).decode("ascii")}


def refund(world: World, call: Call) -> Fields:
    """Accepted first, done or failed a little later. The same NewOrderNo with the same content is the same refund."""
    number, amount_fen = call.text("NewOrderNo"), _amount(call.text("TrxAmount"))
    order = world.book.orders.get(call.text("OrderNo"))
    if order is None or order.settled_at is None:
        raise Refusal("S020")
    known = world.book.refunds.get(number)
    if known is None:
        if world.clock.now() - order.settled_at > REFUND_WINDOW:
            raise Refusal("S022")
        if order.refunded_fen + amount_fen > order.amount_fen:
            raise Refusal("S021")
        accepted = _accepted(world, order, number, amount_fen)
    elif known[0] is order and known[1].amount_fen == amount_fen:
        accepted = known[1]
    else:
        raise Refusal("S010")
    created_at = accepted.created_at.astimezone(BEIJING)
    return {
        "OrderNo": order.order_no,
        "NewOrderNo": number,
        "TrxAmount": yuan_of(amount_fen),
        "BatchNo": "000001",
        "VoucherNo": accepted.reference[-6:],
        "HostDate": f"{created_at:%Y/%m/%d}",
        "HostTime": f"{created_at:%H:%M:%S}",
        "iRspRef": accepted.reference,
    }


def commit_payment(world: World, order: Order) -> None:
    """
    The payer pays, and the notice goes out.

    Raises:
        PayRefused: Paid already, or past orderTimeoutDate.
    """
    now = world.clock.now()
    if order.settled_at is not None:
        raise PayRefused("订单已支付，请勿重复付款")
    if now >= order.expires_at:
        raise PayRefused("订单已超过有效期，无法支付")
    order.settled_at = now
    order.reference = world.book.next_reference(now.astimezone(BEIJING))
    send_notice(world, order)


def cashier_url(world: World, order: Order) -> str:
    """Where the payer pays this order."""
    return f"{world.base_url}/cashier?visit={order.visit}"


def _added(world: World, call: Call, asked: Mapping[str, Any]) -> Order:
    now = world.clock.now()
    try:
        expires_at = datetime.strptime(str(asked.get("orderTimeoutDate", "")), "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError:
        raise Refusal("S001", "orderTimeoutDate") from None
    if expires_at <= now:
        raise Refusal("S011")
    number = str(asked.get("OrderNo", ""))
    order = Order(
        request=dict(call.fields),
        order_no=number,
        amount_fen=_amount(str(asked.get("OrderAmount", ""))),
        subject=str(asked.get("OrderDesc", "")) or "农行订单",
        notify_url=call.text("ResultNotifyURL"),
        link_type=call.text("PaymentLinkType"),
        created_at=now,
        expires_at=expires_at,
        visit=secrets.token_urlsafe(24),
    )
    try:
        world.book.keep(number, order)
    except SandboxFull as full:
        raise Refusal("EUNKWN") from full
    world.book.by_visit[order.visit] = order
    return order


def _payment_found(world: World, number: str) -> Fields | None:
    order = world.book.orders.get(number)
    if order is None:
        return None
    paid = order.settled_at is not None
    if paid and world.fault(Fault.NOT_FOUND_THEN_PAID, operation="query", out_trade_no=number) is not None:
        return None
    return _dated(order.created_at) | {
        "OrderAmount": yuan_of(order.amount_fen),
        "Status": order.status(),
        **({"AcctNo": "6228480000000000017", "iRspRef": order.reference} if paid else {}),
    }


def _refund_found(world: World, number: str) -> Fields | None:
    if number not in world.book.refunds:
        return None
    _, found = world.book.refunds[number]
    return _dated(found.created_at) | {
        "RefundAmount": yuan_of(found.amount_fen),
        "Status": found.status,
        "iRspRef": found.reference,
    }


def _nothing(_world: World, _number: str) -> Fields | None:
    return None


def _dated(at: datetime) -> Fields:
    local = at.astimezone(BEIJING)
    return {"OrderDate": f"{local:%Y/%m/%d}", "OrderTime": f"{local:%H:%M:%S}"}


def _accepted(world: World, order: Order, number: str, amount_fen: int) -> Refund:
    now = world.clock.now()
    accepted = Refund(
        refund_no=number,
        amount_fen=amount_fen,
        created_at=now,
        reference=world.book.next_reference(now.astimezone(BEIJING)),
    )
    fault = world.fault(
        BankAbchinaFault.REFUND_FAILED_LATER,
        operation="refund",
        out_trade_no=order.order_no,
    )
    order.refunds.append(accepted)
    world.book.refunds[number] = order, accepted
    world.clock.call_later(
        world.refund_seconds,
        partial(_complete, world, accepted, "99" if fault else "04"),
    )
    return accepted


def _complete(world: World, accepted: Refund, status: str) -> None:
    """The money is on its way back, or stays. Runs as a job of the clock; the bank sends no notice of it."""
    with world.lock:
        accepted.status = status
        accepted.settled_at = world.clock.now() if status == "04" else None


def _amount(text: str) -> int:
    try:
        amount_fen = fen_of(text)
    except ValueError:
        raise Refusal("S001", "金额") from None
    if amount_fen < 1 or yuan_of(amount_fen) != text:
        raise Refusal("S001", "金额")
    return amount_fen
