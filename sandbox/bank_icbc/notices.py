"""
Notifies (支付结果通知): members, charset, encryption, signature, sound or spoilt as a fault asks; and what stops them.

Source: sheet bank.md section 4.4; fields as vectors/icbc_notify.json.
"""

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

from sandbox.bank_icbc.faults import IcbcFault
from sandbox.bank_icbc.keys import IcbcKeys
from sandbox.bank_icbc.orders import Book, Order, beijing
from sandbox.bank_icbc.signing import (
    CODECS,
    bank_signature,
    merchant_answer,
    seal,
    signed_text,
    spoilt,
    written,
)
from sandbox.bank_icbc.world import World
from sandbox.callbacks import Notice
from sandbox.clock import local_text
from sandbox.faults import ON_DELIVERY, AnyFault, Fault

RETRY_SECONDS: Final = (60, 300, 600, 1800, 3600)
"""The real schedule is not public; this one is made up."""

DELIVERY_FAULTS: Final[frozenset[AnyFault]] = (ON_DELIVERY - {Fault.CALLBACK_WRONG_SERIAL}) | {
    IcbcFault.CALLBACK_OTHER_PATH
}
OTHER_PATH: Final = "/notifyUrlServlet"
"""What one public client verifies with, whatever its own address is."""

_HTTP_OK: Final = 200


def accepts(keys: IcbcKeys, book: Book, code: int, answer: bytes) -> bool:
    """What stops the retries: an answer signed by the merchant's app, with return_code 0 and the msg_id of a notify."""
    try:
        members = merchant_answer(keys.app_private_key.public_key(), keys.content_key, answer)
    except ValueError:
        return False
    return code == _HTTP_OK and members.get("return_code") == 0 and members.get("msg_id") in book.notified


def send_notice(world: World, order: Order) -> None:
    """Tell the merchant that an order is paid, unless it asked not to be told."""
    if order.request.get("notify_type", "HS") != "HS":
        return
    members = notice_members(world, order)
    world.book.notified.add(members["msg_id"])
    world.courier.send(
        Notice(
            notice_id=members["msg_id"],
            kind="payment_callback",
            out_trade_no=order.out_trade_no,
            url=order.request["notify_url"],
            compose=partial(compose, world, order, members),
        )
    )


def notice_members(world: World, order: Order) -> dict[str, str]:
    """The event, fixed at the moment it happened."""
    return {
        "return_code": "0",
        "return_msg": "success",
        "msg_id": f"n{uuid.uuid4().hex}",
        "mer_id": world.keys.identity.mer_id,
        "cust_id": "",
        "card_no": "621226****0001",
        "total_amt": str(order.amount_fen),
        "point_amt": "0",
        "ecoupon_amt": "0",
        "payment_amt": str(order.amount_fen),
        "out_trade_no": order.out_trade_no,
        "order_id": order.order_id,
        "pay_time": beijing(order.paid_at),
        "attach": order.request.get("attach", ""),
        "pay_type": "5",
    }


def compose(
    world: World, order: Order, event: Mapping[str, Any], fault: AnyFault | None
) -> tuple[Mapping[str, str], bytes]:
    """One delivery: its headers and its form."""
    members = dict(event)
    if fault is Fault.CALLBACK_AMOUNT_DIFFERS:
        members["total_amt"] = str(order.amount_fen + 1)
    charset = "GBK" if fault is Fault.GBK_BODY else "UTF-8"
    path = urlsplit(order.request["notify_url"]).path
    fields = {
        "from": "icbc-api",
        "api": path,
        "app_id": world.keys.identity.app_id,
        "charset": charset,
        "format": "json",
        "timestamp": local_text(world.clock.now()),
        "biz_content": written(members),
        "sign_type": "RSA",
    }
    if order.sealed:
        fields |= {"encrypt_type": "AES", "biz_content": seal(world.keys.content_key, fields["biz_content"])}
    signed_path = OTHER_PATH if fault is IcbcFault.CALLBACK_OTHER_PATH else path
    codec = CODECS[charset.lower()]
    key = world.keys.stranger_private_key if fault is Fault.CALLBACK_WRONG_KEY else world.keys.gateway_private_key
    signature = bank_signature(key, signed_text(signed_path, fields).encode(codec))
    fields["sign"] = spoilt(signature) if fault is Fault.CALLBACK_BAD_SIGNATURE else signature
    headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
    return headers, urlencode(fields, encoding=codec).encode("ascii")
