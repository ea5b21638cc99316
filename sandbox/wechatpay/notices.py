"""
Payment and refund callbacks: the envelope, its encryption and its signature, sound or spoilt as a fault asks.

Source: sheet wechatpay.md sections 6.1 to 6.4; shapes as vectors/callbacks.json.
"""

import copy
import json
import uuid
from collections.abc import Mapping
from typing import Final

from sandbox.callbacks import Compose, Notice
from sandbox.clock import rfc3339
from sandbox.faults import ON_DELIVERY, AnyFault, Fault
from sandbox.wechatpay.orders import Order, Refund, refund_notice_object, transaction_object
from sandbox.wechatpay.signing import Signer, alphanumeric, sealed, spoilt
from sandbox.wechatpay.world import World
from sandbox.wire import Json

RETRY_SECONDS: Final = (
    15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600
)  # fmt: skip
"""15s/15s/30s/3m/10m/20m/30m/30m/30m/60m/3h/3h/3h/6h/6h: 15 more deliveries after the first, 24 h 4 min in all."""

DELIVERY_FAULTS: Final = ON_DELIVERY - {Fault.GBK_BODY}

_REFUND_SUMMARIES: Final = {"SUCCESS": "退款成功", "ABNORMAL": "退款异常", "CLOSED": "退款关闭"}


def accepts(code: int, _answer: bytes) -> bool:
    """Any 2xx stops the retries; the body is not read."""
    return 200 <= code <= 299  # noqa: PLR2004 the HTTP success class


def send_payment_notice(world: World, order: Order) -> None:
    """Tell the merchant that the order is paid."""
    compose = _composer(
        world, order, event="TRANSACTION.SUCCESS", summary="支付成功", original_type="transaction",
        plaintext=transaction_object(order, world.clock.now()),
    )  # fmt: skip
    _send(world, order, kind="payment_callback", url=order.request["notify_url"], compose=compose)


def send_refund_notice(world: World, order: Order, refund: Refund) -> None:
    """Tell the merchant how a refund ended, when the refund request named a notify_url."""
    if "notify_url" not in refund.request:
        return
    compose = _composer(
        world, order, event=f"REFUND.{refund.outcome}", summary=_REFUND_SUMMARIES[refund.outcome],
        original_type="refund", plaintext=refund_notice_object(order, refund),
    )  # fmt: skip
    _send(world, order, kind="refund_callback", url=refund.request["notify_url"], compose=compose)


def _send(world: World, order: Order, *, kind: str, url: str, compose: Compose) -> None:
    notice_id = uuid.uuid4().hex
    world.courier.send(
        Notice(notice_id=notice_id, kind=kind, out_trade_no=order.out_trade_no, url=url, compose=compose)
    )


def _composer(world: World, order: Order, *, event: str, summary: str, original_type: str, plaintext: Json) -> Compose:
    """The body stays the same over all deliveries; timestamp, nonce and signature are new each time."""
    envelope = {
        "id": str(uuid.uuid4()),
        "create_time": rfc3339(world.clock.now()),
        "resource_type": "encrypt-resource",
        "event_type": event,
        "summary": summary,
    }

    def body_of(content: Json) -> bytes:
        resource = {"original_type": original_type}
        resource |= sealed(world.keys.apiv3_key, _compact(content), original_type)
        return _compact({**envelope, "resource": resource})

    sound = body_of(plaintext)

    def compose(fault: AnyFault | None) -> tuple[Mapping[str, str], bytes]:
        body = body_of(_other_amount(plaintext)) if fault is Fault.CALLBACK_AMOUNT_DIFFERS else sound
        signer = _spoilt_signer(world, world.signer(order.signer), fault)
        headers = signer.headers(body, world.clock.now())
        if fault is Fault.CALLBACK_BAD_SIGNATURE:
            headers["Wechatpay-Signature"] = spoilt(headers["Wechatpay-Signature"])
        return headers | {"Content-Type": "application/json", "User-Agent": "Mozilla/4.0"}, body

    return compose


def _spoilt_signer(world: World, signer: Signer, fault: AnyFault | None) -> Signer:
    if fault is Fault.CALLBACK_WRONG_SERIAL:
        return Signer(serial=alphanumeric(40).upper(), private_key=signer.private_key)
    if fault is Fault.CALLBACK_WRONG_KEY:
        return Signer(serial=signer.serial, private_key=world.stranger)
    return signer


def _other_amount(plaintext: Json) -> Json:
    """One fen more in every amount: validly signed, and not what was asked."""
    other = copy.deepcopy(plaintext)
    amounts = other["amount"]
    amounts |= {name: value + 1 for name, value in amounts.items() if isinstance(value, int)}
    return other


def _compact(content: Json) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
