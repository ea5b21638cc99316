"""What a provider is told, on the first try and on every other."""

from dataclasses import replace

from gateway.domain.order import Order, Payment, PremiumSubject
from gateway.services.payment_request import payment_request, seal_fields
from gateway.services.views import premium_subject
from tests.support.desk import CHARGE, give_desk
from tests.support.world import World, subject

FIELDS = {"bind_id": "B1", "pay_auth_no": "AUTH1"}


def charged(world: World, premium: PremiumSubject | None = None) -> tuple[Order, Payment]:
    """An order and the row of its first payment, made by hand."""
    give_desk(world)
    order = world.open(subject=premium or subject())
    sealed = seal_fields(world.deps, CHARGE, FIELDS)
    payment = world.start(order, "beta")
    return order, replace(payment, account="alpha_main", provider="alpha", method="charge", fields_sealed=sealed)


def test_every_try_is_told_the_same(world: World) -> None:
    """Stored words and the authorisation that each try brings again: equal requests, equal values."""
    order, payment = charged(world)
    first = payment_request(world.deps, order, payment, FIELDS)
    second = payment_request(world.deps, order, payment, dict(FIELDS))

    assert first == second
    assert first.fields == FIELDS
    assert first.subject == subject()


def test_only_what_is_for_single_use_is_taken_from_a_later_try(world: World) -> None:
    """Everything else was decided by the first one, as the payer's address is."""
    order, payment = charged(world)
    brought = {"bind_id": "B2", "client_ip": "192.0.2.1", "pay_auth_no": "AUTH1"}

    assert payment_request(world.deps, order, payment, brought).fields == FIELDS


def test_premium_of_an_order_opens_as_it_was_sealed(world: World) -> None:
    """With both people, or with one; an ordinary charge has none."""
    insured = subject().insured
    both = PremiumSubject(
        region="340100", insured_year=2026, insurance_kind="resident_medical", insured=insured, payer=insured
    )

    assert premium_subject(world.deps, world.open("C-1", subject=both)) == both
    assert premium_subject(world.deps, world.open("C-2", subject=subject())) == subject()
    assert premium_subject(world.deps, world.open("C-3")) is None
