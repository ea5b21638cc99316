"""Whatever happens to callbacks: the order is paid exactly once, and what is not genuine changes nothing."""

from collections.abc import Callable, Mapping
from unittest.mock import patch

import pytest

from gateway.domain.states import NotificationState, OrderState, PaymentState
from gateway.store.tables import NOTIFICATIONS
from sandbox.faults import Fault
from tests.journeys.accounts import ACCOUNT, ORDER_TTL_SECONDS, PUBLIC_URL
from tests.journeys.faulting import METHOD, Case, callback_cases
from tests.journeys.forging import Posting, forged_callback
from tests.journeys.settled import assert_settled, rows
from tests.journeys.world import World
from tests.support.databases import Database

_DAY = 86_400
_NOT_GENUINE = {
    Fault.CALLBACK_WRONG_KEY,
    Fault.CALLBACK_WRONG_SERIAL,
    Fault.CALLBACK_WRONG_OWNER,
    Fault.CALLBACK_BAD_SIGNATURE,
}
_FORGERIES = [
    (provider, fault)
    for provider in METHOD
    for fault in (Fault.CALLBACK_BAD_SIGNATURE, Fault.CALLBACK_WRONG_KEY, Fault.CALLBACK_WRONG_OWNER)
    if fault is not Fault.CALLBACK_WRONG_OWNER or provider == "unionpay"
]
_REFUSED = {"wechatpay": 401, "alipay": 200, "unionpay": 400, "bank_ccb": 400, "bank_abchina": 400, "bank_icbc": 400}
"""Alipay reads the body alone: `success` or not."""

_ADDRESSES = {provider: f"{provider}/{account}" for provider, account in ACCOUNT.items()}
_STRANGE_ADDRESSES = [
    (provider, address)
    for provider, own in _ADDRESSES.items()
    for address in (*_ADDRESSES.values(), f"{own}-else")
    if address != own
]


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
    "case",
    [
        case
        for case in callback_cases("payment_callback")
        # UnionPay sends again at once, and after a single fault that second notice is sound.
        if case.fault in _NOT_GENUINE and (case.provider, case.lasting) != ("unionpay", "once")
    ],
    ids=str,
)
def test_callback_that_is_not_genuine_changes_nothing(world: World, database: Database, case: Case) -> None:
    """Not a row is written for it, and the provider is told that it was refused."""
    world.sandbox.faults.add(case.fault, **case.rule)
    order_id = world.open_order()
    payment = world.start(order_id, case.provider, METHOD[case.provider])
    before = rows(database, NOTIFICATIONS), world.order(order_id), world.payment(payment)
    world.pay(payment)
    world.advance(9)

    assert {False} == {delivery["accepted"] for delivery in _spoilt(world, case)}
    assert before == (rows(database, NOTIFICATIONS), world.order(order_id), world.payment(payment))


@pytest.mark.parametrize(("provider", "fault"), _FORGERIES, ids=["-".join(forgery) for forgery in _FORGERIES])
def test_forged_callback_for_a_payment_that_nobody_made_changes_nothing(
    world: World, database: Database, provider: str, fault: Fault
) -> None:
    """It says everything that a true one would say, and lacks only the provider's key."""
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    world.look(payment)
    before = rows(database, NOTIFICATIONS), world.order(order_id), world.payment(payment)
    code, answer = world.post(*forged_callback(world.sandbox, payment, fault))

    assert _REFUSED[provider] == code
    assert answer != b"success"
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


@pytest.mark.parametrize(("provider", "at"), _STRANGE_ADDRESSES, ids=["-at-".join(pair) for pair in _STRANGE_ADDRESSES])
def test_genuine_callback_at_an_address_that_is_not_its_own_changes_nothing(
    make_world: Callable[..., World], database: Database, provider: str, at: str
) -> None:
    """Neither another provider nor another merchant's account takes it; at its own address it pays."""
    world = make_world(neighbours=True)
    order_id = world.open_order()
    payment = world.start(order_id, provider, METHOD[provider])
    posted: list[Posting] = []

    def post(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        posted.append((url, headers, body))
        return 503, b""

    courier = world.sandbox.simulators[provider]._world.courier
    with patch.object(courier, "_post", post):
        world.pay(payment)
        world.clock.advance(0)
    own, headers, body = posted[0]
    before = world.order(order_id), world.payment(payment)
    answered = world.post(f"{PUBLIC_URL}/callbacks/{at}", headers, body)

    assert not world.sandbox.simulators[at.split("/")[0]]._world.courier._accepts(*answered)
    assert before == (world.order(order_id), world.payment(payment))
    assert courier._accepts(*world.post(own, headers, body))
    _assert_paid_once(world, order_id)
