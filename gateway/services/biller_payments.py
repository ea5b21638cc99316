"""Payments that a bank has taken in its own app: each on record once, and what became of it."""

from dataclasses import replace
from datetime import datetime

from gateway.domain.biller import (
    BillerReason,
    BillerRefused,
    DifferenceKind,
    PaymentNotice,
    PaymentQuestion,
    PaymentReceipt,
    PaymentStanding,
    Standing,
    bill_no_of,
    order_id_of,
)
from gateway.domain.biller_rows import BillerDifference, BillerEntry, DifferenceState, EntryKind, EntryState
from gateway.domain.idempotency import fingerprint
from gateway.domain.order import Order
from gateway.domain.report import CURRENCY, ProviderReport, ReportedState
from gateway.domain.states import NotificationState, OrderState
from gateway.services.biller_account import DAY, Evidence, front_of, may_collect, out_trade_no_of
from gateway.services.biller_bills import bill_version, is_over
from gateway.services.born_paid import record_born_paid
from gateway.services.deps import Deps
from gateway.services.new_payment import unstarted_payment
from gateway.services.order_change import OrderChange
from gateway.services.record_report import Message, Recorded, keep_message
from gateway.store import Tx
from gateway.store.families import biller as rows

_STANDING_BY_STATE = {
    EntryState.APPLIED: Standing.PAID,
    EntryState.REVERSED: Standing.REVERSED,
    EntryState.VOID: Standing.REVERSED,  # it will never be applied: final for the bank
}


def answer_payment(
    tx: Tx, deps: Deps, account: str, notice: PaymentNotice, evidence: Evidence
) -> PaymentReceipt | BillerReason:
    """
    Take a payment that the bank tells of. Money that we refuse and the bank keeps is never dropped: the message stays
    as quarantined evidence, with a difference for a person.

    Raises:
        BillerRefused: As `take_payment`, where the bank gives a refused payment back.
    """
    try:
        return take_payment(tx, deps, account, notice, evidence)
    except BillerRefused as refused:
        if front_of(deps, account).institution.refunds_refused:
            raise
        day, meaning = (
            notice.bank_date.strftime(DAY),
            payment_meaning(notice.biller_id, notice.bill_no, notice.amount_fen),
        )
        key = f"refused:{day}:{notice.bank_seq}:{meaning}"
        if tx.notification_by_key(account, key) is None:
            message = evidence.message(deps, account, dedup_key=key, event=EntryKind.PAYMENT.value)
            _keep_refused(tx, deps, notice, message, refused.reason)
        return refused.reason


def _keep_refused(tx: Tx, deps: Deps, notice: PaymentNotice, message: Message, reason: BillerReason) -> None:
    account, day, now = message.account, notice.bank_date.strftime(DAY), deps.clock.now()
    keep_message(tx, deps, message, None, Recorded(state=NotificationState.QUARANTINED, reason=reason.value), now=now)
    if rows.difference(tx, account, notice.biller_id, day, notice.bank_seq) is None:
        tx.insert(
            BillerDifference(
                account=account,
                biller_id=notice.biller_id,
                bank_date=day,
                bank_seq=notice.bank_seq,
                kind=DifferenceKind.LONG,
                file_id=None,
                bank_amount_fen=notice.amount_fen,
                our_amount_fen=None,
                payment_id=None,
                state=DifferenceState.OPEN,
                resolution="",
                created_at=now,
                updated_at=now,
            )
        )


def take_payment(tx: Tx, deps: Deps, account: str, notice: PaymentNotice, evidence: Evidence) -> PaymentReceipt:
    """
    Put a bank's payment on record, or say that it is. The key of (account, accounting date, serial) and the payment
    are one unit of work: of many equal messages at once one writes, and the others find it.

    Raises:
        BillerRefused: Nothing is written: key_reused, reversed_first; bill_unknown, already_paid, bill_closed,
            amount_differs, window_closed.
    """
    day = notice.bank_date.strftime(DAY)
    meaning = payment_meaning(notice.biller_id, notice.bill_no, notice.amount_fen)
    order_id = order_id_of(notice.bill_no)
    order = tx.order(order_id) if order_id else None
    slot_holder = tx.slot_holder(order.slot) if order and order.slot else None
    # Read last: an order that a twin of this message has just paid is never seen without the twin's entry.
    held = rows.entry(tx, account, day, notice.bank_seq, EntryKind.PAYMENT)
    if held is not None:
        return _known(held, meaning)
    if order is None or not may_collect(front_of(deps, account).institution, notice.biller_id, order):
        raise BillerRefused(BillerReason.BILL_UNKNOWN)
    now = deps.clock.now()
    _must_be_payable(order, notice, slot_holder, now)
    payment = unstarted_payment(
        deps, order, account=account, provider=deps.account(account).provider, method=notice.channel
    )
    message = evidence.message(
        deps, account, dedup_key=f"payment:{day}:{notice.bank_seq}", event=EntryKind.PAYMENT.value
    )
    report = ProviderReport(
        source=evidence.source,
        out_trade_no=payment.out_trade_no,
        state=ReportedState.PAID,
        provider_status=Standing.PAID.value,
        amount_fen=notice.amount_fen,
        currency=CURRENCY,
        provider_trade_no=notice.bank_seq,
        occurred_at=notice.occurred_at,
    )
    actor = f"provider:{account}"
    change = OrderChange(tx, deps, order, now=now, actor=actor)
    record_born_paid(tx, deps, change, payment, report, message=message, actor=actor, slot_holder=slot_holder)
    entry = BillerEntry(
        account=account,
        bank_date=day,
        bank_seq=notice.bank_seq,
        kind=EntryKind.PAYMENT,
        biller_id=notice.biller_id,
        meaning=meaning,
        state=EntryState.APPLIED,
        source=evidence.source.value,
        amount_fen=notice.amount_fen,
        order_id=order.id,
        payment_id=payment.id,
        evidence_id=message.id,
        created_at=now,
        updated_at=now,
    )
    tx.insert(entry)
    return replace(_receipt(entry), is_duplicate=False)


def payment_meaning(biller_id: str, bill_no: str, amount_fen: int) -> str:
    """What makes two payments of one serial the same."""
    return fingerprint("", EntryKind.PAYMENT.value, {"biller": biller_id, "bill": bill_no.lower(), "fen": amount_fen})


def find_payment(deps: Deps, account: str, question: PaymentQuestion) -> PaymentStanding:
    """What became of a bank's payment. `not_found` is no failure: its message may still be on the way."""
    tx = deps.store.read()
    day = question.bank_date.strftime(DAY)
    held = rows.entry(tx, account, day, question.bank_seq, EntryKind.PAYMENT)
    if held is None or held.biller_id != question.biller_id:
        return PaymentStanding(standing=Standing.NOT_FOUND)
    if held.payment_id is None:
        return PaymentStanding(standing=_STANDING_BY_STATE[held.state])
    receipt = _receipt(held)
    return PaymentStanding(
        standing=_STANDING_BY_STATE[held.state],
        order_id=receipt.order_id,
        receipt_no=receipt.receipt_no,
        amount_fen=held.amount_fen,
        accepted_at=receipt.accepted_at,
    )


def _known(held: BillerEntry, meaning: str) -> PaymentReceipt:
    if held.meaning not in ("", meaning):
        raise BillerRefused(BillerReason.KEY_REUSED)
    if held.state is not EntryState.APPLIED:
        raise BillerRefused(BillerReason.REVERSED_FIRST)
    return _receipt(held)


def _receipt(held: BillerEntry) -> PaymentReceipt:
    order_id, payment_id = held.order_id or "", held.payment_id or ""
    return PaymentReceipt(
        order_id=order_id,
        bill_no=bill_no_of(order_id),
        receipt_no=out_trade_no_of(payment_id),
        accepted_at=held.created_at,
        is_duplicate=True,
    )


def _must_be_payable(order: Order, notice: PaymentNotice, slot_holder: str | None, now: datetime) -> None:
    is_new_version = notice.bill_version not in (None, bill_version(order))
    refusals = (
        (order.state is OrderState.PAID and not is_over(order), BillerReason.ALREADY_PAID),
        (slot_holder is not None, BillerReason.ALREADY_PAID),
        (order.state is not OrderState.OPEN or is_new_version, BillerReason.BILL_CLOSED),
        (notice.amount_fen != order.amount_fen, BillerReason.AMOUNT_DIFFERS),
        (now > order.expires_at, BillerReason.WINDOW_CLOSED),
    )
    reason = next((reason for hit, reason in refusals if hit), None)
    if reason is not None:
        raise BillerRefused(reason)
