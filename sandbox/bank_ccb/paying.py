"""
Orders at ccbMain and what the payer does with them. There is no close: TIMEOUT ends an order, if it has one.

Source: sheet bank.md section 2.2.
"""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Final
from urllib.parse import parse_qsl, quote

from sandbox.bank_ccb.faults import BankCcbFault
from sandbox.bank_ccb.notices import page_return, send_notice
from sandbox.bank_ccb.orders import FAILED, SUCCEEDED, WAITING, Order, Refusal, Try, merchants_number
from sandbox.bank_ccb.signing import mac_of, pub_of
from sandbox.bank_ccb.world import World
from sandbox.clock import BEIJING
from sandbox.money import fen_of
from sandbox.wire import Json, PayRefused, SandboxFull

CASHIER: Final = "520100"
AGGREGATE_QR: Final = "530550"
WAITING_SECONDS: Final = 600

_COMMON: Final = (
    "MERCHANTID", "POSID", "BRANCHID", "ORDERID", "PAYMENT", "CURCODE", "TXCODE", "REMARK1", "REMARK2",
)  # fmt: skip
_NAMES: Final = {
    CASHIER: (*_COMMON, "TYPE", "GATEWAY", "CLIENTIP", "REGINFO", "PROINFO", "REFERER"),
    AGGREGATE_QR: (*_COMMON, "RETURNTYPE", "TIMEOUT"),
}
_MORE: Final = {CASHIER: ("THIRDAPPINFO", "TIMEOUT"), AGGREGATE_QR: ()}
_SHAPES: Final = {
    "ORDERID": re.compile(r"[0-9A-Za-z]{1,30}"),
    "PAYMENT": re.compile(r"[0-9]{1,9}\.[0-9]{2}"),
    "CURCODE": re.compile("01"),
    "REMARK1": re.compile(r"[ -~]{0,30}"),
    "REMARK2": re.compile(r"[ -~]{0,30}"),
    "TYPE": re.compile("1"),
    "RETURNTYPE": re.compile("3"),
    "TIMEOUT": re.compile(r"([0-9]{14})?"),
    "REGINFO": re.compile(r"([0-9A-Za-z@*_+./-]|%u[0-9A-F]{4}|%[0-9A-F]{2})*"),
    "PROINFO": re.compile(r"([0-9A-Za-z@*_+./-]|%u[0-9A-F]{4}|%[0-9A-F]{2})*"),
}
_KEYS_TAKEN: Final = 2


def order_fields(world: World, query: str) -> dict[str, str]:
    """
    Read an order and check its MAC, its names and their order.

    Raises:
        Refusal: With what does not fit.
    """
    pairs = parse_qsl(query, keep_blank_values=True)
    fields = dict(pairs)
    if len(fields) != len(pairs) or fields.pop("CCB_IBSVersion", "") != "V6" or "PUB" in fields:
        raise Refusal("SANDBOX0001", "CCB_IBSVersion, PUB")
    tx_code = fields.get("TXCODE", "")
    if tx_code not in _NAMES:
        raise Refusal("SANDBOX0001", "TXCODE")
    wanted = (*_NAMES[tx_code], *(name for name in _MORE[tx_code] if name in fields), "MAC")
    if tuple(fields) != wanted:
        raise Refusal("SANDBOX0001", "字段或次序")
    if fields["MAC"] not in {mac_of(fields, pub_of(key)) for key in world.counter_keys[-_KEYS_TAKEN:]}:
        raise Refusal("SANDBOX0009")
    identity = world.keys.identity
    ours = (identity.merchant_id, identity.pos_id, identity.branch_id)
    if (fields["MERCHANTID"], fields["POSID"], fields["BRANCHID"]) != ours:
        raise Refusal("SANDBOX0002")
    for name, shape in _SHAPES.items():
        if name in fields and shape.fullmatch(fields[name]) is None:
            raise Refusal("SANDBOX0001", name)
    return {name: value for name, value in fields.items() if name != "MAC"}


def place(world: World, fields: Mapping[str, str]) -> Order:
    """
    The order of this ORDERID: a new one, or the same one again when nothing about it differs.

    Raises:
        Refusal: Another content under a used ORDERID, or too late.
    """
    now = world.clock.now()
    known = world.book.orders.get(fields["ORDERID"])
    if known is not None:
        if known.request != fields:
            raise Refusal("SANDBOX0008")
        return known
    expires_at = _moment(fields.get("TIMEOUT", ""))
    if expires_at is not None and expires_at <= now:
        raise Refusal("SANDBOX0007")
    amount_fen = fen_of(fields["PAYMENT"])
    if not amount_fen:
        raise Refusal("SANDBOX0004")
    order = Order(
        request=dict(fields),
        amount_fen=amount_fen,
        created_at=now,
        visit=secrets.token_urlsafe(24),
        expires_at=expires_at,
    )
    try:
        world.book.add(order)
    except SandboxFull as exc:
        raise Refusal("SANDBOX0006") from exc
    return order


def code_address(world: World, order: Order) -> Json:
    """The first answer about a QR code: where to ask for it."""
    return {"SUCCESS": "true", "PAYURL": f"{world.base_url}/CCBIS/QR?NO={order.visit}"}


def code_text(world: World, order: Order) -> Json:
    """The second: the code's text, escaped once."""
    return {"SUCCESS": "true", "QRURL": quote(cashier_url(world, order), safe="")}


def cashier_url(world: World, order: Order) -> str:
    """Where the payer pays this order."""
    return f"{world.base_url}/cashier?visit={order.visit}"


def pay(world: World, order: Order) -> Json:
    """
    The payer pays, and the notify goes out, unless the bank has yet to confirm.

    Raises:
        PayRefused: Paid already, too late, or the try failed.
    """
    now = world.clock.now()
    if order.paid is not None or order.waiting:
        raise PayRefused("订单已支付，请勿重复付款")
    if order.expires_at is not None and now >= order.expires_at:
        raise PayRefused("订单已超过支付时限，无法支付")
    about = {"operation": "pay", "out_trade_no": merchants_number(order.order_id)}
    one = Try(status=SUCCEEDED, at=now)
    order.tries.append(one)
    if world.fault(BankCcbFault.TRY_FAILS, **about):
        one.status = FAILED
        send_notice(world, order, one, "N")
        raise PayRefused("支付失败，请重试")
    if (rule := world.fault(BankCcbFault.WAITS_FOR_BANK, **about)) is not None:
        one.status = WAITING
        world.clock.call_later(
            WAITING_SECONDS if rule.seconds is None else rule.seconds, partial(_confirm, world, order, one)
        )
        return {}
    send_notice(world, order, one, "Y")
    return {"return_url": page_return(world, order)} if world.page_url else {}


def _confirm(world: World, order: Order, one: Try) -> None:
    """The bank has made up its mind. Runs as a job of the clock."""
    with world.lock:
        one.status = SUCCEEDED
        send_notice(world, order, one, "Y")


def _moment(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError as exc:
        raise Refusal("SANDBOX0001", "TIMEOUT") from exc
