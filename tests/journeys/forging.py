"""Callbacks that the provider never sent: true in every member, and signed by somebody else."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.alipay import notices as alipay_notices
from sandbox.app import Sandbox
from sandbox.faults import Fault
from sandbox.unionpay import notices as unionpay_notices
from sandbox.wechatpay import notices as wechatpay_notices
from sandbox.wechatpay.orders import transaction_object

Posting = tuple[str, Mapping[str, str], bytes]


def forged_callback(sandbox: Sandbox, payment: Mapping[str, Any], fault: Fault) -> Posting:
    """Address, headers and body of a notice that this unpaid payment was paid, spoilt as the fault says."""
    return _FORGERS[payment["provider"]](sandbox, payment["out_trade_no"], fault)


def _wechatpay(sandbox: Sandbox, out_trade_no: str, fault: Fault) -> Posting:
    world = sandbox.wechatpay._world
    order = replace(
        world.book.orders[out_trade_no],
        paid_at=sandbox.clock.now(),
        transaction_id="4200009900202603019999999999",
        openid="oTest-not-a-person-000000002",
    )
    compose = wechatpay_notices._composer(
        world,
        order,
        event="TRANSACTION.SUCCESS",
        summary="支付成功",
        original_type="transaction",
        plaintext=transaction_object(order, sandbox.clock.now()),
    )
    return order.request["notify_url"], *compose(fault)


def _alipay(sandbox: Sandbox, out_trade_no: str, fault: Fault) -> Posting:
    world = sandbox.alipay._world
    trade = replace(world.book.trades[out_trade_no], paid_at=sandbox.clock.now())
    fields = alipay_notices._fields(world, trade, None)
    return trade.notify_url, *alipay_notices._compose(world, trade, fields, fault)


def _unionpay(sandbox: Sandbox, out_trade_no: str, fault: Fault) -> Posting:
    world = sandbox.unionpay._world
    order = replace(
        world.book.by_order_id[out_trade_no], settled_at=sandbox.clock.now(), query_id="052603011020309999998"
    )
    return order.request["backUrl"], *unionpay_notices._compose(world, unionpay_notices._fields(order), fault)


_FORGERS = {"wechatpay": _wechatpay, "alipay": _alipay, "unionpay": _unionpay}
