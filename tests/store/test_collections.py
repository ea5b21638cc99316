"""Collected records and review items go into both databases and come out as they were."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.collection import Collection, CollectionMethod, CollectionState, UnpaidOrder
from gateway.domain.review import Resolution, ReviewItem, ReviewKind, ReviewState
from gateway.domain.states import OrderState
from gateway.store import Conflict, Store, Tx
from gateway.store.families import collections as family
from tests.support.clock import START
from tests.support.rows import LATER, a_notification, a_payment, an_order

PARENTS = (an_order(), a_payment(), a_notification())


def a_collection(collection_id: str = "col_1", **changes: Any) -> Collection:
    members: dict[str, Any] = {
        "id": collection_id,
        "app": "village",
        "agent": "first_village",
        "agent_code": "0551-01",
        "proof_no": "凭0001",
        "version": 1,
        "content": "c" * 64,
        "state": CollectionState.ACCEPTED,
        "reason": "",
        "amount_fen": 10_000_000_000,
        "collected_on": "2026-02-28",
        "method": CollectionMethod.SCAN,
        "region": "340100",
        "insured_year": 2026,
        "insurance_kind": "resident_medical",
        "insured_index": "b" * 64,
        "slot": "slot-1",
        "batch_id": "bat_1",
        "line_no": 7,
        "evidence_id": "ntf_1",
        "order_id": "ord_1",
        "payment_id": "pay_1",
        "created_at": START,
        "updated_at": LATER,
    }
    return Collection(**members | changes)


def a_review(review_id: str = "rev_1", **changes: Any) -> ReviewItem:
    members: dict[str, Any] = {
        "id": review_id,
        "kind": ReviewKind.RECORD_LATE,
        "subject_id": f"of-{review_id}",
        "state": ReviewState.RESOLVED,
        "reason": "a reason",
        "region": "340100",
        "insured_year": 2026,
        "order_id": "ord_1",
        "payment_id": "pay_1",
        "collection_id": "col_1",
        "resolution": Resolution.RETURNED,
        "note_sealed": b"\x00note",
        "resolved_by": "tester",
        "opened_at": START,
        "resolved_at": LATER,
    }
    return ReviewItem(**members | changes)


OPEN = {"state": ReviewState.OPEN} | dict.fromkeys(("resolution", "note_sealed", "resolved_by", "resolved_at"))
WAITING = a_collection("col_2", version=2, state=CollectionState.REVIEW, order_id=None, payment_id=None)
OTHERS = a_collection("col_3", app="wallet", agent_code="T", insured_index="x")
ITEMS = (a_review(), a_review("rev_2", **OPEN), a_review("rev_3", **OPEN, kind=ReviewKind.PROOF_REUSED))
ROWS = (*PARENTS, a_collection(), WAITING, OTHERS, *ITEMS)
PAGE = {"before": "col_g", "limit": 9, "state": None, "batch_id": None}
READS: dict[str, tuple[Callable[[Tx], Any], Any]] = {
    "collection": (lambda tx: family.collection(tx, "col_1"), a_collection()),
    "collection_unknown": (lambda tx: family.collection(tx, "col_9"), None),
    "of_proof": (lambda tx: family.collections_of_proof(tx, "0551-01", "凭0001"), [a_collection(), WAITING]),
    "of_person": (lambda tx: family.collections_of_person(tx, "b" * 64), [WAITING, a_collection()]),
    "page": (lambda tx: family.collections_page(tx, "village", **PAGE), [WAITING, a_collection()]),
    "page_before": (lambda tx: family.collections_page(tx, "village", **PAGE | {"before": "col_2"}), [a_collection()]),
    "page_in_state": (
        lambda tx: family.collections_page(tx, "village", **PAGE | {"state": CollectionState.REVIEW}),
        [WAITING],
    ),
    "page_of_batch": (lambda tx: family.collections_page(tx, "village", **PAGE | {"batch_id": "bat_2"}), []),
    "unpaid_orders": (
        lambda tx: family.unpaid_orders(tx, insured_index="b" * 64, slot="slot-ord_1"),
        [UnpaidOrder(id="ord_1", app="wallet", amount_fen=38001)],
    ),
    "unpaid_orders_of_another_slot": (
        lambda tx: family.unpaid_orders(tx, insured_index="b" * 64, slot="slot-ord_2"),
        [],
    ),
    "review_item": (lambda tx: family.review_item(tx, "rev_1"), ITEMS[0]),
    "review_of": (lambda tx: family.review_of(tx, ReviewKind.PROOF_REUSED, "of-rev_3"), ITEMS[2]),
    "reviews_page": (lambda tx: family.reviews_page(tx, ReviewState.OPEN, after="rev_2", limit=9), [ITEMS[2]]),
    "open_counts": (
        family.open_review_counts,
        {ReviewKind.RECORD_LATE: 1, ReviewKind.PROOF_REUSED: 1},
    ),
}


@pytest.fixture
def filled(store: Store) -> Store:
    def job(tx: Tx) -> None:
        for row in ROWS:
            tx.insert(row)

    store.run(job)
    return store


@pytest.mark.parametrize("name", READS)
def test_read_over_known_rows_answers_alike_on_both_engines(filled: Store, name: str) -> None:
    """Text, bytes, instants, states and None survive."""
    read, expected = READS[name]

    assert expected == read(filled.read())


def test_paid_order_is_no_unpaid_one(filled: Store) -> None:
    """Open orders alone."""
    paid = replace(an_order(), state=OrderState.PAID, paid_payment_id="pay_1")
    filled.run(lambda tx: tx.update(paid))

    assert family.unpaid_orders(filled.read(), insured_index="b" * 64, slot="slot-ord_1") == []


def test_item_that_is_resolved_cannot_be_resolved_over(filled: Store) -> None:
    """The guard is in the statement, not in what was read before."""
    tx = filled.read()
    family.resolve_item(tx, replace(ITEMS[0], resolved_by="another"))
    with pytest.raises(Conflict):
        filled._engine.flush(tx.writes)

    assert family.review_item(filled.read(), "rev_1") == ITEMS[0]


def test_open_item_is_resolved_with_every_column_that_may_change(filled: Store) -> None:
    """What was decided is written whole."""
    decided = a_review("rev_2")
    filled.run(lambda tx: family.resolve_item(tx, decided))

    assert family.review_item(filled.read(), "rev_2") == decided


def test_same_version_of_one_proof_is_a_conflict(filled: Store) -> None:
    """The database decides that a record is new."""
    tx = filled.read()
    tx.insert(a_collection("col_4", content="d" * 64))
    with pytest.raises(Conflict):
        filled._engine.flush(tx.writes)
