"""
The callback sa.pay.notify: its data, its schedule, sound or spoilt as a fault asks.

Source: sheet shared_account.md section 4.6.
"""

import base64
import json
import secrets
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from sandbox.callbacks import Notice
from sandbox.faults import ON_DELIVERY, AnyFault, Fault
from sandbox.money import fen_of, yuan_of
from sandbox.shared_account.envelope import DER
from sandbox.shared_account.orders import Order, Revoke, moment
from sandbox.shared_account.sm import RAW_BYTES
from sandbox.shared_account.world import World
from sandbox.wire import Json

NOTIFY: Final = "sa.pay.notify"
RETRY_SECONDS: Final = (15, 30, 180, 600, 1_800, 3_600, 7_200, 21_600)
"""Gaps between 9 deliveries."""

DELIVERY_FAULTS: Final = (ON_DELIVERY - {Fault.CALLBACK_WRONG_SERIAL, Fault.GBK_BODY}) | {Fault.SIGNATURE_DER}

_HTTP_OK: Final = 200
_CALL_PAID: Final = "02"
_CALL_REVOKED: Final = "03"


def accepts(code: int, answer: bytes) -> bool:
    """Only HTTP 200 with code "0" in plain JSON stops the repeats."""
    try:
        content = json.loads(answer)
    except ValueError:
        return False
    return code == _HTTP_OK and isinstance(content, dict) and content.get("code") == "0"


def send_notice(world: World, order: Order, done: Revoke | None = None) -> None:
    """Tell the merchant of a payment, or of its revoke; the address is the charge's, else the channel's."""
    url = order.request.get("notifyUrl") or world.notify_url
    if not url:
        return
    notice_id = secrets.token_hex(16).upper()
    world.courier.send(
        Notice(
            notice_id=notice_id,
            kind="payment_callback" if done is None else "refund_callback",
            out_trade_no=order.out_trade_no,
            url=url,
            compose=partial(_compose, world, _event(world, order, done, notice_id)),
        )
    )


def _event(world: World, order: Order, done: Revoke | None, notice_id: str) -> Json:
    """Fixed at the moment it happened."""
    now = world.clock.now()
    event = {"notifyId": notice_id, "callType": _CALL_PAID, "tradeTime": moment(now), "memo": "家庭共济缴费"}
    shown = order.shown(now)
    event |= {name: shown[name] for name in ("outTradeNo", "payOrdId", "ordStas", "psnAcctPay", "receiptNo")}
    return event if done is None else event | {"callType": _CALL_REVOKED, "revokeSn": done.revoke_sn}


def _compose(world: World, event: Json, fault: AnyFault | None) -> tuple[Mapping[str, str], bytes]:
    data = dict(event)
    if fault is Fault.CALLBACK_AMOUNT_DIFFERS:
        data["psnAcctPay"] = yuan_of(fen_of(data["psnAcctPay"]) + 1)
    changes: dict[str, Any] = {}
    if fault is Fault.CALLBACK_WRONG_KEY:
        changes = {"own": world.stranger}
    elif fault is Fault.SIGNATURE_DER:
        changes = {"signature_form": DER}
    sealed = world.sealed({"transType": NOTIFY}, data, **changes)
    if fault is Fault.CALLBACK_BAD_SIGNATURE:
        sealed["signData"] = random_signature()
    return {"Content-Type": "application/json; charset=utf-8"}, body_of(sealed)


def random_signature() -> str:
    """64 bytes that sign nothing."""
    return base64.b64encode(secrets.token_bytes(RAW_BYTES)).decode("ascii")


def body_of(message: Json) -> bytes:
    """As it goes over the wire."""
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
