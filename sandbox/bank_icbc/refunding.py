"""
Refunds: accepted first, done a little later, and learnt by query alone.

Source: sheet bank.md section 4.3; outtrx_serial_no makes a refund idempotent.
"""

from functools import partial

from sandbox.bank_icbc.faults import IcbcFault
from sandbox.bank_icbc.orders import FAILED, PAID, Order, Refund, Refusal
from sandbox.bank_icbc.world import Call, World
from sandbox.clock import local_text

Members = dict[str, str]


def refund(world: World, call: Call) -> Members:
    """
    Pay back a part or all; the same number again is the same refund.

    Raises:
        Refusal: 500020, 500023, 500024, or 500025 for a number that was used for another amount.
    """
    order, content = _order(world, call), call.content
    amount_fen, known = int(content["ret_total_amt"]), order.refund_of(content["outtrx_serial_no"])
    if known is not None:
        if known.amount_fen != amount_fen:
            raise Refusal(500025)
        return _shown(order, known)
    if order.refunded_fen + amount_fen > order.amount_fen:
        raise Refusal(500024)
    now = world.clock.now()
    accepted = Refund(
        serial=content["outtrx_serial_no"],
        amount_fen=amount_fen,
        created_at=now,
        refund_no=world.book.next_number(world.keys.identity.mer_id, now),
    )
    order.refunds.append(accepted)
    world.clock.call_later(world.refund_seconds, partial(_complete, world, order, accepted))
    return _shown(order, accepted)


def query(world: World, call: Call) -> Members:
    """
    What became of a refund: pay_status is the refund's here.

    Raises:
        Refusal: 500020 for an unknown order or refund.
    """
    order = _order(world, call)
    known = order.refund_of(call.content["outtrx_serial_no"])
    if known is None:
        raise Refusal(500020)
    shown = _shown(order, known) | {"pay_status": known.outcome}
    return shown | ({"refund_time": local_text(known.settled_at)} if known.settled_at else {})


def _order(world: World, call: Call) -> Order:
    order = world.book.orders.get(call.content["out_trade_no"])
    if order is None:
        raise Refusal(500020)
    if order.paid_at is None:
        raise Refusal(500023)
    return order


def _shown(order: Order, refund: Refund) -> Members:
    return {
        "out_trade_no": order.out_trade_no,
        "order_id": order.order_id,
        "outtrx_serial_no": refund.serial,
        "intrx_serial_no": refund.refund_no,
        "reject_amt": str(refund.amount_fen),
        "real_reject_amt": str(refund.amount_fen),
    }


def _complete(world: World, order: Order, accepted: Refund) -> None:
    """The money is back, or a fault keeps it. Runs as a job of the clock."""
    with world.lock:
        failed = world.fault(IcbcFault.REFUND_FAILED, operation="refund", out_trade_no=order.out_trade_no)
        accepted.outcome = FAILED if failed else PAID
        accepted.settled_at = world.clock.now()
