"""A payment that was never started here enters by the one door, together with what proves it."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.domain.order import Order, Payment
from gateway.domain.report import ProviderReport, ReportedState, Source
from gateway.domain.states import NotificationState, OrderState, RefundReason
from gateway.services.born_paid import record_born_paid
from gateway.services.new_payment import unstarted_payment
from gateway.services.order_change import OrderChange
from gateway.services.record_report import Message, Recorded
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, World, subject


def _born(world: World, order: Order, **changes: Any) -> tuple[Recorded, Payment]:
    payment = unstarted_payment(world.deps, order, account="alpha_main", provider="alpha", method="native")
    members: dict[str, Any] = {
        "source": Source.CALLBACK,
        "out_trade_no": payment.out_trade_no,
        "state": ReportedState.PAID,
        "provider_status": "OK",
        "amount_fen": AMOUNT_FEN,
        "currency": "CNY",
    }
    message = Message(
        id=f"ntf_{world.ids.new()}",
        account="alpha_main",
        source=Source.CALLBACK,
        dedup_key=payment.out_trade_no,
        event="posted",
        received_at=world.clock.now(),
        body=b"raw",
    )

    def job(tx: Any) -> Recorded:
        now = tx.order(order.id) or order
        return record_born_paid(
            tx,
            world.deps,
            OrderChange(tx, world.deps, now, now=world.clock.now(), actor="provider:alpha_main"),
            payment,
            ProviderReport(**members | changes),
            message=message,
            actor="provider:alpha_main",
            slot_holder=tx.slot_holder(now.slot) if now.slot else None,
        )

    return world.store.run(job), payment


def test_payment_born_on_an_open_order_pays_it(world: World) -> None:
    """An order that another payment was started for: that one is shut."""
    order = world.open(subject=subject())
    started = world.start(order)
    recorded, payment = _born(world, order)
    world.work()

    assert recorded.state is NotificationState.APPLIED
    assert (world.order(order.id).state, world.order(order.id).payments) == (OrderState.PAID, 2)
    assert world.payment(payment.id).kept
    assert world.payment(started.id).state.value == "closed"
    assert_invariants(world.store)


def test_payment_born_on_a_paid_order_goes_back(world: World) -> None:
    """Money that has come is never refused; what is too much is refunded."""
    order, _ = world.paid()
    _, payment = _born(world, order)
    [refund] = world.refunds(order)

    assert (refund.payment_id, refund.reason) == (payment.id, RefundReason.SURPLUS)
    assert_invariants(world.store)


NO_PROOF: dict[str, dict[str, Any]] = {
    "pending": {"state": ReportedState.PENDING},
    "other_amount": {"amount_fen": AMOUNT_FEN + 1},
    "no_amount": {"amount_fen": None},
    "other_currency": {"currency": "USD"},
    "contradiction": {"contradictions": ("mchid",)},
}


@pytest.mark.parametrize("changes", NO_PROOF.values(), ids=NO_PROOF)
def test_payment_is_not_born_of_anything_but_its_proof(
    world: World, database: Database, changes: dict[str, Any]
) -> None:
    """A caller's mistake: it must not become a payment in quarantine that nobody started."""
    order = world.open()
    with pytest.raises(ValueError, match="proof of payment"):
        _born(world, order, **changes)

    assert database.rows("SELECT count(*) FROM payments") == [(0,)]
    assert replace(order) == world.order(order.id)
