"""Payments that a bank has taken: each on record once, refused only when nothing was written."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.biller import BillerReason, DifferenceKind, PaymentReceipt, Standing, bill_no_of
from gateway.domain.biller_rows import DifferenceState, EntryKind, EntryState
from gateway.domain.order import TaskKind, TaskState
from gateway.domain.states import OrderState, PaymentState, RefundReason
from gateway.store import StoreContended, StoreUnavailable
from gateway.store.families import biller as rows
from tests.support.biller import BILLER, COUNTY, DAY, POSTAL, RURAL, BillerWorld, institution
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN


def _nothing_written(world: BillerWorld, database: Database, before: list[tuple[Any, ...]]) -> None:
    assert _counts(database) == before
    assert_invariants(world.store)


def _counts(database: Database) -> list[tuple[Any, ...]]:
    tables = ("biller_entries", "payments", "notifications", "events", "ledger_entries", "premium_slots", "refunds")
    return [database.rows(f"SELECT count(*) FROM {table}")[0] for table in tables]


def test_bank_payment_pays_its_bill(world: BillerWorld) -> None:
    """A payment that was never started here: paid at once, with the bank's message as evidence."""
    order = world.bill()
    receipt = world.bank_pays(order)
    paid = world.order(order.id)
    payment = world.payment(paid.paid_payment_id or "")

    assert receipt == PaymentReceipt(
        order_id=order.id,
        bill_no=bill_no_of(order.id),
        receipt_no=payment.out_trade_no,
        accepted_at=world.clock.now(),
        is_duplicate=False,
    )
    assert (paid.state, paid.amount_paid_fen, paid.payments) == (OrderState.PAID, AMOUNT_FEN, 1)
    assert (payment.account, payment.provider, payment.method) == (RURAL, "bank_one", "app")
    assert (payment.state, payment.kept, payment.provider_trade_no) == (PaymentState.PAID, True, "S1")
    evidence = world.store.read().notification(payment.evidence_id or "")
    assert evidence is not None
    body = world.vault.unseal(evidence.body_sealed, "notification")
    assert (evidence.source, evidence.dedup_key, b"S1" in body) == ("callback", "payment:20260301:S1", True)
    assert world.task(TaskKind.CLOSE_ORDER, order.id).state is TaskState.DONE
    assert world.kinds(order) == ["order_opened", "payment_created", "payment_paid", "order_paid"]
    assert_invariants(world.store)


def test_same_payment_again_gets_the_stored_answer(world: BillerWorld, database: Database) -> None:
    """Same key, same content: the same receipt, marked as duplicate, and nothing is written."""
    order = world.bill()
    first = world.bank_pays(order)
    before = _counts(database)
    world.clock.advance(days=3)
    again = world.bank_pays(order)

    assert again == replace(first, is_duplicate=True)
    _nothing_written(world, database, before)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount_fen": AMOUNT_FEN + 1}, BillerReason.KEY_REUSED),
        ({"bill_no": "0" * 32}, BillerReason.KEY_REUSED),
        ({"biller_id": COUNTY}, BillerReason.KEY_REUSED),
        ({"seq": "S2"}, BillerReason.ALREADY_PAID),
        ({"bank_date": DAY - timedelta(days=1)}, BillerReason.ALREADY_PAID),
        ({"account": POSTAL}, BillerReason.ALREADY_PAID),
    ],
    ids=["amount", "bill", "biller", "other-serial", "other-day", "other-bank"],
)
def test_second_payment_of_a_paid_bill_is_refused(
    world: BillerWorld, database: Database, changes: dict[str, Any], reason: BillerReason
) -> None:
    """The serial alone names nothing: institution, accounting date and serial do."""
    order = world.bill()
    world.bank_pays(order)
    before = _counts(database)

    assert world.bank_pays(order, **changes) is reason
    _nothing_written(world, database, before)


def _close(world: BillerWorld, order: Any) -> None:
    world.close(order)


def _expire(world: BillerWorld, order: Any) -> None:
    world.clock.advance(seconds=7200, microseconds=1)


def _pay_online(world: BillerWorld, order: Any) -> None:
    world.pay(world.start(order))


def _pay_sister(world: BillerWorld, order: Any) -> None:
    world.paid("C-2", subject=None)
    sister = world.bill("C-3", app="village")
    world.pay(world.start(sister))


def _refund_online(world: BillerWorld, order: Any) -> None:
    payment = world.start(order)
    world.pay(payment)
    refund = world.refund(world.order(order.id))
    world.work()
    world.alpha.refunds[refund.out_refund_no].state = "succeeded"
    world.deliver(payment, world.alpha.refund_callback(refund.out_refund_no))


@pytest.mark.parametrize(
    ("happen", "reason"),
    [
        (_close, BillerReason.BILL_CLOSED),
        (_expire, BillerReason.WINDOW_CLOSED),
        (_pay_online, BillerReason.ALREADY_PAID),
        (_pay_sister, BillerReason.ALREADY_PAID),
        (_refund_online, BillerReason.BILL_CLOSED),
    ],
    ids=["closed", "expired", "paid-online", "premium-paid-by-another-order", "paid-and-wholly-refunded"],
)
def test_payment_of_a_bill_that_is_over_is_refused(
    world: BillerWorld, database: Database, happen: Any, reason: BillerReason
) -> None:
    """A definite failure, and nothing is written: the bank gives the payer the money back."""
    order = world.bill()
    happen(world, order)
    before = _counts(database)

    assert world.bank_pays(order) is reason
    assert world.standing().standing is Standing.NOT_FOUND
    _nothing_written(world, database, before)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount_fen": AMOUNT_FEN - 1}, BillerReason.AMOUNT_DIFFERS),
        ({"amount_fen": AMOUNT_FEN + 1}, BillerReason.AMOUNT_DIFFERS),
        ({"bill_version": "other"}, BillerReason.BILL_CLOSED),
        ({"bill_no": "f" * 32}, BillerReason.BILL_UNKNOWN),
        ({"bill_no": "JMB20270000000001"}, BillerReason.BILL_UNKNOWN),
        ({"biller_id": COUNTY}, BillerReason.BILL_UNKNOWN),
        ({"biller_id": "none"}, BillerReason.BILL_UNKNOWN),
    ],
    ids=["fen-less", "fen-more", "version", "no-such-bill", "not-our-number", "other-area", "no-such-biller"],
)
def test_payment_that_does_not_fit_its_bill_is_refused(
    world: BillerWorld, database: Database, changes: dict[str, Any], reason: BillerReason
) -> None:
    """Amounts come from our order; the bank's is only compared."""
    order = world.bill()
    before = _counts(database)

    assert world.bank_pays(order, **changes) is reason
    _nothing_written(world, database, before)


def test_payment_at_the_last_moment_is_taken(world: BillerWorld) -> None:
    """The end of the window belongs to it; the bill's own version is no other version."""
    order = world.bill()
    world.clock.advance(seconds=7200)

    receipt = world.bank_pays(order, bill_version=order.meaning[:8], bill_no=bill_no_of(order.id).upper())

    assert isinstance(receipt, PaymentReceipt)


def test_order_without_a_premium_is_no_bill(world: BillerWorld) -> None:
    """An ordinary charge has no area and cannot be collected by a bank."""
    assert world.bank_pays(world.open()) is BillerReason.BILL_UNKNOWN


def test_institution_collects_for_its_apps_alone(world: BillerWorld) -> None:
    """Another app's order does not exist for it."""
    world.bank.institution = institution("RCB", apps=frozenset({"village"}))

    assert world.bank_pays(world.bill("C-1")) is BillerReason.BILL_UNKNOWN
    assert isinstance(world.bank_pays(world.bill("C-2", app="village")), PaymentReceipt)


def test_what_became_of_a_payment_is_told(world: BillerWorld) -> None:
    """Success with the receipt; not found for an unknown serial, another biller or another bank's own."""
    order = world.bill()
    receipt = world.bank_pays(order)
    found = world.standing()

    assert (found.standing, found.order_id, found.receipt_no, found.amount_fen, found.accepted_at) == (
        Standing.PAID,
        order.id,
        receipt.receipt_no,
        AMOUNT_FEN,
        receipt.accepted_at,
    )
    for changes in ({"seq": "S2"}, {"biller_id": COUNTY}, {"bank_date": DAY - timedelta(days=1)}):
        assert world.standing(**changes).standing is Standing.NOT_FOUND


def test_online_payment_after_the_banks_is_sent_back(world: BillerWorld) -> None:
    """A payer at the cashier while the bank collects: the second money is a surplus."""
    order = world.bill()
    online = world.start(order)
    world.bank_pays(order)
    assert world.task(TaskKind.CLOSE, online.id).state is TaskState.DUE
    world.pay(online)

    assert [(refund.reason, refund.amount_fen) for refund in world.refunds(order)] == [
        (RefundReason.SURPLUS, AMOUNT_FEN)
    ]
    assert_invariants(world.store)


def test_same_serial_a_hundred_times_at_once_is_one_payment(world: BillerWorld, database: Database) -> None:
    """One of them writes; every other answer is the same receipt."""
    order = world.bill()
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: world.bank_pays(order), range(100)))

    assert {replace(answer, is_duplicate=True) for answer in answers} == {replace(answers[0], is_duplicate=True)}
    assert sum(not answer.is_duplicate for answer in answers) == 1
    assert database.rows("SELECT count(*), sum(amount_fen) FROM payments") == [(1, AMOUNT_FEN)]
    assert_invariants(world.store)


def test_many_banks_and_serials_at_once_pay_one_bill_once(world: BillerWorld) -> None:
    """Every loser hears that the bill is paid, which is definite."""
    order = world.bill()
    wanted = [(account, f"S{n}") for n in range(16) for account in (RURAL, POSTAL)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda w: world.bank_pays(order, w[1], account=w[0]), wanted))

    assert sum(isinstance(answer, PaymentReceipt) for answer in answers) == 1
    assert {answer for answer in answers if isinstance(answer, BillerReason)} == {BillerReason.ALREADY_PAID}
    assert_invariants(world.store)


def test_bank_and_online_payment_at_once_keep_one(world: BillerWorld) -> None:
    """Either the bank is refused, or the online payment goes back: never both, never neither."""
    for round_ in range(6):
        order = world.bill(f"C-{round_}", year=2026 + round_)
        online = world.start(order)
        with ThreadPoolExecutor(2) as pool:
            bank = pool.submit(world.bank_pays, order, f"S{round_}")
            pool.submit(world.pay, online).result()
        answer, surplus = bank.result(), world.refunds(order)

        assert (answer is BillerReason.ALREADY_PAID) != (len(surplus) == 1)
        assert world.order(order.id).amount_paid_fen == AMOUNT_FEN
    assert_invariants(world.store)


class _Failing:
    """An engine whose reads or writes stop working."""

    def __init__(self, inner: Any, *, reads: bool = False, writes: Any = None, applies: bool = False) -> None:
        self.inner, self._reads, self._writes, self._applies = inner, reads, writes, applies

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def read(self, *given: Any) -> Any:
        if self._reads:
            raise StoreUnavailable("down")
        return self.inner.read(*given)

    def flush(self, batch: Any) -> None:
        if self._applies:
            self.inner.flush(batch)
        if self._writes is not None:
            raise self._writes
        self.inner.flush(batch)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"reads": True}, BillerReason.BUSY),
        ({"writes": StoreContended("others")}, BillerReason.BUSY),
        ({"writes": StoreUnavailable("cut")}, BillerReason.UNDECIDED),
        ({"writes": StoreUnavailable("cut"), "applies": True}, BillerReason.UNDECIDED),
    ],
    ids=["down", "contended", "cut-before-the-commit", "cut-after-the-commit"],
)
def test_payment_while_the_database_fails_is_never_a_definite_failure(
    world: BillerWorld, fault: dict[str, Any], reason: BillerReason
) -> None:
    """Busy only when certainly nothing was written; the same payment again settles it, once."""
    order, engine = world.bill(), world.store._engine
    world.store._engine = _Failing(engine, **fault)
    answer = world.bank_pays(order)
    world.store._engine = engine
    found = world.standing().standing
    receipt = world.bank_pays(order)

    assert answer is reason
    assert found is (Standing.PAID if fault.get("applies") else Standing.NOT_FOUND)
    assert (isinstance(receipt, PaymentReceipt), receipt.is_duplicate) == (True, bool(fault.get("applies")))
    assert_invariants(world.store)


def test_refused_payment_whose_money_stays_at_us_is_kept_for_a_person(world: BillerWorld, database: Database) -> None:
    """Where the bank gives nothing back on our word: quarantined evidence and an open difference, once."""
    world.bank.institution = institution("RCB", refunds_refused=False)
    order = world.bill()
    world.pay(world.start(order))

    assert [world.bank_pays(order) for _ in range(3)] == [BillerReason.ALREADY_PAID] * 3
    found = rows.difference(world.store.read(), RURAL, BILLER, "20260301", "S1")
    assert found is not None
    assert (found.kind, found.state, found.file_id) == (DifferenceKind.LONG, DifferenceState.OPEN, None)
    assert (found.bank_amount_fen, found.our_amount_fen) == (AMOUNT_FEN, None)
    kept = database.rows("SELECT state, reason FROM notifications WHERE dedup_key LIKE 'refused:%'")
    assert kept == [("quarantined", "already_paid")]
    assert world.bank_pays(order, amount_fen=1) is BillerReason.ALREADY_PAID
    assert len(database.rows("SELECT 1 FROM notifications WHERE dedup_key LIKE 'refused:%'")) == 2
    assert world.entry("S1") is None
    assert_invariants(world.store)


def test_refused_payments_of_long_serials_are_each_kept(world: BillerWorld) -> None:
    """Serials that differ in their last character are two payments, and two people's money."""
    world.bank.institution = institution("RCB", refunds_refused=False)
    order = world.bill()
    world.bank_pays(order)
    serials = [f"{1:059}{n}" for n in range(2)]

    assert [world.bank_pays(order, seq) for seq in serials] == [BillerReason.ALREADY_PAID] * 2
    for seq in serials:
        assert rows.difference(world.store.read(), RURAL, BILLER, "20260301", seq) is not None


def test_entry_holds_no_personal_text(world: BillerWorld, database: Database) -> None:
    """The bank's message is sealed."""
    order = world.bill()
    world.bank_pays(order)
    entry = world.entry("S1")

    assert entry is not None
    assert (entry.kind, entry.state, entry.biller_id) == (EntryKind.PAYMENT, EntryState.APPLIED, BILLER)
    assert b"34010019000101001X" not in database.everything()
