"""A refund that an operator has go on: in every state what belongs to it, and never more than the payment has left."""

from datetime import timedelta

import pytest

from gateway.domain.ids import ID_PATTERN
from gateway.domain.order import Order, Refund, TaskKind
from gateway.domain.provider import RequestRefused
from gateway.domain.refusal import Refusal
from gateway.domain.report import ReportedRefundState
from gateway.domain.states import RefundReason, RefundState
from gateway.services.reissue_refund import reissue_refund
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, World

WHO = "operator:operator-1"


def reissue(world: World, refund: Refund) -> tuple[str, str]:
    return reissue_refund(world.deps, refund.id, actor=WHO)


def failed(world: World, order: Order, amount_fen: int, number: str = "R-1") -> Refund:
    refund = world.refund(order, amount_fen, number)
    world.alpha.script("refund", RequestRefused("no", code="NO"))
    world.work()
    assert world.refund_row(refund.id).state is RefundState.FAILED
    return refund


def succeeded(world: World, order: Order, amount_fen: int, number: str) -> Refund:
    refund = world.refund(order, amount_fen, number)
    world.work()
    world.alpha.refunds[refund.out_refund_no].state = ReportedRefundState.SUCCEEDED
    world.deliver(world.payment(refund.payment_id), world.alpha.refund_callback(refund.out_refund_no))
    assert world.refund_row(refund.id).state is RefundState.SUCCEEDED
    return refund


def successors(world: World, refund: Refund) -> list[Refund]:
    return [one for one in world.store.read().refunds_of_payment(refund.payment_id) if one.client_refund_no is None]


def test_refund_that_is_not_there_is_not_found(world: World) -> None:
    """Nothing else is said of it."""
    with pytest.raises(LookupError, match="ref_0"):
        reissue_refund(world.deps, "ref_0", actor=WHO)


def test_refund_that_has_succeeded_stays_as_it_is(world: World) -> None:
    """The money is back; to send it again is another refund."""
    order, _ = world.paid()
    refund = succeeded(world, order, 380, "R-1")
    before = world.payment(refund.payment_id)

    assert ("unchanged", "it has succeeded") == reissue(world, refund)
    assert (before, []) == (world.payment(refund.payment_id), successors(world, refund))


def test_refund_of_all_that_is_left_goes_out_again(world: World) -> None:
    """To the fen: 1 is back, 2 are on their way, the rest failed and is issued again."""
    order, payment = world.paid()
    succeeded(world, order, 1, "R-1")
    world.refund(order, 2, "R-2")
    rest = failed_beside(world, order, AMOUNT_FEN - 3)

    assert ("issued", "asked") == reissue(world, rest)
    [again] = successors(world, rest)
    assert (rest.amount_fen, RefundReason.ASKED, rest.note) == (again.amount_fen, again.reason, again.note)
    assert (f"ref_{again.out_refund_no}", True) == (again.id, ID_PATTERN.fullmatch(again.id) is not None)
    assert AMOUNT_FEN - 1 == world.payment(payment.id).amount_refunding_fen
    assert ("unchanged", "it was issued again") == reissue(world, rest)
    assert_invariants(world.store)


def failed_beside(world: World, order: Order, amount_fen: int) -> Refund:
    """One that fails while another waits for the provider's word."""
    world.work()
    return failed(world, order, amount_fen, "R-3")


@pytest.mark.parametrize("taken", ["back", "on_its_way"])
def test_refund_of_one_fen_more_than_is_left_is_refused(world: World, taken: str) -> None:
    """What is back counts like what is on its way; nothing of it is written."""
    order, payment = world.paid()
    refund = failed(world, order, AMOUNT_FEN - 1)
    if taken == "back":
        succeeded(world, order, 2, "R-2")
    else:
        world.refund(order, 2, "R-2")
    before = world.payment(payment.id)

    with pytest.raises(Refusal) as raised:
        reissue(world, refund)
    assert "refund_exceeds_payment" == raised.value.code
    assert (before, []) == (world.payment(payment.id), successors(world, refund))
    assert_invariants(world.store)


def test_refund_issued_again_is_told_in_the_history(world: World) -> None:
    """By whom, instead of which, and how much: the next reader sees why there are two."""
    order, payment = world.paid()
    refund = failed(world, order, 380)
    reissue(world, refund)
    [again] = successors(world, refund)
    event = world.store.read().events_page(order.id, after=0, limit=100)[-1]

    assert ("refund_issued_again", WHO) == (event.kind, event.actor)
    assert event.detail == (
        f'{{"amount_fen":380,"instead_of":"{refund.id}","payment_id":"{payment.id}","reason":"asked",'
        f'"refund_id":"{again.id}"}}'
    )
    assert world.payment(payment.id).updated_at == world.clock.now()


def test_refund_that_the_app_has_asked_for_since_is_not_sent_beside_it(world: World) -> None:
    """Whatever its sum: the app may have replaced the failed one by it. One that failed as well replaces nothing."""
    order, _ = world.paid()
    refund = failed(world, order, 380)
    world.clock.advance(seconds=1)
    failed(world, order, 379, "R-2")
    other = failed(world, order, 378, "R-3")
    succeeded(world, order, 377, "R-4")

    for one in (refund, other):
        assert ("unchanged", "the app has asked for another refund since") == reissue(world, one)
    assert [] == successors(world, refund)


def test_refund_whose_replacement_failed_as_well_goes_out_again(world: World) -> None:
    """Nothing else would send the money."""
    order, _ = world.paid()
    refund = failed(world, order, 380)
    world.clock.advance(seconds=1)
    failed(world, order, 379, "R-2")

    assert ("issued", "asked") == reissue(world, refund)


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (RefundState.REQUESTED, TaskKind.REFUND),
        (RefundState.ABNORMAL, TaskKind.REFUND),
        (RefundState.SUBMITTED, TaskKind.QUERY_REFUND),
        (RefundState.UNKNOWN, TaskKind.QUERY_REFUND),
    ],
    ids=lambda value: value.value,
)
def test_refund_without_a_verdict_goes_on_now_under_its_own_number(
    world: World, database: Database, state: RefundState, kind: TaskKind
) -> None:
    """What is next in its state; it is asked about where it may be under way, and its pauses begin anew."""
    order, _ = world.paid()
    refund = world.refund(order, 380)
    world.work()
    database.rows(f"UPDATE refunds SET state = '{state.value}' WHERE id = '{refund.id}'")
    later = int((world.clock.now() + timedelta(hours=1)).timestamp() * 1_000_000)
    database.rows(f"UPDATE tasks SET due_at = {later}, tries = 7 WHERE subject_id = '{refund.id}'")

    assert ("due", kind.value) == reissue(world, refund)
    task = world.task(kind, refund.id)
    assert task is not None
    assert (task.state, task.due_at, task.tries) == ("due", world.clock.now(), 1)
    assert ("unchanged", "it is due") == reissue(world, refund)


def test_refund_whose_task_is_gone_gets_a_new_one(world: World, database: Database) -> None:
    """As if it had never been tried."""
    order, _ = world.paid()
    refund = world.refund(order, 380)
    database.rows(f"DELETE FROM tasks WHERE subject_id = '{refund.id}'")

    assert ("due", "refund") == reissue(world, refund)
    task = world.task(TaskKind.REFUND, refund.id)
    assert task is not None
    assert (task.state, task.tries) == ("due", 0)
