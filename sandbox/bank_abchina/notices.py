"""
Payment notices (支付结果通知): XML in GBK, signed, sound or spoilt as a fault asks.

Source: sheet bank.md section 3.4; fields as vectors/abc_notify.json. How often the bank sends again is unknown.
"""

import base64
import re
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.bank_abchina.faults import BankAbchinaFault
from sandbox.bank_abchina.orders import MESSAGES, Order
from sandbox.bank_abchina.signing import notice_document, spoilt
from sandbox.bank_abchina.world import World
from sandbox.callbacks import Notice
from sandbox.clock import BEIJING
from sandbox.faults import ON_DELIVERY, AnyFault, Fault
from sandbox.money import yuan_of

RETRY_SECONDS: Final = (60, 300, 1800, 7200)
"""Own choice: 5 deliveries in all."""

DELIVERY_FAULTS: Final = (ON_DELIVERY - {Fault.CALLBACK_WRONG_SERIAL, Fault.GBK_BODY}) | {
    BankAbchinaFault.CALLBACK_OUTSIDE_GB2312,
    BankAbchinaFault.CALLBACK_SIGNED_AS_GBK,
    BankAbchinaFault.CALLBACK_BLANK_FOR_PLUS,
}

_ADDRESS: Final = re.compile(rb"<URL>https?://[^<\s]+</URL>")
_HTTP_OK: Final = 200
_GBK_ALONE: Final = "張三丰镕"
"""Characters of GBK that GB2312 does not have."""
_REMARK_BY_FAULT: Final = {
    BankAbchinaFault.CALLBACK_OUTSIDE_GB2312: _GBK_ALONE,
    BankAbchinaFault.CALLBACK_SIGNED_AS_GBK: _GBK_ALONE,
}


def accepts(code: int, answer: bytes) -> bool:
    """The page must say where the payer's browser goes next; what else would do is unknown."""
    return code == _HTTP_OK and _ADDRESS.search(answer) is not None


def send_notice(world: World, order: Order) -> None:
    """Tell the merchant that an order is paid."""
    world.courier.send(
        Notice(
            notice_id=uuid.uuid4().hex,
            kind="payment_callback",
            out_trade_no=order.order_no,
            url=order.notify_url,
            compose=partial(_compose, world, order),
        )
    )


def _compose(world: World, order: Order, fault: AnyFault | None) -> tuple[Mapping[str, str], bytes]:
    inner = _inner(world, order, fault)
    charset = "gbk" if fault is BankAbchinaFault.CALLBACK_SIGNED_AS_GBK else "gb2312"
    signature, head = notice_document(inner, _key(world, fault), charset=charset)
    if fault is Fault.CALLBACK_BAD_SIGNATURE:
        signature = spoilt(signature)
    msg = base64.b64encode(head + f"<Signature>{signature}</Signature></MSG>".encode("ascii")).decode("ascii")
    unescaped = fault is BankAbchinaFault.CALLBACK_BLANK_FOR_PLUS
    body = f"MSG={msg if unescaped else quote(msg, safe='')}".encode("ascii")
    return {"Content-Type": "application/x-www-form-urlencoded"}, body


def _key(world: World, fault: AnyFault | None) -> rsa.RSAPrivateKey:
    return world.keys.stranger_private_key if fault is Fault.CALLBACK_WRONG_KEY else world.signing_key


def _inner(world: World, order: Order, fault: AnyFault | None) -> str:
    settled_at = (order.settled_at or world.clock.now()).astimezone(BEIJING)
    surplus_fen = 1 if fault is Fault.CALLBACK_AMOUNT_DIFFERS else 0
    fields = {
        "ReturnCode": "0000",
        "ErrorMessage": MESSAGES["0000"],
        "TrxType": "PayResult",
        "OrderNo": order.order_no,
        "Amount": yuan_of(order.amount_fen + surplus_fen),
        "BatchNo": "000001",
        "VoucherNo": order.reference[-6:],
        "HostDate": f"{settled_at:%Y/%m/%d}",
        "HostTime": f"{settled_at:%H:%M:%S}",
        "MerchantRemarks": _REMARK_BY_FAULT.get(fault, "") if isinstance(fault, BankAbchinaFault) else "",
        "PayType": "EP001",
        "NotifyType": "1",
        "iRspRef": order.reference,
    }
    merchant = f"<ECMerchantType>EBUS</ECMerchantType><MerchantID>{world.keys.identity.merchant_id}</MerchantID>"
    shown = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
    return f"<Merchant>{merchant}</Merchant><TrxResponse>{shown}</TrxResponse>"
