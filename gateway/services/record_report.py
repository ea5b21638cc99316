"""The one door: every report of a provider enters here; nothing else changes a payment's state after its creation."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from gateway.domain.order import (
    LedgerAccount,
    Notification,
    Payment,
    Refund,
    TaskKind,
)
from gateway.domain.report import CURRENCY, ProviderReport, ReportedState, Source
from gateway.domain.schedule import NOT_FOUND_GRACE
from gateway.domain.states import (
    PAYMENT_ARROWS,
    NotificationState,
    OrderState,
    PaymentState,
    RefundReason,
    payment_is_open,
)
from gateway.services.deps import Deps
from gateway.services.issue_refund import issue_refund
from gateway.services.ledger import book
from gateway.services.order_change import OrderChange
from gateway.services.record_refund import (
    IN_FLIGHT,
    RefundRecorder,
    is_ahead_of_payment,
    named_refund,
    refund_contradiction,
    wait_reason,
)
from gateway.services.tasks import due_task
from gateway.services.told_refunds import is_kept, keep_told, returned_fen
from gateway.store import ReportView, Tx

MESSAGE_PURPOSE: Final = "notification"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The bytes that a report was read from, on their way to become evidence."""

    id: str
    account: str
    source: Source
    dedup_key: str
    event: str
    received_at: datetime
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """
    What became of a report.

    Attributes:
        state: applied: something changed; duplicate: nothing to change; quarantined: it contradicts our record;
            orphan: we have no such payment (yet).
        reason: What it contradicts.
        payment: The payment as it is now.
    """

    state: NotificationState
    reason: str = ""
    payment: Payment | None = None


def record_report(
    tx: Tx,
    deps: Deps,
    view: ReportView,
    report: ProviderReport,
    message: Message,
    *,
    actor: str,
    instruction: bytes | None = None,
    born: OrderChange | None = None,
) -> Recorded:
    """
    Judge a verified report against our record and write what follows from it: states, refunds, ledger, events, tasks,
    and the message itself as evidence. Nothing is written for an answer that changes nothing.

    A report never moves a state backwards: old news is a duplicate, and a claim that contradicts a proven state is
    quarantined whole.

    Args:
        instruction: Sealed, when the report is the answer to a create.
        born: The change that announces the view's payment, not stored yet: see `gateway.services.born_paid`.

    Raises:
        ValueError: A payment is to be born by anything but a proof of payment that agrees with it.
    """
    now = deps.clock.now()
    if view.payment is None or view.order is None:
        recorded = Recorded(state=NotificationState.ORPHAN, reason="no_such_payment")
        if view.known:  # stored as orphan before; to write it again could undo a rival who has just applied it
            return recorded
    else:
        evidence_id = view.known.notification_id if view.known else message.id
        refund = named_refund(tx, report)
        reason = _contradiction(view.payment, report) or refund_contradiction(view.payment, refund, report)
        if born is not None and (reason or report.state is not ReportedState.PAID):
            raise ValueError("a payment is born by a proof of payment alone")
        change = born or OrderChange(tx, deps, view.order, now=now, actor=actor)
        waiting_for = wait_reason(tx, view.payment, refund, report)
        if not reason and waiting_for:
            recorded = Recorded(state=NotificationState.ORPHAN, reason=waiting_for, payment=view.payment)
            if not _wait(tx, change, view, report, evidence_id=evidence_id, reason=waiting_for):
                return recorded
        elif reason:
            recorded = _quarantine(change, view.payment, report, evidence_id, reason)
        else:
            judge = _Judge(
                tx=tx,
                deps=deps,
                view=view,
                report=report,
                evidence_id=evidence_id,
                change=change,
                payment=view.payment,
                instruction=instruction,
                is_born=born is not None,
            )
            recorded = judge.judge(refund)
    if message.source is Source.CALLBACK or recorded.state is not NotificationState.DUPLICATE:
        keep_message(tx, deps, message, view, recorded, now=now)
    return recorded


def keep_message(
    tx: Tx, deps: Deps, message: Message, view: ReportView | None, recorded: Recorded, *, now: datetime
) -> None:
    """Store a message as notification, or say of the stored one what became of it."""
    known = view.known if view else None
    notification = Notification(
        id=known.notification_id if known else message.id,
        account=message.account,
        source=message.source.value,
        dedup_key=message.dedup_key,
        event=message.event,
        state=recorded.state,
        reason=recorded.reason,
        digest=sha256(message.body).hexdigest(),
        headers_sealed=deps.vault.seal_json(dict(message.headers), MESSAGE_PURPOSE),
        body_sealed=deps.vault.seal(message.body, MESSAGE_PURPOSE),
        payment_id=recorded.payment.id if recorded.payment else None,
        received_at=message.received_at,
        updated_at=now,
    )
    if known:
        tx.update(notification)
    else:
        tx.insert(notification)


def _wait(
    tx: Tx, change: OrderChange, view: ReportView, report: ProviderReport, *, evidence_id: str, reason: str
) -> bool:
    """False when all of it is on record: nothing is written twice. What tells of refunds is settled by their end."""
    if view.payment is None or reason != IN_FLIGHT:
        return view.known is None
    if view.known is not None and is_kept(tx, view.payment, evidence_id):
        return False
    keep_told(change, view.payment, report, evidence_id)
    change.write()
    return True


def _contradiction(payment: Payment, report: ProviderReport) -> str:
    """What in an authentic report cannot be true of this payment; "" if nothing."""
    settled = payment.state is PaymentState.PAID
    unstated = not settled and report.state is ReportedState.PAID and report.amount_fen is None
    checks = (
        (bool(report.contradictions), ",".join(report.contradictions)),
        (report.amount_fen not in (None, payment.amount_fen), "amount"),
        (report.currency not in (None, CURRENCY), "currency"),
        (unstated and not is_ahead_of_payment(payment, report), "amount_unstated"),
        (settled and _other(payment.provider_trade_no, report.provider_trade_no), "provider_trade_no"),
        (settled and report.state in (ReportedState.CLOSED, ReportedState.FAILED), f"{report.state.value}_after_paid"),
    )
    return next((name for hit, name in checks if hit), "")


def _other(known: str | None, said: str | None) -> bool:
    return known is not None and said is not None and known != said


def _quarantine(
    change: OrderChange, payment: Payment, report: ProviderReport, evidence_id: str, reason: str
) -> Recorded:
    change.event(
        "report_quarantined",
        evidence_id=evidence_id,
        payment_id=payment.id,
        reason=reason,
        reported=report.state.value,
        reported_amount_fen=report.amount_fen,
        source=report.source.value,
    )
    change.write()
    return Recorded(state=NotificationState.QUARANTINED, reason=reason, payment=payment)


_NEXT_STATE: Final = {
    ReportedState.PENDING: PaymentState.PENDING,
    ReportedState.UNKNOWN: PaymentState.UNKNOWN,
    ReportedState.CLOSED: PaymentState.CLOSED,
    ReportedState.FAILED: PaymentState.FAILED,
    ReportedState.PAID: PaymentState.PAID,
}


@dataclass(slots=True, kw_only=True)
class _Judge:
    """Applies one report, already found free of contradictions, to one payment."""

    tx: Tx
    deps: Deps
    view: ReportView
    report: ProviderReport
    evidence_id: str
    change: OrderChange
    payment: Payment
    instruction: bytes | None
    is_born: bool
    sent_back_fen: int = 0
    """What this report's payment too many has just put on its way; not in flight while the report is judged."""

    def judge(self, refund: Refund | None) -> Recorded:
        before = self.change.event_seq
        self._move(self._siblings())
        self._keep_instruction()
        recorder = RefundRecorder(self.tx, self.deps, self.change, self.evidence_id)
        payment = recorder.record(self.payment, refund, self.report)
        self.payment = replace(payment, amount_refunding_fen=payment.amount_refunding_fen + self.sent_back_fen)
        if self.change.event_seq == before:
            return Recorded(state=NotificationState.DUPLICATE, payment=self.payment)
        self.payment = replace(self.payment, updated_at=self.change.now)
        if self.is_born:
            self.tx.insert_first(self.payment)
        else:
            self.tx.update(self.payment)
        self.change.write()
        return Recorded(state=NotificationState.APPLIED, payment=self.payment)

    def _siblings(self) -> list[Payment]:
        """The order's other payments, read only when there are any and the answer can matter."""
        if self.change.order.payments < 2 or self._next_state() is None:  # noqa: PLR2004  two is the first number with an other
            return []
        return [p for p in self.tx.payments_of_order(self.payment.order_id) if p.id != self.payment.id]

    def _next_state(self) -> PaymentState | None:
        """The payment's next state, or None when the report moves nothing."""
        if self.report.state is ReportedState.NOT_FOUND:
            dead = self.change.now >= self.payment.expires_at + NOT_FOUND_GRACE
            # Not found is not failed while the payer may still be on the way to the cashier.
            return PaymentState.CLOSED if dead and payment_is_open(self.payment.state) else None
        state = _NEXT_STATE[self.report.state]
        return state if state in PAYMENT_ARROWS[self.payment.state] else None

    def _move(self, siblings: list[Payment]) -> None:
        state = self._next_state()
        if state is None:
            self._learn_number()
            return
        paid = state is PaymentState.PAID
        self.payment = replace(
            self.payment,
            state=state,
            evidence_id=self.evidence_id,
            provider_trade_no=self.report.provider_trade_no or self.payment.provider_trade_no,
            paid_at=self.report.occurred_at or self.change.now if paid else None,
            kept=paid and self._is_kept(),
        )
        if paid:
            self._paid(siblings)
        else:
            self._tell(f"payment_{state.value}")
            self._close_order_when_proven(siblings)
        if not payment_is_open(state):
            self.tx.drop_task(TaskKind.QUERY, self.payment.id)
            self.tx.drop_task(TaskKind.CLOSE, self.payment.id)

    def _keep_instruction(self) -> None:
        if self.instruction is not None and payment_is_open(self.payment.state):
            self.payment = replace(self.payment, instruction_sealed=self.instruction)
            self._tell("instruction_given")

    def _learn_number(self) -> None:
        """The provider's number may come with a report that moves nothing else."""
        if self.report.provider_trade_no and self.payment.provider_trade_no is None:
            self.payment = replace(self.payment, provider_trade_no=self.report.provider_trade_no)
            self._tell("provider_number_learnt")

    def _tell(self, kind: str, **detail: object) -> None:
        self.change.event(
            kind,
            evidence_id=self.evidence_id,
            payment_id=self.payment.id,
            source=self.report.source.value,
            provider_status=self.report.provider_status,
            **detail,
        )

    def _close_order_when_proven(self, siblings: list[Payment]) -> None:
        order = self.change.order
        settled = not payment_is_open(self.payment.state) and not any(payment_is_open(p.state) for p in siblings)
        if order.state is OrderState.CLOSING and settled:
            self.change.set(state=OrderState.CLOSED)
            self.change.event("order_closed", evidence_id=self.evidence_id)
            self.tx.drop_task(TaskKind.CLOSE_ORDER, order.id)

    # --- money has arrived ---

    def _paid(self, siblings: list[Payment]) -> None:
        book(
            self.tx,
            self.deps,
            self.payment,
            debit=LedgerAccount.COLLECTED,
            credit=LedgerAccount.RECEIVABLE,
            amount_fen=self.payment.amount_fen,
            at=self.change.now,
        )
        if self.payment.kept:
            self._keep(siblings)
        else:
            self._send_back()

    def _is_kept(self) -> bool:
        """An order keeps its first paid payment, if no other order has paid the same premium."""
        order = self.change.order
        return order.paid_payment_id is None and self.view.slot_holder in (None, order.id)

    def _keep(self, siblings: list[Payment]) -> None:
        order = self.change.order
        self._tell("payment_paid", amount_fen=self.payment.amount_fen)
        self.change.set(
            state=OrderState.PAID,
            paid_payment_id=self.payment.id,
            amount_paid_fen=self.payment.amount_fen,
        )
        self.change.event("order_paid", evidence_id=self.evidence_id, late=order.state is not OrderState.OPEN)
        if order.slot is not None and self.view.slot_holder is None:
            self.tx.take_slot(order.slot, order.id)
        for sibling in siblings:
            if payment_is_open(sibling.state):
                self._schedule(TaskKind.CLOSE, sibling.id, sibling.account)
        self.tx.drop_task(TaskKind.CLOSE_ORDER, order.id)

    def _send_back(self) -> None:
        """A payment too many: what has not gone back of it already goes back, by a task of the same commit."""
        order = self.change.order
        late = order.paid_payment_id is None and order.state is OrderState.CLOSED
        reason = RefundReason.LATE if late else RefundReason.SURPLUS
        self.sent_back_fen = self.payment.amount_fen - returned_fen(self.report)
        refund = self._owe(reason) if self.sent_back_fen else None
        refund_id = refund.id if refund else None
        self._tell("payment_surplus", amount_fen=self.payment.amount_fen, refund_id=refund_id, reason=reason.value)
        if order.state is OrderState.OPEN:  # another order has paid this premium: this one cannot be paid any more
            self.change.set(state=OrderState.CLOSING)
            self.change.event("order_closing", reason="premium_already_paid")
        if self.change.order.state is OrderState.CLOSING:  # this may have been the last payment it waited for
            self._schedule(TaskKind.CLOSE_ORDER, order.id, None)

    def _owe(self, reason: RefundReason) -> Refund:
        return issue_refund(
            self.tx,
            self.deps,
            self.payment,
            amount_fen=self.sent_back_fen,
            reason=reason,
            note="重复缴费自动退回" if reason is RefundReason.SURPLUS else "订单关闭后到账自动退回",
            now=self.change.now,
        )

    def _schedule(self, kind: TaskKind, subject_id: str, account: str | None) -> None:
        self.tx.schedule(due_task(kind, subject_id, account, at=self.change.now, now=self.change.now))
