"""
Money told to have gone back by no refund of ours, while ours are on their way: what they become decides what it is.

It is kept in the order's history, with its evidence, until then. Nothing is concluded here.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gateway.domain.clock import rfc3339
from gateway.domain.order import Event, Payment, Refund, Task, TaskKind, TaskState
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState
from gateway.domain.states import OWED, REFUND_ARROWS, RefundState
from gateway.services.order_change import OrderChange
from gateway.store import Tx

_KIND: Final = "refund_told"
_PAGE: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """
    One such statement.

    Attributes:
        refund: A refund by its own number and sum, if it names one.
        total_fen: The sum of all that has gone back, if it tells it.
        occurred_at: The provider's time, if it tells it.
    """

    evidence_id: str
    refund: RefundReport | None
    total_fen: int | None
    occurred_at: datetime | None


def outside_success(report: ProviderReport) -> RefundReport | None:
    """The refund of a number and sum of its own that the report proves; only the caller knows whether it is ours."""
    said = report.refund
    named = said is not None and said.state is ReportedRefundState.SUCCEEDED and bool(said.out_refund_no)
    return said if named and said is not None and said.amount_fen is not None else None


def returned_fen(report: ProviderReport) -> int:
    """What a report proves to have gone back of a payment of which we have no refund yet."""
    named = outside_success(report)
    return max(report.refunded_total_fen or 0, (named.amount_fen or 0) if named else 0)


def tells_more(payment: Payment, refund: Refund | None, report: ProviderReport) -> bool:
    """True when a report tells of more money gone back than we know, and ours on their way could explain it."""
    if payment.amount_refunding_fen == 0:
        return False
    if (report.refunded_total_fen or 0) > payment.amount_refunded_fen:
        return True
    named = outside_success(report) if refund is None else None
    return named is not None and (named.amount_fen or 0) > payment.left_fen


def unsent_owed(tx: Tx, payment: Payment) -> tuple[Refund, Task] | None:
    """
    The refund of a payment too many, and its task, if no worker has ever begun it: the provider cannot know of it.

    None when anything else of the payment is on its way.
    """
    on_their_way = [one for one in tx.refunds_of_payment(payment.id) if REFUND_ARROWS[one.state]]
    if len(on_their_way) != 1 or on_their_way[0].reason not in OWED:
        return None
    refund = on_their_way[0]
    task = tx.task(TaskKind.REFUND, refund.id)
    unsent = task is not None and task.state is TaskState.DUE and task.tries == 0
    return (refund, task) if task is not None and unsent and refund.state is RefundState.REQUESTED else None


def keep_told(change: OrderChange, payment: Payment, report: ProviderReport, evidence_id: str) -> None:
    """Write down what a report tells of money gone back, so that it is there when ours have their end."""
    named = outside_success(report)
    at = named.occurred_at if named else report.occurred_at
    change.event(
        _KIND,
        evidence_id=evidence_id,
        payment_id=payment.id,
        out_refund_no=named.out_refund_no if named else None,
        provider_refund_no=named.provider_refund_no if named else None,
        amount_fen=named.amount_fen if named else None,
        is_reversal=named.is_reversal if named else False,
        refunded_total_fen=report.refunded_total_fen,
        occurred_at=rfc3339(at) if at else None,
    )


def is_kept(tx: Tx, payment: Payment, evidence_id: str) -> bool:
    """True when this message was written down before."""
    return any(one.evidence_id == evidence_id for one in told_of(tx, payment))


def told_of(tx: Tx, payment: Payment) -> list[Told]:
    """All that was written down of a payment, oldest first."""
    return [_told(event) for event in _history(tx, payment.order_id) if _concerns(event, payment)]


def _concerns(event: Event, payment: Payment) -> bool:
    return event.kind == _KIND and json.loads(event.detail)["payment_id"] == payment.id


def _history(tx: Tx, order_id: str) -> Iterator[Event]:
    after = 0
    while page := tx.events_page(order_id, after=after, limit=_PAGE):
        yield from page
        after = page[-1].seq


def _told(event: Event) -> Told:
    detail = json.loads(event.detail)
    at = datetime.fromisoformat(detail["occurred_at"]) if detail["occurred_at"] else None
    refund = RefundReport(
        out_refund_no=detail["out_refund_no"],
        state=ReportedRefundState.SUCCEEDED,
        amount_fen=detail["amount_fen"],
        provider_refund_no=detail["provider_refund_no"],
        occurred_at=at,
        is_reversal=detail["is_reversal"],
    )
    return Told(
        evidence_id=event.evidence_id or "",
        refund=refund if detail["out_refund_no"] else None,
        total_fen=detail["refunded_total_fen"],
        occurred_at=at,
    )


def highest_total(told: Iterable[Told]) -> Told | None:
    """The one that tells the greatest sum: such a sum only grows, so that it holds whatever came after."""
    with_total = [one for one in told if one.total_fen is not None]
    return max(with_total, key=lambda one: one.total_fen or 0, default=None)
