"""
Notices (异步通知) of payments and refunds, sound or spoilt as a fault asks, and what stops their repetition.

Fact to replace: the members, the bank's retry times, the words it waits for (source: section on notices).
"""

import json
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Final

from sandbox.callbacks import Notice
from sandbox.faults import ON_DELIVERY, AnyFault, Fault
from sandbox.money import yuan_of
from sandbox.newbank.orders import Order, Refund, order_members, refund_members
from sandbox.newbank.signing import signed_headers, spoilt
from sandbox.newbank.world import World

RETRY_SECONDS: Final = (15, 60, 300, 1800, 3600)
DELIVERY_FAULTS: Final = ON_DELIVERY - {Fault.GBK_BODY}

_HTTP_OK: Final = 200


def accepts(code: int, answer: bytes) -> bool:
    """What stops the retries: HTTP 200 and the word SUCCESS."""
    try:
        told = json.loads(answer)
    except ValueError:
        return False
    return code == _HTTP_OK and isinstance(told, dict) and told.get("code") == "SUCCESS"


def send_payment_notice(world: World, order: Order) -> None:
    """Tell the merchant that an order is paid."""
    members = {"event": "payment", **order_members(order, world.clock.now())}
    _send(world, "payment_callback", order, order.request["notify_url"], members)


def send_refund_notice(world: World, order: Order, refund: Refund) -> None:
    """Tell the merchant that a refund is done."""
    _send(
        world,
        "refund_callback",
        order,
        refund.request["notify_url"],
        {"event": "refund", **refund_members(order, refund)},
    )


def _send(world: World, kind: str, order: Order, url: str, members: Mapping[str, str]) -> None:
    notice_id = uuid.uuid4().hex
    event = {"notice_id": notice_id, **members}
    world.courier.send(
        Notice(
            notice_id=notice_id,
            kind=kind,
            out_trade_no=order.out_trade_no,
            url=url,
            compose=partial(_compose, world, order, event),
        )
    )


def _compose(
    world: World, order: Order, event: Mapping[str, str], fault: AnyFault | None
) -> tuple[Mapping[str, str], bytes]:
    """One delivery: the event as it was, signed now."""
    keys = world.keys
    members = dict(event)
    if fault is Fault.CALLBACK_AMOUNT_DIFFERS:
        members["amount"] = yuan_of(order.amount_fen + 1)
    body = json.dumps(members, separators=(",", ":")).encode()
    key = keys.stranger_private_key if fault is Fault.CALLBACK_WRONG_KEY else keys.bank_private_key
    key_id = "nobody" if fault is Fault.CALLBACK_WRONG_SERIAL else keys.identity.bank_key_id
    headers = signed_headers(key, key_id, body, world.clock.now())
    return (spoilt(headers) if fault is Fault.CALLBACK_BAD_SIGNATURE else headers), body
