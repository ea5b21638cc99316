"""What only the Agricultural Bank does: answers nobody signed, messages in GBK, refunds that fail after acceptance."""

import pytest

from gateway.domain.states import OrderState, PaymentState, RefundState
from sandbox.bank_abchina.faults import BankAbchinaFault
from sandbox.faults import Fault
from tests.journeys.settled import assert_settled
from tests.journeys.world import AMOUNT_FEN, World
from tests.support.databases import Database

_DAY = 86_400
_BANK = "bank_abchina"
_ODD_ANSWERS = (BankAbchinaFault.ANSWER_UNSIGNED, BankAbchinaFault.ANSWER_PREAMBLE, Fault.ANSWER_BAD_SIGNATURE)
_ODD_NOTICES = (
    BankAbchinaFault.CALLBACK_OUTSIDE_GB2312,
    BankAbchinaFault.CALLBACK_SIGNED_AS_GBK,
    BankAbchinaFault.CALLBACK_BLANK_FOR_PLUS,
)


@pytest.mark.parametrize("fault", _ODD_ANSWERS)
@pytest.mark.parametrize("operation", ["create", "query"])
def test_order_is_paid_once_when_answers_are_odd(
    world: World, database: Database, operation: str, fault: Fault | BankAbchinaFault
) -> None:
    """EUNKWN without a signature is believed neither way; text before the answer does no harm."""
    world.watch_invariants()
    world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="payment_callback")
    world.sandbox.faults.add(fault, provider=_BANK, operation=operation, times=4)
    order_id = world.open_order()
    payment = world.start(order_id, _BANK, "h5")
    world.pay(payment)
    world.advance(_DAY)

    assert world.order(order_id).state is OrderState.PAID
    assert [PaymentState.PAID] == [one.state for one in world.payments(order_id)]
    assert_settled(world, database)


@pytest.mark.parametrize("fault", _ODD_ANSWERS)
@pytest.mark.parametrize("operation", ["refund", "refund_query"])
def test_refund_is_made_once_when_answers_are_odd(
    world: World, database: Database, operation: str, fault: Fault | BankAbchinaFault
) -> None:
    """The same NewOrderNo, asked about before it is sent again."""
    world.sandbox.faults.add(fault, provider=_BANK, operation=operation, times=4)
    order_id = world.open_order()
    world.pay(world.start(order_id, _BANK, "h5"))
    world.advance(5)
    world.refund(order_id, 12_001)
    world.advance(_DAY)

    assert [(RefundState.SUCCEEDED, 12_001)] == [(one.state, one.amount_fen) for one in world.refunds(order_id)]
    assert_settled(world, database)


@pytest.mark.parametrize("fault", _ODD_NOTICES)
def test_notice_in_the_banks_own_ways_pays_the_order(world: World, database: Database, fault: BankAbchinaFault) -> None:
    """The first delivery is understood; nobody has to ask."""
    world.sandbox.faults.add(fault, provider=_BANK)
    order_id = world.open_order()
    world.pay(world.start(order_id, _BANK, "pc"))
    world.advance(1)

    assert world.order(order_id).state is OrderState.PAID
    assert [(1, True)] == [(delivery["attempt"], delivery["accepted"]) for delivery in world.deliveries(_BANK)]
    world.advance(_DAY)
    assert_settled(world, database)


def test_refund_accepted_then_failed_has_failed_and_can_be_asked_for_again(world: World, database: Database) -> None:
    """0000 was acceptance; the money never moved, and a new refund takes it back."""
    world.sandbox.faults.add(BankAbchinaFault.REFUND_FAILED_LATER, provider=_BANK, times=1)
    order_id = world.open_order()
    world.pay(world.start(order_id, _BANK, "h5"))
    world.advance(5)
    world.refund(order_id)
    world.advance(_DAY)
    assert [RefundState.FAILED] == [one.state for one in world.refunds(order_id)]
    world.refund(order_id)
    world.advance(_DAY)

    assert [RefundState.FAILED, RefundState.SUCCEEDED] == [one.state for one in world.refunds(order_id)]
    assert world.order(order_id).amount_refunded_fen == AMOUNT_FEN
    assert_settled(world, database)
