"""
Refunds: accepted as PROCESSING, SUCCESS after a while, once per out_refund_no, never above the order's total.

Source: sheet wechatpay.md sections 4.7 and 4.8.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sandbox.wechatpay.notices import send_refund_notice
from sandbox.wechatpay.orders import Order, Refund, refund_object
from sandbox.wechatpay.shapes import REFUND, Refusal, check_shape
from sandbox.wechatpay.world import Call, World, check_merchant, check_right
from sandbox.wire import Json

REFUNDS_PER_ORDER_MAX: Final = 50
REFUND_WINDOW: Final = timedelta(days=365)


def refund(world: World, call: Call) -> Json:
    """Accept a refund, or show the one this out_refund_no already stands for."""
    check_shape(call.body, REFUND)
    sub_mchid = call.body.get("sub_mchid")
    check_merchant(world, world.keys.identity.mchid, sub_mchid)
    order = _order_of(world, call)
    check_right(order, partner=sub_mchid is not None, sub_mchid=sub_mchid or "")
    known = world.book.refunds.get(call.body["out_refund_no"])
    if known is not None:
        return _repeated(known, order, call.body)
    now = world.clock.now()
    _check_amounts(order, call.body)
    _check_pace(world, order, now)
    return refund_object(order, _accept(world, order, call.body, now))


def query_refund(world: World, call: Call) -> Json:
    """The refund's present state; RESOURCE_NOT_EXISTS when no such refund was accepted."""
    known = world.book.refunds.get(call.part["out_refund_no"])
    if known is None:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "退款单不存在", tail=268512771)
    order, accepted = known
    sub_mchid = call.asked("sub_mchid") if order.partner else call.query.get("sub_mchid", "")
    check_right(order, partner=order.partner, sub_mchid=sub_mchid)
    return refund_object(order, accepted)


def complete(world: World, order: Order, accepted: Refund) -> None:
    """The bank has paid back: the refund is SUCCESS and its callback goes out. Runs as a job of the clock."""
    with world.lock:
        accepted.outcome = "SUCCESS"
        accepted.succeeded_at = world.clock.now()
        send_refund_notice(world, order, accepted)


def _order_of(world: World, call: Call) -> Order:
    if call.body.get("transaction_id"):
        order = world.book.by_transaction_id.get(call.body["transaction_id"])
    elif call.body.get("out_trade_no"):
        order = world.book.orders.get(call.body["out_trade_no"])
    else:
        raise Refusal(400, "PARAM_ERROR", "transaction_id 与 out_trade_no 必填其一", field="/transaction_id")
    if order is None or order.paid_at is None:
        raise Refusal(404, "RESOURCE_NOT_EXISTS", "订单不存在或未支付", tail=268512771)
    return order


def _repeated(known: tuple[Order, Refund], order: Order, body: Json) -> Json:
    first_order, accepted = known
    if first_order is not order or accepted.request != body:
        raise Refusal(400, "INVALID_REQUEST", "商户退款单号重复，且参数与首次请求不一致", tail=268498688)
    return refund_object(order, accepted)


def _check_amounts(order: Order, body: Json) -> None:
    if body["amount"]["total"] != order.amount_fen:
        raise Refusal(400, "PARAM_ERROR", "订单金额与原订单不一致", tail=268435464, field="/amount/total")
    if order.refunded_fen + body["amount"]["refund"] > order.amount_fen:
        raise Refusal(400, "INVALID_REQUEST", "累计退款金额大于订单金额", tail=268435464)


def _check_pace(world: World, order: Order, now: datetime) -> None:
    if order.paid_at is not None and now - order.paid_at > REFUND_WINDOW:
        raise Refusal(403, "RULE_LIMIT", "订单超过退款期限")
    if len(order.refunds) >= REFUNDS_PER_ORDER_MAX:
        raise Refusal(403, "RULE_LIMIT", "同一订单退款次数超过限制")
    spacing = timedelta(seconds=world.refund_spacing_seconds)
    if order.refunds and now - order.refunds[-1].created_at < spacing:
        raise Refusal(429, "FREQUENCY_LIMITED", "同一订单退款间隔过短，请稍后用原退款单号重试", tail=268447840)


def _accept(world: World, order: Order, body: Json, now: datetime) -> Refund:
    accepted = Refund(
        out_refund_no=body["out_refund_no"],
        refund_id=world.book.next_number("50300009900", now),
        amount_fen=body["amount"]["refund"],
        request=body,
        created_at=now,
    )
    order.refunds.append(accepted)
    world.book.refunds[accepted.out_refund_no] = (order, accepted)
    world.clock.call_later(world.refund_seconds, partial(complete, world, order, accepted))
    return accepted
