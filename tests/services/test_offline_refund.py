"""Money that went back where it was collected: put on record by a paper, once, as every refund that was not ours."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from gateway.domain.order import LedgerAccount, Order, Payment
from gateway.domain.refusal import Refusal
from gateway.domain.states import OrderState, RefundReason, RefundState
from gateway.domain.webhook import message_type
from gateway.services import offline_refund
from gateway.services.audit import audit
from gateway.services.offline_refund import OfflineRefund, record_offline_refund
from gateway.store import Store
from tests.support.biller import RURAL, BillerWorld
from tests.support.collecting import record, take, with_agents
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, World, subject

TODAY = date(2026, 3, 1)
WHY = "测试参保人 已参加职工医保"
PAPER = "收据-测试参保人-7"


@pytest.fixture
def village(world: World) -> World:
    return with_agents(world)


def _collected(world: World) -> tuple[Order, Payment]:
    """A premium that the village's agent took in cash."""
    result = take(world, record())
    assert result.payment_id is not None
    payment = world.payment(result.payment_id)
    return world.order(payment.order_id), payment


def _wanted(payment: Payment, **changes: Any) -> OfflineRefund:
    members: dict[str, Any] = {
        "payment_id": payment.id,
        "reference": PAPER,
        "amount_fen": None,
        "returned_on": TODAY,
        "who": "operator-1",
        "why": WHY,
    }
    return OfflineRefund(**members | changes)


def _assert_in_order(world: World) -> None:
    assert_invariants(world.store)
    assert [] == [found.name for found in audit(world.store) if found.offenders]


def test_whole_sum_given_back_by_the_agent_frees_the_premium(village: World) -> None:
    """Order, slot, ledger, history and webhook say so, and the premium can be paid anew."""
    order, payment = _collected(village)
    done = record_offline_refund(village.deps, _wanted(payment))
    [refund] = village.refunds(order)
    events = village.store.read().events_page(order.id, after=0, limit=99)

    assert ("recorded", AMOUNT_FEN, refund.id) == (done.outcome, done.amount_fen, done.refund_id)
    assert (RefundReason.OUTSIDE, RefundState.SUCCEEDED) == (refund.reason, refund.state)
    assert AMOUNT_FEN == village.order(order.id).amount_refunded_fen
    assert village.store.read().slot_holder(order.slot or "") is None
    assert ("refund_outside", "operator:operator-1") == (events[-1].kind, events[-1].actor)
    assert "refund.succeeded" == message_type(events[-1])
    _assert_in_order(village)
    assert OrderState.OPEN is village.open("C-2", subject=subject()).state


def test_part_given_back_leaves_the_premium_paid(village: World, database: Database) -> None:
    """Until the last fen is back; the ledger moves by each part."""
    order, payment = _collected(village)
    record_offline_refund(village.deps, _wanted(payment, amount_fen=101, reference="7"))
    held = village.store.read().slot_holder(order.slot or "")
    rest = record_offline_refund(village.deps, _wanted(payment, reference="8"))
    moved = database.rows(
        "SELECT debit, credit, amount_fen FROM ledger_entries WHERE refund_id IS NOT NULL ORDER BY id"
    )

    assert (order.id, AMOUNT_FEN - 101) == (held, rest.amount_fen)
    legs = (LedgerAccount.RECEIVABLE.value, LedgerAccount.COLLECTED.value)
    assert [(*legs, 101), (*legs, AMOUNT_FEN - 101)] == moved
    assert village.store.read().slot_holder(order.slot or "") is None
    _assert_in_order(village)


def test_same_paper_again_changes_nothing(village: World, database: Database) -> None:
    """Whoever says it, whatever the reason: payment and paper name the refund."""
    _, payment = _collected(village)
    first = record_offline_refund(village.deps, _wanted(payment, amount_fen=101))
    before = database.everything()
    again = record_offline_refund(village.deps, _wanted(payment, who="operator-2", why="again"))

    assert ("unchanged", 101, first.refund_id, ()) == (again.outcome, again.amount_fen, again.refund_id, again.changes)
    assert before == database.everything()


def test_same_paper_of_two_payments_is_two_refunds(village: World) -> None:
    """Agents number their papers as they like."""
    _, first = _collected(village)
    other = take(village, record("T-0002", subject=subject("34010019000101002X")))
    second = village.payment(other.payment_id or "")
    outcomes = [record_offline_refund(village.deps, _wanted(one)).outcome for one in (first, second)]

    assert ["recorded", "recorded"] == outcomes


def test_rehearsal_tells_exactly_what_is_done_and_writes_nothing(village: World, database: Database) -> None:
    """As with replays."""
    _, payment = _collected(village)
    before = database.everything()
    told = record_offline_refund(village.deps, _wanted(payment), rehearse=True)
    untouched = before == database.everything()
    done = record_offline_refund(village.deps, _wanted(payment))

    assert untouched
    assert told == replace(done, refund_id=None)
    assert {"premium_slots", "refunds", "orders", "payments"} <= {change.table for change in told.changes}


def test_paper_and_reason_are_kept_sealed(village: World, database: Database) -> None:
    """They may name people: neither stands anywhere in clear, both can be read by those who hold the key."""
    order, payment = _collected(village)
    wanted = _wanted(payment)
    record_offline_refund(village.deps, wanted)
    [refund] = village.refunds(order)
    evidence = village.store.read().notification(refund.evidence_id or "")

    assert evidence is not None
    kept = village.vault.unseal_json(evidence.body_sealed, "notification")
    assert ("operator-1", WHY, PAPER) == (kept["who"], kept["why"], kept["reference"])
    assert ("applied", payment.id) == (evidence.state.value, evidence.payment_id)
    stored = database.everything()
    assert [] == [text for text in (WHY, PAPER) if text.encode() in stored or text in repr(wanted)]


REFUSALS: dict[str, tuple[dict[str, Any], str]] = {
    "too_much": ({"amount_fen": AMOUNT_FEN + 1}, "refund_exceeds_payment"),
    "nothing": ({"amount_fen": 0}, "refund_exceeds_payment"),
    "before_the_payment": ({"returned_on": date(2026, 2, 28)}, "invalid_request"),
    "in_the_future": ({"returned_on": date(2026, 3, 2)}, "invalid_request"),
    "unknown": ({"payment_id": "pay_" + "0" * 32}, "not_found"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_offline_refund_that_cannot_be_true_is_refused(village: World, database: Database, name: str) -> None:
    """Nothing is written."""
    changes, code = REFUSALS[name]
    _, payment = _collected(village)
    before = database.everything()
    with pytest.raises(Refusal) as refused:
        record_offline_refund(village.deps, _wanted(payment, **changes))

    assert code == refused.value.code
    assert before == database.everything()


def test_paper_that_stands_for_another_sum_is_refused(village: World) -> None:
    """One of the two is a mistake."""
    _, payment = _collected(village)
    record_offline_refund(village.deps, _wanted(payment, amount_fen=101))
    with pytest.raises(Refusal) as refused:
        record_offline_refund(village.deps, _wanted(payment, amount_fen=102))

    assert "refund_reference_reused" == refused.value.code


def test_nothing_is_left_after_the_whole(village: World) -> None:
    """Another paper cannot give back more."""
    _, payment = _collected(village)
    record_offline_refund(village.deps, _wanted(payment))
    with pytest.raises(Refusal) as refused:
        record_offline_refund(village.deps, _wanted(payment, reference="8"))

    assert {"refundable_fen": 0} == refused.value.extra


@pytest.mark.parametrize("configured", [True, False], ids=["configured", "configured_no_more"])
def test_payment_that_its_provider_can_give_back_is_refused(world: World, configured: bool) -> None:
    """Both ways open at once would pay twice; an account that is configured no more proves nothing."""
    _, payment = world.paid()
    deps = world.deps if configured else replace(world.deps, providers={})
    with pytest.raises(Refusal) as refused:
        record_offline_refund(deps, _wanted(payment))

    assert "refund_through_provider" == refused.value.code


def test_payment_that_is_not_paid_is_refused(village: World) -> None:
    """There is nothing to give back."""
    payment = village.start(village.open())
    with pytest.raises(Refusal) as refused:
        record_offline_refund(village.deps, _wanted(payment))

    assert "order_not_paid" == refused.value.code


def test_payment_at_a_counter_of_a_bank_that_collects_is_given_back_there(store: Store) -> None:
    """A bank in biller mode has no call for refunds; days later it is no reversal any more either."""
    world = BillerWorld(store)
    order = world.open(subject=subject())
    world.bank_pays(order)
    paid = world.order(order.id)
    payment = world.payment(paid.paid_payment_id or "")
    done = record_offline_refund(world.deps, _wanted(payment))

    assert (RURAL, "recorded") == (payment.account, done.outcome)
    assert AMOUNT_FEN == world.order(order.id).amount_refunded_fen
    assert world.store.read().slot_holder(order.slot or "") is None
    _assert_in_order(world)


def test_same_paper_at_once_is_recorded_once(village: World) -> None:
    """Two operators press at the same moment, many times; two papers never exceed the payment."""
    _, payment = _collected(village)
    sisters = [replace(village.deps, ids=World(village.store, seed=seed).ids) for seed in range(2, 6)]

    def press(number: int) -> str:
        wanted = _wanted(payment, reference=f"paper-{number % 2}", amount_fen=AMOUNT_FEN - 1)
        try:
            return record_offline_refund(sisters[number % 4], wanted).outcome
        except Refusal as refusal:
            return refusal.code

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(press, range(12)))

    assert 1 == outcomes.count("recorded")
    assert {"recorded", "unchanged", "refund_exceeds_payment"} == set(outcomes)
    _assert_in_order(village)


@pytest.mark.parametrize("paper", [PAPER, "another"], ids=["same_paper", "another_paper"])
def test_paper_that_a_rival_records_between_two_looks_is_judged_anew(
    village: World, monkeypatch: pytest.MonkeyPatch, paper: str
) -> None:
    """What was read before the rival's commit is not what is written after it."""
    _, payment = _collected(village)
    honest, rivals = offline_refund._checked, [_wanted(payment, amount_fen=101, reference=paper)]

    def checked(*given: Any) -> int:
        if rivals:
            record_offline_refund(village.deps, rivals.pop())
        return honest(*given)

    monkeypatch.setattr(offline_refund, "_checked", checked)
    done = record_offline_refund(village.deps, _wanted(payment))

    expected = ("unchanged", 101) if paper == PAPER else ("recorded", AMOUNT_FEN - 101)
    assert expected == (done.outcome, done.amount_fen)
    _assert_in_order(village)
