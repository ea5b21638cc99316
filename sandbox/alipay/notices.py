"""
Notifies (异步通知) and the browser return: their fields, charset and signature, sound or spoilt as a fault asks.

Source: sheet alipay.md sections 7.1 to 7.6; fields as vectors/notifies.json and returns.json.
"""

import json
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import urlencode

from sandbox.alipay.signing import CODECS, Signer, notice_text, spoilt, within
from sandbox.alipay.trades import Refund, Trade
from sandbox.alipay.world import World
from sandbox.callbacks import Notice
from sandbox.clock import local_text
from sandbox.faults import ON_DELIVERY, AnyFault, Fault
from sandbox.money import fen_of, yuan_of

RETRY_SECONDS: Final = (240, 600, 600, 3600, 7200, 21600, 54000)
"""4m, 10m, 10m, 1h, 2h, 6h, 15h: 8 deliveries in about 25 hours."""

DELIVERY_FAULTS: Final = ON_DELIVERY - {Fault.CALLBACK_WRONG_SERIAL}
BUYER_LOGON_ID: Final = "138****0000"

_RETURN_METHODS: Final = {
    "alipay.trade.page.pay": "alipay.trade.page.pay.return",
    "alipay.trade.wap.pay": "alipay.trade.wap.pay.return",
}
_AMOUNTS: Final = ("total_amount", "receipt_amount", "buyer_pay_amount", "invoice_amount")


def accepts(code: int, answer: bytes) -> bool:
    """HTTP 200 and exactly the seven bytes; everything else is sent again."""
    return code == 200 and answer == b"success"  # noqa: PLR2004 the HTTP code itself


def send_notice(world: World, trade: Trade, kind: str, refund: Refund | None = None) -> None:
    """
    Tell the merchant the trade's new state; refunds too go to the notify_url of the original payment.

    Source: sheet alipay.md section 5.6.
    """
    if not trade.notify_url:
        return
    fields = _fields(world, trade, refund)
    world.courier.send(
        Notice(
            notice_id=fields["notify_id"],
            kind=kind,
            out_trade_no=trade.out_trade_no,
            url=trade.notify_url,
            compose=partial(_compose, world, trade, fields),
        )
    )


def return_address(world: World, trade: Trade) -> str:
    """Where the browser goes after paying: return_url with signed parameters, or nothing when none was given."""
    if not trade.return_url or trade.method not in _RETURN_METHODS:
        return ""
    fields = {
        "app_id": world.keys.identity.app_id,
        "auth_app_id": trade.auth_app_id,
        "charset": trade.charset,
        "method": _RETURN_METHODS[trade.method],
        "out_trade_no": trade.out_trade_no,
        "seller_id": world.keys.identity.seller_id,
        "sign_type": "RSA2",
        "timestamp": local_text(world.clock.now()),
        "total_amount": yuan_of(trade.amount_fen),
        "trade_no": trade.trade_no,
        "version": "1.0",
    }
    codec = CODECS[trade.charset.lower()]
    fields["sign"] = world.signer(cert_mode=trade.cert_mode).sign(notice_text(fields).encode(codec))
    joint = "&" if "?" in trade.return_url else "?"
    return f"{trade.return_url}{joint}{urlencode(fields, encoding=codec)}"


def _fields(world: World, trade: Trade, refund: Refund | None) -> dict[str, str]:
    """The event, fixed at the moment it happened; charset, notify_time and sign are each delivery's own."""
    now, identity = world.clock.now(), world.keys.identity
    total = yuan_of(trade.amount_fen)
    fields = {
        "app_id": identity.app_id,
        "auth_app_id": trade.auth_app_id,
        "buyer_id": trade.buyer_id,
        "buyer_logon_id": BUYER_LOGON_ID,
        "gmt_create": local_text(trade.arrived_at or now),
        "invoice_amount": total,
        "notify_id": f"{now:%Y%m%d}00222{now:%H%M%S}{world.book.next_sequence():015d}",
        "notify_type": "trade_status_sync",
        "out_trade_no": trade.out_trade_no,
        "point_amount": "0.00",
        "seller_id": identity.seller_id,
        "subject": trade.subject,
        "total_amount": total,
        "trade_no": trade.trade_no,
        "trade_status": trade.trade_status(now),
        "version": "1.0",
    }
    if trade.body:
        fields["body"] = trade.body
    if trade.passback_params is not None:
        fields["passback_params"] = trade.passback_params
    if trade.paid_at is not None:
        fields |= _payment_fields(trade, total)
    if refund is not None:
        fields |= {
            "gmt_refund": f"{local_text(refund.at)}.{refund.at.microsecond // 1000:03d}",
            "out_biz_no": refund.out_request_no,
            "refund_fee": yuan_of(trade.refunded_fen),
        }
    closed = fields["trade_status"] == "TRADE_CLOSED"
    return fields | ({"gmt_close": local_text(now)} if closed else {})


def _payment_fields(trade: Trade, total: str) -> dict[str, str]:
    funds = [{"amount": total, "fundChannel": "ALIPAYACCOUNT"}]
    return {
        "buyer_pay_amount": total,
        "receipt_amount": total,
        "fund_bill_list": json.dumps(funds, separators=(",", ":")),
        "gmt_payment": local_text(trade.paid_at) if trade.paid_at else "",
    }


def _compose(
    world: World, trade: Trade, event: Mapping[str, str], fault: AnyFault | None
) -> tuple[Mapping[str, str], bytes]:
    charset = "GBK" if fault is Fault.GBK_BODY else trade.charset
    codec = CODECS[charset.lower()]
    now = world.clock.now()
    fields = {name: within(value, codec) for name, value in event.items()}
    fields |= {"charset": charset, "notify_time": local_text(now), "sign_type": "RSA2"}
    if fault is Fault.CALLBACK_AMOUNT_DIFFERS:
        fields |= {name: yuan_of(fen_of(fields[name]) + 1) for name in _AMOUNTS if name in fields}
    signer = world.signer(cert_mode=trade.cert_mode)
    if fault is Fault.CALLBACK_WRONG_KEY:
        signer = Signer(cert_sn=signer.cert_sn, private_key=world.stranger)
    sign = signer.sign(notice_text(fields).encode(codec))
    fields["sign"] = spoilt(sign) if fault is Fault.CALLBACK_BAD_SIGNATURE else sign
    headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset.lower()}"}
    return headers, urlencode(fields, encoding=codec).encode("ascii")
