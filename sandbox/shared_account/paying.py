"""
Charges and their query: the whole amount or nothing, at once, after a delay, or when a person says so.

Source: sheet shared_account.md sections 4.3 and 4.4.
"""

import secrets
from functools import partial
from typing import Final

from sandbox.faults import Fault
from sandbox.money import yuan_of
from sandbox.shared_account.admission import amount_of, beijing_time
from sandbox.shared_account.faults import SharedAccountFault
from sandbox.shared_account.notices import send_notice
from sandbox.shared_account.orders import CLOSED, FAILED, PAID, PENDING, Order, Refusal, moment
from sandbox.shared_account.registry import ACCOUNT_NORMAL, ACTIVE, NONE, WAITING, Binding
from sandbox.shared_account.world import Data, World
from sandbox.wire import PayRefused, SandboxFull

LATE_SECONDS: Final = 30
"""How long `settled_late` lasts unless the rule says otherwise."""


def charge(world: World, data: Data) -> Data:
    """Debit the owner's account; the same charge again is answered with the present state of the first."""
    known = world.book.orders.get(data["outTradeNo"])
    if known is not None:
        if not known.same_content(data):
            raise Refusal("SA3002")
        return known.shown(world.clock.now())
    order = _accepted(world, data)
    return order.shown(world.clock.now())


def query(world: World, data: Data) -> Data:
    """One order by either number; both must agree."""
    order = _asked(world, data)
    if order.paid_at is not None and world.fault(
        Fault.NOT_FOUND_THEN_PAID, operation="query", out_trade_no=order.out_trade_no
    ):
        raise Refusal("SA3001")
    done = order.revoke_done
    shown = {"amt": yuan_of(order.amount_fen)} | order.shown(world.clock.now())
    if done is None or done.done_at is None:
        return shown
    return shown | {"revokeSn": done.revoke_sn, "revTime": moment(done.done_at)}


def settle(world: World, order: Order) -> None:
    """
    Debit a waiting charge now; when that cannot be done any more, the order ends as failed.

    Raises:
        PayRefused: The order does not wait, or it has just failed.
    """
    now = world.clock.now()
    if order.state(now) != PENDING:
        raise PayRefused("订单不在待扣款状态")
    try:
        _check_binding(world, order.request)
        _check_account(world, order.request["ownerIdNo"], order.amount_fen)
    except Refusal as refusal:
        order.ended = FAILED
        raise PayRefused(refusal.message) from refusal
    world.registry.account(order.request["ownerIdNo"]).balance_fen -= order.amount_fen
    order.paid_at = now
    send_notice(world, order)


def end_unpaid(world: World, order: Order) -> None:
    """A waiting charge is not approved: it ends as closed, and nothing is debited."""
    if order.state(world.clock.now()) == PENDING:
        order.ended = CLOSED


def _accepted(world: World, data: Data) -> Order:
    where = {"operation": "create", "out_trade_no": data["outTradeNo"]}
    revoked = world.fault(SharedAccountFault.BINDING_REVOKED, **where)
    if revoked is not None and revoked.seconds is None:
        _revoke_binding(world, data["bindId"])
    amount_fen = amount_of(data)
    _check_binding(world, data)
    _check_premium(world, data)
    if data["payAuthNo"] in world.book.authorisations:
        raise Refusal("SA2012")
    _check_account(world, data["ownerIdNo"], amount_fen)
    order = _added(world, data, amount_fen)
    late = world.fault(SharedAccountFault.SETTLED_LATE, **where)
    delay = world.settle_seconds
    if late is not None:
        delay = LATE_SECONDS if late.seconds is None else late.seconds
    if revoked is not None and revoked.seconds is not None:
        world.clock.call_later(revoked.seconds, partial(_revoke_binding, world, data["bindId"]))
        delay = revoked.seconds
    if delay == 0 and revoked is None:
        settle(world, order)
    elif delay is not None:
        world.clock.call_later(delay, partial(_settle_by_itself, world, order))
    return order


def _added(world: World, data: Data, amount_fen: int) -> Order:
    now = world.clock.now()
    expires_at = None
    if "expireTime" in data:
        expires_at = beijing_time(data["expireTime"], "%Y%m%d%H%M%S", "expireTime")
        if expires_at <= now:
            raise Refusal("SA1001", "expireTime")
    order = Order(
        request={name: value for name, value in data.items() if isinstance(value, str)},
        amount_fen=amount_fen,
        pay_ord_id=world.book.next_pay_ord_id(now),
        created_at=now,
        visit=secrets.token_urlsafe(24),
        expires_at=expires_at,
    )
    try:
        world.book.add(order)
    except SandboxFull as exc:
        raise Refusal("SA5001") from exc
    return order


def _check_binding(world: World, data: Data) -> None:
    binding = world.registry.bindings.get(data["bindId"])
    if binding is None or not _fits(world, binding, data):
        raise Refusal("SA2004")
    if binding.state != ACTIVE:
        raise Refusal("SA2013" if binding.state == WAITING else "SA2004")


def _fits(world: World, binding: Binding, data: Data) -> bool:
    people = (binding.owner_id_no, binding.member_id_no) == (data["ownerIdNo"], data["memberIdNo"])
    known_as = world.registry.known_as
    return (
        people and known_as(data["ownerIdNo"], data["ownerName"]) and known_as(data["memberIdNo"], data["memberName"])
    )


def _check_premium(world: World, data: Data) -> None:
    """One person pays once for a year, whoever's account it comes from."""
    other = world.book.by_premium.get((data["memberIdNo"], data["insuYear"], data["insutype"]))
    if other is None:
        return
    state = other.state(world.clock.now())
    if state == PAID:
        raise Refusal("SA2007")
    if state == PENDING:
        raise Refusal("SA3004")


def _check_account(world: World, owner_id_no: str, amount_fen: int) -> None:
    account = world.registry.account(owner_id_no)
    if account.state != ACCOUNT_NORMAL:
        raise Refusal("SA2002")
    if account.balance_fen < amount_fen:
        raise Refusal("SA2001")


def _revoke_binding(world: World, bind_id: str) -> None:
    binding = world.registry.bindings.get(bind_id)
    if binding is not None:
        binding.state = NONE


def _settle_by_itself(world: World, order: Order) -> None:
    """What a person has not decided in time settles. Runs as a job of the clock."""
    with world.lock:
        try:
            settle(world, order)
        except PayRefused:
            return


def _asked(world: World, data: Data) -> Order:
    number, pay_ord_id = data.get("outTradeNo"), data.get("payOrdId")
    if number is None and pay_ord_id is None:
        raise Refusal("SA1001", "outTradeNo")
    order = world.book.orders.get(str(number)) if number else world.book.by_pay_ord_id.get(str(pay_ord_id))
    if order is None:
        raise Refusal("SA3001")
    if pay_ord_id is not None and order.pay_ord_id != pay_ord_id:
        raise Refusal("SA1001", "outTradeNo 与 payOrdId 不一致")
    return order
