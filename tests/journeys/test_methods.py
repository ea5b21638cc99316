"""Every provider, every mode of its account, every method, no fault: paid once, and both sides' books agree."""

from collections.abc import Callable

import pytest

from gateway.domain.states import OrderState, PaymentState
from tests.journeys.accounts import (
    ALIPAY_MODES,
    BANK_ABCHINA_MODES,
    BANK_CCB_MODES,
    BANK_ICBC_MODES,
    UNIONPAY_MODES,
    WECHATPAY_MODES,
)
from tests.journeys.settled import assert_settled
from tests.journeys.world import AMOUNT_FEN, World
from tests.support.databases import Database

_METHODS = {
    "wechatpay": ("jsapi", "mini_program", "h5", "native", "app"),
    "alipay": ("jsapi", "wap", "page", "app", "qr"),
    "unionpay": ("wap", "pc", "app", "qr"),
    "bank_icbc": ("showpay",),
    "bank_ccb": ("h5", "app", "qr"),
    "bank_abchina": ("h5", "pc"),
}
_MODES = {
    "wechatpay": WECHATPAY_MODES,
    "alipay": ALIPAY_MODES,
    "unionpay": UNIONPAY_MODES,
    "bank_ccb": BANK_CCB_MODES,
    "bank_abchina": BANK_ABCHINA_MODES,
    "bank_icbc": BANK_ICBC_MODES,
}
CASES = [
    (provider, mode, method) for provider, modes in _MODES.items() for mode in modes for method in _METHODS[provider]
]


@pytest.mark.parametrize(("provider", "mode", "method"), CASES, ids=["-".join(case) for case in CASES])
def test_payment_without_fault_is_paid_once(
    make_world: Callable[..., World], database: Database, provider: str, mode: str, method: str
) -> None:
    """The callback of the first second pays the order; the next day changes nothing."""
    world = make_world(**{provider: mode})
    order_id = world.open_order()
    payment = world.start(order_id, provider, method)
    world.advance(3)
    world.pay(payment)
    world.advance(1)

    assert world.order(order_id).state is OrderState.PAID
    assert world.payment(payment).state is PaymentState.PAID
    assert [(1, True)] == [(delivery["attempt"], delivery["accepted"]) for delivery in world.deliveries(provider)]
    world.advance(86_400)
    assert world.order(order_id).amount_paid_fen == AMOUNT_FEN
    assert_settled(world, database)


def test_every_method_of_every_provider_is_walked(world: World) -> None:
    """A method added to an adapter must be added here."""
    offered = {provider.name: set(provider.methods) for provider in world.gateway.providers.values()}

    assert offered == {provider: set(methods) for provider, methods in _METHODS.items()}
