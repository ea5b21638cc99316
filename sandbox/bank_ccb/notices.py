"""
The server notify (服务器通知) and the page notify (页面通知): fields, order and signature, sound or odd.

Source: sheet bank.md section 2.3; fields as vectors/bank/ccb_callback.json.
"""

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import urlencode

from sandbox.bank_ccb.faults import BankCcbFault
from sandbox.bank_ccb.orders import Order, Try, merchants_number
from sandbox.bank_ccb.signing import sign, spoilt
from sandbox.bank_ccb.world import World
from sandbox.callbacks import Notice
from sandbox.clock import BEIJING
from sandbox.faults import ON_DELIVERY, AnyFault, Fault
from sandbox.money import yuan_of

RETRY_SECONDS: Final = (60, 600, 3600, 7200)
"""The bank repeats a few times within hours; how often exactly is unknown."""

DELIVERY_FAULTS: Final[frozenset[AnyFault]] = (ON_DELIVERY - {Fault.CALLBACK_WRONG_SERIAL}) | {
    BankCcbFault.NOTIFY_OPTIONAL_FIELDS,
    BankCcbFault.NOTIFY_NEWER_FIELDS,
    BankCcbFault.NOTIFY_OTHER_ORDER,
    BankCcbFault.NOTIFY_UPPERCASE_HEX,
    BankCcbFault.NOTIFY_OF_PAGE,
}

PAYER_NAME: Final = "试验缴费人"
_OK: Final = 200
_DEBIT_CARD: Final = "12"
_WITH_USER: Final = frozenset({Fault.GBK_BODY, BankCcbFault.NOTIFY_OPTIONAL_FIELDS})


def accepts(code: int, _answer: bytes) -> bool:
    """Any HTTP 200 stops the retries; the body is not read."""
    return code == _OK


def send_notice(world: World, order: Order, one: Try, success: str) -> None:
    """Tell the merchant's server what became of a try."""
    world.courier.send(
        Notice(
            notice_id=uuid.uuid4().hex,
            kind="payment_callback",
            out_trade_no=merchants_number(order.order_id),
            url=world.notify_url,
            compose=partial(compose, world, notify_fields(world, order, success), one),
        )
    )


def page_return(world: World, order: Order) -> str:
    """Where the payer's browser goes: the page notify in the address, signed, without ACC_TYPE."""
    fields = _of_page(notify_fields(world, order, "Y"))
    signed = {**fields, "SIGN": sign(world.counter_keys[-1], fields.items(), "utf-8")}
    return f"{world.page_url}?{urlencode(signed)}"


def notify_fields(world: World, order: Order, success: str) -> dict[str, str]:
    """The mandatory fields in the order that is signed, fixed when it happened."""
    identity = world.keys.identity
    return {
        "POSID": identity.pos_id,
        "BRANCHID": identity.branch_id,
        "ORDERID": order.order_id,
        "PAYMENT": yuan_of(order.amount_fen),
        "CURCODE": "01",
        "REMARK1": order.request["REMARK1"],
        "REMARK2": order.request["REMARK2"],
        "ACC_TYPE": _DEBIT_CARD,
        "SUCCESS": success,
    }


def compose(
    world: World, event: Mapping[str, str], one: Try, fault: AnyFault | None
) -> tuple[Mapping[str, str], bytes]:
    """One delivery's headers and body."""
    fields = _odd(dict(event), one, fault)
    if fault is Fault.CALLBACK_AMOUNT_DIFFERS:
        yuan, _, fen = fields["PAYMENT"].partition(".")
        fields["PAYMENT"] = yuan_of(int(yuan) * 100 + int(fen) + 1)
    key = world.keys.stranger_private_key if fault is Fault.CALLBACK_WRONG_KEY else world.counter_keys[-1]
    encoding = "gbk" if fault is Fault.GBK_BODY else "utf-8"
    signature = sign(key, fields.items(), encoding)
    if fault is Fault.CALLBACK_BAD_SIGNATURE:
        signature = spoilt(signature)
    if fault is BankCcbFault.NOTIFY_UPPERCASE_HEX:
        signature = signature.upper()
    posted = list(fields.items())
    if fault is BankCcbFault.NOTIFY_OTHER_ORDER:
        posted.reverse()
    body = urlencode([*posted, ("SIGN", signature)], encoding=encoding).encode("ascii")
    return {"Content-Type": "application/x-www-form-urlencoded"}, body


def _odd(fields: dict[str, str], one: Try, fault: AnyFault | None) -> dict[str, str]:
    """The fields of other products and occasions."""
    if fault is BankCcbFault.NOTIFY_OF_PAGE:
        return _of_page(fields)
    if fault in _WITH_USER:
        day = one.at.astimezone(BEIJING).strftime("%Y%m%d")
        return fields | {
            "TYPE": "1",
            "REFERER": "",
            "CLIENTIP": "192.0.2.9",
            "ACCDATE": day,
            "USRINFO": PAYER_NAME,
            "PAYTYPE": "AL",
        }
    if fault is BankCcbFault.NOTIFY_NEWER_FIELDS:
        shown: dict[str, str] = {}
        for name, value in fields.items():
            shown[name] = value
            shown |= {"DISCOUNT": "", "INSTALLNUM": ""} if name == "CURCODE" else {}
        return shown
    return fields


def _of_page(fields: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name != "ACC_TYPE"}
