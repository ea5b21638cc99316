"""A payment too many that is given back in the provider's console, while ours is owed: each fen counts once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.order import Order, Payment, Refund, TaskKind, TaskState
from gateway.domain.provider import NoVerdict, ProviderAnswer, ProviderUnavailable, RawCallback, RequestRefused
from gateway.domain.report import RefundReport, ReportedRefundState, Source
from gateway.domain.states import RefundReason, RefundState
from gateway.domain.webhook import message_type
from gateway.services.ask_provider import ask_payment, record_answer
from gateway.services.audit import audit
from gateway.services.reissue_refund import reissue_refund
from gateway.services.told_refunds import unsent_owed
from gateway.store import Tx
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.provider import FakeProvider
from tests.support.world import AMOUNT_FEN, World, subject

PART_FEN = 12_667
REFUSED = RequestRefused("not that much is left", code="NOT_ENOUGH")


def _surplus(world: World, client_order_no: str = "C-1") -> tuple[Order, Payment]:
    """An order paid twice; the second payment is owed back, by a refund that nobody has sent."""
    order = world.open(client_order_no)
    first, second = world.start(order), world.start(order, "beta")
    world.pay(first)
    world.pay(second)
    return world.order(order.id), world.payment(second.id)


def _owed(world: World, payment: Payment) -> Refund:
    """Our newest refund of the payment."""
    ours = [one for one in _refunds(world, payment) if one.reason in (RefundReason.SURPLUS, RefundReason.LATE)]
    return ours[-1]


def _refunds(world: World, payment: Payment) -> list[Refund]:
    return world.store.read().refunds_of_payment(payment.id)


def _console(world: World, payment: Payment, amount_fen: int = AMOUNT_FEN, no: str = "console-7") -> RawCallback:
    """The notice of a refund that somebody made in the provider's console."""
    said = RefundReport(out_refund_no=no, state=ReportedRefundState.SUCCEEDED, amount_fen=amount_fen)
    return world.beta.callback(payment.out_trade_no, refund=said)


def _total(world: World, payment: Payment, total_fen: int = AMOUNT_FEN) -> RawCallback:
    """A notice that tells of no refund by its number, but of all that has gone back."""
    return world.beta.callback(payment.out_trade_no, refunded_total_fen=total_fen)


NOTICES: dict[str, Callable[[World, Payment, int], RawCallback]] = {"by_number": _console, "by_total": _total}
notices = pytest.mark.parametrize("notice", NOTICES.values(), ids=NOTICES)


def _refuse(world: World) -> None:
    """The provider refuses ours, and the next one is written."""
    world.beta.script("refund", REFUSED)
    world.work()


def _all(world: World, payment: Payment) -> list[tuple[str, str, int]]:
    return sorted((one.reason.value, one.state.value, one.amount_fen) for one in _refunds(world, payment))


def _assert_in_order(world: World) -> None:
    assert_invariants(world.store)
    assert [] == [found.name for found in audit(world.store) if found.offenders]


def _told(world: World, order: Order) -> list[str]:
    """What the app is told of refunds."""
    events = world.store.read().events_page(order.id, after=0, limit=1000)
    return [kind for event in events if (kind := message_type(event)) and "refund" in kind]


def _assert_settled(world: World, payment: Payment) -> None:
    """All has gone back, and nobody will ever send more of it."""
    for _ in range(3):
        world.clock.advance(days=1)
        world.work()
    after = world.payment(payment.id)

    assert (after.amount_fen, 0) == (after.amount_refunded_fen, after.amount_refunding_fen)
    assert [] == [one.id for one in _refunds(world, payment) if one.state.value not in ("succeeded", "failed")]
    _assert_in_order(world)


# --- ours was never sent ----------------------------------------------------------------------------------------------


@notices
@pytest.mark.parametrize("refusals", [0, 1, 3])
def test_console_refund_takes_the_place_of_ours_that_nobody_has_sent(
    world: World, notice: Callable[..., RawCallback], refusals: int
) -> None:
    """Before the first try or between two of them: what is owed is nothing any more, told once, and never sent."""
    order, payment = _surplus(world)
    for _ in range(refusals):
        _refuse(world)
        world.clock.advance(days=1)
    sent = world.beta.count("refund")
    raws = [notice(world, payment, AMOUNT_FEN) for _ in range(2)]
    outcomes = [world.deliver(payment, raw).outcome for raw in (*raws, raws[0])]

    assert ["applied", "duplicate", "duplicate"] == outcomes
    assert [("outside", "succeeded", AMOUNT_FEN)] == [one for one in _all(world, payment) if one[0] == "outside"]
    assert ["refund_superseded", "refund_outside"] == world.kinds(order)[-2:]
    assert 1 == _told(world, order).count("payment.surplus_refunded")
    assert refusals == _told(world, order).count("refund.failed")
    _assert_settled(world, payment)
    assert sent == world.beta.count("refund")


@notices
def test_part_given_back_in_the_console_leaves_the_rest_owed(world: World, notice: Callable[..., RawCallback]) -> None:
    """The rest goes out at the moment that the whole would have gone."""
    order, payment = _surplus(world)
    _refuse(world)
    due_at = world.task(TaskKind.REFUND, _owed(world, payment).id).due_at  # type: ignore[union-attr]
    world.clock.advance(seconds=1)
    world.deliver(payment, notice(world, payment, PART_FEN))
    rest = _owed(world, payment)

    assert (AMOUNT_FEN - PART_FEN, RefundState.REQUESTED) == (rest.amount_fen, rest.state)
    assert due_at == world.task(TaskKind.REFUND, rest.id).due_at  # type: ignore[union-attr]
    _assert_in_order(world)
    world.clock.advance(seconds=600)
    world.work()
    world.beta.refunds[rest.out_refund_no].state = ReportedRefundState.SUCCEEDED
    world.deliver(payment, world.beta.refund_callback(rest.out_refund_no))
    _assert_settled(world, payment)
    assert ["payment.surplus_refunded"] * 2 == [one for one in _told(world, order) if one != "refund.failed"]


def test_parts_given_back_one_after_the_other_are_each_counted(world: World) -> None:
    """Two of them make the whole, and the second leaves nothing to send."""
    _, payment = _surplus(world)
    world.deliver(payment, _console(world, payment, PART_FEN, "console-1"))
    world.deliver(payment, _console(world, payment, AMOUNT_FEN - PART_FEN, "console-2"))

    assert [PART_FEN, AMOUNT_FEN - PART_FEN] == [
        one.amount_fen for one in _refunds(world, payment) if one.reason is RefundReason.OUTSIDE
    ]
    _assert_settled(world, payment)


def test_more_than_is_left_cannot_have_gone_back(world: World) -> None:
    """Whatever ours become: a person sees it, and nothing is counted."""
    _, payment = _surplus(world)
    accepted = world.deliver(payment, _console(world, payment, AMOUNT_FEN + 1))

    assert ("quarantined", "refund_exceeds_payment") == (accepted.outcome, accepted.reason)
    assert [("surplus", "requested", AMOUNT_FEN)] == _all(world, payment)
    _assert_in_order(world)


def test_withdrawn_refund_is_not_sent_by_a_worker_that_had_read_it(world: World) -> None:
    """The claim and the withdrawal exclude each other: what is claimed is waited for."""
    _, payment = _surplus(world)
    now = world.clock.now()
    lease = {"lease_until": now + timedelta(seconds=120), "lease": "L-1", "limit": 9}
    [claimed] = world.store.claim_tasks(now=now, **lease)  # type: ignore[arg-type]
    accepted = world.deliver(payment, _console(world, payment))

    assert _owed(world, payment).id == claimed.subject_id
    assert ("orphan", "refunds_in_flight") == (accepted.outcome, accepted.reason)
    assert RefundState.REQUESTED is _owed(world, payment).state
    _assert_in_order(world)


def test_task_that_a_worker_claims_meanwhile_is_not_withdrawn(world: World) -> None:
    """Between the look and the commit: the unit of work begins again, and finds it begun."""
    _, payment = _surplus(world)
    refund, now = _owed(world, payment), world.clock.now()
    seen = []

    def job(tx: Tx) -> None:
        found = unsent_owed(tx, world.payment(payment.id))
        seen.append(found is not None)
        if found is not None:
            tx.withdraw_task(TaskKind.REFUND, refund.id)
            world.store.claim_tasks(now=now, lease_until=now + timedelta(seconds=120), lease="L-1", limit=9)

    world.store.run(job)
    task = world.task(TaskKind.REFUND, refund.id)

    assert [True, False] == seen
    assert task is not None
    assert (TaskState.DUE, "L-1") == (task.state, task.lease)


def test_refund_begun_once_stays_begun_when_an_operator_makes_it_due(world: World) -> None:
    """Its call may have arrived: that nobody has tried since proves nothing."""
    _, payment = _surplus(world)
    world.beta.script("refund", ProviderUnavailable("no route"))
    world.work()
    reissue_refund(world.deps, _owed(world, payment).id, actor="operator:one")
    accepted = world.deliver(payment, _console(world, payment))

    assert ("orphan", "refunds_in_flight") == (accepted.outcome, accepted.reason)
    assert RefundState.REQUESTED is _owed(world, payment).state


# --- ours is in flight ------------------------------------------------------------------------------------------------


def _submitted(world: World) -> None:
    world.work()


def _unknown(world: World) -> None:
    world.beta.script("refund", NoVerdict("time-out"))
    world.work()


def _abnormal(world: World) -> None:
    world.work()
    [no] = world.beta.refunds
    world.beta.refunds[no].state = ReportedRefundState.ABNORMAL
    world.deliver(world.store.read().refund_by_no(no), world.beta.refund_callback(no))  # type: ignore[arg-type]


IN_FLIGHT = {"submitted": _submitted, "unknown": _unknown, "abnormal": _abnormal}


@notices
@pytest.mark.parametrize("amount_fen", [AMOUNT_FEN, PART_FEN], ids=["whole", "part"])
@pytest.mark.parametrize("sent", IN_FLIGHT.values(), ids=IN_FLIGHT)
def test_console_refund_told_while_ours_is_in_flight_is_counted_when_ours_has_failed(
    world: World, sent: Callable[[World], None], amount_fen: int, notice: Callable[..., RawCallback]
) -> None:
    """Nothing is guessed; the failure settles it in its own commit, even if the notice never comes again."""
    order, payment = _surplus(world)
    sent(world)
    raw = notice(world, payment, amount_fen)
    early = [world.deliver(payment, raw) for _ in range(2)]
    ours = _owed(world, payment)
    _assert_in_order(world)
    kinds = world.kinds(order).count("refund_told")
    said = RefundReport(out_refund_no=ours.out_refund_no, state=ReportedRefundState.FAILED)
    world.deliver(payment, world.beta.callback(payment.out_trade_no, refund=said))

    assert [("orphan", "refunds_in_flight")] * 2 == [(one.outcome, one.reason) for one in early]
    assert 1 == kinds
    assert [amount_fen] == [one.amount_fen for one in _refunds(world, payment) if one.reason is RefundReason.OUTSIDE]
    assert [AMOUNT_FEN - amount_fen] * (amount_fen < AMOUNT_FEN) == [
        one.amount_fen for one in _refunds(world, payment) if one.state is RefundState.REQUESTED
    ]
    assert "duplicate" == world.deliver(payment, raw).outcome
    assert 1 == _told(world, order).count("payment.surplus_refunded")
    _assert_in_order(world)


def test_message_that_waited_is_the_evidence_of_what_it_proved(world: World, database: Database) -> None:
    """And is no orphan any more."""
    _, payment = _surplus(world)
    _submitted(world)
    world.deliver(payment, _console(world, payment))
    said = RefundReport(out_refund_no=_owed(world, payment).out_refund_no, state=ReportedRefundState.FAILED)
    world.deliver(payment, world.beta.callback(payment.out_trade_no, refund=said))
    [outside] = [one for one in _refunds(world, payment) if one.reason is RefundReason.OUTSIDE]
    evidence = world.store.read().notification(outside.evidence_id or "")

    assert evidence is not None
    assert ("applied", "", payment.id) == (evidence.state.value, evidence.reason, evidence.payment_id)
    assert [(0,)] == database.rows("SELECT count(*) FROM notifications WHERE state = 'orphan'")


def test_console_refund_and_ours_both_succeeded_is_shown_to_an_operator(world: World) -> None:
    """More than was paid cannot have gone back: ours is proven, the other is not believed, and is not lost."""
    order, payment = _surplus(world)
    _submitted(world)
    raw = _console(world, payment)
    world.deliver(payment, raw)
    ours = _owed(world, payment)
    world.beta.refunds[ours.out_refund_no].state = ReportedRefundState.SUCCEEDED
    world.deliver(payment, world.beta.refund_callback(ours.out_refund_no))
    again = world.deliver(payment, raw)

    assert [("surplus", "succeeded", AMOUNT_FEN)] == _all(world, payment)
    assert 1 == world.kinds(order).count("report_quarantined")
    assert "quarantined" == again.outcome
    assert ["payment.surplus_refunded"] == _told(world, order)
    _assert_settled(world, payment)


def test_total_that_was_ours_is_nothing_new_when_ours_has_succeeded(world: World) -> None:
    """The sum came before the proof of the refund that it holds."""
    order, payment = _surplus(world)
    _submitted(world)
    raw = _total(world, payment)
    early = world.deliver(payment, raw).outcome
    ours = _owed(world, payment)
    world.beta.refunds[ours.out_refund_no].state = ReportedRefundState.SUCCEEDED
    world.deliver(payment, world.beta.refund_callback(ours.out_refund_no))

    assert ("orphan", "duplicate") == (early, world.deliver(payment, raw).outcome)
    assert [("surplus", "succeeded", AMOUNT_FEN)] == _all(world, payment)
    assert ["payment.surplus_refunded"] == _told(world, order)
    _assert_settled(world, payment)


def test_sum_that_only_an_answer_tells_is_kept_until_ours_has_failed(world: World) -> None:
    """Asked about the payment, the provider tells what went back; asked again, that is nothing new."""
    world.beta.tells_total = True
    order, payment = _surplus(world)
    _submitted(world)
    report = world.beta.report(payment.out_trade_no, Source.QUERY, refunded_total_fen=PART_FEN)
    states = [
        record_answer(world.deps, payment.account, "query", ProviderAnswer(report=report), actor="worker").state.value
        for _ in range(2)
    ]
    _assert_in_order(world)
    said = RefundReport(out_refund_no=_owed(world, payment).out_refund_no, state=ReportedRefundState.FAILED)
    world.deliver(payment, world.beta.callback(payment.out_trade_no, refund=said, refunded_total_fen=None))

    assert ["applied", "duplicate"] == states
    assert [PART_FEN] == [one.amount_fen for one in _refunds(world, payment) if one.reason is RefundReason.OUTSIDE]
    assert AMOUNT_FEN - PART_FEN == _owed(world, payment).amount_fen
    assert 1 == _told(world, order).count("payment.surplus_refunded")
    _assert_in_order(world)


def test_answer_that_tells_the_sum_makes_ours_give_way(world: World) -> None:
    """No notice ever came; an operator has the provider asked, between two tries of ours."""
    _, payment = _surplus(world)
    _refuse(world)
    answer = ProviderAnswer(report=world.beta.report(payment.out_trade_no, Source.QUERY, refunded_total_fen=AMOUNT_FEN))
    world.beta.script("query", answer)
    ask_payment(world.deps, payment, actor="operator:one")

    assert ("outside", "succeeded", AMOUNT_FEN) in _all(world, payment)
    _assert_settled(world, payment)


def test_sums_told_out_of_order_count_as_the_greatest(world: World) -> None:
    """Two console refunds, whose notices overtook each other while ours was in flight."""
    _, payment = _surplus(world)
    _submitted(world)
    raws = [_total(world, payment, total_fen) for total_fen in (300, PART_FEN, 200)]
    for raw in raws:
        world.deliver(payment, raw)
    said = RefundReport(out_refund_no=_owed(world, payment).out_refund_no, state=ReportedRefundState.FAILED)
    world.deliver(payment, world.beta.callback(payment.out_trade_no, refund=said))

    assert [PART_FEN] == [one.amount_fen for one in _refunds(world, payment) if one.reason is RefundReason.OUTSIDE]
    assert ["duplicate"] * 3 == [world.deliver(payment, raw).outcome for raw in raws]
    _assert_in_order(world)


def test_failure_that_tells_the_sum_itself_issues_only_the_rest(world: World) -> None:
    """One report names ours as failed and tells what has gone back."""
    _, payment = _surplus(world)
    _submitted(world)
    said = RefundReport(out_refund_no=_owed(world, payment).out_refund_no, state=ReportedRefundState.FAILED)
    raw = world.beta.callback(payment.out_trade_no, refund=said, refunded_total_fen=PART_FEN)
    world.deliver(payment, raw)

    assert ("outside", "succeeded", PART_FEN) in _all(world, payment)
    assert (AMOUNT_FEN - PART_FEN, RefundState.REQUESTED) == (
        _owed(world, payment).amount_fen,
        _owed(world, payment).state,
    )
    _assert_in_order(world)


# --- the payment is first heard of by its console refund --------------------------------------------------------------


@notices
@pytest.mark.parametrize("amount_fen", [AMOUNT_FEN, PART_FEN], ids=["whole", "part"])
def test_payment_too_many_first_heard_of_by_its_console_refund_owes_the_rest(
    world: World, notice: Callable[..., RawCallback], amount_fen: int
) -> None:
    """Paid and given back in one message: only what is left is put on its way."""
    order = world.open()
    first, second = world.start(order), world.start(order, "beta")
    world.pay(first)
    world.beta.pay(second.out_trade_no)
    accepted = world.deliver(second, notice(world, second, amount_fen))
    rest = [("surplus", "requested", AMOUNT_FEN - amount_fen)] * (amount_fen < AMOUNT_FEN)

    assert "applied" == accepted.outcome
    assert [("outside", "succeeded", amount_fen), *rest] == _all(world, second)
    assert AMOUNT_FEN == world.order(order.id).amount_paid_fen
    _assert_in_order(world)


# --- at once ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("amount_fen", [AMOUNT_FEN, PART_FEN], ids=["whole", "part"])
def test_console_notices_and_the_worker_at_once_count_every_fen_once(world: World, amount_fen: int) -> None:
    """Two notices of one refund race the worker that sends ours, which the provider refuses; many rounds."""
    sisters = [World(world.store, seed=seed, sister=world) for seed in (2, 3, 4)]
    honest = FakeProvider.refund

    def refund(request: Any) -> Any:
        if request.amount_fen + amount_fen > AMOUNT_FEN:
            raise REFUSED
        return honest(world.beta, request)

    world.beta.refund = refund  # type: ignore[method-assign]
    for round_ in range(10):
        order, payment = _surplus(world, f"C-{round_}")
        raws = [_console(world, payment, amount_fen, f"console-{round_}") for _ in range(2)]
        acts = [
            lambda payment=payment, raws=raws: sisters[0].deliver(payment, raws[0]),
            lambda payment=payment, raws=raws: sisters[1].deliver(payment, raws[1]),
            sisters[2].worker.run_due,
        ]
        with ThreadPoolExecutor(len(acts)) as pool:
            for done in [pool.submit(act) for act in acts]:
                done.result()
        world.clock.advance(days=1)
        world.work()
        outside = [one.amount_fen for one in _refunds(world, payment) if one.reason is RefundReason.OUTSIDE]
        after = world.payment(payment.id)

        assert [amount_fen] == outside
        assert AMOUNT_FEN == after.amount_refunded_fen + after.amount_refunding_fen
        assert "report_quarantined" not in world.kinds(order)
    _assert_in_order(world)


# --- what an app has asked for ----------------------------------------------------------------------------------------


def test_kept_payment_given_back_in_the_console_while_the_app_wants_a_part(world: World) -> None:
    """The app's own refund is never withdrawn; its failure is told, and the premium is free."""
    order, payment = world.paid(subject=subject())
    refund = world.refund(order, PART_FEN)
    said = RefundReport(out_refund_no="console-7", state=ReportedRefundState.SUCCEEDED, amount_fen=AMOUNT_FEN)
    early = world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=said)).outcome
    world.alpha.script("refund", REFUSED)
    world.work()

    assert "orphan" == early
    assert RefundState.FAILED is world.refund_row(refund.id).state
    assert ["refund.failed", "refund.succeeded"] == _told(world, order)
    assert AMOUNT_FEN == world.order(order.id).amount_refunded_fen
    assert world.store.read().slot_holder(order.slot) is None  # type: ignore[arg-type]
    _assert_in_order(world)
