"""Premiums that agents collected: each record counts once, and never beside another payment of the same premium."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest

from gateway.domain.collection import CollectionMethod, CollectionState, LineOutcome, LineResult, SubmittedLine
from gateway.domain.order import Person
from gateway.domain.refusal import Refusal
from gateway.domain.review import ReviewKind, ReviewState
from gateway.domain.states import NotificationState, OrderState, PaymentState, RefundReason
from gateway.services.collect import VERSIONS_MAX, Foresight
from gateway.services.collected_payment import record_from
from gateway.services.refund_payment import RefundDraft, request_refund
from gateway.store.families.collections import review_item
from tests.support.collecting import TAX, VILLAGE, person, record, stored, take, versions, with_agents
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, World, refund_reply, subject


@pytest.fixture
def world(store: Any) -> World:
    return with_agents(World(store))


def _at_once(count: int, call: Any) -> list[Any]:
    barrier = Barrier(count)

    def one(index: int) -> Any:
        barrier.wait(20)
        return call(index)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


# --- accepted ---------------------------------------------------------------------------------------------------------


def test_record_when_taken_in_is_a_paid_order_with_evidence(world: World) -> None:
    """One commit: order, payment, ledger, slot, events, and the raw record sealed as what proves it."""
    result = take(world, record(collected_on=date(2026, 2, 27)))
    assert result.order_id is not None
    assert result.payment_id is not None
    order, payment = world.order(result.order_id), world.payment(result.payment_id)
    evidence = world.store.read().notification(payment.evidence_id or "")

    assert (result.outcome, result.state) == (LineOutcome.ACCEPTED, CollectionState.ACCEPTED)
    assert (order.app, order.state, order.paid_payment_id) == ("village", OrderState.PAID, payment.id)
    assert (payment.state, payment.kept, payment.amount_fen) == (PaymentState.PAID, True, AMOUNT_FEN)
    assert (payment.provider, payment.method, payment.account) == ("agent", "cash", "first_village")
    assert payment.provider_trade_no == "T-0001"
    assert payment.paid_at == datetime(2026, 2, 26, 16, tzinfo=UTC)  # midnight in Beijing
    assert world.kinds(order) == ["order_opened", "payment_created", "payment_paid", "order_paid"]
    assert world.store.read().slot_holder(order.slot or "") == order.id
    assert evidence is not None
    assert (evidence.source, evidence.state, evidence.account) == (
        "statement",
        NotificationState.APPLIED,
        "first_village",
    )
    assert record_from(world.deps, evidence) == record(collected_on=date(2026, 2, 27))
    assert_invariants(world.store)


def test_record_of_the_tax_side_names_its_channel(world: World) -> None:
    """The external channel stands as provider, so that receipts and books can tell it apart."""
    result = take(world, record(agent_code=TAX.code, method=CollectionMethod.UNSTATED), app="wallet")
    payment = world.payment(result.payment_id or "")

    assert (payment.provider, payment.method, payment.account) == ("tax", "unstated", "tax_side")
    assert_invariants(world.store)


def test_record_leaves_nothing_of_a_person_in_clear(world: World, database: Database) -> None:
    """Names and numbers are sealed or blind, in every table."""
    payer = Person(name="缴费乙测试", id_type="resident_id", id_number="340100190002020020")
    of = subject()
    take(world, record(subject=type(of)(**{**_fields(of), "payer": payer})))
    take(world, record("T-0002"))
    everything = database.everything()

    for canary in (of.insured.name, of.insured.id_number, payer.name, payer.id_number):
        assert canary.encode() not in everything


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def test_record_shuts_what_payers_have_open_for_the_premium(world: World) -> None:
    """Other orders of the premium cannot be paid any more, and their cashiers are closed at once."""
    order = world.open(subject=subject())
    payment = world.start(order)
    result = take(world, record())
    world.work()

    assert result.outcome is LineOutcome.ACCEPTED
    assert world.payment(payment.id).state is PaymentState.CLOSED
    assert world.order(order.id).state is OrderState.CLOSED
    assert '"reason":"premium_already_paid"' in _details(world, order.id)
    assert b"premium_already_paid" in world.open_reply("C-2", subject=subject()).body
    assert_invariants(world.store)


def _details(world: World, order_id: str) -> str:
    return " ".join(event.detail for event in world.store.read().events_page(order_id, after=0, limit=99))


def test_online_payment_after_the_record_is_surplus_and_goes_back(world: World) -> None:
    """Recorded first, paid online later: the existing rule sends the second money back by itself."""
    order = world.open(subject=subject())
    payment = world.start(order)
    take(world, record())
    world.pay(payment)
    [refund] = world.refunds(order)

    assert (refund.reason, refund.amount_fen) == (RefundReason.SURPLUS, AMOUNT_FEN)
    assert not world.payment(payment.id).kept
    world.work()
    assert world.alpha.numbers("refund") == [refund.out_refund_no]
    assert_invariants(world.store)


def test_money_of_an_agent_is_not_refunded_by_a_provider(world: World) -> None:
    """No provider holds it: a refund task would run for ever."""
    result = take(world, record())
    draft = RefundDraft(
        app="village", order_id=result.order_id or "", client_refund_no="R-1", amount_fen=None, note="退保"
    )
    reply = request_refund(world.deps, draft, world.request(app="village"), refund_reply)

    assert (reply.status, b"refund_offline_only" in reply.body) == (409, True)
    assert_invariants(world.store)


# --- the same record again --------------------------------------------------------------------------------------------


def test_record_again_is_a_duplicate_that_names_the_first(world: World, database: Database) -> None:
    """Whoever sends it, in whatever batch: nothing changes."""
    first = take(world, record())
    world.clock.advance(days=3)
    again = take(world, record(), batch_id="bat_" + "c" * 32)

    assert (again.outcome, again.state) == (LineOutcome.DUPLICATE, CollectionState.ACCEPTED)
    assert (again.collection_id, again.order_id) == (first.collection_id, first.order_id)
    assert database.rows("SELECT count(*) FROM collections") == [(1,)]
    assert_invariants(world.store)


def test_record_twice_in_one_batch_is_accepted_and_duplicate(world: World) -> None:
    """A line's own result is told again to itself alone."""
    outcomes = [take(world, record(), line_no=line_no).outcome for line_no in (1, 2, 1)]

    assert [LineOutcome.ACCEPTED, LineOutcome.DUPLICATE, LineOutcome.ACCEPTED] == outcomes


def test_hundred_equal_records_at_once_are_one(world: World, database: Database) -> None:
    """One order, one payment, one ledger entry, however many ask."""
    sisters = [with_agents(World(world.store, seed=seed, sister=world)) for seed in range(2, 22)]
    results = _at_once(20, lambda i: [take(sisters[i], record(), line_no=i + 1) for _ in range(5)])
    outcomes = [result.outcome for some in results for result in some]

    assert 100 == len(outcomes)
    assert {LineOutcome.ACCEPTED, LineOutcome.DUPLICATE} == set(outcomes)
    assert 1 == len({result.order_id for some in results for result in some})
    assert database.rows("SELECT count(*) FROM collections") == [(1,)]
    assert database.rows("SELECT count(*) FROM payments") == [(1,)]
    assert database.rows("SELECT count(*) FROM ledger_entries") == [(1,)]
    assert_invariants(world.store)


# --- questions --------------------------------------------------------------------------------------------------------


def _asked(world: World, result: LineResult, kind: ReviewKind, *, order_id: str | None) -> None:
    """The line became one open item, its record waits, its evidence is kept, and no second money is counted."""
    item = review_item(world.store.read(), result.review_id or "")
    collection = stored(world, result)
    evidence = world.store.read().notification(collection.evidence_id)

    assert (result.outcome, result.reason, result.order_id) == (LineOutcome.REVIEW, kind.value, None)
    assert item is not None
    assert (item.kind, item.state, item.order_id, item.collection_id) == (
        kind,
        ReviewState.OPEN,
        order_id,
        collection.id,
    )
    assert (item.region, item.insured_year) == (collection.region, collection.insured_year)
    assert (collection.state, collection.reason, collection.payment_id) == (CollectionState.REVIEW, kind.value, None)
    assert evidence is not None
    assert (evidence.state, evidence.reason) == (NotificationState.QUARANTINED, kind.value)
    if order_id is not None:
        assert world.kinds(world.order(order_id))[-1] == "review_opened"
    assert_invariants(world.store)


def test_record_of_a_premium_paid_online_asks_a_person(world: World) -> None:
    """E21: cash on day 1, online on day 3, the agent's file on day 15: no silent second payment, nothing sent back."""
    day_1 = record(collected_on=date(2026, 3, 1))
    world.clock.advance(days=2)
    order, payment = world.paid(subject=subject())
    world.clock.advance(days=12)
    result = take(world, day_1)

    _asked(world, result, ReviewKind.PREMIUM_PAID_TWICE, order_id=order.id)
    item = review_item(world.store.read(), result.review_id or "")
    assert item is not None
    assert item.payment_id == payment.id
    assert world.refunds(order) == []
    assert world.order(order.id).state is OrderState.PAID


def test_tax_record_of_a_premium_paid_here_asks_a_person(world: World) -> None:
    """E16: the tax side reports what the shared account has paid."""
    order, _ = world.paid(subject=subject())
    result = take(world, record(agent_code=TAX.code))

    _asked(world, result, ReviewKind.PREMIUM_PAID_TWICE, order_id=order.id)


def test_second_agents_record_of_a_premium_asks_a_person(world: World) -> None:
    """School and village both took the money."""
    first = take(world, record())
    second = take(world, record("OTHER-1", agent_code=TAX.code))

    _asked(world, second, ReviewKind.PREMIUM_PAID_TWICE, order_id=first.order_id)


def test_record_with_another_amount_than_the_apps_order_asks_a_person(world: World) -> None:
    """One of the two is not the tariff."""
    order = world.open(subject=subject(), app="village", amount_fen=AMOUNT_FEN + 1)
    result = take(world, record())

    _asked(world, result, ReviewKind.AMOUNT_DIFFERS, order_id=order.id)
    assert world.order(order.id).state is OrderState.OPEN


def test_record_with_another_amount_than_another_apps_order_is_accepted(world: World) -> None:
    """An app's amount is its own claim; it does not hold up what another has collected."""
    world.open(subject=subject(), amount_fen=AMOUNT_FEN + 1)

    assert take(world, record()).outcome is LineOutcome.ACCEPTED


@pytest.mark.parametrize(
    ("days", "expected"), [(15, LineOutcome.ACCEPTED), (16, LineOutcome.REVIEW)], ids=["at_the_limit", "one_past_it"]
)
def test_record_late_by_days_is_normal_up_to_the_agents_limit(world: World, days: int, expected: LineOutcome) -> None:
    """R14: half a month is how agents work; more is a question."""
    result = take(world, record(collected_on=date(2026, 3, 1) - timedelta(days=days)))

    assert result.outcome is expected
    if expected is LineOutcome.REVIEW:
        _asked(world, result, ReviewKind.RECORD_LATE, order_id=None)


OTHER_CONTENT: dict[str, dict[str, Any]] = {
    "amount": {"amount_fen": AMOUNT_FEN + 1},
    "day": {"collected_on": date(2026, 2, 28)},
    "method": {"method": CollectionMethod.SCAN},
    "person": {"subject": person(7)},
    "year": {"subject": subject(year=2027)},
}


@pytest.mark.parametrize("changes", OTHER_CONTENT.values(), ids=OTHER_CONTENT)
def test_proof_number_with_other_content_asks_a_person(world: World, changes: dict[str, Any]) -> None:
    """One proof is one payment; the first stands."""
    first = take(world, record())
    other = take(world, record(**changes), line_no=2)

    _asked(world, other, ReviewKind.PROOF_REUSED, order_id=first.order_id)
    assert take(world, record(**changes), line_no=3).outcome is LineOutcome.DUPLICATE
    assert [1, 2] == [one.version for one in versions(world, record())]


def test_proof_number_with_too_many_contents_is_invalid(world: World) -> None:
    """A broken program fills no table with questions."""
    results = [take(world, record(amount_fen=fen), line_no=fen) for fen in range(1, VERSIONS_MAX + 2)]

    assert [LineOutcome.REVIEW, LineOutcome.INVALID] == [result.outcome for result in results[-2:]]
    assert results[-1].errors == {"proof_no": ["has come with too many different contents"]}


PAID_BY = replace(subject(), payer=Person(name="缴费人测试", id_type="resident_id", id_number="340100198001010028"))
INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "unknown_agent": ({"agent_code": "nobody"}, "agent_code"),
    "agent_of_another_app": ({"agent_code": VILLAGE.code}, "agent_code"),
    "tomorrow": ({"agent_code": TAX.code, "collected_on": date(2026, 3, 2)}, "collected_on"),
    "above_the_limit": ({"agent_code": TAX.code, "amount_fen": 1_000_001}, "amount_fen"),
    "number_as_proof": ({"agent_code": TAX.code, "proof_no": "34010019000101001X"}, "proof_no"),
    "number_in_proof": ({"agent_code": TAX.code, "proof_no": "34010019000101001x-2"}, "proof_no"),
    "payers_number_in_proof": (
        {"agent_code": TAX.code, "proof_no": "A340100198001010028", "subject": PAID_BY},
        "proof_no",
    ),
    "payers_name_in_proof": ({"agent_code": TAX.code, "proof_no": "缴费人测试01", "subject": PAID_BY}, "proof_no"),
    "name_in_proof": ({"agent_code": TAX.code, "proof_no": f"{subject().insured.name}01"}, "proof_no"),
}


@pytest.mark.parametrize(("changes", "field"), INVALID.values(), ids=INVALID)
def test_record_that_the_configuration_forbids_is_invalid(
    world: World, database: Database, changes: dict[str, Any], field: str
) -> None:
    """The wallet submits for the tax side alone; nothing of an invalid line is stored."""
    result = take(world, record(**changes), app="wallet")

    assert (result.outcome, [field]) == (LineOutcome.INVALID, list(result.errors))
    assert database.rows("SELECT count(*) FROM collections") == [(0,)]


@pytest.mark.parametrize("region", ["340200"], ids=["other_region"])
def test_record_outside_the_regions_of_agent_and_app_is_invalid(world: World, region: str) -> None:
    """Both limits are told."""
    result = take(world, record(subject=subject(region=region)))

    assert result.errors == {"region": ["is not a region of this agent", "is not a region of this app"]}


def test_record_at_the_agents_amount_limit_is_accepted(world: World) -> None:
    """The limit itself is allowed."""
    assert take(world, record(agent_code=TAX.code, amount_fen=1_000_000)).outcome is LineOutcome.ACCEPTED


# --- races ------------------------------------------------------------------------------------------------------------


def test_record_and_online_payment_of_one_premium_at_once_keep_one(world: World) -> None:
    """Whichever commits first is kept: then the record is a question, or the online money is surplus."""
    sisters = [with_agents(World(world.store, seed=seed, sister=world)) for seed in (2, 3)]
    seen = set()
    for round_ in range(20):
        premium = person(round_)
        order = world.open(f"C-{round_}", subject=premium)
        payment = world.start(order)
        world.alpha.pay(payment.out_trade_no)
        raw = world.alpha.callback(payment.out_trade_no)
        calls = (
            lambda premium=premium, round_=round_: take(sisters[0], record(f"T-{round_}", subject=premium)),
            lambda payment=payment, raw=raw: sisters[1].deliver(payment, raw),
        )
        result, accepted = _at_once(2, lambda i, calls=calls: calls[i]())

        kept = world.payment(payment.id).kept
        seen.add(kept)
        assert accepted.outcome == "applied"
        assert result.outcome is (LineOutcome.REVIEW if kept else LineOutcome.ACCEPTED)
        assert [] == world.refunds(order) if kept else len(world.refunds(order)) == 1
    assert seen
    assert_invariants(world.store)


def test_records_of_one_premium_by_two_agents_at_once_count_once(world: World) -> None:
    """The slot decides; the other becomes a question."""
    sisters = [with_agents(World(world.store, seed=seed, sister=world)) for seed in (2, 3)]
    for round_ in range(10):
        given = [
            record(f"T-{round_}", subject=person(round_)),
            record(f"T-{round_}", subject=person(round_), agent_code=TAX.code),
        ]
        results = _at_once(2, lambda i, given=given: take(sisters[i], given[i]))

        assert ["accepted", "review"] == sorted(result.outcome for result in results)
    assert_invariants(world.store)


# --- looking ahead ----------------------------------------------------------------------------------------------------


def test_preview_tells_of_every_line_what_taking_in_then_does(world: World, database: Database) -> None:
    """Lines are foreseen one after the other: the second of a person is a question, the second of a proof, too."""
    world.paid(subject=person(3))
    given = [
        record("P-1", subject=person(1)),
        record("P-1", subject=person(1)),
        record("P-1", subject=person(2)),
        record("P-2", subject=person(1)),
        record("P-3", subject=person(3)),
        record("P-4", subject=person(4), agent_code="nobody"),
        record("P-5", subject=person(5), collected_on=date(2026, 1, 1)),
        record("P-6", subject=person(2)),
    ]
    lines = [SubmittedLine(line_no=line_no, record=one) for line_no, one in enumerate(given, start=1)]
    lines.append(SubmittedLine(line_no=9, record=None, errors={"name": ["is missing"]}))
    before = {table: database.rows(f"SELECT count(*) FROM {table}") for table in ("orders", "collections", "tasks")}
    foresight = Foresight(world.deps, "village")
    foreseen = [foresight.look(line) for line in lines]
    after = {table: database.rows(f"SELECT count(*) FROM {table}") for table in before}
    results = [take(world, line.record, line_no=line.line_no) for line in lines[:-1] if line.record]

    assert before == after
    assert [(one.outcome, one.reason, one.errors) for one in foreseen[:-1]] == [
        (one.outcome, one.reason, one.errors) for one in results
    ]
    assert ["accepted", "duplicate", "review", "review", "review", "invalid", "review", "accepted", "invalid"] == [
        one.outcome for one in foreseen
    ]


def test_preview_of_a_known_record_names_it(world: World) -> None:
    """A duplicate tells what it is a duplicate of."""
    first = take(world, record())
    foreseen = Foresight(world.deps, "village").look(SubmittedLine(line_no=1, record=record()))

    assert (LineOutcome.DUPLICATE, first.collection_id) == (foreseen.outcome, foreseen.collection_id)


def test_refusal_of_an_unknown_collection_is_not_found(world: World) -> None:
    """Of another app's, too."""
    from gateway.services.collected_views import collection_of

    result = take(world, record())
    with pytest.raises(Refusal) as caught:
        collection_of(world.deps, "wallet", result.collection_id or "")

    assert caught.value.code == "not_found"
