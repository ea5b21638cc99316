"""
The invariants as questions to the database: each one select that names what offends, none when all is well.

One statement sees one state, and every change is whole in one unit of work, so that a question may be asked while the
gateway works. Nothing is loaded but the offenders. The event chains, which no select can judge, are read in pages.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import and_, bindparam, case, exists, func, or_, select, tuple_

from gateway.domain.order import Event, KeyState, LedgerAccount, TaskKind, TaskState
from gateway.domain.states import OrderState, PaymentState, RefundState
from gateway.store.families import audit_messages
from gateway.store.families.audit_check import Check, among
from gateway.store.rows import EVENT
from gateway.store.tables import (
    EVENTS,
    IDEMPOTENCY_KEYS,
    LEDGER_ENTRIES,
    NOTIFICATIONS,
    ORDERS,
    PAYMENTS,
    PREMIUM_SLOTS,
    REFUNDS,
    TASKS,
)

if TYPE_CHECKING:
    from gateway.store.tx import Tx

_O, _P, _R, _T = ORDERS.c, PAYMENTS.c, REFUNDS.c, TASKS.c

_OPEN: Final = [PaymentState.CREATED, PaymentState.PENDING, PaymentState.UNKNOWN]
_UNDER_WAY: Final = [RefundState.REQUESTED, RefundState.SUBMITTED, RefundState.UNKNOWN, RefundState.ABNORMAL]
_FOLLOWED: Final = [RefundState.REQUESTED, RefundState.SUBMITTED, RefundState.UNKNOWN]


def _kept(order_id: Any) -> Any:
    return exists().where(_P.order_id == order_id, _P.kept == 1)


def _refunds_of(payment_id: Any, states: Sequence[RefundState]) -> Any:
    total = func.coalesce(func.sum(_R.amount_fen), 0)
    return select(total).where(_R.payment_id == payment_id, among(_R.state, states)).scalar_subquery()


def _evidenced(evidence_id: Any) -> Any:
    return exists().where(NOTIFICATIONS.c.id == evidence_id)


def _due(kinds: Sequence[TaskKind], subject_id: Any) -> Any:
    return exists().where(among(_T.kind, kinds), _T.subject_id == subject_id, _T.state == TaskState.DUE.value)


def _balance(leg: LedgerAccount) -> Any:
    entry = LEDGER_ENTRIES.c
    signed = case((entry.debit == leg.value, entry.amount_fen), (entry.credit == leg.value, -entry.amount_fen), else_=0)
    total = select(func.coalesce(func.sum(signed), 0)).where(entry.payment_id == _P.id)
    return total.scalar_subquery()


_came = case((_P.state == PaymentState.PAID.value, _P.amount_fen), else_=0)
_is_paid = _O.state == OrderState.PAID.value
_keeps_premium = and_(_is_paid, _O.slot.is_not(None), _O.amount_refunded_fen < _O.amount_paid_fen)

_ONE_KEPT: Final = (
    Check(
        invariant=1,
        name="two_payments_kept",
        says="an order keeps more than one payment",
        found=select(_P.order_id).where(_P.kept == 1).group_by(_P.order_id).having(func.count() > 1),
    ),
    Check(
        invariant=1,
        name="paid_without_kept_payment",
        says="an order is paid and keeps no payment, or keeps one and is not paid",
        found=select(_O.id).where(_is_paid != _kept(_O.id)),
    ),
    Check(
        invariant=1,
        name="order_and_payment_disagree",
        says="an order's sums are not those of the payment it keeps",
        found=select(_O.id)
        .join(PAYMENTS, and_(_P.order_id == _O.id, _P.kept == 1))
        .where(
            or_(
                _P.id != _O.paid_payment_id,
                _P.state != PaymentState.PAID.value,
                _P.amount_fen != _O.amount_paid_fen,
                _O.amount_fen != _O.amount_paid_fen,
                _P.amount_refunded_fen != _O.amount_refunded_fen,
            )
        ),
    ),
    Check(
        invariant=1,
        name="surplus_not_sent_back",
        says="a payment is paid, not kept, and its whole amount is neither back nor on the way",
        found=select(_P.id).where(
            _P.state == PaymentState.PAID.value,
            _P.kept == 0,
            _refunds_of(_P.id, [*_UNDER_WAY, RefundState.SUCCEEDED]) != _P.amount_fen,
        ),
    ),
)

_ONE_PREMIUM: Final = (
    Check(
        invariant=2,
        name="premium_paid_twice",
        says="two orders of one premium are paid and not wholly refunded; the id is a slot",
        found=select(_O.slot).where(_keeps_premium).group_by(_O.slot).having(func.count() > 1),
    ),
    Check(
        invariant=2,
        name="premium_slot_not_held",
        says="a paid order does not hold its premium slot",
        found=select(_O.id).where(
            _keeps_premium,
            ~exists().where(PREMIUM_SLOTS.c.slot == _O.slot, PREMIUM_SLOTS.c.order_id == _O.id),
        ),
    ),
    Check(
        invariant=2,
        name="premium_slot_held_in_vain",
        says="an order holds a premium slot and is not paid, or is wholly refunded",
        found=select(PREMIUM_SLOTS.c.order_id)
        .join(ORDERS, _O.id == PREMIUM_SLOTS.c.order_id)
        .where(or_(~_is_paid, _O.amount_refunded_fen >= _O.amount_paid_fen)),
    ),
)

_BOOKS: Final = (
    Check(
        invariant=3,
        name="ledger_disagrees",
        says="the ledger of a payment does not tell what came, went and is going",
        found=select(_P.id).where(
            or_(
                _balance(LedgerAccount.RECEIVABLE) != _P.amount_refunded_fen - _came,
                _balance(LedgerAccount.COLLECTED) + _balance(LedgerAccount.SETTLED)
                != _came - _P.amount_refunded_fen - _P.amount_refunding_fen,
                _balance(LedgerAccount.REFUNDING) != _P.amount_refunding_fen,
            )
        ),
    ),
    Check(
        invariant=3,
        name="ledger_of_another_account",
        says="a ledger entry stands under another account than its payment",
        found=select(LEDGER_ENTRIES.c.id)
        .join(PAYMENTS, _P.id == LEDGER_ENTRIES.c.payment_id)
        .where(_P.account != LEDGER_ENTRIES.c.account),
    ),
)

_EVIDENCE: Final = (
    Check(
        invariant=5,
        name="payment_without_evidence",
        says="a payment is paid, closed or failed and no stored message proves it",
        found=select(_P.id).where(~among(_P.state, _OPEN), or_(_P.evidence_id.is_(None), ~_evidenced(_P.evidence_id))),
    ),
    Check(
        invariant=5,
        name="refund_without_evidence",
        says="a refund has succeeded or failed and no stored message proves it",
        found=select(_R.id).where(
            among(_R.state, [RefundState.SUCCEEDED, RefundState.FAILED]),
            or_(_R.evidence_id.is_(None), ~_evidenced(_R.evidence_id)),
        ),
    ),
    Check(
        invariant=5,
        name="event_evidence_missing",
        says="an event names a message that is not stored; the id is the order's",
        found=select(EVENTS.c.order_id).where(EVENTS.c.evidence_id.is_not(None), ~_evidenced(EVENTS.c.evidence_id)),
    ),
    Check(
        invariant=5,
        name="closed_before_proof",
        says="an order is closed while one of its payments has no verdict",
        found=select(_O.id).where(
            _O.state == OrderState.CLOSED.value, exists().where(_P.order_id == _O.id, among(_P.state, _OPEN))
        ),
    ),
    Check(
        invariant=5,
        name="payment_not_looked_at",
        says="a payment has no verdict and nobody will ask for one",
        found=select(_P.id).where(among(_P.state, _OPEN), ~_due([TaskKind.QUERY, TaskKind.CLOSE], _P.id)),
    ),
    Check(
        invariant=5,
        name="refund_not_looked_at",
        says="a refund is under way and nobody will ask about it",
        found=select(_R.id).where(among(_R.state, _FOLLOWED), ~_due([TaskKind.REFUND, TaskKind.QUERY_REFUND], _R.id)),
    ),
    Check(
        invariant=5,
        name="order_not_looked_at",
        says="an order is open and will never expire, or closing and nobody will close it",
        found=select(_O.id).where(
            or_(
                and_(_O.state == OrderState.OPEN.value, ~_due([TaskKind.CLOSE_ORDER], _O.id)),
                and_(
                    _O.state == OrderState.CLOSING.value,
                    ~_due([TaskKind.CLOSE_ORDER], _O.id),
                    ~exists().where(_P.order_id == _O.id, among(_P.state, _OPEN)),
                ),
            )
        ),
    ),
)

_LIMITS: Final = (
    Check(
        invariant=6,
        name="refunds_exceed_payment",
        says="more goes back than came",
        found=select(_P.id).where(
            _refunds_of(_P.id, [*_UNDER_WAY, RefundState.SUCCEEDED])
            > case((_P.state == PaymentState.PAID.value, _P.amount_fen), else_=0)
        ),
    ),
    Check(
        invariant=6,
        name="refund_sums_disagree",
        says="a payment's refunded or refunding sum is not that of its refunds",
        found=select(_P.id).where(
            or_(
                _refunds_of(_P.id, _UNDER_WAY) != _P.amount_refunding_fen,
                _refunds_of(_P.id, [RefundState.SUCCEEDED]) != _P.amount_refunded_fen,
            )
        ),
    ),
)

_NUMBERS: Final = (
    Check(
        invariant=9,
        name="payments_not_counted",
        says="an order does not count its payments",
        found=select(_O.id).where(
            _O.payments != select(func.count()).where(_P.order_id == _O.id).select_from(PAYMENTS).scalar_subquery()
        ),
    ),
    Check(
        invariant=9,
        name="key_without_effect",
        says="an idempotency key is being worked on for a payment that was never put on record",
        found=select(IDEMPOTENCY_KEYS.c.subject_id).where(
            IDEMPOTENCY_KEYS.c.state == KeyState.RUNNING.value,
            IDEMPOTENCY_KEYS.c.subject_id.like("pay\\_%", escape="\\"),
            ~exists().where(_P.id == IDEMPOTENCY_KEYS.c.subject_id),
        ),
    ),
)

CHECKS: Final = (*_ONE_KEPT, *_ONE_PREMIUM, *_BOOKS, *_EVIDENCE, *_LIMITS, *_NUMBERS, *audit_messages.CHECKS)

_LIMITED: Final = {check.name: check.found.limit(bindparam("limit")) for check in CHECKS}
_CHAINS: Final = (
    select(*(EVENTS.c[name] for name in EVENT.columns), _O.event_seq, _O.event_hash)
    .join(ORDERS, _O.id == EVENTS.c.order_id)
    .where(tuple_(EVENTS.c.order_id, EVENTS.c.seq) > tuple_(bindparam("order_id"), bindparam("seq")))
    .order_by(EVENTS.c.order_id, EVENTS.c.seq)
    .limit(bindparam("limit"))
)
_UNCHAINED: Final = (
    select(_O.id).where(~exists().where(EVENTS.c.order_id == _O.id)).order_by(_O.id).limit(bindparam("limit"))
)


def offenders(tx: "Tx", check: Check, *, limit: int) -> list[str]:
    """What offends against one invariant, at most so many."""
    return [str(row[0]) for row in tx.rows(_LIMITED[check.name], limit=limit)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedEvent:
    """An event with the position and hash of its order's newest one."""

    event: Event
    newest_seq: int
    newest_hash: str


def chain_page(tx: "Tx", *, after: tuple[str, int], limit: int) -> list[ChainedEvent]:
    """Events of all orders behind a position, order by order, oldest first."""
    rows = tx.rows(_CHAINS, order_id=after[0], seq=after[1], limit=limit)
    return [ChainedEvent(event=EVENT.decode(row[:-2]), newest_seq=row[-2], newest_hash=row[-1]) for row in rows]


def orders_without_events(tx: "Tx", *, limit: int) -> list[str]:
    """Orders that have no history at all."""
    return [str(row[0]) for row in tx.rows(_UNCHAINED, limit=limit)]
