"""What only CCB does: notifies of many shapes, tries, records out of place, refunds that nobody tells of."""

import pytest

from gateway.domain.states import OrderState, PaymentState, RefundReason, RefundState
from gateway.store.tables import NOTIFICATIONS
from sandbox.bank_ccb.faults import BankCcbFault
from sandbox.faults import Fault
from sandbox.wire import PayRefused
from tests.journeys.accounts import ORDER_TTL_SECONDS
from tests.journeys.settled import assert_settled, rows
from tests.journeys.world import AMOUNT_FEN, Json, World
from tests.support.databases import Database

_HOUR = 3600
_DAY = 86_400
_PROVIDER = "bank_ccb"


def _started(world: World, method: str = "qr") -> tuple[str, Json]:
    order_id = world.open_order()
    return order_id, world.start(order_id, _PROVIDER, method)


def _paid(world: World) -> str:
    order_id, payment = _started(world)
    world.pay(payment)
    world.advance(20)
    assert world.order(order_id).state is OrderState.PAID
    return order_id


def _refunds(world: World, order_id: str) -> list[tuple[RefundReason, RefundState, int]]:
    return [(refund.reason, refund.state, refund.amount_fen) for refund in world.refunds(order_id)]


@pytest.mark.parametrize(
    ("fault", "event"),
    [
        (BankCcbFault.NOTIFY_OPTIONAL_FIELDS, "notify, signed canonical"),
        (BankCcbFault.NOTIFY_NEWER_FIELDS, "notify, signed as received"),
        (BankCcbFault.NOTIFY_OTHER_ORDER, "notify, signed canonical"),
        (BankCcbFault.NOTIFY_UPPERCASE_HEX, "notify, signed canonical"),
    ],
    ids=str,
)
def test_notify_of_any_shape_pays_the_order(world: World, database: Database, fault: BankCcbFault, event: str) -> None:
    """In the first second; and its recipe is on record."""
    world.sandbox.faults.add(fault, operation="payment_callback")
    order_id, payment = _started(world)
    world.pay(payment)
    world.advance(1)

    assert world.order(order_id).state is OrderState.PAID
    assert [event] == [row["event"] for row in rows(database, NOTIFICATIONS) if row["source"] == "callback"]
    assert_settled(world, database)


def test_page_notify_at_the_servers_address_changes_nothing_and_the_query_pays(
    world: World, database: Database
) -> None:
    """It came through the payer's browser: not a row is written for it."""
    world.sandbox.faults.add(BankCcbFault.NOTIFY_OF_PAGE, operation="payment_callback")
    order_id, payment = _started(world)
    world.pay(payment)
    world.advance(2)
    refused = [delivery["answered"] for delivery in world.deliveries(_PROVIDER)]
    assert ([400], OrderState.OPEN) == (refused, world.order(order_id).state)
    assert [] == [row for row in rows(database, NOTIFICATIONS) if row["source"] == "callback"]
    world.advance(_HOUR)

    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


@pytest.mark.parametrize("callback", ["callback_comes", "callback_never_comes"])
def test_failed_try_leaves_the_payment_open_for_a_good_one(world: World, database: Database, callback: str) -> None:
    """SUCCESS=N, or ORDER_STATUS 0, is a failed try and no failed payment."""
    if callback == "callback_never_comes":
        world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="payment_callback")
    world.sandbox.faults.add(BankCcbFault.TRY_FAILS, times=1)
    order_id, payment = _started(world)
    with pytest.raises(PayRefused):
        world.pay(payment)
    world.advance(300)
    assert (PaymentState.PENDING, OrderState.OPEN) == (world.payment(payment).state, world.order(order_id).state)
    world.pay(payment)
    world.advance(_HOUR)

    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


def test_failed_try_that_nobody_repeats_is_failed_when_its_time_is_over(world: World, database: Database) -> None:
    """By the query's proof; the order then closes."""
    world.sandbox.faults.add(BankCcbFault.TRY_FAILS, times=1)
    order_id, payment = _started(world)
    with pytest.raises(PayRefused):
        world.pay(payment)
    world.advance(ORDER_TTL_SECONDS + _DAY)

    assert (PaymentState.FAILED, OrderState.CLOSED) == (world.payment(payment).state, world.order(order_id).state)
    assert_settled(world, database)


@pytest.mark.parametrize("seconds", [600, ORDER_TTL_SECONDS + _HOUR, 2 * _DAY], ids=str)
def test_payment_that_waits_for_the_bank_is_counted_whenever_it_is_confirmed(
    world: World, database: Database, seconds: int
) -> None:
    """待银行确认 is neither paid nor failed, however long; a closing order waits for it."""
    world.sandbox.faults.add(BankCcbFault.WAITS_FOR_BANK, times=1, seconds=seconds)
    order_id, payment = _started(world)
    world.pay(payment)
    world.advance(seconds - 10)
    assert world.payment(payment).state is PaymentState.PENDING
    assert world.order(order_id).state is (OrderState.OPEN if seconds < ORDER_TTL_SECONDS else OrderState.CLOSING)
    world.advance(_DAY)

    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


@pytest.mark.parametrize("mixed_up", [False, True], ids=["sound", "mixed_up"])
def test_payment_is_found_whichever_day_it_is_asked_for(world: World, database: Database, mixed_up: bool) -> None:
    """Unsettled on its day, settled after it, or the other way round; the notify is lost."""
    world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="payment_callback")
    world.sandbox.faults.add(Fault.TIMEOUT_BEFORE_COMMIT, operation="query", for_seconds=_DAY)
    if mixed_up:
        world.sandbox.faults.add(BankCcbFault.KIND_MIXED_UP)
    order_id, payment = _started(world)
    world.pay(payment)
    world.advance(2 * _DAY)

    assert world.order(order_id).state is OrderState.PAID
    world.refund(order_id)
    world.advance(2 * _DAY)
    assert [(RefundReason.ASKED, RefundState.SUCCEEDED, AMOUNT_FEN)] == _refunds(world, order_id)
    assert_settled(world, database)


def test_late_payment_of_a_page_without_an_end_is_counted(world: World, database: Database) -> None:
    """An h5 order carries no TIMEOUT: its address still works when the order is long closed, and its premium unpaid."""
    order_id, payment = _started(world, "h5")
    world.look(payment)
    world.advance(ORDER_TTL_SECONDS + _DAY)
    assert world.order(order_id).state is OrderState.CLOSED
    world.pay(payment)
    world.advance(2 * _DAY)

    assert (PaymentState.PAID, OrderState.PAID) == (world.payment(payment).state, world.order(order_id).state)
    assert_settled(world, database)


def test_refused_refund_fails_by_a_code_that_is_configured(world: World, database: Database) -> None:
    """Believed only after the bank was asked for it and knew nothing; then it can be asked for anew."""
    order_id = _paid(world)
    world.sandbox.faults.add(BankCcbFault.REFUND_REFUSED, times=1)
    world.refund(order_id, 12_001)
    world.advance(_DAY)
    assert [(RefundReason.ASKED, RefundState.FAILED, 12_001)] == _refunds(world, order_id)
    world.refund(order_id, 12_001)
    world.advance(_DAY)

    assert world.order(order_id).amount_refunded_fen == 12_001
    assert_settled(world, database)


def test_whole_refund_is_proven_without_its_code(world: World, database: Database) -> None:
    """There can be but one."""
    order_id = _paid(world)
    world.sandbox.faults.add(BankCcbFault.REFUND_CODE_HIDDEN, operation="refund_query")
    world.refund(order_id)
    world.advance(_DAY)

    assert [(RefundReason.ASKED, RefundState.SUCCEEDED, AMOUNT_FEN)] == _refunds(world, order_id)
    assert_settled(world, database)


def test_part_refund_without_its_code_is_never_guessed_and_never_sent_twice(world: World, database: Database) -> None:
    """It stays unknown while the code is hidden, and is found when the bank shows it."""
    order_id = _paid(world)
    world.sandbox.faults.add(BankCcbFault.REFUND_CODE_HIDDEN, operation="refund_query", for_seconds=_DAY)
    world.refund(order_id, 12_001)
    world.advance(_DAY - _HOUR)
    assert [(RefundReason.ASKED, RefundState.UNKNOWN, 12_001)] == _refunds(world, order_id)
    assert 1 == len(world.sandbox.simulators[_PROVIDER].books()["refunds"])
    world.advance(_DAY)

    assert [(RefundReason.ASKED, RefundState.SUCCEEDED, 12_001)] == _refunds(world, order_id)
    assert_settled(world, database)
