"""Reversals: on the same accounting day, whole, once; and the premium is owed again."""

from concurrent.futures import ThreadPoolExecutor
from datetime import time, timedelta
from typing import Any

import pytest

from gateway.domain.biller import BillerReason, BillState, PaymentReceipt, ReversalReceipt, Standing
from gateway.domain.biller_rows import EntryKind, EntryState
from gateway.domain.order import TaskKind
from gateway.domain.states import OrderState, RefundReason, RefundState
from gateway.services.biller_reversals import successor_no
from tests.support.biller import COUNTY, DAY, POSTAL, BillerWorld, institution
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, APP

REVERSED = Standing.REVERSED


def _counts(database: Database) -> list[tuple[Any, ...]]:
    tables = ("biller_entries", "orders", "notifications", "events", "ledger_entries", "premium_slots", "refunds")
    return [database.rows(f"SELECT count(*) FROM {table}")[0] for table in tables]


def test_reversal_refunds_the_payment_and_frees_the_premium(world: BillerWorld) -> None:
    """The bank's message proves a refund of its own kind; nothing is left to be submitted."""
    order = world.bill()
    world.bank_pays(order)
    answer = world.bank_reverses()
    (refund,) = world.refunds(order)

    assert answer == ReversalReceipt(standing=REVERSED, order_id=order.id)
    assert (refund.reason, refund.state, refund.amount_fen) == (
        RefundReason.REVERSED,
        RefundState.SUCCEEDED,
        AMOUNT_FEN,
    )
    assert (refund.provider_refund_no, refund.client_refund_no) == ("R1", None)
    assert world.order(order.id).amount_refunded_fen == AMOUNT_FEN
    assert world.store.read().slot_holder(order.slot or "") is None
    assert world.task(TaskKind.REFUND, refund.id) is None
    assert world.standing().standing is Standing.REVERSED
    assert_invariants(world.store)


def test_reversed_premium_can_be_paid_again_by_its_successor(world: BillerWorld) -> None:
    """The same subject, amount and end, for the same app, under a number that both sides can derive."""
    order = world.bill()
    world.bank_pays(order)
    world.bank_reverses()
    successor = world.store.read().order_by_client_no(APP, successor_no(order.id))
    assert successor is not None
    page = world.bills()

    assert successor.client_order_no == f"reversed-{order.id[4:]}"
    for name in (
        "amount_fen",
        "region",
        "insured_year",
        "insured_index",
        "slot",
        "expires_at",
        "description",
        "meaning",
    ):
        assert getattr(successor, name) == getattr(order, name)
    assert [(bill.bill_no, bill.state) for bill in page.bills] == [(successor.id[4:], BillState.UNPAID)]
    assert isinstance(world.bank_pays(successor, "S2"), PaymentReceipt)
    assert world.order(successor.id).state is OrderState.PAID
    assert_invariants(world.store)


def test_successor_can_be_reversed_and_paid_again(world: BillerWorld) -> None:
    """A chain of reversals keeps one premium owed."""
    order = world.bill()
    for round_ in range(3):
        world.bank_pays(order, f"S{round_}")
        world.bank_reverses(f"R{round_}", f"S{round_}")
        successor = world.store.read().order_by_client_no(APP, successor_no(order.id))
        assert successor is not None
        order = successor

    assert world.order(order.id).state is OrderState.OPEN
    assert_invariants(world.store)


def test_reversal_after_the_window_opens_no_successor(world: BillerWorld) -> None:
    """Nothing is owed any more."""
    order = world.bill()
    world.bank_pays(order)
    world.clock.advance(seconds=7200)

    assert world.bank_reverses().standing is REVERSED
    assert world.store.read().order_by_client_no(APP, successor_no(order.id)) is None
    assert_invariants(world.store)


def test_successor_whose_number_an_app_took_is_not_opened_twice(world: BillerWorld) -> None:
    """The reversal itself is never held up by it."""
    order = world.bill()
    world.bank_pays(order)
    world.open(successor_no(order.id))

    assert world.bank_reverses().standing is REVERSED
    assert_invariants(world.store)


def test_same_reversal_again_gets_the_stored_answer(world: BillerWorld, database: Database) -> None:
    """Also days later, when a new one would be refused."""
    order = world.bill()
    world.bank_pays(order)
    first = world.bank_reverses()
    before = _counts(database)
    world.clock.advance(days=3)

    assert world.bank_reverses() == first
    assert world.bank_reverses(amount_fen=AMOUNT_FEN - 1) is BillerReason.KEY_REUSED
    assert world.bank_reverses(original="S9") is BillerReason.KEY_REUSED
    assert _counts(database) == before


def test_another_reversal_of_a_reversed_payment_is_true_and_moves_nothing(world: BillerWorld) -> None:
    """It is reversed; the money goes back once."""
    order = world.bill()
    world.bank_pays(order)
    world.bank_reverses("R1")

    assert world.bank_reverses("R2") == ReversalReceipt(standing=REVERSED, order_id=order.id)
    assert len(world.refunds(order)) == 1
    assert_invariants(world.store)


def test_payment_sent_again_after_its_reversal_is_refused(world: BillerWorld) -> None:
    """The stored receipt must not make the bank believe that it stands."""
    order = world.bill()
    world.bank_pays(order)
    world.bank_reverses()

    assert world.bank_pays(order) is BillerReason.REVERSED_FIRST
    assert world.bank_pays(order, "S2") is BillerReason.BILL_CLOSED


def test_reversal_of_a_payment_that_never_came_bars_it(world: BillerWorld, database: Database) -> None:
    """A tombstone: the late original is refused, and nothing else happens."""
    order = world.bill()
    answer = world.bank_reverses()
    void = world.entry("S1")
    assert void is not None
    before = _counts(database)

    assert answer == ReversalReceipt(standing=Standing.NOT_FOUND, order_id=None)
    assert (void.state, void.payment_id, void.amount_fen) == (EntryState.VOID, None, AMOUNT_FEN)
    assert world.store.read().notification(void.evidence_id) is not None
    assert world.bank_pays(order) is BillerReason.REVERSED_FIRST
    assert world.standing().standing is Standing.REVERSED
    assert world.bank_reverses() == answer
    assert _counts(database) == before
    assert world.bank_reverses("R2") == answer
    assert isinstance(world.bank_pays(order, "S2"), PaymentReceipt)
    assert_invariants(world.store)


def _ask_refund(world: BillerWorld, order: Any) -> None:
    world.deps.providers["rural"].capabilities = frozenset(world.alpha.capabilities)  # type: ignore[misc]
    world.refund(world.order(order.id), 1)


@pytest.mark.parametrize(
    ("happen", "changes", "reason"),
    [
        (None, {"amount_fen": AMOUNT_FEN - 1}, BillerReason.REVERSAL_AMOUNT),
        (None, {"biller_id": COUNTY}, BillerReason.ORIGINAL_UNKNOWN),
        (None, {"bank_date": DAY + timedelta(days=1)}, BillerReason.NOT_REVERSIBLE),
        (lambda world, _: world.clock.advance(days=1), {}, BillerReason.NOT_REVERSIBLE),
        (_ask_refund, {}, BillerReason.NOT_REVERSIBLE),
    ],
    ids=["part", "other-biller", "booked-under-another-day", "next-day", "refund-under-way"],
)
def test_payment_that_may_not_be_reversed_stands(
    world: BillerWorld, database: Database, happen: Any, changes: dict[str, Any], reason: BillerReason
) -> None:
    """Refused, and nothing is written."""
    order = world.bill()
    world.bank_pays(order)
    if happen:
        happen(world, order)
    before = _counts(database)

    assert world.bank_reverses(**changes) is reason
    assert _counts(database) == before
    assert world.standing().standing is Standing.PAID
    assert_invariants(world.store)


@pytest.mark.parametrize(
    ("cut_off", "hours", "reversible"),
    [
        (time(0, 0), 13.99, True),  # 00:19 of the next day: the bank's day may still be the old one
        (time(0, 0), 14.2, False),  # 00:32
        (time(22, 30), 12.6, True),  # 22:56
        (time(22, 30), 12.7, False),  # 23:02
    ],
    ids=["midnight-within-grace", "midnight-past-grace", "cut-off-within-grace", "cut-off-past-grace"],
)
def test_accounting_day_ends_at_the_banks_cut_off(
    world: BillerWorld, cut_off: time, hours: float, *, reversible: bool
) -> None:
    """With half an hour of grace for two clocks."""
    world.bank.institution = institution("RCB", cut_off=cut_off)
    order = world.bill(expires_at=world.clock.now() + timedelta(days=30))
    world.bank_pays(order)
    world.clock.advance(hours=hours)

    answer = world.bank_reverses()

    assert (answer is BillerReason.NOT_REVERSIBLE) != reversible


def test_another_banks_reversal_reaches_nothing(world: BillerWorld) -> None:
    """Serials are each bank's own."""
    order = world.bill()
    world.bank_pays(order)

    assert world.bank_reverses(account=POSTAL).standing is Standing.NOT_FOUND
    assert world.standing().standing is Standing.PAID


def test_same_reversal_many_times_at_once_refunds_once(world: BillerWorld) -> None:
    """Every answer is the same, and one successor is opened."""
    order = world.bill()
    world.bank_pays(order)
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: world.bank_reverses(f"R{n % 4}"), range(48)))

    assert set(answers) == {ReversalReceipt(standing=REVERSED, order_id=order.id)}
    assert len(world.refunds(order)) == 1
    assert_invariants(world.store)


def test_payment_and_its_reversal_at_once_end_reversed(world: BillerWorld) -> None:
    """Whichever comes first: the payer's money is the bank's to give back, and no premium counts as paid."""
    for round_ in range(8):
        order = world.bill(f"C-{round_}", year=2026 + round_)
        with ThreadPoolExecutor(2) as pool:
            paid = pool.submit(world.bank_pays, order, f"S{round_}")
            gone = pool.submit(world.bank_reverses, f"R{round_}", f"S{round_}").result()
        first = paid.result()

        assert gone.standing is (REVERSED if isinstance(first, PaymentReceipt) else Standing.NOT_FOUND)
        assert first is BillerReason.REVERSED_FIRST or isinstance(first, PaymentReceipt)
        assert world.standing(f"S{round_}").standing is Standing.REVERSED
        assert world.store.read().slot_holder(order.slot or "") is None
    assert_invariants(world.store)


def test_reversal_is_its_own_kind_of_serial(world: BillerWorld) -> None:
    """A bank may number payments and reversals from one series or from two."""
    order = world.bill()
    world.bank_pays(order, "1")

    assert world.bank_reverses("1", "1").standing is REVERSED
    entry = world.entry("1", EntryKind.REVERSAL)
    assert entry is not None
    assert entry.state is EntryState.APPLIED
