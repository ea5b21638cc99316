"""No report moves a state anywhere but along the arrows: every state against everything a provider can say."""

import contextlib
from typing import Any

import pytest

from gateway.domain.order import Payment, Refund
from gateway.domain.provider import NoVerdict, ProviderAnswer, ProviderUnavailable, RequestRefused
from gateway.domain.refusal import Refusal
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.states import (
    ORDER_ARROWS,
    PAYMENT_ARROWS,
    REFUND_ARROWS,
    OrderState,
    PaymentState,
    RefundState,
    payment_is_open,
)
from gateway.services.ask_provider import record_answer
from tests.support.invariants import assert_invariants
from tests.support.provider import Trade
from tests.support.world import AMOUNT_FEN, World


def _payment_in(world: World, state: PaymentState) -> Payment:
    """A payment that reached this state by reports alone."""
    order = world.open()
    steps: dict[PaymentState, list[Any]] = {
        PaymentState.CREATED: [ProviderUnavailable("x")],
        PaymentState.UNKNOWN: [NoVerdict("x")],
        PaymentState.FAILED: [RequestRefused("x", code="NO")],
    }
    world.alpha.script("create", *steps.get(state, []))
    with contextlib.suppress(Refusal):  # provider_unavailable
        world.start_reply(order)
    payment = world.store.read().payments_of_order(order.id)[0]
    world.alpha.trades.setdefault(payment.out_trade_no, Trade(ReportedState.PENDING, AMOUNT_FEN, "T-1"))
    if state in (PaymentState.PAID, PaymentState.CLOSED):
        world.deliver(payment, world.alpha.callback(payment.out_trade_no, state=ReportedState(state.value)))
    payment = world.payment(payment.id)
    assert payment.state is state
    return payment


_SAID = {
    ReportedState.PENDING: PaymentState.PENDING,
    ReportedState.PAID: PaymentState.PAID,
    ReportedState.CLOSED: PaymentState.CLOSED,
    ReportedState.FAILED: PaymentState.FAILED,
    ReportedState.UNKNOWN: PaymentState.UNKNOWN,
}


@pytest.mark.parametrize("reported", ReportedState)
@pytest.mark.parametrize("state", PaymentState)
def test_report_moves_a_payment_only_along_the_arrows(
    world: World, state: PaymentState, reported: ReportedState
) -> None:
    """Old news never moves a state back; not-found says nothing while the payer may still come."""
    payment = _payment_in(world, state)
    world.deliver(payment, world.alpha.callback(payment.out_trade_no, state=reported))
    said = _SAID.get(reported, state)
    expected = said if said in PAYMENT_ARROWS[state] else state

    assert world.payment(payment.id).state is expected
    assert_invariants(world.store)


@pytest.mark.parametrize("state", PaymentState)
def test_not_found_long_after_the_last_moment_closes_what_is_open(world: World, state: PaymentState) -> None:
    """The provider's word and the clock together: no one can pay any more."""
    payment = _payment_in(world, state)
    world.clock.advance(seconds=7200 + 600)
    report = ProviderReport(
        source=Source.QUERY, out_trade_no=payment.out_trade_no, state=ReportedState.NOT_FOUND, provider_status="NO"
    )
    record_answer(world.deps, "alpha_main", "query", ProviderAnswer(report=report, raw=b"{}"), actor="worker")

    expected = PaymentState.CLOSED if payment_is_open(state) else state
    assert world.payment(payment.id).state is expected
    assert_invariants(world.store)


@pytest.mark.parametrize(("before", "closes"), [(0.000001, False), (0, True)], ids=["grace", "end_of_grace"])
def test_not_found_within_the_grace_closes_nothing(world: World, before: float, closes: bool) -> None:
    """A precreated trade is unknown to some providers until its code is scanned: not found is not closed."""
    payment = _payment_in(world, PaymentState.PENDING)
    del world.alpha.trades[payment.out_trade_no]
    world.clock.advance(seconds=7200 + 600 - before)
    world.worker.run_due()

    assert (world.payment(payment.id).state is PaymentState.CLOSED) == closes


def _refund_in(world: World, state: RefundState) -> Refund:
    order, payment = world.paid()
    refund = world.refund(order, 100)
    if state is RefundState.REQUESTED:
        return refund
    if state is RefundState.FAILED:
        world.alpha.script("refund", RequestRefused("no", code="NO"))
    if state is RefundState.UNKNOWN:
        world.alpha.script("refund", NoVerdict("x"))
    world.work()
    if state in (RefundState.SUCCEEDED, RefundState.ABNORMAL):
        said = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState(state.value), amount_fen=100)
        world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=said))
    refund = world.refund_row(refund.id)
    assert refund.state is state
    return refund


_SAID_OF_REFUND = {state: RefundState(state.value) for state in ReportedRefundState if state != "not_found"}


@pytest.mark.parametrize("reported", ReportedRefundState)
@pytest.mark.parametrize("state", RefundState)
def test_report_moves_a_refund_only_along_the_arrows(
    world: World, state: RefundState, reported: ReportedRefundState
) -> None:
    """Succeeded and failed are final; a claim of the other end is quarantined, not booked."""
    refund = _refund_in(world, state)
    payment = world.payment(refund.payment_id)
    said = RefundReport(out_refund_no=refund.out_refund_no, state=reported, amount_fen=100)
    accepted = world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=said))
    target = _SAID_OF_REFUND.get(reported, state)
    expected = target if target in REFUND_ARROWS[state] else state

    assert world.refund_row(refund.id).state is expected
    finals = {RefundState.SUCCEEDED, RefundState.FAILED}
    assert (accepted.outcome == "quarantined") == ({state, target} == finals)
    assert_invariants(world.store)


def test_arrows_name_every_state() -> None:
    """No state is without an entry, no arrow leads nowhere, final states have none but the proof of payment."""
    assert set(PAYMENT_ARROWS) == set(PaymentState)
    assert set(ORDER_ARROWS) == set(OrderState)
    assert set(REFUND_ARROWS) == set(RefundState)
    assert PAYMENT_ARROWS[PaymentState.PAID] == frozenset()
    assert {PAYMENT_ARROWS[PaymentState.CLOSED], PAYMENT_ARROWS[PaymentState.FAILED]} == {
        frozenset({PaymentState.PAID})
    }
    for arrows in (PAYMENT_ARROWS, ORDER_ARROWS, REFUND_ARROWS):
        assert all(state not in targets for state, targets in arrows.items())
