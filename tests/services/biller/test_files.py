"""A bank's day held against ours."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.biller import (
    BillerReason,
    DayResult,
    DifferenceKind,
    FileReceipt,
    FileState,
    PaymentReceipt,
    Standing,
    ToldDifference,
)
from gateway.domain.biller_rows import DifferenceState, EntryState
from gateway.domain.order import Order, TaskKind, TaskState
from gateway.domain.report import Source
from gateway.domain.states import OrderState
from gateway.services import biller_matching
from gateway.store import StoreUnavailable
from gateway.store.families import biller as rows
from tests.support.biller import BILLER, COUNTY, RURAL, BillerWorld
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN

Line = tuple[str, str, int, str | None]


def _line(order: Order, seq: str = "S1", amount_fen: int = AMOUNT_FEN) -> Line:
    return seq, order.id[4:], amount_fen, None


def _reversal(order: Order, seq: str = "R1", original: str = "S1", amount_fen: int = AMOUNT_FEN) -> Line:
    return seq, order.id[4:], amount_fen, original


def _told(seq: str, kind: DifferenceKind, bank: int | None, ours: int | None) -> ToldDifference:
    return ToldDifference(bank_seq=seq, kind=kind, bank_amount_fen=bank, our_amount_fen=ours)


def test_day_on_which_both_agree_is_matched(world: BillerWorld) -> None:
    """Also an empty day; until the comparison is done it is pending."""
    assert world.result() == DayResult(state=FileState.PENDING, matched=0, differences=())
    order = world.bill()
    world.bank_pays(order)
    receipt = world.uploads(_line(order))
    assert (receipt.state, world.result().state) == (FileState.PENDING, FileState.PENDING)
    world.work()

    assert world.result() == DayResult(state=FileState.MATCHED, matched=1, differences=())
    assert world.task(TaskKind.MATCH_FILE, receipt.file_id).state is TaskState.DONE


def test_empty_day_is_matched(world: BillerWorld) -> None:
    assert world.compared() == DayResult(state=FileState.MATCHED, matched=0, differences=())


def test_payment_that_only_the_bank_has_is_taken_from_its_line(world: BillerWorld) -> None:
    """Its message was lost; the line is the evidence, and the message's late retry finds it on record."""
    order = world.bill()
    result = world.compared(_line(order))
    payment = world.payment(world.order(order.id).paid_payment_id or "")
    evidence = world.store.read().notification(payment.evidence_id or "")
    found = rows.difference(world.store.read(), RURAL, BILLER, "20260301", "S1")

    assert result == DayResult(state=FileState.MATCHED, matched=1, differences=())
    assert (world.order(order.id).state, payment.provider_trade_no) == (OrderState.PAID, "S1")
    assert evidence is not None
    assert (evidence.source, world.vault.unseal(evidence.body_sealed, "notification")) == (
        Source.STATEMENT,
        f"S1|{order.id[4:]}|{AMOUNT_FEN}|None".encode(),
    )
    assert found is not None
    assert (found.state, found.resolution, found.payment_id) == (
        DifferenceState.RESOLVED,
        "payment_recorded",
        payment.id,
    )
    assert world.bank_pays(order) == PaymentReceipt(
        order_id=order.id,
        bill_no=order.id[4:],
        receipt_no=payment.out_trade_no,
        accepted_at=world.clock.now(),
        is_duplicate=True,
    )
    assert_invariants(world.store)


def test_payment_that_only_the_bank_has_and_cannot_be_taken_is_long(world: BillerWorld) -> None:
    """Paid online meanwhile, closed, unknown, another amount: a person settles it."""
    paid, closed, cheap = world.bill("C-1"), world.bill("C-2", year=2027), world.bill("C-3", year=2028)
    world.pay(world.start(paid))
    world.close(closed)
    result = world.compared(
        _line(paid, "S1"), _line(closed, "S2"), _line(cheap, "S3", AMOUNT_FEN - 1), ("S4", "f" * 32, 5, None)
    )

    assert result == DayResult(
        state=FileState.DIFFERENT,
        matched=0,
        differences=(
            _told("S1", DifferenceKind.LONG, AMOUNT_FEN, None),
            _told("S2", DifferenceKind.LONG, AMOUNT_FEN, None),
            _told("S3", DifferenceKind.LONG, AMOUNT_FEN - 1, None),
            _told("S4", DifferenceKind.LONG, 5, None),
        ),
    )
    assert_invariants(world.store)


def test_payment_that_only_we_have_is_short(world: BillerWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found page by page; another biller's, another day's and another bank's payments are not asked of this file."""
    monkeypatch.setattr(biller_matching, "_PAGE", 2)
    orders = [world.bill(f"C-{n}", year=2026 + n) for n in range(7)]
    for n, order in enumerate(orders):
        world.bank_pays(order, f"S{n}")
    world.bank_pays(world.bill("C-8", region="340300"), "S8", biller_id=COUNTY)
    world.bank_pays(world.bill("C-9", year=2040), "S9", account="postal")
    result = world.compared(*(_line(order, f"S{n}") for n, order in enumerate(orders) if n not in (0, 3, 6)))

    assert (result.state, result.matched) == (FileState.DIFFERENT, 4)
    assert result.differences == tuple(_told(f"S{n}", DifferenceKind.SHORT, None, AMOUNT_FEN) for n in (0, 3, 6))


@pytest.mark.parametrize("kind", [DifferenceKind.AMOUNT, DifferenceKind.BILL])
def test_line_that_differs_from_our_payment_is_told(world: BillerWorld, kind: DifferenceKind) -> None:
    order, other = world.bill("C-1"), world.bill("C-2", year=2027)
    world.bank_pays(order)
    said = AMOUNT_FEN + 1 if kind is DifferenceKind.AMOUNT else AMOUNT_FEN
    line = _line(order if kind is DifferenceKind.AMOUNT else other, "S1", said)

    assert world.compared(line).differences == (_told("S1", kind, said, AMOUNT_FEN),)
    assert world.order(other.id).state is OrderState.OPEN


def test_payment_and_its_reversal_net_out(world: BillerWorld) -> None:
    """On both sides, or only at the bank: nothing is owed, and neither message may come to anything later."""
    known, unknown = world.bill("C-1"), world.bill("C-2", year=2027)
    world.bank_pays(known)
    world.bank_reverses()
    result = world.compared(_line(known), _reversal(known), _line(unknown, "S2"), _reversal(unknown, "R2", "S2"))
    void = world.entry("S2")

    assert result == DayResult(state=FileState.MATCHED, matched=4, differences=())
    assert void is not None
    assert (void.state, void.source) == (EntryState.VOID, Source.STATEMENT)
    assert world.order(unknown.id).state is OrderState.OPEN
    assert world.bank_pays(unknown, "S2") is BillerReason.REVERSED_FIRST
    assert_invariants(world.store)


def _only_the_bank_reversed(world: BillerWorld, order: Order) -> list[Line]:
    world.bank_pays(order)
    return [_line(order), _reversal(order)]


def _only_we_reversed(world: BillerWorld, order: Order) -> list[Line]:
    world.bank_pays(order)
    world.bank_reverses()
    return [_line(order)]


def _void_here_paid_there(world: BillerWorld, order: Order) -> list[Line]:
    world.bank_reverses()
    return [_line(order)]


def _reversal_without_payment(world: BillerWorld, order: Order) -> list[Line]:
    return [_reversal(order, "S1", "S0")]


@pytest.mark.parametrize(
    ("happen", "ours"),
    [
        (_only_the_bank_reversed, AMOUNT_FEN),
        (_only_we_reversed, AMOUNT_FEN),
        (_void_here_paid_there, AMOUNT_FEN),
        (_reversal_without_payment, None),
    ],
    ids=["bank-alone", "we-alone", "void-here", "of-another-day"],
)
def test_reversal_on_one_side_alone_is_a_difference(world: BillerWorld, happen: Any, ours: int | None) -> None:
    """Money is on the wrong side: nobody guesses."""
    lines = happen(world, world.bill())

    assert world.compared(*lines).differences == (_told("S1", DifferenceKind.REVERSAL, AMOUNT_FEN, ours),)
    assert_invariants(world.store)


def test_reversal_of_another_amount_is_a_difference(world: BillerWorld) -> None:
    order = world.bill()
    world.bank_pays(order)
    world.bank_reverses()
    result = world.compared(_line(order), _reversal(order, amount_fen=AMOUNT_FEN - 1))

    assert result.differences == (_told("S1", DifferenceKind.AMOUNT, AMOUNT_FEN, AMOUNT_FEN),)


def test_second_reversal_of_one_payment_is_a_difference(world: BillerWorld) -> None:
    """The bank has taken the money back twice: every line of a file is accounted for."""
    order = world.bill()
    world.bank_pays(order)
    world.bank_reverses()
    bill = order.id[4:]
    lines = [("S1", bill, AMOUNT_FEN, None), ("R1", bill, AMOUNT_FEN, "S1"), ("R2", bill, AMOUNT_FEN, "S1")]
    result = world.compared(*lines)

    assert (result.state, result.matched) == (FileState.DIFFERENT, 2)
    assert result.differences == (_told("R2", DifferenceKind.REVERSAL, AMOUNT_FEN, None),)


def test_newer_file_of_a_day_replaces_the_older_ones_differences(world: BillerWorld) -> None:
    """The bank mends its file: what is gone is resolved, what is left stays open."""
    first, second = world.bill("C-1"), world.bill("C-2", year=2027)
    world.bank_pays(first, "S1")
    world.bank_pays(second, "S2")
    assert len(world.compared().differences) == 2
    result = world.compared(_line(first, "S1"), number=2)
    gone = rows.difference(world.store.read(), RURAL, BILLER, "20260301", "S1")

    assert result.differences == (_told("S2", DifferenceKind.SHORT, None, AMOUNT_FEN),)
    assert gone is not None
    assert (gone.state, gone.resolution) == (DifferenceState.RESOLVED, "gone_from_newer_file")


def test_older_file_that_a_newer_one_overtook_is_not_compared(world: BillerWorld) -> None:
    """Only the newest word of a day counts."""
    order = world.bill()
    old = world.uploads(number=1)
    world.uploads(_line(order), number=2)
    world.work()
    kept = rows.file(world.store.read(), old.file_id)

    assert kept is not None
    assert kept.state is FileState.SUPERSEDED
    assert world.result() == DayResult(state=FileState.MATCHED, matched=1, differences=())


def test_same_file_again_is_the_same_and_another_content_is_refused(world: BillerWorld, database: Database) -> None:
    """A name stands for one content."""
    order = world.bill()
    first = world.uploads(_line(order))
    world.work()
    again = world.uploads(_line(order))

    assert again == FileReceipt(file_id=first.file_id, state=FileState.MATCHED)
    assert world.uploads() is BillerReason.KEY_REUSED
    assert database.rows("SELECT count(*) FROM biller_files") == [(1,)]


def test_file_that_does_not_hold_is_rejected_and_may_come_again(world: BillerWorld) -> None:
    """Nothing of it is applied or kept; the right content under the same name is taken."""
    order = world.bill()
    refused = world.uploads(_line(order), fault="the digest does not agree")
    assert refused.state is FileState.REJECTED
    assert world.result().state is FileState.REJECTED
    assert world.work() == 0
    assert rows.file_content(world.store.read(), refused.file_id) is None

    assert world.uploads(_line(order), content=b"[]").file_id == refused.file_id
    world.work()
    assert world.result() == DayResult(state=FileState.MATCHED, matched=0, differences=())
    assert world.order(order.id).state is OrderState.OPEN


def test_stored_file_that_cannot_be_read_any_more_is_rejected(world: BillerWorld) -> None:
    receipt = world.uploads(content=b"not json")
    world.work()
    kept = rows.file(world.store.read(), receipt.file_id)

    assert kept is not None
    assert (kept.state, kept.reason) == (FileState.REJECTED, "not what it was")
    assert world.uploads(content=b"[]").file_id == receipt.file_id
    world.work()
    assert world.result().state is FileState.MATCHED


def test_comparison_that_breaks_off_anywhere_ends_the_same_when_done_again(
    world: BillerWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash between any two units of work: nothing is lost, nothing is done twice."""
    taken, long, netted = world.bill("C-1"), world.bill("C-2", year=2027), world.bill("C-3", year=2028)
    world.close(long)
    world.bank_pays(world.bill("C-4", year=2029), "S4")
    receipt = world.uploads(_line(taken, "S1"), _line(long, "S2"), _line(netted, "S3"), _reversal(netted, "R3", "S3"))
    engine, broken = world.store._engine.inner, 0
    for crash_at in range(1, 20):
        flushes = 0
        flush = engine.flush

        def crash(batch: Any, flush: Any = flush, crash_at: int = crash_at) -> None:
            nonlocal flushes
            flushes += 1
            if flushes == crash_at:
                raise StoreUnavailable("cut")
            flush(batch)

        with monkeypatch.context() as patch:
            patch.setattr(engine, "flush", crash)
            try:
                biller_matching.match_file(world.deps, receipt.file_id)
            except StoreUnavailable:
                broken += 1
            else:
                break
        assert_invariants(world.store)

    assert broken >= 3
    assert world.result() == DayResult(
        state=FileState.DIFFERENT,
        matched=3,
        differences=(
            _told("S2", DifferenceKind.LONG, AMOUNT_FEN, None),
            _told("S4", DifferenceKind.SHORT, None, AMOUNT_FEN),
        ),
    )
    assert world.standing("S1").standing is Standing.PAID
    assert_invariants(world.store)


def test_two_workers_on_one_file_come_to_one_result(world: BillerWorld) -> None:
    """A slow comparison is taken over when its lease runs out."""
    order = world.bill()
    receipt = world.uploads(_line(order))
    sister = BillerWorld(world.store, seed=2, sister=world)
    biller_matching.match_file(world.deps, receipt.file_id)
    file = rows.file(world.store.read(), receipt.file_id)
    assert file is not None
    world.store.run(lambda tx: tx.update(replace(file, state=FileState.PENDING)))
    biller_matching.match_file(sister.deps, receipt.file_id)

    assert world.result() == DayResult(state=FileState.MATCHED, matched=1, differences=())
    assert_invariants(world.store)


def test_stored_file_is_sealed(world: BillerWorld, database: Database) -> None:
    """Bill numbers of a whole day lie in it."""
    order = world.bill()
    world.uploads(_line(order))

    assert f'"S1", "{order.id[4:]}"'.encode() not in database.everything()
