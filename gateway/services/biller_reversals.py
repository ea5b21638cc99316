"""Reversals (冲正): a bank takes its own payment back on the same accounting day, whole; the premium is owed again."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from gateway.domain.biller import BillerReason, BillerRefused, ReversalNotice, ReversalReceipt, Standing, bill_no_of
from gateway.domain.biller_rows import BillerEntry, EntryKind, EntryState
from gateway.domain.events import CHAIN_START
from gateway.domain.idempotency import fingerprint
from gateway.domain.order import Order, TaskKind
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState
from gateway.domain.states import NotificationState, OrderState
from gateway.services.biller_account import DAY, Evidence, front_of, out_trade_no_of
from gateway.services.deps import Deps
from gateway.services.order_change import OrderChange
from gateway.services.record_report import Message, Recorded, keep_message, record_report
from gateway.services.tasks import due_task
from gateway.store import ReportView, Tx
from gateway.store.families import biller as rows

_SUCCESSOR_PREFIX: Final = "reversed-"


def take_back(tx: Tx, deps: Deps, account: str, notice: ReversalNotice, evidence: Evidence) -> ReversalReceipt:
    """
    Take a bank's payment back, or say that it is. For one that never came a void entry is left, so that it is refused
    when it comes.

    Raises:
        BillerRefused: Nothing is written: key_reused, original_unknown, reversal_amount, not_reversible.
    """
    meaning = _meaning(notice)
    key = account, notice.original_date.strftime(DAY), notice.original_seq, EntryKind.PAYMENT
    message = evidence.message(
        deps,
        account,
        dedup_key=f"reversal:{notice.bank_date.strftime(DAY)}:{notice.bank_seq}",
        event=EntryKind.REVERSAL.value,
    )
    first = rows.entry(tx, *key)
    view = _view(tx, first, message)
    # Read after the payment: one that a twin of this message has just taken back is never seen without its entries.
    original = rows.entry(tx, *key)
    held = rows.entry(tx, account, notice.bank_date.strftime(DAY), notice.bank_seq, EntryKind.REVERSAL)
    if held is not None:
        if held.meaning != meaning:
            raise BillerRefused(BillerReason.KEY_REUSED)
        return _receipt(held)
    if first is None and original is not None:  # it came this moment
        return take_back(tx, deps, account, notice, evidence)
    now = deps.clock.now()
    entry = BillerEntry(
        account=account,
        bank_date=notice.bank_date.strftime(DAY),
        bank_seq=notice.bank_seq,
        kind=EntryKind.REVERSAL,
        biller_id=notice.biller_id,
        meaning=meaning,
        state=EntryState.APPLIED,
        source=evidence.source.value,
        amount_fen=notice.amount_fen,
        order_id=original.order_id if original else None,
        payment_id=original.payment_id if original else None,
        evidence_id=message.id,
        created_at=now,
        updated_at=now,
    )
    if original is None or original.state is EntryState.VOID:
        entry = replace(entry, state=EntryState.VOID)
        recorded = Recorded(state=NotificationState.APPLIED, reason=BillerReason.ORIGINAL_UNKNOWN.value)
        keep_message(tx, deps, message, None, recorded, now=now)
        if original is None:
            _leave_void(tx, notice, entry)
    else:
        _check(deps, account, notice, original, now)
        _undo(tx, deps, original, view, reversal_seq=notice.bank_seq, message=message)
    tx.insert(entry)
    return _receipt(entry)


def _view(tx: Tx, original: BillerEntry | None, message: Message) -> ReportView | None:
    if original is None or original.payment_id is None:
        return None
    number = out_trade_no_of(original.payment_id)
    return tx.report_view(account=message.account, out_trade_no=number, dedup_key=message.dedup_key)


def _meaning(notice: ReversalNotice) -> str:
    content = {
        "biller": notice.biller_id,
        "original": [notice.original_date.strftime(DAY), notice.original_seq],
        "fen": notice.amount_fen,
    }
    return fingerprint("", EntryKind.REVERSAL.value, content)


def _receipt(held: BillerEntry) -> ReversalReceipt:
    standing = Standing.NOT_FOUND if held.state is EntryState.VOID else Standing.REVERSED
    return ReversalReceipt(standing=standing, order_id=held.order_id)


def _leave_void(tx: Tx, notice: ReversalNotice, entry: BillerEntry) -> None:
    void = replace(
        entry,
        bank_date=notice.original_date.strftime(DAY),
        bank_seq=notice.original_seq,
        kind=EntryKind.PAYMENT,
        meaning="",
    )
    tx.insert(void)


def _check(deps: Deps, account: str, notice: ReversalNotice, original: BillerEntry, now: datetime) -> None:
    if original.biller_id != notice.biller_id:
        raise BillerRefused(BillerReason.ORIGINAL_UNKNOWN)
    if original.amount_fen != notice.amount_fen:
        raise BillerRefused(BillerReason.REVERSAL_AMOUNT)
    is_same_day = notice.bank_date == notice.original_date
    is_open_day = notice.original_date in front_of(deps, account).institution.open_days(now)
    if original.state is EntryState.APPLIED and not (is_same_day and is_open_day):
        raise BillerRefused(BillerReason.NOT_REVERSIBLE)


def _undo(
    tx: Tx, deps: Deps, original: BillerEntry, view: ReportView | None, *, reversal_seq: str, message: Message
) -> None:
    """Once: another reversal of a payment that is reversed is true, and changes nothing."""
    if original.state is EntryState.REVERSED:
        keep_message(tx, deps, message, None, Recorded(state=NotificationState.DUPLICATE), now=deps.clock.now())
        return
    if view is None or view.payment is None or view.order is None:
        raise LookupError("an applied payment of a bank has no row")
    payment = view.payment
    if payment.amount_refunded_fen or payment.amount_refunding_fen:
        raise BillerRefused(BillerReason.NOT_REVERSIBLE)
    report = ProviderReport(
        source=message.source,
        out_trade_no=payment.out_trade_no,
        state=ReportedState.PAID,
        provider_status=Standing.REVERSED.value,
        amount_fen=payment.amount_fen,
        refund=RefundReport(
            out_refund_no=deps.ids.new(),
            state=ReportedRefundState.SUCCEEDED,
            amount_fen=payment.amount_fen,
            provider_refund_no=reversal_seq,
            occurred_at=message.received_at,
            is_reversal=True,
        ),
    )
    actor = f"provider:{payment.account}"
    recorded = record_report(tx, deps, view, report, message, actor=actor)
    if recorded.state is not NotificationState.APPLIED:
        raise LookupError("a reversal that was checked was not applied")
    tx.update(replace(original, state=EntryState.REVERSED, updated_at=deps.clock.now()))
    _open_successor(tx, deps, view.order, actor=actor)


def successor_no(order_id: str) -> str:
    """The client_order_no of the order that follows a reversed one: "reversed-" and the 32 digits of its id."""
    return _SUCCESSOR_PREFIX + bill_no_of(order_id)


def _open_successor(tx: Tx, deps: Deps, order: Order, *, actor: str) -> None:
    """What the reversed order asked for is still owed: the same subject, amount and last moment, for the same app."""
    now = deps.clock.now()
    number = successor_no(order.id)
    if order.expires_at <= now or tx.order_by_client_no(order.app, number) is not None:
        return
    successor = replace(
        order,
        id=f"ord_{deps.ids.new()}",
        client_order_no=number,
        state=OrderState.OPEN,
        created_at=now,
        payments=0,
        paid_payment_id=None,
        amount_paid_fen=0,
        amount_refunded_fen=0,
        event_seq=0,
        event_hash=CHAIN_START,
    )
    change = OrderChange(tx, deps, successor, now=now, actor=actor)
    change.event(
        "order_opened",
        amount_fen=order.amount_fen,
        region=order.region,
        insured_year=order.insured_year,
        succeeds=order.id,
    )
    change.write()
    tx.schedule(due_task(TaskKind.CLOSE_ORDER, successor.id, None, at=successor.expires_at, now=now))
