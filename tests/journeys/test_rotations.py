"""Keys change in the middle of a journey: no payment is lost by it, and no callback where the rules allow that."""

from collections.abc import Callable

import pytest

from gateway.domain.states import OrderState
from tests.journeys.accounts import PUBLIC_URL
from tests.journeys.faulting import CHANGING_KEYS, METHOD, Case, request_cases
from tests.journeys.settled import assert_settled
from tests.journeys.world import World
from tests.support.databases import Database

_HOUR = 3600
_DAY = 86_400


@pytest.mark.parametrize("mode", ["direct-certificate", "direct-downloaded", "partner-certificate"])
def test_wechatpay_certificate_rotation_loses_no_callback(
    make_world: Callable[..., World], database: Database, mode: str
) -> None:
    """A callback by the new certificate makes us fetch it; callbacks after that need no call at all."""
    world = make_world(wechatpay=mode)
    for turn in range(3):
        order_ids = [world.open_order() for _ in range(2)]
        payments = [world.start(order_id, "wechatpay", "native") for order_id in order_ids]
        world.advance(60)  # at most one download a minute, and starting may have needed one
        world.sandbox.simulators["wechatpay"].rotate_certificate()
        for payment in payments:
            world.pay(payment)
        world.advance(1)
        assert [OrderState.PAID] * 2 == [world.order(order_id).state for order_id in order_ids]
        world.advance(100)
        assert world.asked("wechatpay", "/v3/certificates") == turn + 1 + (mode == "direct-downloaded")

    assert all(delivery["accepted"] for delivery in world.deliveries("wechatpay"))
    world.advance(_DAY)
    assert_settled(world, database)


def test_wechatpay_callback_by_the_old_certificate_is_accepted_after_the_rotation(
    make_world: Callable[..., World], database: Database
) -> None:
    """Both certificates live side by side: a callback that was delayed over the change still verifies."""
    world = make_world(wechatpay="direct-certificate")
    old, new = world.open_order(), world.open_order()
    payments = [world.start(order_id, "wechatpay", "native") for order_id in (old, new)]
    world.pay(payments[0])
    world.advance(1)
    world.sandbox.simulators["wechatpay"].rotate_certificate()
    world.pay(payments[1])
    world.advance(1)
    world.restart()
    world.advance(_DAY)

    assert [True, True] == [delivery["accepted"] for delivery in world.deliveries("wechatpay")]
    assert [OrderState.PAID] * 2 == [world.order(order_id).state for order_id in (old, new)]
    assert_settled(world, database)


@pytest.mark.parametrize(
    "case",
    [case for case in request_cases("certificates") if case.provider == "wechatpay"],
    ids=str,
)
def test_wechatpay_rotation_while_the_download_fails_loses_no_payment(
    make_world: Callable[..., World], database: Database, case: Case
) -> None:
    """The callback is refused, comes again by WeChat's schedule, and is accepted when the new key could be had."""
    world = make_world(wechatpay="direct-certificate")
    order_id = world.open_order()
    payment = world.start(order_id, "wechatpay", "native")
    world.network.loss = case.loss
    world.sandbox.faults.add(case.fault, **case.rule)
    world.sandbox.simulators["wechatpay"].rotate_certificate()
    world.pay(payment)
    world.advance(_DAY + _HOUR)

    assert world.order(order_id).state is OrderState.PAID
    accepted = [delivery["accepted"] for delivery in world.deliveries("wechatpay")]
    assert [False, True] == [accepted[0], accepted[-1]]
    assert_settled(world, database)


@pytest.mark.parametrize(("serials", "downloads"), [("ABCDEF0123", 1), ("GHIJKL-_.!", 0)], ids=["hex", "other"])
def test_wechatpay_made_up_serials_cost_one_download_a_minute_at_most(
    make_world: Callable[..., World], database: Database, serials: str, downloads: int
) -> None:
    """Anybody can make up a serial; it is not a lever to make us call."""
    world = make_world(wechatpay="direct-certificate")
    for letter in serials:
        headers = {
            "Content-Type": "application/json",
            "Wechatpay-Serial": letter * 40,
            "Wechatpay-Signature": "AAAA",
            "Wechatpay-Timestamp": str(int(world.clock.now().timestamp())),
            "Wechatpay-Nonce": "n" * 32,
        }
        assert world.post(f"{PUBLIC_URL}/callbacks/wechatpay/wx", headers, b"{}")[0] == 401
        world.advance(5)

    assert world.asked("wechatpay", "/v3/certificates") == downloads
    assert_settled(world, database)


def test_wechatpay_public_key_mode_does_not_notice_a_certificate_rotation(world: World, database: Database) -> None:
    """Nor does it ever ask for certificates."""
    payment = world.start(world.open_order(), "wechatpay", "native")
    world.sandbox.simulators["wechatpay"].rotate_certificate()
    world.pay(payment)
    world.advance(_DAY)

    assert [True] == [delivery["accepted"] for delivery in world.deliveries("wechatpay")]
    assert world.asked("wechatpay", "/v3/certificates") == 0
    assert_settled(world, database)


@pytest.mark.parametrize("query", ["callbacks_first", "worker_first"])
def test_alipay_certificate_rotation_loses_no_payment(
    make_world: Callable[..., World], database: Database, query: str
) -> None:
    """
    A notice does not name its certificate, and never makes us call: it is refused until an answer has named the new
    one, and by then the query has paid the order.
    """
    world = make_world(alipay="certificate")
    world.worker_first = query == "worker_first"
    order_id = world.open_order()
    payment = world.start(order_id, "alipay", "qr")
    world.sandbox.simulators["alipay"].rotate_certificate()
    world.pay(payment)
    world.advance(60)
    assert world.order(order_id).state is OrderState.PAID
    assert world.asked("alipay", "alipaycert.download") == 1
    world.advance(_DAY + _HOUR)

    assert world.deliveries("alipay")[-1]["accepted"]
    assert_settled(world, database)


def test_alipay_payments_after_a_rotation_verify_without_another_download(
    make_world: Callable[..., World], database: Database
) -> None:
    """The new certificate was fetched once, by its own answer."""
    world = make_world(alipay="certificate")
    world.sandbox.simulators["alipay"].rotate_certificate()
    for _ in range(3):
        world.pay(world.start(world.open_order(), "alipay", "qr"))
        world.advance(1)

    assert world.asked("alipay", "alipaycert.download") == 1
    assert [True] * 3 == [delivery["accepted"] for delivery in world.deliveries("alipay")]
    world.advance(_DAY)
    assert_settled(world, database)


@pytest.mark.parametrize(
    "case",
    [case for case in request_cases("certificates") if case.provider == "alipay"],
    ids=str,
)
def test_alipay_rotation_while_the_download_fails_loses_no_payment(
    make_world: Callable[..., World], database: Database, case: Case
) -> None:
    """Until the new certificate is had nothing verifies, and nothing is concluded; then the order is paid."""
    world = make_world(alipay="certificate")
    order_id = world.open_order()
    payment = world.start(order_id, "alipay", "qr")
    world.network.loss = case.loss
    world.sandbox.faults.add(case.fault, **case.rule)
    world.sandbox.simulators["alipay"].rotate_certificate()
    world.pay(payment)
    world.advance(_DAY + _HOUR)

    assert world.order(order_id).state is OrderState.PAID
    assert_settled(world, database)


@pytest.mark.parametrize("provider", CHANGING_KEYS)
def test_rotation_between_payment_and_refund_loses_no_refund(
    make_world: Callable[..., World], database: Database, provider: str
) -> None:
    """The refund's answer and callback come by the new certificate."""
    world = make_world(wechatpay="direct-certificate", alipay="certificate")
    order_id = world.open_order()
    world.pay(world.start(order_id, provider, METHOD[provider]))
    world.advance(100)
    world.sandbox.simulators[provider].rotate_certificate()
    world.refund(order_id)
    world.advance(_DAY)

    assert world.order(order_id).amount_refunded_fen == 38001
    assert_settled(world, database)
