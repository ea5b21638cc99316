"""Puts questions to a person on record; any service may ask one, inside its own unit of work."""

from gateway.domain.review import ReviewItem, ReviewKind, ReviewState
from gateway.services.deps import Deps
from gateway.services.order_change import OrderChange
from gateway.store import Tx
from gateway.store.families.collections import open_review_counts, review_of


def open_review(
    tx: Tx,
    deps: Deps,
    *,
    kind: ReviewKind,
    subject_id: str,
    reason: str,
    change: OrderChange | None,
    region: str | None = None,
    insured_year: int | None = None,
    payment_id: str | None = None,
    collection_id: str | None = None,
) -> ReviewItem:
    """
    Open an item, or give the one that this kind and subject have already, open or resolved.

    Args:
        subject_id: Id of what the question is about; there is one item per kind and subject for ever.
        reason: A sentence for operators, without personal data.
        change: The change of the order concerned, to which the opening is added as an event; the caller writes it.
    """
    known = review_of(tx, kind, subject_id)
    if known is not None:
        return known
    item = ReviewItem(
        id=f"rev_{deps.ids.new()}",
        kind=kind,
        subject_id=subject_id,
        state=ReviewState.OPEN,
        reason=reason,
        region=region,
        insured_year=insured_year,
        order_id=change.order.id if change else None,
        payment_id=payment_id,
        collection_id=collection_id,
        resolution=None,
        note_sealed=None,
        resolved_by=None,
        opened_at=deps.clock.now(),
        resolved_at=None,
    )
    if change is not None:
        change.event("review_opened", review_id=item.id, review_kind=kind.value, subject_id=subject_id)
    tx.insert(item)
    return item


def open_reviews(deps: Deps) -> dict[ReviewKind, int]:
    """How many items of each kind wait for a person; a kind without any is 0."""
    return dict.fromkeys(ReviewKind, 0) | open_review_counts(deps.store.read())
