"""Whatever happens to callbacks: the order is paid exactly once, and what is not genuine changes nothing."""

import pytest

from gateway.domain.states import NotificationState, OrderState, PaymentState
from gateway.store.tables import NOTIFICATIONS
from sandbox.faults import Fault
from tests.journeys.accounts import ORDER_TTL_SECONDS
from tests.journeys.faulting import METHOD, Case, callback_cases
from tests.journeys.forging import forged_callback
from tests.journeys.settled import assert_settled, rows
from tests.journeys.world import World
from tests.support.databases import Database

_DAY = 86_400
_NOT_GENUINE = {Fault.CALLBACK_WRONG_KEY, Fault.CALLBACK_WRONG_SERIAL, Fault.CALLBACK_BAD_SIGNATURE}


def _spoilt(world: World, case: Case) -> list[dict[str, object]]:
    return [delivery for delivery in world.deliveries(case.provider) if delivery["fault"] == case.fault.value]


def _assert_paid_once(world: World, order_id: str) -> None:
    assert world.order(order_id).state is OrderState.PAID
    assert [PaymentState.PAID] == [payment.state for payment in world.payments(order_id)]
    assert world.kinds(order_id).count("payment_paid") == world.kinds(order_id).count("order_paid") == 1
    assert world.refunds(order_id) == []


@pytest.mark.parametrize("case", callback_cases("payment_callback"), ids=str)
@pytest.mark.parametrize("order_of_work", ["callbacks_first", "worker_first"])
def test_order_is_paid_once_when_its_callbacks_meet_a_fault(
    world: World, database: Database, case: Case, order_of_work: str
) -> None:
    """Callback, query or both bring the proof, whichever comes first."""
    world.worker_first = order_of_work == "worker_first"
    world.watch_invariants()
    world.sandbox.faults.add(case.fault, **case.rule)
    order_id = world.open_order()
    payment = world.start(order_id, case.provider, METHOD[case.provider])
    world.pay(payment)
    world.advance(2 * _DAY)

    _assert_paid_once(world, order_id)
    different = len(_spoilt(world, case)) if case.fault is Fault.CALLBACK_AMOUNT_DIFFERS else 0
    assert_settled(world, database, quarantined=min(different, 1))


@pytest.mark.parametrize(
    "case", [case for case in callback_cases("payment_callback") if case.fault in _NOT_GENUINE], ids=str
)
def test_callback_that_is_not_genuine_changes_nothing(world: World, database: Database, case: Case) -> None:
    """Not a row is written for it, and the provider is told that it was refused."""
    world.sandbox.faults.add(case.fault, **case.rule)
    order_id = world.open_order()
    payment = world.start(order_id, case.provider, METHOD[case.provider])
    before = rows(database, NOTIFICATIONS), world.order(order_id), world.payment(payment)
    world.pay(payment)
    world.advance(9)

    assert [False] == [delivery["accepted"] for delivery in _spoilt(world, case)]
    assert before == (rows(database, NOTIFICATIONS), world.order(order_id), world.payment(payment))


@pytest.mark.parametrize("fault", [Fault.CALLBACK_BAD_SIGNATURE, Fault.CALLBACK_WRONG_KEY])
@pytest.mark.parametrize("provider", METHOD)
def test_forged_callback_for_a_payment_that_nobody_made_changes_nothing(
    world: World, database: Database, provider: str, fault: Fault
) -> None:
    """It says everything that a true one would say, and lacks only the provider's key."""
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    world.look(payment)
    before = rows(database, NOTIFICATIONS), world.order(order_id), world.payment(payment)
    code, answer = world.post(*forged_callback(world.sandbox, payment, fault))

    assert (code, b"success") != (200, answer) if provider == "alipay" else code == 401
    assert before == (rows(database, NOTIFICATIONS), world.order(order_id), world.payment(payment))
    world.advance(ORDER_TTL_SECONDS + _DAY)
    assert world.order(order_id).state is OrderState.CLOSED
    assert_settled(world, database)


@pytest.mark.parametrize("provider", METHOD)
def test_callback_of_another_amount_is_quarantined_and_the_true_amount_found_by_query(
    world: World, database: Database, provider: str
) -> None:
    """It is genuine and it contradicts us: kept for an operator, and money moves by what the query says."""
    world.sandbox.faults.add(Fault.CALLBACK_AMOUNT_DIFFERS, times=1)
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    world.pay(payment)
    world.advance(9)
    assert world.order(order_id).state is OrderState.OPEN
    assert [(NotificationState.QUARANTINED, "amount")] == [
        (row["state"], row["reason"]) for row in rows(database, NOTIFICATIONS) if row["source"] == "callback"
    ]
    assert "report_quarantined" in world.kinds(order_id)
    world.advance(_DAY)

    _assert_paid_once(world, order_id)
    assert_settled(world, database, quarantined=1)


@pytest.mark.parametrize("case", callback_cases("payment_callback", lastings=("once",)), ids=str)
def test_order_that_nobody_pays_is_closed_with_proof_whatever_would_happen_to_callbacks(
    world: World, database: Database, case: Case
) -> None:
    """The payer looks at the cashier and leaves; the order's life runs out."""
    world.sandbox.faults.add(case.fault, provider=case.provider, times=3)
    order_id = world.open_order()
    world.look(world.start(order_id, case.provider, METHOD[case.provider]))
    world.advance(ORDER_TTL_SECONDS + _DAY)

    assert world.order(order_id).state is OrderState.CLOSED
    assert [PaymentState.CLOSED] == [payment.state for payment in world.payments(order_id)]
    assert "payment_paid" not in world.kinds(order_id)
    different = len(_spoilt(world, case)) if case.fault is Fault.CALLBACK_AMOUNT_DIFFERS else 0
    assert_settled(world, database, quarantined=min(different, 1))
