"""Callbacks that the provider never sent: true in every member, and signed by somebody else."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sandbox.alipay import AlipaySimulator
from sandbox.alipay import notices as alipay_notices
from sandbox.app import Sandbox
from sandbox.bank_abchina import BankAbchinaSimulator
from sandbox.bank_abchina import notices as bank_abchina_notices
from sandbox.bank_ccb import BankCcbSimulator
from sandbox.bank_ccb import notices as bank_ccb_notices
from sandbox.bank_ccb.orders import SUCCEEDED, Try
from sandbox.bank_icbc import BankIcbcSimulator
from sandbox.bank_icbc import notices as bank_icbc_notices
from sandbox.faults import Fault
from sandbox.unionpay import UnionpaySimulator
from sandbox.unionpay import notices as unionpay_notices
from sandbox.wechatpay import WechatpaySimulator
from sandbox.wechatpay import notices as wechatpay_notices
from sandbox.wechatpay.orders import transaction_object

Posting = tuple[str, Mapping[str, str], bytes]


def forged_callback(sandbox: Sandbox, payment: Mapping[str, Any], fault: Fault) -> Posting:
    """Address, headers and body of a notice that this unpaid payment was paid, spoilt as the fault says."""
    return _FORGERS[payment["provider"]](sandbox, payment["out_trade_no"], fault)


def _wechatpay(sandbox: Sandbox, out_trade_no: str, fault: Fault) -> Posting:
    world = sandbox.of(WechatpaySimulator)._world
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
    world = sandbox.of(AlipaySimulator)._world
    trade = replace(world.book.orders[out_trade_no], paid_at=sandbox.clock.now())
    fields = alipay_notices._fields(world, trade, None)
    return trade.notify_url, *alipay_notices._compose(world, trade, fields, fault)


def _unionpay(sandbox: Sandbox, out_trade_no: str, fault: Fault) -> Posting:
    world = sandbox.of(UnionpaySimulator)._world
    order = replace(
        world.book.by_order_id[out_trade_no], settled_at=sandbox.clock.now(), query_id="052603011020309999998"
    )
    return order.request["backUrl"], *unionpay_notices._compose(world, unionpay_notices._fields(order), fault)


def _bank_ccb(sandbox: Sandbox, out_trade_no: str, fault: Fault) -> Posting:
    world = sandbox.of(BankCcbSimulator)._world
    event = bank_ccb_notices.notify_fields(world, world.book.by_merchants_number[out_trade_no], "Y")
    one = Try(status=SUCCEEDED, at=sandbox.clock.now())
    return world.notify_url, *bank_ccb_notices.compose(world, event, one, fault)


def _bank_abchina(sandbox: Sandbox, out_trade_no: str, fault: Fault) -> Posting:
    world = sandbox.of(BankAbchinaSimulator)._world
    order = replace(world.book.orders[out_trade_no], settled_at=sandbox.clock.now(), reference="SBECEP01102030999998")
    return order.notify_url, *bank_abchina_notices._compose(world, order, fault)


def _bank_icbc(sandbox: Sandbox, out_trade_no: str, fault: Fault) -> Posting:
    world = sandbox.of(BankIcbcSimulator)._world
    order = replace(
        world.book.orders[out_trade_no], paid_at=sandbox.clock.now(), order_id="9999000000012603019999999998"
    )
    event = bank_icbc_notices.notice_members(world, order)
    return order.request["notify_url"], *bank_icbc_notices.compose(world, order, event, fault)


_FORGERS = {
    "wechatpay": _wechatpay,
    "alipay": _alipay,
    "unionpay": _unionpay,
    "bank_ccb": _bank_ccb,
    "bank_abchina": _bank_abchina,
    "bank_icbc": _bank_icbc,
}
