"""Which bills a bank may see."""

from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.biller import BillerReason, BillState
from gateway.domain.states import OrderState
from gateway.store import StoreUnavailable
from tests.support.biller import COUNTY, BillerWorld, institution
from tests.support.world import AMOUNT_FEN

OTHER = "340100190001010029"


def test_bill_shows_what_is_to_be_paid(world: BillerWorld) -> None:
    """Number, person, area, year, kind, amount and window of the order."""
    order = world.bill()
    page = world.bills()
    (bill,) = page.bills

    assert (page.total, bill.bill_no, bill.name) == (1, order.id[4:], "测试参保人")
    assert (bill.region, bill.insured_year, bill.insurance_kind) == ("340100", 2026, "resident_medical")
    assert (bill.amount_fen, bill.state, bill.reason) == (AMOUNT_FEN, BillState.UNPAID, None)
    assert (bill.opened_at, bill.expires_at) == (order.created_at, order.expires_at)
    assert "测试参保人" not in repr(page)


def test_premium_has_one_bill_the_newest_payable_one(world: BillerWorld) -> None:
    """Two open orders of one premium are one bill; a closed newest one gives way to an older open one."""
    old, new = world.bill("C-1"), world.bill("C-2", app="village")
    assert [bill.bill_no for bill in world.bills().bills] == [new.id[4:]]
    assert world.order(old.id).state is OrderState.OPEN
    closing = world.bill("C-3")
    world.close(closing)

    assert [bill.bill_no for bill in world.bills().bills] == [new.id[4:]]


def test_paid_premium_shows_the_bill_that_paid_it(world: BillerWorld) -> None:
    """However it was paid."""
    order, other = world.bill("C-1"), world.bill("C-2")
    world.pay(world.start(order))

    assert [(bill.bill_no, bill.state, bill.reason) for bill in world.bills().bills] == [
        (order.id[4:], BillState.PAID, BillerReason.ALREADY_PAID)
    ]
    assert other.id > order.id


def test_premium_paid_through_an_app_that_is_not_collected_for_shows_as_paid(world: BillerWorld) -> None:
    """Its order stays unseen, but nobody is asked to pay twice."""
    seen, unseen = world.bill("C-1", app="village"), world.bill("C-2")
    world.pay(world.start(unseen))
    world.bank.institution = institution("RCB", apps=frozenset({"village"}))

    assert [(bill.bill_no, bill.state) for bill in world.bills().bills] == [(seen.id[4:], BillState.PAID)]


def test_expired_bill_is_closed_before_the_worker_closes_it(world: BillerWorld) -> None:
    """Its last moment counts, not the task's."""
    world.bill("C-1")
    world.bill("C-2", region="340200", expires_at=world.clock.now() + timedelta(days=30))
    world.clock.advance(seconds=7200)
    assert [bill.state for bill in world.bills().bills] == [BillState.UNPAID, BillState.UNPAID]
    world.clock.advance(microseconds=1)

    assert [(bill.state, bill.reason) for bill in world.bills().bills] == [
        (BillState.UNPAID, None),
        (BillState.CLOSED, BillerReason.WINDOW_CLOSED),
    ]


def test_several_bills_are_paged(world: BillerWorld) -> None:
    """Two areas: the bank must choose; `total` counts them all."""
    world.bill("C-1")
    world.bill("C-2", region="340200")
    pages = [world.bills(first=first, count=1) for first in (1, 2, 3)]

    assert [page.total for page in pages] == [2, 2, 2]
    assert [[bill.region for bill in page.bills] for page in pages] == [["340200"], ["340100"], []]
    assert [bill.region for bill in world.bills(region="340100").bills] == ["340100"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"number": OTHER}, BillerReason.NO_PERSON),
        ({"id_type": "passport"}, BillerReason.NO_PERSON),
        ({"name": "别人"}, BillerReason.NO_PERSON),
        ({"biller_id": COUNTY}, BillerReason.NOT_IN_AREA),
        ({"region": "340200"}, BillerReason.NOT_IN_AREA),
        ({"region": "999999"}, BillerReason.NOT_IN_AREA),
        ({"insured_year": 2027}, BillerReason.NO_BILL),
    ],
    ids=["nobody", "other-document", "other-name", "other-biller", "other-area", "no-such-area", "other-year"],
)
def test_question_without_a_bill_is_answered_by_its_reason(
    world: BillerWorld, changes: dict[str, Any], reason: BillerReason
) -> None:
    """A wrong name looks like nobody: a number must not confirm a name."""
    world.bill()

    assert world.bills(**changes) is reason


def test_right_name_finds_the_bill(world: BillerWorld) -> None:
    world.bill()

    assert world.bills(name="测试参保人").total == 1


def test_person_whose_bills_are_all_closed_owes_nothing(world: BillerWorld) -> None:
    world.close(world.bill())

    assert world.bills() is BillerReason.NOTHING_OWED


def test_person_of_an_app_that_is_not_collected_for_is_unknown(world: BillerWorld) -> None:
    """Not even the existence of the other app's order shows."""
    world.bill()
    world.bank.institution = institution("RCB", apps=frozenset({"village"}))

    assert world.bills() is BillerReason.NO_PERSON


def test_question_while_the_database_is_down_is_busy(world: BillerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is written by a question, so it may simply be asked again."""
    world.bill()

    def down(*_: object) -> None:
        raise StoreUnavailable("down")

    monkeypatch.setattr(world.store._engine.inner, "read", down)

    assert world.bills() is BillerReason.BUSY
