"""Refunds: within their payment, under one number, followed until the provider decides."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from gateway.domain.order import TaskKind
from gateway.domain.provider import NoVerdict, ProviderUnavailable, RequestRefused
from gateway.domain.report import RefundReport, ReportedRefundState, Source
from gateway.domain.states import RefundState
from gateway.services.work import LEASE
from gateway.store import StoreContended
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, World, subject


def _code(reply: Any) -> str:
    return str(json.loads(reply.body)["code"])


def _settle(world: World, refund: Any, state: str) -> Any:
    """The provider decides, and its callback arrives."""
    world.alpha.refunds[refund.out_refund_no].state = ReportedRefundState(state)
    payment = world.payment(refund.payment_id)
    return world.deliver(payment, world.alpha.refund_callback(refund.out_refund_no))


def test_refund_is_submitted_followed_and_succeeds(world: World) -> None:
    """Requested in one commit, submitted by a task, asked about, proven."""
    order, payment = world.paid(subject=subject())
    refund = world.refund(order, 380)
    assert (refund.state, world.payment(payment.id).amount_refunding_fen) == (RefundState.REQUESTED, 380)
    assert_invariants(world.store)
    world.work()
    assert world.refund_row(refund.id).state is RefundState.SUBMITTED
    request = next(r for r in world.alpha.requests if hasattr(r, "out_refund_no"))
    assert (request.amount_fen, request.total_fen, request.out_trade_no) == (380, AMOUNT_FEN, payment.out_trade_no)
    world.alpha.refunds[refund.out_refund_no].state = ReportedRefundState.SUCCEEDED
    world.clock.advance(seconds=60)
    world.work()
    done = world.refund_row(refund.id)

    assert (done.state, done.succeeded_at is not None) == (RefundState.SUCCEEDED, True)
    assert world.order(order.id).amount_refunded_fen == 380
    assert world.store.read().slot_holder(order.slot) == order.id
    assert world.task(TaskKind.QUERY_REFUND, refund.id).state == "done"
    assert_invariants(world.store)


def test_refund_is_submitted_with_the_end_of_its_workers_turn(world: World) -> None:
    """From then on another worker may submit it, too: at once, or when the provider was asked and did not know it."""
    order, _ = world.paid(subject=subject())
    refund = world.refund(order, 380)
    ends = [world.clock.now() + LEASE]
    world.work()
    world.alpha.refunds.clear()
    world.clock.advance(seconds=60)
    ends.append(world.clock.now() + LEASE)
    world.work()

    submitted = [
        r.submit_until for r in world.alpha.requests if getattr(r, "out_refund_no", "") == refund.out_refund_no
    ]
    assert sorted(set(submitted)) == ends


def test_refund_of_everything_in_parts_frees_the_slot(world: World) -> None:
    """Only when the last fen is proven to be back."""
    order, _ = world.paid(subject=subject())
    parts = [world.refund(order, 1, "R-1"), world.refund(order, None, "R-2")]
    assert parts[1].amount_fen == AMOUNT_FEN - 1
    world.work()
    _settle(world, parts[1], "succeeded")
    assert world.store.read().slot_holder(order.slot) == order.id
    _settle(world, parts[0], "succeeded")

    assert world.store.read().slot_holder(order.slot) is None
    assert world.order(order.id).amount_refunded_fen == AMOUNT_FEN
    assert_invariants(world.store)


@pytest.mark.parametrize("amount_fen", [0, -1, AMOUNT_FEN + 1], ids=["nothing", "negative", "too_much"])
def test_refund_of_an_impossible_amount_is_refused(world: World, amount_fen: int) -> None:
    """The answer tells what could be refunded."""
    order, _ = world.paid()
    reply = world.refund_reply(order, amount_fen, "R-1")

    assert json.loads(reply.body) == {"code": "refund_exceeds_payment", "refundable_fen": AMOUNT_FEN}
    assert world.refunds(order) == []


def test_refund_beyond_what_is_under_way_is_refused(world: World) -> None:
    """What is requested counts like what is done; what failed is free again."""
    order, _ = world.paid()
    first = world.refund(order, AMOUNT_FEN - 1, "R-1")
    assert _code(world.refund_reply(order, 2, "R-2")) == "refund_exceeds_payment"
    world.work()
    _settle(world, first, "failed")

    assert world.refund(order, AMOUNT_FEN, "R-3").amount_fen == AMOUNT_FEN
    assert_invariants(world.store)


def test_refund_of_an_unpaid_order_is_refused(world: World) -> None:
    """There is nothing to give back."""
    order = world.open()
    world.start(order)

    assert json.loads(world.refund_reply(order, 1, "R-1").body) == {"code": "order_not_paid", "order_state": "open"}


def test_refund_number_used_again_gives_the_first_refund_or_a_refusal(world: World) -> None:
    """The natural key: same amount is the same refund, another amount is a mistake."""
    order, _ = world.paid()
    refund = world.refund(order, 100, "R-1")

    assert world.refund(order, 100, "R-1").id == refund.id
    assert _code(world.refund_reply(order, 101, "R-1")) == "client_refund_no_reused"
    assert len(world.refunds(order)) == 1


def test_many_refunds_at_once_never_exceed_the_payment(world: World, database: Database) -> None:
    """N4: 1,000 partial refunds of which only some fit, from many threads and processes: the sum stays within."""
    order, payment = world.paid()
    sisters = [World(world.store, seed=seed, sister=world) for seed in range(2, 6)]
    part = AMOUNT_FEN // 10  # ten fit, and one fen is left

    def ask(number: int) -> str:
        try:
            reply = sisters[number % 4].refund_reply(order, part, f"R-{number}")
        except StoreContended:
            return "contended"
        return "accepted" if reply.status == 201 else _code(reply)

    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(ask, range(1_000)))

    assert outcomes.count("accepted") == 10
    assert set(outcomes) <= {"accepted", "refund_exceeds_payment", "contended"}
    assert world.payment(payment.id).amount_refunding_fen == 10 * part
    assert database.rows("SELECT count(*), CAST(sum(amount_fen) AS BIGINT) FROM refunds") == [(10, 10 * part)]
    assert_invariants(world.store)


def test_equal_refunds_at_once_make_one(world: World) -> None:
    """The same client_refund_no under many keys."""
    order, _ = world.paid()
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: world.refund_reply(order, 100, "R-1"), range(40)))

    assert len({reply.body for reply in replies}) == 1
    assert len(world.refunds(order)) == 1
    assert_invariants(world.store)


@pytest.mark.parametrize("state", [RefundState.FAILED, RefundState.ABNORMAL, RefundState.SUCCEEDED])
def test_refund_ends_as_the_provider_says(world: World, state: RefundState) -> None:
    """Failed frees the sum, abnormal holds it and waits for a person, succeeded books it."""
    order, payment = world.paid()
    refund = world.refund(order, 100)
    world.work()
    accepted = _settle(world, refund, state.value)

    assert accepted.outcome == "applied"
    after = world.payment(payment.id)
    sums = {RefundState.FAILED: (0, 0), RefundState.ABNORMAL: (100, 0), RefundState.SUCCEEDED: (0, 100)}
    assert world.refund_row(refund.id).state is state
    assert (after.amount_refunding_fen, after.amount_refunded_fen) == sums[state]
    assert_invariants(world.store)


def test_abnormal_refund_may_still_succeed(world: World) -> None:
    """The operator put it right at the provider; the callback tells."""
    order, _ = world.paid()
    refund = world.refund(order, 100)
    world.work()
    _settle(world, refund, "abnormal")
    _settle(world, refund, "succeeded")

    assert world.refund_row(refund.id).state is RefundState.SUCCEEDED
    assert_invariants(world.store)


def test_refund_has_no_local_time_out(world: World) -> None:
    """N3: after a hundred days under way it is still under way, still asked about, and its success still counts."""
    order, _ = world.paid()
    refund = world.refund(order, 100)
    world.work()
    for _ in range(100):
        world.clock.advance(days=1)
        world.work()
    asked = world.alpha.count("query_refund")
    assert (world.refund_row(refund.id).state, asked) == (RefundState.SUBMITTED, 100)
    assert_invariants(world.store)
    _settle(world, refund, "succeeded")

    assert world.refund_row(refund.id).state is RefundState.SUCCEEDED
    assert_invariants(world.store)


def test_refund_that_the_provider_never_heard_of_is_submitted_again_under_its_number(world: World) -> None:
    """A time-out, then not found: it was never accepted."""
    order, _ = world.paid()
    world.alpha.script("refund", NoVerdict("time-out"))
    refund = world.refund(order, 100)
    world.work()
    assert world.refund_row(refund.id).state is RefundState.UNKNOWN
    assert_invariants(world.store)
    world.clock.advance(seconds=60)
    world.work()

    assert world.alpha.numbers("refund") == [refund.out_refund_no] * 2
    assert world.refund_row(refund.id).state is RefundState.SUBMITTED
    assert_invariants(world.store)


def test_refund_whose_answer_was_lost_is_found_not_repeated(world: World) -> None:
    """A time-out after it was accepted: the query finds it."""
    order, _ = world.paid()

    def accept_then_break(request: Any) -> None:
        world.alpha.script("refund", None)
        world.alpha.refund(request)
        raise NoVerdict("reset")

    world.alpha.script("refund", accept_then_break)
    refund = world.refund(order, 100)
    world.work()
    world.alpha.refunds[refund.out_refund_no].state = ReportedRefundState.SUCCEEDED
    calls = world.alpha.count("refund")
    world.clock.advance(seconds=60)
    world.work()

    assert world.refund_row(refund.id).state is RefundState.SUCCEEDED
    assert world.alpha.count("refund") == calls
    assert_invariants(world.store)


def test_refund_that_was_certainly_not_accepted_is_tried_again(world: World) -> None:
    """The same number, after growing pauses."""
    order, _ = world.paid()
    world.alpha.script("refund", *[ProviderUnavailable("no route")] * 3)
    refund = world.refund(order, 100)
    for seconds in (0, 5, 15, 60):
        world.clock.advance(seconds=seconds)
        world.work()

    assert world.alpha.numbers("refund") == [refund.out_refund_no] * 4
    assert world.refund_row(refund.id).state is RefundState.SUBMITTED
    assert_invariants(world.store)


def test_refund_refused_and_unknown_to_the_provider_has_failed(world: World) -> None:
    """The refusal is believed only after the query says that there is no such refund."""
    order, payment = world.paid()
    world.alpha.script("refund", RequestRefused("no", code="BALANCE_TOO_LOW"))
    refund = world.refund(order, 100)
    world.work()

    assert world.refund_row(refund.id).state is RefundState.FAILED
    assert world.alpha.count("query_refund") == 1
    assert world.payment(payment.id).amount_refunding_fen == 0
    assert_invariants(world.store)


REFUSED_BUT: dict[str, tuple[Any, RefundState]] = {
    "under_way": (ReportedRefundState.SUBMITTED, RefundState.SUBMITTED),
    "succeeded": (ReportedRefundState.SUCCEEDED, RefundState.SUCCEEDED),
    "no_answer": (NoVerdict("time-out"), RefundState.UNKNOWN),
    "query_refused": (RequestRefused("no", code="X"), RefundState.UNKNOWN),
    "not_reached": (ProviderUnavailable("no route"), RefundState.REQUESTED),
}


@pytest.mark.parametrize("name", REFUSED_BUT)
def test_refund_refused_is_not_failed_without_proof(world: World, name: str) -> None:
    """An error answer may be unsigned, and an earlier try may have moved the money."""
    known, expected = REFUSED_BUT[name]
    order, _ = world.paid()
    refund = world.refund(order, 100)

    def accepted_before(request: Any) -> None:
        if isinstance(known, ReportedRefundState):
            world.alpha.script("refund", None)
            world.alpha.refund(request)
            world.alpha.refunds[refund.out_refund_no].state = known
        raise RequestRefused("repeated", code="REPEATED")

    world.alpha.script("refund", accepted_before)
    if isinstance(known, Exception):
        world.alpha.script("query_refund", known)
    world.work()

    assert world.refund_row(refund.id).state is expected
    assert_invariants(world.store)


SILENT: dict[str, dict[str, Any]] = {
    "nothing_about_the_refund": {"refund": None},
    "contradiction": {"contradictions": ("mchid",)},
    "other_amount": {"amount_fen": AMOUNT_FEN + 1},
}


@pytest.mark.parametrize("name", SILENT)
def test_refund_whose_answer_says_nothing_usable_is_looked_at_again(world: World, name: str) -> None:
    """An answer that is quarantined or silent leaves the refund requested, with a next look."""
    order, _ = world.paid()
    refund = world.refund(order, 100)

    def answer(request: Any) -> Any:
        world.alpha.script("refund", None)
        world.alpha.refund(request)
        return world.alpha.refund_answer(refund.out_refund_no, Source.ANSWER, **SILENT[name])

    world.alpha.script("refund", answer)
    world.work()
    assert world.refund_row(refund.id).state is RefundState.REQUESTED
    assert_invariants(world.store)
    world.clock.advance(seconds=5)
    world.work()

    assert world.refund_row(refund.id).state is RefundState.SUBMITTED
    assert len(set(world.alpha.numbers("refund"))) == 1


def test_refund_answer_that_tells_no_total_is_applied(world: World) -> None:
    """Alipay's answer to a refund tells the refunded sum, not the payment's amount."""
    order, _ = world.paid()
    refund = world.refund(order, 100)

    def answer(request: Any) -> Any:
        world.alpha.script("refund", None)
        world.alpha.refund(request)
        said = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.SUCCEEDED, amount_fen=100)
        return world.alpha.refund_answer(
            refund.out_refund_no, Source.ANSWER, amount_fen=None, refund=said, refunded_total_fen=100
        )

    world.alpha.script("refund", answer)
    world.work()

    assert world.refund_row(refund.id).state is RefundState.SUCCEEDED
    assert_invariants(world.store)


CONTRADICTIONS: dict[str, tuple[dict[str, Any], str]] = {
    "other_amount": ({"amount_fen": 101}, "refund_amount"),
    "total_above_payment": ({}, "refunded_total"),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_refund_callback_that_contradicts_our_record_is_quarantined(world: World, name: str) -> None:
    """Nothing of it is booked."""
    changes, reason = CONTRADICTIONS[name]
    order, payment = world.paid()
    refund = world.refund(order, 100)
    world.work()
    members = {
        "out_refund_no": refund.out_refund_no,
        "state": ReportedRefundState.SUCCEEDED,
        "amount_fen": 100,
    } | changes
    total = AMOUNT_FEN + 1 if name == "total_above_payment" else None
    raw = world.alpha.callback(payment.out_trade_no, refund=RefundReport(**members), refunded_total_fen=total)
    accepted = world.deliver(payment, raw)

    assert (accepted.outcome, accepted.reason) == ("quarantined", reason)
    assert world.refund_row(refund.id).state is RefundState.SUBMITTED
    assert_invariants(world.store)


def test_refund_number_of_another_payment_is_quarantined(world: World) -> None:
    """A refund belongs to one payment."""
    order, _ = world.paid("C-1")
    refund = world.refund(order, 100)
    _other, payment = world.paid("C-2")
    said = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.SUCCEEDED, amount_fen=100)
    accepted = world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=said))

    assert (accepted.outcome, accepted.reason) == ("quarantined", "out_refund_no")
    assert world.refund_row(refund.id).state is RefundState.REQUESTED
    assert_invariants(world.store)


def test_news_of_a_refund_that_is_none_is_kept_with_its_payment(world: World, database: Database) -> None:
    """A duplicate changes nothing, and is found again by the payment that it was about."""
    order, payment = world.paid()
    refund = world.refund(order, 380)
    world.work()
    _settle(world, refund, "submitted")

    assert [(payment.id,)] == database.rows("SELECT payment_id FROM notifications WHERE state = 'duplicate'")
