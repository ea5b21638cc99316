"""Opens an order: once per client_order_no, for ever, whatever the idempotency key."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from gateway.domain.events import CHAIN_START
from gateway.domain.idempotency import fingerprint
from gateway.domain.order import Order, PremiumSubject, TaskKind
from gateway.domain.refusal import Refusal
from gateway.domain.states import OrderState
from gateway.services.deps import Deps
from gateway.services.idempotent import KeyedRequest, Reply, once
from gateway.services.order_change import OrderChange
from gateway.services.tasks import due_task
from gateway.services.views import SUBJECT_PURPOSE, OrderView, order_view
from gateway.store import Tx

LIFE_MIN: Final = timedelta(minutes=2)
LIFE_MAX: Final = timedelta(days=400)
"""A collection campaign lasts for months, with extensions after its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDraft:
    """What an app wants to be paid; `expires_at` None takes the configured life."""

    app: str
    client_order_no: str
    amount_fen: int
    description: str
    expires_at: datetime | None
    subject: PremiumSubject | None


def open_order(deps: Deps, draft: OrderDraft, request: KeyedRequest, render: Callable[[OrderView], Reply]) -> Reply:
    """
    Open the order, or give the one that this client_order_no opened before.

    Raises:
        Refusal: idempotency_key_reused, idempotency_in_flight. Other refusals (client_order_no_reused,
            premium_already_paid, region_not_allowed, expiry_out_of_range) are rendered, stored and returned.
    """
    return once(deps, request, lambda tx: _open(tx, deps, draft), render)


def _open(tx: Tx, deps: Deps, draft: OrderDraft) -> OrderView:
    meaning = _meaning(deps, draft)
    existing = tx.order_by_client_no(draft.app, draft.client_order_no)
    if existing is not None:
        if existing.meaning != meaning:
            raise Refusal(
                "client_order_no_reused",
                "this client_order_no belongs to an order with other content",
                extra={"order_id": existing.id},
            )
        return order_view(deps, tx, existing)
    order = _new_order(deps, draft, meaning)
    if order.slot is not None and tx.slot_holder(order.slot) is not None:
        raise Refusal("premium_already_paid", "the premium of this person and year is already paid")
    change = OrderChange(tx, deps, order, now=order.created_at, actor=f"app:{draft.app}")
    change.event(
        "order_opened",
        amount_fen=order.amount_fen,
        region=order.region,
        insured_year=order.insured_year,
        entry_app=order.app,
        entry=deps.settings.apps[order.app].entry,
    )
    change.write()
    tx.schedule(due_task(TaskKind.CLOSE_ORDER, order.id, None, at=order.expires_at, now=order.created_at))
    return OrderView(order=change.order, payments=(), refunds=())


def _meaning(deps: Deps, draft: OrderDraft) -> str:
    """Personal data enters only through the keyed index: the digest is stored in clear."""
    subject = asdict(draft.subject) if draft.subject else None
    content = {
        "amount_fen": draft.amount_fen,
        "description": draft.description,
        "subject": deps.vault.blind_index("subject", fingerprint("", "", subject)) if subject else None,
    }
    return fingerprint("POST", "order", content)


def _new_order(deps: Deps, draft: OrderDraft, meaning: str) -> Order:
    now = deps.clock.now()
    expires_at = draft.expires_at or now + timedelta(seconds=deps.settings.order_ttl_seconds)
    if not LIFE_MIN <= expires_at - now <= LIFE_MAX:
        raise Refusal("expiry_out_of_range", "expires_at must lie between 2 minutes and 400 days ahead")
    subject = draft.subject
    regions = deps.settings.apps[draft.app].regions
    if subject is not None and regions is not None and subject.region not in regions:
        raise Refusal(
            "region_not_allowed", "this app does not collect for that region", extra={"allowed": sorted(regions)}
        )
    return blank_order(
        deps,
        app=draft.app,
        client_order_no=draft.client_order_no,
        meaning=meaning,
        amount_fen=draft.amount_fen,
        description=draft.description,
        subject=subject,
        expires_at=expires_at,
        now=now,
    )


def blank_order(
    deps: Deps,
    *,
    app: str,
    client_order_no: str,
    meaning: str,
    amount_fen: int,
    description: str,
    subject: PremiumSubject | None,
    expires_at: datetime,
    now: datetime,
) -> Order:
    """An open order that nothing has happened to, with its subject sealed."""
    order = Order(
        id=f"ord_{deps.ids.new()}",
        app=app,
        client_order_no=client_order_no,
        meaning=meaning,
        state=OrderState.OPEN,
        amount_fen=amount_fen,
        description=description,
        region=None,
        insured_year=None,
        insurance_kind=None,
        insured_index=None,
        slot=None,
        subject_sealed=None,
        expires_at=expires_at,
        created_at=now,
        updated_at=now,
        payments=0,
        paid_payment_id=None,
        amount_paid_fen=0,
        amount_refunded_fen=0,
        event_seq=0,
        event_hash=CHAIN_START,
    )
    return _with_subject(deps, order, subject) if subject else order


def premium_indexes(deps: Deps, subject: PremiumSubject) -> tuple[str, str]:
    """The blind index of the insured person, and the premium slot."""
    insured_index = deps.vault.blind_index("insured", subject.insured.id_type, subject.insured.id_number)
    return insured_index, deps.vault.blind_index(
        "slot", subject.region, str(subject.insured_year), subject.insurance_kind, insured_index
    )


def _with_subject(deps: Deps, order: Order, subject: PremiumSubject) -> Order:
    insured_index, slot = premium_indexes(deps, subject)
    return replace(
        order,
        region=subject.region,
        insured_year=subject.insured_year,
        insurance_kind=subject.insurance_kind,
        insured_index=insured_index,
        slot=slot,
        subject_sealed=deps.vault.seal_json(asdict(subject), SUBJECT_PURPOSE),
    )
