"""The bills of a person, as a bank may see them: one for each premium, nothing about anybody else."""

from datetime import datetime
from typing import Final

from gateway.domain.biller import Bill, BillerReason, BillerRefused, BillPage, BillQuestion, BillState, bill_no_of
from gateway.domain.order import Order
from gateway.domain.states import OrderState
from gateway.services.biller_account import front_of, may_collect
from gateway.services.deps import Deps
from gateway.services.views import premium_subject
from gateway.store import Tx
from gateway.store.families import biller as rows

_VERSION_CHARACTERS: Final = 8


def find_bills(deps: Deps, account: str, question: BillQuestion) -> BillPage:
    """
    What this person owes or has paid, for the divisions that the biller stands for.

    Raises:
        BillerRefused: no_person, not_in_area, no_bill, nothing_owed.
    """
    institution = front_of(deps, account).institution
    tx = deps.store.read()
    index = deps.vault.blind_index("insured", question.id_type, question.id_number)
    known = [
        order
        for order in rows.orders_of_person(tx, index)
        if (institution.apps is None or order.app in institution.apps) and _is_named(deps, order, question.name)
    ]
    here = [order for order in known if may_collect(institution, question.biller_id, order)]
    asked = [order for order in here if question.region in (None, order.region)]
    wanted = [order for order in asked if order.insured_year == question.insured_year]
    for found, reason in (
        (known, BillerReason.NO_PERSON),
        (asked, BillerReason.NOT_IN_AREA),
        (wanted, BillerReason.NO_BILL),
    ):
        if not found:
            raise BillerRefused(reason)
    bills = [_bill_of(deps, tx, orders) for orders in _by_slot(wanted).values()]
    if all(bill.state is BillState.CLOSED for bill in bills):
        raise BillerRefused(BillerReason.NOTHING_OWED)
    first = question.first - 1
    return BillPage(total=len(bills), bills=tuple(bills[first : first + question.count]))


def bill_version(order: Order) -> str:
    """An order's content never changes, so neither does its bill's version; another content is another order."""
    return order.meaning[:_VERSION_CHARACTERS]


def is_over(order: Order) -> bool:
    """True for a paid order all of whose money went back: it is neither paid nor payable any more."""
    return order.state is OrderState.PAID and order.amount_refunded_fen == order.amount_paid_fen


def _is_named(deps: Deps, order: Order, name: str | None) -> bool:
    """A name that does not fit is answered as if there were nobody: the number alone must not confirm a name."""
    if name is None:
        return True
    subject = premium_subject(deps, order)
    return subject is not None and subject.insured.name == name


def _by_slot(orders: list[Order]) -> dict[str, list[Order]]:
    """A premium's orders together, newest first."""
    slots: dict[str, list[Order]] = {}
    for order in orders:
        slots.setdefault(order.slot or order.id, []).append(order)
    return slots


def _bill_of(deps: Deps, tx: Tx, orders: list[Order]) -> Bill:
    """The paid one if the premium is paid, else the newest payable one, else the newest."""
    now = deps.clock.now()
    holder = tx.slot_holder(orders[0].slot) if orders[0].slot else None
    if holder is not None:
        shown = next((order for order in orders if order.id == holder), orders[0])
        return _shown(deps, shown, BillState.PAID, BillerReason.ALREADY_PAID)
    payable = next((order for order in orders if _is_payable(order, now)), None)
    if payable is not None:
        return _shown(deps, payable, BillState.UNPAID, None)
    is_late = orders[0].state is OrderState.OPEN
    reason = BillerReason.WINDOW_CLOSED if is_late else BillerReason.BILL_CLOSED
    return _shown(deps, orders[0], BillState.CLOSED, reason)


def _is_payable(order: Order, now: datetime) -> bool:
    return order.state is OrderState.OPEN and now <= order.expires_at


def _shown(deps: Deps, order: Order, state: BillState, reason: BillerReason | None) -> Bill:
    subject = premium_subject(deps, order)
    return Bill(
        bill_no=bill_no_of(order.id),
        name=subject.insured.name if subject is not None else "",
        region=order.region or "",
        insured_year=order.insured_year or 0,
        insurance_kind=order.insurance_kind or "",
        amount_fen=order.amount_fen,
        state=state,
        opened_at=order.created_at,
        expires_at=order.expires_at,
        reason=reason,
        version=bill_version(order),
    )
