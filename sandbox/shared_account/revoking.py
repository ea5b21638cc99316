"""
Revokes (撤销): the full amount goes back to the owner's account, at once unless a fault says otherwise.

Source: sheet shared_account.md section 4.5. A payment that is not known here is never reversed blindly.
"""

from datetime import timedelta
from functools import partial
from typing import Final

from sandbox.shared_account.admission import amount_of
from sandbox.shared_account.faults import SharedAccountFault
from sandbox.shared_account.notices import send_notice
from sandbox.shared_account.orders import (
    PAID,
    PENDING,
    REVOKE_DONE,
    REVOKE_FAILED,
    REVOKE_UNKNOWN,
    REVOKED,
    Order,
    Refusal,
    Revoke,
    moment,
)
from sandbox.shared_account.world import Data, World

REVOKE_WINDOW: Final = timedelta(days=90)
"""Invented: the cut-off is the region's."""

UNKNOWN_SECONDS: Final = 10
"""How long `revoke_unknown` lasts unless the rule says otherwise."""


def revoke(world: World, data: Data) -> Data:
    """Take a paid charge back; the same revoke again is answered with its present outcome."""
    order = world.book.orders.get(data["outTradeNo"])
    if order is None:
        raise Refusal("SA3001")
    if order.pay_ord_id != data["payOrdId"]:
        raise Refusal("SA1001", "outTradeNo 与 payOrdId 不一致")
    if amount_of(data) != order.amount_fen:
        raise Refusal("SA3006")
    known = world.book.by_revoke_sn.get(data["revokeSn"])
    if known is not None and known is not order:
        raise Refusal("SA1007")
    if known is None:
        _check_revocable(world, order)
        _accept(world, order, data["revokeSn"])
    return _shown(next(item for item in order.revokes if item.revoke_sn == data["revokeSn"]))


def _check_revocable(world: World, order: Order) -> None:
    now = world.clock.now()
    state = order.state(now)
    under_way = any(item.outcome == REVOKE_UNKNOWN for item in order.revokes)
    if state == PENDING or under_way:
        raise Refusal("SA3004")
    if state == REVOKED:
        raise Refusal("SA3007")
    if state != PAID or order.paid_at is None:
        raise Refusal("SA3003")
    if now - order.paid_at > REVOKE_WINDOW:
        raise Refusal("SA3005")


def _accept(world: World, order: Order, revoke_sn: str) -> None:
    where = {"operation": "refund", "out_trade_no": order.out_trade_no}
    accepted = Revoke(revoke_sn=revoke_sn, accepted_at=world.clock.now(), outcome=REVOKE_UNKNOWN)
    order.revokes.append(accepted)
    world.book.by_revoke_sn[revoke_sn] = order
    if world.fault(SharedAccountFault.REVOKE_FAILED, **where):
        accepted.outcome = REVOKE_FAILED
    elif (rule := world.fault(SharedAccountFault.REVOKE_UNKNOWN, **where)) is not None:
        seconds = UNKNOWN_SECONDS if rule.seconds is None else rule.seconds
        world.clock.call_later(seconds, partial(_complete_later, world, order, accepted))
    else:
        _complete(world, order, accepted)


def _complete(world: World, order: Order, accepted: Revoke) -> None:
    accepted.outcome = REVOKE_DONE
    accepted.done_at = world.clock.now()
    world.registry.account(order.request["ownerIdNo"]).balance_fen += order.amount_fen
    send_notice(world, order, accepted)


def _complete_later(world: World, order: Order, accepted: Revoke) -> None:
    """Runs as a job of the clock."""
    with world.lock:
        _complete(world, order, accepted)


def _shown(item: Revoke) -> Data:
    members = {"revokeSn": item.revoke_sn, "refStatus": item.outcome}
    return members if item.done_at is None else members | {"revTime": moment(item.done_at)}
