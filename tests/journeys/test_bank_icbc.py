"""What only ICBC does to us: codes that leave the outcome in doubt, second tries, signed paths, signed answers."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from unittest.mock import patch

import pytest

from gateway.domain.states import OrderState, PaymentState, RefundReason, RefundState
from sandbox.bank_icbc import BankIcbcSimulator
from sandbox.bank_icbc.faults import IcbcFault
from sandbox.keyring import Keyring
from sandbox.wire import PayRefused
from tests.journeys.accounts import ORDER_TTL_SECONDS, PUBLIC_URL, settings_for
from tests.journeys.settled import assert_settled
from tests.journeys.world import World
from tests.support.databases import Database

_PROVIDER = "bank_icbc"
_HOUR = 3600
_DAY = 86_400
_PREFIX = "/jf"
_IN_DOUBT = (IcbcFault.NEGATIVE_CODE_BEFORE_COMMIT, IcbcFault.NEGATIVE_CODE_AFTER_COMMIT)


def _start(world: World) -> tuple[str, Mapping[str, str]]:
    order_id = world.open_order()
    return order_id, world.start(order_id, _PROVIDER, "showpay")


@pytest.mark.parametrize("lasting", [{"times": 1}, {"for_seconds": 1800}], ids=["once", "half_an_hour"])
@pytest.mark.parametrize("operation", ["refund", "refund_query"])
@pytest.mark.parametrize("fault", _IN_DOUBT)
def test_refund_whose_outcome_is_in_doubt_is_made_once(
    world: World, database: Database, fault: IcbcFault, operation: str, lasting: dict[str, Any]
) -> None:
    """A negative code may come before or after the money went: the same number again, and a question first."""
    order_id, payment = _start(world)
    world.pay(payment)
    world.advance(20)
    world.sandbox.faults.add(fault, operation=operation, **lasting)
    world.refund(order_id, 12_001)
    world.advance(2 * _DAY)

    assert [(RefundReason.ASKED, RefundState.SUCCEEDED, 12_001)] == [
        (refund.reason, refund.state, refund.amount_fen) for refund in world.refunds(order_id)
    ]
    assert_settled(world, database)


@pytest.mark.parametrize("fault", _IN_DOUBT)
def test_query_whose_outcome_is_in_doubt_concludes_nothing(world: World, database: Database, fault: IcbcFault) -> None:
    """The callback is lost, and for half an hour every question gets a negative code."""
    world.sandbox.faults.add("callback_never", operation="payment_callback")
    world.sandbox.faults.add(fault, operation="query", for_seconds=1800)
    order_id, payment = _start(world)
    world.pay(payment)
    world.advance(1700)
    assert world.order(order_id).state is not OrderState.PAID
    world.advance(_HOUR)

    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


def test_failed_try_can_be_followed_by_a_good_one(world: World, database: Database) -> None:
    """pay_status 1 is believed only when nobody can pay any more."""
    world.sandbox.faults.add(IcbcFault.PAYMENT_DECLINED, times=1)
    world.sandbox.faults.add("callback_never", operation="payment_callback")
    order_id, payment = _start(world)
    with pytest.raises(PayRefused):
        world.pay(payment)
    world.advance(300)
    assert world.payments(order_id)[0].state is PaymentState.PENDING
    world.pay(payment)
    world.advance(_HOUR)

    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


def test_failed_try_without_another_ends_the_payment(world: World, database: Database) -> None:
    """Twice the cashier's time and ten minutes later the bank's word counts."""
    world.sandbox.faults.add(IcbcFault.PAYMENT_DECLINED, times=1)
    order_id, payment = _start(world)
    with pytest.raises(PayRefused):
        world.pay(payment)
    world.advance(ORDER_TTL_SECONDS + 3 * _HOUR)

    assert [PaymentState.FAILED] == [one.state for one in world.payments(order_id)]
    assert world.order(order_id).state is OrderState.CLOSED
    assert_settled(world, database)


def test_refund_that_fails_at_the_bank_fails_here(world: World, database: Database) -> None:
    """Its money stays, and can be sent back by another refund."""
    order_id, payment = _start(world)
    world.pay(payment)
    world.advance(20)
    world.sandbox.faults.add(IcbcFault.REFUND_FAILED, times=1)
    world.refund(order_id, 12_001)
    world.advance(_DAY)
    world.refund(order_id, 38_001)
    world.advance(_DAY)

    assert {(RefundState.FAILED, 12_001), (RefundState.SUCCEEDED, 38_001)} == {
        (refund.state, refund.amount_fen) for refund in world.refunds(order_id)
    }
    assert world.order(order_id).amount_refunded_fen == 38_001


def test_notify_signed_over_another_path_is_refused_and_the_query_pays(world: World, database: Database) -> None:
    """The bank's constant where our own path was configured: nothing is believed, nothing is lost."""
    world.sandbox.faults.add(IcbcFault.CALLBACK_OTHER_PATH)
    order_id, payment = _start(world)
    world.pay(payment)
    world.advance(2 * _HOUR)

    assert {400} == {delivery["answered"] for delivery in world.deliveries(_PROVIDER)}
    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


class _BehindProxy(World):
    """Before the gateway stands a proxy that cuts the first part of the path."""

    def post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        assert url.startswith(f"{PUBLIC_URL}{_PREFIX}/")
        return super().post(url.replace(_PREFIX, "", 1), headers, body)


def _behind_proxy(ring: Keyring, url: str, **values: str) -> World:
    settings = settings_for(ring, url)
    account = settings.accounts["icbc"]
    return _BehindProxy(
        ring,
        replace(
            settings,
            public_base_url=f"{PUBLIC_URL}{_PREFIX}",
            accounts={"icbc": replace(account, values={**account.values, **values})},
        ),
    )


@pytest.mark.usefixtures("make_world")
def test_notify_through_a_proxy_that_cuts_the_prefix_is_proven(ring: Keyring, database: Database) -> None:
    """The bank signs the path that it was given; notify_sign_path says which."""
    world = _behind_proxy(ring, database.url, notify_sign_path=f"{_PREFIX}/callbacks/bank_icbc/icbc")
    order_id, payment = _start(world)
    world.pay(payment)
    world.advance(1)

    assert world.order(order_id).state is OrderState.PAID
    assert [(200, True)] == [(one["answered"], one["accepted"]) for one in world.deliveries(_PROVIDER)]
    world.end()


@pytest.mark.usefixtures("make_world")
def test_payment_behind_such_a_proxy_does_not_begin_without_the_path(ring: Keyring, database: Database) -> None:
    """No notify could ever be proven: an operator must act, before anybody pays."""
    world = _behind_proxy(ring, database.url)
    answer = world.try_start(world.open_order(), _PROVIDER, "showpay")

    assert (422, "provider_refused") == (answer.status, answer.body["code"])
    world.end()


def test_answer_that_the_bank_cannot_verify_is_asked_for_again(
    make_world: Callable[..., World], database: Database
) -> None:
    """The app is registered with another sign_type than we sign with: the order is paid, the bank goes on."""
    world = make_world()
    order_id, payment = _start(world)
    with patch.object(world.sandbox.of(BankIcbcSimulator)._world.courier, "_accepts", lambda _code, _body: False):
        world.pay(payment)
        world.advance(_DAY)

    assert world.order(order_id).state is OrderState.PAID
    assert len(world.deliveries(_PROVIDER)) > 1
    assert {200} == {one["answered"] for one in world.deliveries(_PROVIDER)}
    assert_settled(world, database)
