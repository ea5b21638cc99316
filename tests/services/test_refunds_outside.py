"""Refunds that were not ours, and the cumulative sums that some providers tell: every fen is booked once."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from gateway.domain.provider import ProviderAnswer
from gateway.domain.report import RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.states import RefundReason, RefundState
from gateway.services.ask_provider import record_answer
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, World, subject


def test_refund_made_in_the_providers_console_is_booked_once(world: World) -> None:
    """Its number is not ours; the notice of it, repeated under another id, is not a second refund."""
    order, payment = world.paid(subject=subject())
    said = RefundReport(out_refund_no="console-7", state=ReportedRefundState.SUCCEEDED, amount_fen=500)
    outcomes = [
        world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=said, dedup_key=key)).outcome
        for key in ("a", "b", "a")
    ]

    assert outcomes == ["applied", "duplicate", "duplicate"]
    assert [(r.reason, r.state, r.amount_fen) for r in world.refunds(order)] == [
        (RefundReason.OUTSIDE, RefundState.SUCCEEDED, 500)
    ]
    assert world.order(order.id).amount_refunded_fen == 500
    assert_invariants(world.store)


def test_refund_in_the_console_beyond_what_is_free_is_waited_for_and_then_quarantined(world: World) -> None:
    """More than the payment cannot have gone back: when ours is proven, the other is not believed."""
    order, payment = world.paid()
    refund = world.refund(order, AMOUNT_FEN - 100)
    said = RefundReport(out_refund_no="console-7", state=ReportedRefundState.SUCCEEDED, amount_fen=101)
    raw = world.alpha.callback(payment.out_trade_no, refund=said)
    early = world.deliver(payment, raw)
    ours = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.SUCCEEDED)
    world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=ours))

    assert (early.outcome, early.reason) == ("orphan", "refunds_in_flight")
    assert world.deliver(payment, raw).outcome == "quarantined"
    assert world.payment(payment.id).amount_refunded_fen == AMOUNT_FEN - 100
    assert_invariants(world.store)


def test_refund_in_the_console_beyond_what_is_left_is_quarantined(world: World) -> None:
    """Whatever becomes of ours, it cannot be true."""
    order, payment = world.paid()
    _total(world, payment, 200)
    world.refund(order, 100)
    said = RefundReport(out_refund_no="console-7", state=ReportedRefundState.SUCCEEDED, amount_fen=AMOUNT_FEN - 199)
    accepted = world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=said))

    assert (accepted.outcome, accepted.reason) == ("quarantined", "refund_exceeds_payment")
    assert_invariants(world.store)


def _total(world: World, payment: Any, total_fen: int, **more: Any) -> Any:
    return world.deliver(payment, world.alpha.callback(payment.out_trade_no, refunded_total_fen=total_fen, **more))


def test_total_above_what_we_know_is_a_refund_made_outside(world: World) -> None:
    """Each step books the difference; the same sum again, or an older one, books nothing."""
    order, payment = world.paid()
    outcomes = [_total(world, payment, total).outcome for total in (0, 300, 300, 500, 300)]

    assert outcomes == ["duplicate", "applied", "duplicate", "applied", "duplicate"]
    assert [refund.amount_fen for refund in world.refunds(order)] == [300, 200]
    assert world.payment(payment.id).amount_refunded_fen == 500
    assert_invariants(world.store)


def test_single_fen_made_outside_is_booked_and_one_in_flight_is_waited_for(world: World) -> None:
    """The smallest sums that there are decide like any other."""
    order, payment = world.paid()
    assert _total(world, payment, 1).outcome == "applied"
    world.refund(order, 1)
    answer = world.alpha.report(payment.out_trade_no, Source.QUERY, refunded_total_fen=2)
    states = [
        record_answer(world.deps, payment.account, "query", ProviderAnswer(report=answer), actor="worker").state
        for _ in range(2)
    ]

    assert states == ["applied", "duplicate"]
    assert world.kinds(order)[-1] == "refund_told"
    assert [1, 1] == sorted(refund.amount_fen for refund in world.refunds(order))
    assert_invariants(world.store)


def test_total_that_holds_our_refund_in_flight_is_not_counted_twice(world: World) -> None:
    """The sum already contains our refund, whose own proof comes later."""
    order, payment = world.paid()
    refund = world.refund(order, 300)
    world.work()
    early = world.alpha.callback(payment.out_trade_no, refunded_total_fen=300)
    assert world.deliver(payment, early).outcome == "orphan"
    said = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.SUCCEEDED)
    _total(world, payment, 300, refund=said)

    assert world.deliver(payment, early).outcome == "duplicate"
    assert world.payment(payment.id).amount_refunded_fen == 300
    assert len(world.refunds(order)) == 1
    assert_invariants(world.store)


def test_console_refund_told_while_ours_is_in_flight_is_booked_when_ours_has_failed(world: World) -> None:
    """Its only notice came too early to be judged; the end of ours decides it, and if it comes again it is known."""
    order, payment = world.paid()
    refund = world.refund(order, 300)
    world.work()
    notice = world.alpha.callback(payment.out_trade_no, refunded_total_fen=AMOUNT_FEN)
    early = world.deliver(payment, notice).outcome
    failed = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.FAILED)
    world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=failed))

    assert (early, world.deliver(payment, notice).outcome) == ("orphan", "duplicate")
    assert world.payment(payment.id).amount_refunded_fen == AMOUNT_FEN
    assert_invariants(world.store)


def test_total_that_holds_ours_and_one_made_outside_is_split(world: World) -> None:
    """The proof of ours comes with a larger sum: the rest was made outside."""
    order, payment = world.paid()
    refund = world.refund(order, 300)
    world.work()
    said = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.SUCCEEDED)
    _total(world, payment, 450, refund=said)

    assert sorted((r.reason.value, r.amount_fen) for r in world.refunds(order)) == [("asked", 300), ("outside", 150)]
    assert world.payment(payment.id).amount_refunded_fen == 450
    assert_invariants(world.store)


def test_total_and_refund_at_once_count_once(world: World) -> None:
    """The callback with the sum and the answer to our question race, many rounds."""
    world.alpha.tells_total = True
    sisters = [World(world.store, seed=seed, sister=world) for seed in (2, 3)]
    for round_ in range(10):
        order, payment = world.paid(f"C-{round_}")
        refund = world.refund(order, 300)
        world.work()
        world.alpha.refunds[refund.out_refund_no].state = ReportedRefundState.SUCCEEDED
        raws = [world.alpha.refund_callback(refund.out_refund_no), world.alpha.callback(payment.out_trade_no)]
        with ThreadPoolExecutor(2) as pool:
            for sister, raw in zip(sisters, raws, strict=True):
                pool.submit(sister.deliver, payment, raw)
        assert world.payment(payment.id).amount_refunded_fen == 300
    assert_invariants(world.store)


def test_refund_of_a_payment_first_heard_of_by_its_refund(world: World) -> None:
    """The callback of the payment was lost: the refund's tells both, and both are booked."""
    order = world.open()
    payment = world.start(order)
    world.alpha.pay(payment.out_trade_no)
    said = RefundReport(out_refund_no="console-7", state=ReportedRefundState.SUCCEEDED, amount_fen=500)
    world.deliver(payment, world.alpha.callback(payment.out_trade_no, state=ReportedState.PAID, refund=said))

    assert world.payment(payment.id).amount_refunded_fen == 500
    assert world.order(order.id).state == "paid"
    assert_invariants(world.store)


def test_total_that_tells_nothing_new_while_ours_is_in_flight_is_a_duplicate(world: World) -> None:
    """The payment's own notice, come late: there is nothing to wait for, and it need not come again."""
    order, payment = world.paid()
    world.refund(order, 300)
    world.work()

    assert _total(world, payment, 0).outcome == "duplicate"
