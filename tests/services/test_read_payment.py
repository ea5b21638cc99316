"""Reading a payment, perhaps asking the provider first; and which account serves whom."""

from dataclasses import replace

import pytest

from gateway.domain.provider import NoVerdict
from gateway.domain.refusal import Refusal
from gateway.domain.states import PaymentState
from gateway.services.ask_provider import RefreshGate, read_payment
from gateway.services.choose_account import offered_methods
from gateway.services.views import read_order
from tests.support.invariants import assert_invariants
from tests.support.provider import FakeProvider
from tests.support.world import SETTINGS, World, account, subject


@pytest.fixture
def gate(world: World) -> RefreshGate:
    return RefreshGate(world.clock.now)


def test_refresh_of_an_open_payment_asks_the_provider(world: World, gate: RefreshGate) -> None:
    """The payer looks before the callback came."""
    payment = world.start(world.open())
    world.alpha.pay(payment.out_trade_no)
    view = read_payment(world.deps, gate, "wallet", payment.id, refresh=True)

    assert view.payment.state is PaymentState.PAID
    assert view.instruction is None
    assert_invariants(world.store)


def test_refresh_again_at_once_is_refused_with_a_time_to_wait(world: World, gate: RefreshGate) -> None:
    """Impatient pages do not become load; three seconds later it is asked again, another payment at once."""
    payment, other = world.start(world.open("C-1")), world.start(world.open("C-2"))
    read_payment(world.deps, gate, "wallet", payment.id, refresh=True)
    world.clock.advance(seconds=2.999999)
    with pytest.raises(Refusal) as caught:
        read_payment(world.deps, gate, "wallet", payment.id, refresh=True)
    read_payment(world.deps, gate, "wallet", other.id, refresh=True)
    world.clock.advance(seconds=0.000001)
    read_payment(world.deps, gate, "wallet", payment.id, refresh=True)

    assert (caught.value.code, caught.value.retry_after_seconds) == ("refresh_too_soon", 3)
    assert world.alpha.numbers("query") == [payment.out_trade_no, other.out_trade_no, payment.out_trade_no]


def test_refresh_without_an_answer_shows_the_payment_as_it_is(world: World, gate: RefreshGate) -> None:
    """Reading never fails for a silent provider."""
    payment = world.start(world.open())
    world.alpha.script("query", NoVerdict("time-out"))

    assert read_payment(world.deps, gate, "wallet", payment.id, refresh=True).payment == payment


def test_refresh_of_a_settled_payment_asks_nobody(world: World, gate: RefreshGate) -> None:
    """What is proven needs no question."""
    _, payment = world.paid()
    read_payment(world.deps, gate, "wallet", payment.id, refresh=True)

    assert world.alpha.count("query") == 0


def test_payment_of_another_app_is_not_found(world: World, gate: RefreshGate) -> None:
    """Also when it exists."""
    payment = world.start(world.open())
    with pytest.raises(Refusal) as caught:
        read_payment(world.deps, gate, "village", payment.id, refresh=True)

    assert caught.value.code == "not_found"
    assert world.alpha.count("query") == 0


def test_order_read_shows_payments_refunds_and_next_steps(world: World) -> None:
    """Oldest first; an instruction only while it can be used."""
    order = world.open()
    first, second = world.start(order), world.start(order, "beta")
    view = read_order(world.deps, "wallet", order.id)
    assert [shown.instruction["payload"] for shown in view.payments] == [
        {"text": f"qr:{payment.out_trade_no}"} for payment in (first, second)
    ]
    assert view.next_steps == ("start_payment", "close")
    world.pay(first)
    world.pay(second)
    view = read_order(world.deps, "wallet", order.id)

    assert [shown.instruction for shown in view.payments] == [None, None]
    assert [refund.payment_id for refund in view.refunds] == [second.id]
    assert view.next_steps == ("refund",)


def test_account_that_names_the_region_takes_precedence(world: World) -> None:
    """The general account serves only regions that no sister account of its provider names."""
    accounts = {
        "alpha_main": account("alpha_main", "alpha"),
        "alpha_hefei": account("alpha_hefei", "alpha", regions=frozenset({"340100"})),
    }
    deps = replace(
        world.deps,
        settings=replace(SETTINGS, accounts=accounts),
        providers={name: FakeProvider("alpha", world.clock) for name in accounts},
    )
    served = {
        region: offered_methods(deps, "wallet", region)["alpha.native"][0] for region in ("340100", "340200", None)
    }

    assert served == {"340100": "alpha_hefei", "340200": "alpha_main", None: "alpha_main"}


def test_app_that_may_use_some_methods_is_offered_those(world: World) -> None:
    """What an app is not allowed does not exist for it."""
    apps = {"wallet": replace(SETTINGS.apps["wallet"], methods=frozenset({"beta.native"}))}
    deps = replace(world.deps, settings=replace(SETTINGS, apps=apps))

    assert set(offered_methods(deps, "wallet", None)) == {"beta.native"}


def test_slot_and_names_of_an_order_do_not_show_in_its_repr(world: World) -> None:
    """A log of a row shows nobody."""
    order = world.open(subject=subject())
    payment = world.start(order, fields={"openid": "o-canary"})

    for text in ("测试参保人", "34010019000101001X", "o-canary"):
        assert text not in repr((order, payment, subject()))
