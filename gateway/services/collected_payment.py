"""Turns one collected record into rows: evidence, and an order of its own that is born paid."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any, Final

from gateway.domain.clock import CHINA
from gateway.domain.collection import Agent, CollectedRecord, Collection, CollectionMethod, CollectionState
from gateway.domain.idempotency import fingerprint
from gateway.domain.order import Notification, Order, Person, PremiumSubject
from gateway.domain.report import CURRENCY, ProviderReport, ReportedState, Source
from gateway.domain.states import NotificationState
from gateway.services.born_paid import record_born_paid
from gateway.services.deps import Deps
from gateway.services.new_payment import unstarted_payment
from gateway.services.open_order import blank_order, premium_indexes
from gateway.services.order_change import OrderChange
from gateway.services.record_report import MESSAGE_PURPOSE, Message, Recorded, keep_message
from gateway.store import KnownMessage, Tx

_EVENT: Final = "collected_record"
_DIGEST_CHARACTERS: Final = 40
_DESCRIPTION_CHARACTERS_MAX: Final = 127


def content_of(deps: Deps, record: CollectedRecord) -> str:
    """Keyed digest of the whole record; keyed, because a person could be guessed from a plain one."""
    return deps.vault.blind_index("collection", fingerprint("", "", _members(record)))


def new_collection(
    deps: Deps,
    record: CollectedRecord,
    *,
    app: str,
    agent: Agent,
    version: int,
    content: str,
    batch_id: str,
    line_no: int,
) -> Collection:
    """A collection that waits; `pay_own_order` or `keep_unpaid` says what for."""
    now = deps.clock.now()
    insured_index, slot = premium_indexes(deps, record.subject)
    return Collection(
        id=f"col_{deps.ids.new()}",
        app=app,
        agent=agent.name,
        agent_code=record.agent_code,
        proof_no=record.proof_no,
        version=version,
        content=content,
        state=CollectionState.REVIEW,
        reason="",
        amount_fen=record.amount_fen,
        collected_on=record.collected_on.isoformat(),
        method=record.method,
        region=record.subject.region,
        insured_year=record.subject.insured_year,
        insurance_kind=record.subject.insurance_kind,
        insured_index=insured_index,
        slot=slot,
        batch_id=batch_id,
        line_no=line_no,
        evidence_id=f"ntf_{deps.ids.new()}",
        order_id=None,
        payment_id=None,
        created_at=now,
        updated_at=now,
    )


def keep_unpaid(tx: Tx, deps: Deps, record: CollectedRecord, collection: Collection, *, reason: str) -> Collection:
    """Keep the record as evidence that changes nothing yet; the caller writes the collection."""
    recorded = Recorded(state=NotificationState.QUARANTINED, reason=reason)
    keep_message(tx, deps, _message(deps, record, collection), None, recorded, now=collection.created_at)
    return replace(collection, state=CollectionState.REVIEW, reason=reason)


def pay_own_order(
    tx: Tx,
    deps: Deps,
    record: CollectedRecord,
    collection: Collection,
    *,
    agent: Agent,
    actor: str,
    kept: Notification | None = None,
) -> Collection:
    """
    Open the record's own order, paid from its first moment on, which takes the premium's slot; the caller writes the
    collection and has seen that the slot is free.

    Args:
        kept: The record's evidence, when it was kept before without paying anything.
    """
    now = deps.clock.now()
    order = _order(deps, record, collection, agent)
    payment = unstarted_payment(deps, order, account=agent.name, provider=agent.provider, method=record.method.value)
    change = OrderChange(tx, deps, order, now=now, actor=actor)
    change.event(
        "order_opened",
        amount_fen=order.amount_fen,
        region=order.region,
        insured_year=order.insured_year,
        entry_app=order.app,
        entry=deps.settings.apps[order.app].entry,
        collection_id=collection.id,
        agent_code=collection.agent_code,
    )
    report = ProviderReport(
        source=Source.STATEMENT,
        out_trade_no=payment.out_trade_no,
        state=ReportedState.PAID,
        provider_status=record.method.value,
        amount_fen=record.amount_fen,
        currency=CURRENCY,
        provider_trade_no=record.proof_no,
        occurred_at=datetime.combine(record.collected_on, time(), CHINA).astimezone(UTC),
    )
    record_born_paid(
        tx,
        deps,
        change,
        payment,
        report,
        message=_message(deps, record, collection),
        actor=actor,
        slot_holder=None,
        known=KnownMessage(notification_id=kept.id, state=kept.state) if kept else None,
    )
    return replace(collection, state=CollectionState.ACCEPTED, order_id=order.id, payment_id=payment.id, updated_at=now)


def _order(deps: Deps, record: CollectedRecord, collection: Collection, agent: Agent) -> Order:
    """Its number follows from agent code and proof number, so that two contents of one proof cannot both be paid."""
    now = deps.clock.now()
    named = (collection.agent_code, collection.proof_no)
    return blank_order(
        deps,
        app=collection.app,
        client_order_no=f"col-{deps.vault.blind_index('collection_order', *named)[:_DIGEST_CHARACTERS]}",
        meaning=collection.content,
        amount_fen=record.amount_fen,
        description=f"{record.subject.insured_year}年度 {agent.title}"[:_DESCRIPTION_CHARACTERS_MAX],
        subject=record.subject,
        expires_at=now,
        now=now,
    )


def _message(deps: Deps, record: CollectedRecord, collection: Collection) -> Message:
    return Message(
        id=collection.evidence_id,
        account=collection.agent,
        source=Source.STATEMENT,
        dedup_key=f"collection:{collection.id}",
        event=_EVENT,
        received_at=collection.created_at,
        body=json.dumps(_members(record), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode(),
    )


# --- the record as bytes ----------------------------------------------------------------------------------------------


def _members(record: CollectedRecord) -> dict[str, Any]:
    subject = record.subject
    return {
        "agent_code": record.agent_code,
        "proof_no": record.proof_no,
        "collected_on": record.collected_on.isoformat(),
        "method": record.method.value,
        "amount_fen": record.amount_fen,
        "region": subject.region,
        "insured_year": subject.insured_year,
        "insurance_kind": subject.insurance_kind,
        "insured": _person_members(subject.insured),
        "payer": _person_members(subject.payer) if subject.payer else None,
    }


def _person_members(person: Person) -> dict[str, str]:
    return {"name": person.name, "id_type": person.id_type, "id_number": person.id_number}


def record_from(deps: Deps, kept: Notification) -> CollectedRecord:
    """The record that a notification keeps sealed."""
    members: Mapping[str, Any] = deps.vault.unseal_json(kept.body_sealed, MESSAGE_PURPOSE)
    payer = members["payer"]
    return CollectedRecord(
        agent_code=members["agent_code"],
        proof_no=members["proof_no"],
        collected_on=date.fromisoformat(members["collected_on"]),
        method=CollectionMethod(members["method"]),
        amount_fen=members["amount_fen"],
        subject=PremiumSubject(
            region=members["region"],
            insured_year=members["insured_year"],
            insurance_kind=members["insurance_kind"],
            insured=Person(**members["insured"]),
            payer=Person(**payer) if payer else None,
        ),
    )
