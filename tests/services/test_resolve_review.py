"""What a person decides about a review item: once, on record, and never beside the rules of money."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from threading import Barrier
from typing import Any

import pytest

from gateway.domain.collection import CollectionState, LineOutcome, LineResult
from gateway.domain.refusal import Refusal
from gateway.domain.review import Resolution, ReviewItem, ReviewKind, ReviewState
from gateway.domain.states import NotificationState, OrderState, PaymentState
from gateway.services import resolve_review as resolve_review_module
from gateway.services.order_change import OrderChange
from gateway.services.resolve_review import list_reviews, read_note, resolve_review
from gateway.services.review import open_review, open_reviews
from gateway.store.families.collections import review_item
from tests.support.collecting import person, record, stored, take, with_agents
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import World, subject

NOTE = "参保甲测试 已在村部退款"


@pytest.fixture
def world(store: Any) -> World:
    return with_agents(World(store))


def _resolve(world: World, review_id: str | None, resolution: Resolution) -> ReviewItem:
    return resolve_review(world.deps, review_id or "", resolution, who="reviewer", note=NOTE)


def _refusal(world: World, review_id: str | None, resolution: Resolution) -> str:
    with pytest.raises(Refusal) as caught:
        _resolve(world, review_id, resolution)
    return caught.value.code


@pytest.mark.parametrize("resolution", [r for r in Resolution if r is not Resolution.ACCEPTED])
def test_resolution_without_acceptance_leaves_the_record_without_effect(
    world: World, database: Database, resolution: Resolution
) -> None:
    """Who, when, what and why are on record; the order concerned tells of it; the note is sealed."""
    order, _ = world.paid(subject=subject())
    result = take(world, record())
    world.clock.advance(hours=1)
    item = _resolve(world, result.review_id, resolution)

    assert item == review_item(world.store.read(), item.id)
    assert (item.state, item.resolution, item.resolved_by) == (ReviewState.RESOLVED, resolution, "reviewer")
    assert item.resolved_at == world.clock.now()
    assert read_note(world.deps, item) == NOTE
    assert NOTE.encode() not in database.everything()
    assert stored(world, result).state is CollectionState.REJECTED
    [*_, last] = world.store.read().events_page(order.id, after=0, limit=99)
    assert (last.kind, last.actor) == ("review_resolved", "operator:reviewer")
    assert f'"resolution":"{resolution.value}"' in last.detail
    assert_invariants(world.store)


def test_late_record_that_is_accepted_pays_its_order(world: World) -> None:
    """The same evidence, kept when it came, proves the payment now."""
    given = record(collected_on=date(2026, 1, 5))
    result = take(world, given)
    rival = world.open(subject=subject())
    _resolve(world, result.review_id, Resolution.ACCEPTED)
    collection = stored(world, result)
    payment = world.payment(collection.payment_id or "")
    evidence = world.store.read().notification(collection.evidence_id)
    world.work()

    assert collection.state is CollectionState.ACCEPTED
    assert world.order(collection.order_id or "").state is OrderState.PAID
    assert (payment.state, payment.evidence_id) == (PaymentState.PAID, collection.evidence_id)
    assert evidence is not None
    assert (evidence.state, evidence.payment_id) == (NotificationState.APPLIED, payment.id)
    assert world.order(rival.id).state is OrderState.CLOSED
    assert take(world, given, line_no=2).state is CollectionState.ACCEPTED
    assert_invariants(world.store)


def test_acceptance_waits_until_the_other_payment_is_refunded(world: World) -> None:
    """First the online money goes back, then the cash counts: never both."""
    order, payment = world.paid(subject=subject())
    result = take(world, record())

    assert _refusal(world, result.review_id, Resolution.ACCEPTED) == "resolution_not_possible"
    refund = world.refund(order)
    world.work()
    assert _refusal(world, result.review_id, Resolution.ACCEPTED) == "resolution_not_possible"
    world.alpha.refunds[refund.out_refund_no].state = type(world.alpha.refunds[refund.out_refund_no].state).SUCCEEDED
    world.deliver(payment, world.alpha.refund_callback(refund.out_refund_no))
    _resolve(world, result.review_id, Resolution.ACCEPTED)

    assert stored(world, result).state is CollectionState.ACCEPTED
    assert world.store.read().slot_holder(order.slot or "") == stored(world, result).order_id
    assert_invariants(world.store)


def test_acceptance_of_a_second_content_under_a_counting_proof_is_refused(world: World) -> None:
    """One proof, one payment."""
    take(world, record())
    other = take(world, record(subject=person(2)), line_no=2)

    assert _refusal(world, other.review_id, Resolution.ACCEPTED) == "resolution_not_possible"


def test_record_corrected_after_a_mistake_is_accepted_under_the_same_proof(world: World) -> None:
    """The wrong one is set aside; the right one is judged afresh."""
    wrong = take(world, record(collected_on=date(2025, 3, 1)))
    _resolve(world, wrong.review_id, Resolution.MISTAKEN)
    right = take(world, record(), line_no=2)

    assert right.outcome is LineOutcome.ACCEPTED
    assert stored(world, right).version == 2
    assert_invariants(world.store)


def test_item_is_resolved_once(world: World) -> None:
    """A second opinion needs another item."""
    result = take(world, record(collected_on=date(2026, 1, 5)))
    _resolve(world, result.review_id, Resolution.RETURNED)

    assert _refusal(world, result.review_id, Resolution.ACCEPTED) == "review_resolved"
    assert _refusal(world, "rev_" + "0" * 32, Resolution.SETTLED) == "not_found"


def test_item_resolved_by_many_at_once_is_resolved_once(world: World) -> None:
    """Two operators press at the same moment: one of them is told."""
    result = take(world, record(collected_on=date(2026, 1, 5)))
    sisters = [with_agents(World(world.store, seed=seed, sister=world)) for seed in range(2, 10)]

    def one(sister: World) -> str:
        try:
            _resolve(sister, result.review_id, Resolution.ACCEPTED)
        except Refusal as refusal:
            return refusal.code
        return "resolved"

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(one, sisters))

    assert outcomes.count("resolved") == 1
    # One that reads between the other's commit and its own look at the slot is told that the premium is paid.
    assert set(outcomes) <= {"resolved", "review_resolved", "resolution_not_possible"}
    assert_invariants(world.store)


def test_item_accepted_and_returned_at_once_is_one_of_both(world: World) -> None:
    """The later one must not undo the earlier one's record."""
    sisters = [with_agents(World(world.store, seed=seed, sister=world)) for seed in (2, 3)]
    for round_ in range(20):
        late = record(f"T-{round_}", subject=person(round_), collected_on=date(2026, 1, 5))
        result = take(world, late)
        barrier = Barrier(2)

        def one(index: int, result: LineResult = result, barrier: Barrier = barrier) -> Resolution | None:
            resolution = (Resolution.ACCEPTED, Resolution.RETURNED)[index]
            barrier.wait(10)
            try:
                return _resolve(sisters[index], result.review_id, resolution).resolution
            except Refusal:
                return None

        with ThreadPoolExecutor(2) as pool:
            [won] = [outcome for outcome in pool.map(one, range(2)) if outcome]

        item = review_item(world.store.read(), result.review_id or "")
        assert item is not None
        assert item.resolution is won
        accepted = won is Resolution.ACCEPTED
        assert stored(world, result).state is (CollectionState.ACCEPTED if accepted else CollectionState.REJECTED)
        assert (stored(world, result).order_id is not None) is accepted
    assert_invariants(world.store)


def test_acceptance_of_an_item_without_record_is_refused(world: World) -> None:
    """Other services ask questions, too; there is nothing to accept in those."""
    order, _ = world.paid()

    def ask(tx: Any) -> ReviewItem:
        change = OrderChange(tx, world.deps, order, now=world.clock.now(), actor="worker")
        item = open_review(
            tx, world.deps, kind=ReviewKind.AMOUNT_DIFFERS, subject_id=order.id, reason="a test", change=change
        )
        change.write()
        return item

    item = world.store.run(ask)

    assert _refusal(world, item.id, Resolution.ACCEPTED) == "resolution_not_possible"
    assert _resolve(world, item.id, Resolution.SETTLED).state is ReviewState.RESOLVED
    assert world.kinds(order)[-2:] == ["review_opened", "review_resolved"]
    assert_invariants(world.store)


def test_two_contents_of_one_proof_accepted_at_once_pay_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of different people, so that no premium's slot keeps them apart; the other is accepted just before the write."""
    one = take(world, record(collected_on=date(2026, 1, 5)))
    two = take(world, record(subject=person(7)), line_no=2)
    flush, rivals = world.store._engine.flush, [two]

    def late(batch: Any) -> None:
        if rivals:
            _resolve(world, rivals.pop().review_id, Resolution.ACCEPTED)
        flush(batch)

    monkeypatch.setattr(world.store._engine, "flush", late)

    assert _refusal(world, one.review_id, Resolution.ACCEPTED) == "resolution_not_possible"
    assert [CollectionState.REVIEW, CollectionState.ACCEPTED] == [stored(world, each).state for each in (one, two)]
    assert_invariants(world.store)


def test_question_asked_twice_is_one_item(world: World) -> None:
    """One per kind and subject, for ever."""

    def ask(tx: Any) -> ReviewItem:
        return open_review(tx, world.deps, kind=ReviewKind.RECORD_LATE, subject_id="x", reason="a test", change=None)

    first, second = world.store.run(ask), world.store.run(ask)

    assert first == second


def test_open_items_are_counted_by_kind_and_listed_oldest_first(world: World) -> None:
    """What the metric shows and what the command lists."""
    world.paid(subject=subject())
    results = [
        take(world, record()),
        take(world, record("T-2", subject=person(2), collected_on=date(2026, 1, 1)), line_no=2),
        take(world, record("T-3", subject=person(3), collected_on=date(2026, 1, 1)), line_no=3),
    ]
    _resolve(world, results[1].review_id, Resolution.RETURNED)

    assert open_reviews(world.deps) == {
        ReviewKind.PREMIUM_PAID_TWICE: 1,
        ReviewKind.AMOUNT_DIFFERS: 0,
        ReviewKind.PROOF_REUSED: 0,
        ReviewKind.RECORD_LATE: 1,
    }
    listed = list_reviews(world.deps, ReviewState.OPEN, limit=9)
    assert [results[0].review_id, results[2].review_id] == [item.id for item in listed]
    assert [item.id for item in list_reviews(world.deps, ReviewState.RESOLVED, limit=9)] == [results[1].review_id]


def test_item_resolved_between_two_reads_is_refused_and_not_half_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each read sees the newest commit: the rival's record must not be taken for that of an open item."""
    result = take(world, record("T-1", collected_on=date(2026, 1, 5)))
    honest = resolve_review_module.read_collection

    def slow(tx: Any, collection_id: str) -> Any:
        monkeypatch.setattr(resolve_review_module, "read_collection", honest)
        _resolve(world, result.review_id, Resolution.ACCEPTED)
        return honest(tx, collection_id)

    monkeypatch.setattr(resolve_review_module, "read_collection", slow)
    with pytest.raises(Refusal) as refused:
        _resolve(world, result.review_id, Resolution.RETURNED)

    assert refused.value.code == "review_resolved"
    assert stored(world, result).state is CollectionState.ACCEPTED
    assert_invariants(world.store)
