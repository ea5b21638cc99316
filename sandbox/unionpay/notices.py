"""
Back-notices (后台通知) and the browser's return: fields, encoding and signature, sound or spoilt as a fault asks.

Source: sheet unionpay.md sections 6 and 8; fields as vectors/notifies.json.
"""

import uuid
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import urlencode

from sandbox.callbacks import Notice
from sandbox.faults import ON_DELIVERY, AnyFault, Fault
from sandbox.unionpay.orders import MESSAGES, Movement, Order, Refund, result_fields
from sandbox.unionpay.signing import CODECS, SIGN_METHOD, VERSION, Signer, spoilt, within
from sandbox.unionpay.world import World
from sandbox.wire import Json

RETRY_SECONDS: Final = (0, 60, 120, 240)
"""5 deliveries in all; the source names the gaps 0, 1, 2 and 4 minutes."""

DELIVERY_FAULTS: Final = (ON_DELIVERY - {Fault.CALLBACK_WRONG_SERIAL}) | {Fault.CALLBACK_WRONG_OWNER}

_ACCEPTED: Final = frozenset({200, 302})
_AMOUNTS: Final = ("txnAmt", "settleAmt")


def accepts(code: int, _answer: bytes) -> bool:
    """HTTP 200 or 302 stops the retries; the body is not read."""
    return code in _ACCEPTED


def send_notice(world: World, order: Order, item: Order | Refund) -> None:
    """Tell the merchant that a payment, or a refund or undo of it, is done; each has its own backUrl."""
    world.courier.send(
        Notice(
            notice_id=uuid.uuid4().hex,
            kind="payment_callback" if item is order else "refund_callback",
            out_trade_no=order.order_id,
            url=item.request["backUrl"],
            compose=partial(_compose, world, _fields(item)),
        )
    )


def front_return(world: World, order: Order) -> Json:
    """The form that brings the payer's browser back to frontUrl: the notice's fields and signature, by POST."""
    fields = _written(_fields(order), order.request["encoding"])
    return {
        "action": order.request["frontUrl"],
        "encoding": order.request["encoding"],
        "fields": world.signer.signed(fields),
    }


def _fields(item: Movement) -> dict[str, str]:
    """The event, fixed at the moment it happened; the encoding is the request's."""
    fields = result_fields(item) | {
        "encoding": item.request["encoding"],
        "respCode": "00",
        "respMsg": MESSAGES["00"],
        "signMethod": SIGN_METHOD,
        "version": VERSION,
    }
    return fields | ({"origQryId": item.request["origQryId"]} if isinstance(item, Refund) else {})


def _compose(world: World, event: Mapping[str, str], fault: AnyFault | None) -> tuple[Mapping[str, str], bytes]:
    encoding = "GBK" if fault is Fault.GBK_BODY else event["encoding"]
    fields = _written(event, encoding)
    if fault is Fault.CALLBACK_AMOUNT_DIFFERS:
        fields |= {name: str(int(fields[name]) + 1) for name in _AMOUNTS}
    signed = _signer(world, fault).signed(fields)
    if fault is Fault.CALLBACK_BAD_SIGNATURE:
        signed["signature"] = spoilt(signed["signature"])
    headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={encoding}"}
    return headers, urlencode(signed, encoding=CODECS[encoding.lower()]).encode("ascii")


def _signer(world: World, fault: AnyFault | None) -> Signer:
    if fault is Fault.CALLBACK_WRONG_KEY:
        return world.stranger
    if fault is Fault.CALLBACK_WRONG_OWNER:
        return world.other_merchant
    return world.signer


def _written(event: Mapping[str, str], encoding: str) -> dict[str, str]:
    codec = CODECS[encoding.lower()]
    return {name: within(value, codec) for name, value in event.items()} | {"encoding": encoding}
