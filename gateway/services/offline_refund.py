"""
Money that went back where it was collected, outside the gateway: an operator puts it on record from a paper.

It enters by the one door as every refund that was not ours. Refused where the provider can be asked to give it back.
"""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Final

from gateway.domain.clock import CHINA
from gateway.domain.order import Payment
from gateway.domain.refusal import Refusal
from gateway.domain.replay import Change
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.states import NotificationState, PaymentState
from gateway.services.deps import Deps
from gateway.services.record_report import Message, record_report
from gateway.services.refund_payment import goes_back_outside
from gateway.store import ObservedStore, Tx

_EVENT: Final = "offline_refund"
_DIGEST_CHARACTERS: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineRefund:
    """
    What an operator has a paper for.

    Attributes:
        reference: The paper's number (退款凭证号); with the payment it names the refund for ever. It may name people.
        amount_fen: None is all that is left.
        returned_on: The day in Beijing when the payer got the money.
        who, why: For the record; why may name people.
    """

    payment_id: str
    reference: str = field(repr=False)
    amount_fen: int | None
    returned_on: date
    who: str
    why: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfflineRecorded:
    """
    What became of it, or, in a rehearsal, would.

    Attributes:
        outcome: recorded, or unchanged: the same paper was recorded before.
        refund_id: None in a rehearsal of what is not on record.
    """

    outcome: str
    amount_fen: int
    refund_id: str | None
    changes: tuple[Change, ...]


def record_offline_refund(deps: Deps, wanted: OfflineRefund, *, rehearse: bool = False) -> OfflineRecorded:
    """
    Record a refund that was made outside; once for each paper of a payment, however often it is said.

    Args:
        rehearse: Only say what would change.

    Raises:
        Refusal: not_found; invalid_request (the day); order_not_paid; refund_through_provider: ask for an ordinary
            refund; refund_exceeds_payment; refund_reference_reused: the paper stands for another sum.
    """
    store = ObservedStore(deps.store, rehearse=rehearse)
    number = _number(deps, wanted)
    amount_fen, known = store.run(lambda tx: _record(tx, replace(deps, store=store), wanted, number))
    refund = deps.store.read().refund_by_no(number)
    return OfflineRecorded(
        outcome="unchanged" if known else "recorded",
        amount_fen=amount_fen,
        refund_id=refund.id if refund else None,
        changes=tuple(store.changes),
    )


def _number(deps: Deps, wanted: OfflineRefund) -> str:
    """The refund's number follows from payment and paper, so that the database keeps it single; keyed: it is shown."""
    digest = deps.vault.blind_index(_EVENT, wanted.payment_id, wanted.reference)
    return f"offline-{digest[:_DIGEST_CHARACTERS]}"


def _record(tx: Tx, deps: Deps, wanted: OfflineRefund, number: str) -> tuple[int, bool]:
    named = tx.payment(wanted.payment_id)
    if named is None:
        raise Refusal("not_found", "there is no such payment")
    view = tx.report_view(account=named.account, out_trade_no=named.out_trade_no, dedup_key=number)
    payment = view.payment or named
    # Read last: a payment that a twin of this call has just changed is never seen without the twin's refund.
    known = tx.refund_by_no(number)
    if known is not None:
        if wanted.amount_fen not in (None, known.amount_fen):
            raise Refusal("refund_reference_reused", "this paper is on record for another sum")
        return known.amount_fen, True
    amount_fen = _checked(deps, payment, wanted)
    message = _message(deps, payment, wanted, number, amount_fen)
    report = _report(payment, wanted, number, amount_fen)
    recorded = record_report(tx, deps, view, report, message, actor=f"operator:{wanted.who}")
    if recorded.state is not NotificationState.APPLIED:  # the twin came this moment
        tx.writes.clear()
        return _record(tx, deps, wanted, number)
    return amount_fen, False


def _checked(deps: Deps, payment: Payment, wanted: OfflineRefund) -> int:
    """The sum, if all agrees."""
    if payment.state is not PaymentState.PAID or payment.paid_at is None:
        raise Refusal("order_not_paid", "only paid money goes back", extra={"payment_state": payment.state.value})
    if not goes_back_outside(deps, payment):
        raise Refusal("refund_through_provider", "its provider gives it back: ask for an ordinary refund of the order")
    today, paid_on = (at.astimezone(CHINA).date() for at in (deps.clock.now(), payment.paid_at))
    if not paid_on <= wanted.returned_on <= today:
        raise Refusal(
            "invalid_request",
            f"returned_on must lie between {paid_on} and today",
            errors={"returned_on": ["is before the payment or in the future"]},
        )
    left_fen = payment.left_fen
    amount_fen = left_fen if wanted.amount_fen is None else wanted.amount_fen
    if not 0 < amount_fen <= left_fen:
        raise Refusal("refund_exceeds_payment", "not that much is left to refund", extra={"refundable_fen": left_fen})
    return amount_fen


def _message(deps: Deps, payment: Payment, wanted: OfflineRefund, number: str, amount_fen: int) -> Message:
    """The operator's word is the evidence, sealed as every other."""
    said = {
        "payment_id": payment.id,
        "reference": wanted.reference,
        "amount_fen": amount_fen,
        "returned_on": wanted.returned_on.isoformat(),
        "who": wanted.who,
        "why": wanted.why,
    }
    return Message(
        id=f"ntf_{deps.ids.new()}",
        account=payment.account,
        source=Source.STATEMENT,
        dedup_key=number,
        event=_EVENT,
        received_at=deps.clock.now(),
        body=json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(),
    )


def _report(payment: Payment, wanted: OfflineRefund, number: str, amount_fen: int) -> ProviderReport:
    return ProviderReport(
        source=Source.STATEMENT,
        out_trade_no=payment.out_trade_no,
        state=ReportedState.PAID,
        provider_status=_EVENT,
        refund=RefundReport(
            out_refund_no=number,
            state=ReportedRefundState.SUCCEEDED,
            amount_fen=amount_fen,
            occurred_at=datetime.combine(wanted.returned_on, time(), CHINA).astimezone(UTC),
        ),
    )
