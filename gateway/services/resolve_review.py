"""What a person decides about a review item, and what follows of it, in one unit of work."""

from dataclasses import replace
from typing import Final

from gateway.domain.collection import Collection, CollectionState
from gateway.domain.refusal import Refusal
from gateway.domain.review import Resolution, ReviewItem, ReviewState
from gateway.services.collect import close_rivals
from gateway.services.collected_payment import pay_own_order, record_from
from gateway.services.deps import Deps
from gateway.services.order_change import OrderChange
from gateway.store import Tx
from gateway.store.families.collections import collection as read_collection
from gateway.store.families.collections import (
    collections_of_proof,
    resolve_item,
    review_item,
    reviews_page,
    unpaid_orders,
)

NOTE_PURPOSE: Final = "review_note"


def resolve_review(deps: Deps, review_id: str, resolution: Resolution, *, who: str, note: str) -> ReviewItem:
    """
    Resolve an open item, once and for good.

    `accepted` makes the collected record count: its order is opened and paid in the same unit of work, if nobody has
    paid the premium by then. Every other resolution leaves the record without effect.

    Raises:
        Refusal: not_found; review_resolved; resolution_not_possible, with why.
    """
    return deps.store.run(lambda tx: _resolve(tx, deps, review_id, resolution, who=who, note=note))


def find_review(deps: Deps, review_id: str) -> tuple[ReviewItem, Collection | None]:
    """
    An item, and the collected record concerned.

    Raises:
        Refusal: not_found.
    """
    tx = deps.store.read()
    item = review_item(tx, review_id)
    if item is None:
        raise Refusal("not_found", "there is no such review item")
    return item, read_collection(tx, item.collection_id) if item.collection_id else None


def list_reviews(deps: Deps, state: ReviewState, *, limit: int) -> list[ReviewItem]:
    """Items in a state, oldest first."""
    return reviews_page(deps.store.read(), state, after="", limit=limit)


def read_note(deps: Deps, item: ReviewItem) -> str | None:
    """What the person wrote, opened."""
    return deps.vault.unseal(item.note_sealed, NOTE_PURPOSE).decode() if item.note_sealed is not None else None


def _resolve(tx: Tx, deps: Deps, review_id: str, resolution: Resolution, *, who: str, note: str) -> ReviewItem:
    item = _open_item(tx, review_id)
    collection = read_collection(tx, item.collection_id) if item.collection_id else None
    concerned = tx.order(item.order_id) if item.order_id else None
    item = _open_item(tx, review_id)  # read last: a rival who resolved it meanwhile has changed the record as well
    now, actor = deps.clock.now(), f"operator:{who}"
    if resolution is Resolution.ACCEPTED:
        tx.update(_accept(tx, deps, collection, actor=actor))
    elif collection is not None:
        tx.update(replace(collection, state=CollectionState.REJECTED, updated_at=now))
    item = replace(
        item,
        state=ReviewState.RESOLVED,
        resolution=resolution,
        note_sealed=deps.vault.seal(note.encode(), NOTE_PURPOSE),
        resolved_by=who,
        resolved_at=now,
    )
    resolve_item(tx, item)
    if concerned is not None:
        change = OrderChange(tx, deps, concerned, now=now, actor=actor)
        change.event("review_resolved", review_id=item.id, review_kind=item.kind.value, resolution=resolution.value)
        change.write()
    return item


def _open_item(tx: Tx, review_id: str) -> ReviewItem:
    item = review_item(tx, review_id)
    if item is None:
        raise Refusal("not_found", "there is no such review item")
    if item.state is ReviewState.RESOLVED:
        raise Refusal("review_resolved", "this item is resolved")
    return item


def _accept(tx: Tx, deps: Deps, collection: Collection | None, *, actor: str) -> Collection:
    """The collection with its order, which is written."""
    if collection is None:
        raise Refusal("resolution_not_possible", "there is no collected record that could be accepted")
    agent = deps.settings.agents.get(collection.agent)
    kept = tx.notification(collection.evidence_id)
    if agent is None or kept is None or collection.app not in deps.settings.apps:
        raise Refusal("resolution_not_possible", "the record's agent or app is not configured any more")
    holder = tx.slot_holder(collection.slot)
    if holder is not None:
        raise Refusal(
            "resolution_not_possible",
            f"the premium is paid by {holder}; refund that order first, or resolve this item otherwise",
        )
    versions = collections_of_proof(tx, collection.agent_code, collection.proof_no)
    if any(one.state is CollectionState.ACCEPTED for one in versions):
        raise Refusal("resolution_not_possible", "another record under the same proof number counts already")
    unpaid = unpaid_orders(tx, insured_index=collection.insured_index, slot=collection.slot)
    accepted = pay_own_order(tx, deps, record_from(deps, kept), collection, agent=agent, actor=actor, kept=kept)
    close_rivals(tx, deps, unpaid)
    return accepted
