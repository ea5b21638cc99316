"""
Orders: create, query, close, and the payer's payment.

Source: sheet wechatpay.md sections 4.1 to 4.6 and 4.8.
"""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode

from sandbox.faults import Fault
from sandbox.wechatpay.notices import send_payment_notice
from sandbox.wechatpay.orders import Order, expiry_of, transaction_object
from sandbox.wechatpay.shapes import DIRECT_CLOSE, DIRECT_ORDER, PARTNER_CLOSE, PARTNER_ORDER, Refusal, check_shape
from sandbox.wechatpay.signing import alphanumeric
from sandbox.wechatpay.world import Call, World, check_merchant, check_right
from sandbox.wire import Json, PayRefused, SandboxFull

PREPAY_LIVES: Final = {
    "jsapi": timedelta(hours=2),
    "app": timedelta(hours=2),
    "native": timedelta(hours=2),
    "h5": timedelta(minutes=5),
}
_PAID_STATES: Final = frozenset({"SUCCESS", "REFUND"})


def create(world: World, call: Call) -> Json:
    """Accept an order, or give an unpaid one of the same parameters a fresh prepay."""
    now = world.clock.now()
    kind = call.part["kind"]
    _check_order_body(world, call, kind)
    order = world.book.orders.get(call.body["out_trade_no"])
    if order is None:
        order = _new_order(world, call, kind, now)
    else:
        _check_repeat(order, call, kind, now)
    return _fresh_prepay(world, order, now)


def query(world: World, call: Call) -> Json:
    """The order by either number, if this merchant may see it."""
    _check_query_merchant(world, call)
    if "out_trade_no" in call.part:
        order = world.book.orders.get(call.part["out_trade_no"])
    else:
        order = world.book.by_transaction_id.get(call.part["transaction_id"])
    if order is None:
        raise _not_found()
    check_right(order, partner=call.partner, sub_mchid=call.query.get("sub_mchid", ""))
    if order.paid_at is not None and world.fault(
        Fault.NOT_FOUND_THEN_PAID, operation="query", out_trade_no=order.out_trade_no
    ):
        raise _not_found()
    return transaction_object(order, world.clock.now())


def close(world: World, call: Call) -> None:
    """
    Make an unpaid order unpayable; again is fine, and an unknown number is answered the same (204 proves nothing).

    Source: sheet wechatpay.md section 4.6.
    """
    check_shape(call.body, PARTNER_CLOSE if call.partner else DIRECT_CLOSE)
    sub_mchid = call.body["sub_mchid"] if call.partner else None
    check_merchant(world, call.body["sp_mchid" if call.partner else "mchid"], sub_mchid)
    order = world.book.orders.get(call.part["out_trade_no"])
    if order is None:
        return
    check_right(order, partner=call.partner, sub_mchid=sub_mchid or "")
    now = world.clock.now()
    state = order.trade_state(now)
    if state in _PAID_STATES:
        raise Refusal(400, "ORDERPAID", "订单已支付，不能关闭", tail=268449538)
    if state == "NOTPAY" and world.fault(Fault.PAY_DURING_CLOSE, operation="close", out_trade_no=order.out_trade_no):
        commit_payment(world, order)
    elif order.closed_at is None:
        order.closed_at = now


def commit_payment(world: World, order: Order) -> None:
    """
    The payer pays: the order becomes SUCCESS and its callback goes out.

    Raises:
        PayRefused: Paid already, closed, or past its time.
    """
    now = world.clock.now()
    state = order.trade_state(now)
    if state != "NOTPAY":
        raise PayRefused("订单已支付，请勿重复付款" if state in _PAID_STATES else "订单已关闭或已过期，无法支付")
    payer = order.request.get("payer", {})
    order.paid_at = now
    order.openid = payer.get("openid") or payer.get("sp_openid") or f"oSANDBOX{alphanumeric(20)}"
    order.transaction_id = world.book.next_number("4200009900", now)
    world.book.by_transaction_id[order.transaction_id] = order
    send_payment_notice(world, order)


def _check_order_body(world: World, call: Call, kind: str) -> None:
    body, identity = call.body, world.keys.identity
    check_shape(body, PARTNER_ORDER if call.partner else DIRECT_ORDER)
    if call.partner:
        check_merchant(world, body["sp_mchid"], body["sub_mchid"])
    else:
        check_merchant(world, body["mchid"], None)
    appids = {identity.appid} if not call.partner else {identity.appid, identity.sub_appid}
    if body["sp_appid" if call.partner else "appid"] != identity.appid or body.get("sub_appid", "") not in {
        "",
        *appids,
    }:
        raise Refusal(400, "APPID_MCHID_NOT_MATCH", "appid和mchid不匹配", tail=268445527)
    _check_payer(call, kind)
    if kind == "h5" and "h5_info" not in body.get("scene_info", {}):
        raise Refusal(400, "PARAM_ERROR", "H5支付缺少场景信息", field="/scene_info/h5_info")
    if "currency" in body["amount"] and body["amount"]["currency"] != "CNY":
        raise Refusal(400, "PARAM_ERROR", "不支持的货币", field="/amount/currency")
    try:
        expiry_of(body.get("time_expire"), world.clock.now())
    except ValueError as exc:
        raise Refusal(400, "PARAM_ERROR", "time_expire 格式错误", field="/time_expire") from exc


def _check_payer(call: Call, kind: str) -> None:
    payer = call.body.get("payer")
    if kind != "jsapi":
        if payer is not None:
            raise Refusal(400, "PARAM_ERROR", "该下单方式不支持payer", tail=270924358, field="/payer")
        return
    if not payer:
        raise Refusal(400, "PARAM_ERROR", "JSAPI支付必须传openid", tail=268501013, field="/payer")
    if payer.get("sub_openid") and not call.body.get("sub_appid"):
        raise Refusal(400, "PARAM_ERROR", "传sub_openid时必须传sub_appid", tail=268501013, field="/sub_appid")


def _new_order(world: World, call: Call, kind: str, now: datetime) -> Order:
    order = Order(
        out_trade_no=call.body["out_trade_no"],
        kind=kind,
        partner=call.partner,
        request=call.body,
        created_at=now,
        expires_at=expiry_of(call.body.get("time_expire"), now),
        signer=call.signer,
    )
    try:
        world.book.keep(order.out_trade_no, order)
    except SandboxFull as exc:
        raise Refusal(403, "RULE_LIMIT", f"沙箱订单数已达上限: {exc}") from exc
    return order


def _check_repeat(order: Order, call: Call, kind: str, now: datetime) -> None:
    """Source: sheet wechatpay.md section 4.8, first row."""
    state = order.trade_state(now)
    if state in _PAID_STATES:
        raise Refusal(400, "ORDERPAID", "该订单已支付", tail=268449538)
    if state == "CLOSED":
        raise Refusal(400, "ORDER_CLOSED", "该订单已关闭，请更换商户订单号", tail=268447914)
    if (order.kind, order.partner, order.request) != (kind, call.partner, call.body):
        raise Refusal(400, "INVALID_REQUEST", "请求重入时，参数与首次请求时不一致", tail=268498688)


def _fresh_prepay(world: World, order: Order, now: datetime) -> Json:
    """Source: sheet wechatpay.md section 4.3."""
    expires_at = now + PREPAY_LIVES[order.kind]
    if order.kind == "native":
        code_url = f"weixin://wxpay/bizpayurl?pr={alphanumeric(9)}"
        world.book.add_prepay(order, (code_url,), expires_at)
        return {"code_url": code_url}
    prepay_id = f"wx{now:%Y%m%d%H%M%S}{alphanumeric(20).lower()}"
    world.book.add_prepay(order, (prepay_id,), expires_at)
    if order.kind == "h5":
        return {"h5_url": f"{world.base_url}/pay?{urlencode({'prepay_id': prepay_id})}"}
    return {"prepay_id": prepay_id}


def _check_query_merchant(world: World, call: Call) -> None:
    if call.partner:
        check_merchant(world, call.asked("sp_mchid"), call.asked("sub_mchid"))
    else:
        check_merchant(world, call.asked("mchid"), None)


def _not_found() -> Refusal:
    return Refusal(404, "ORDER_NOT_EXIST", "订单不存在", tail=268512771)
