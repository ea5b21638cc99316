"""Brings a fresh world into a state, lets one event happen, and says in a few words what came of it."""

import contextlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select

from gateway.domain.order import Order, Payment, Refund
from gateway.domain.provider import NoVerdict, ProviderAnswer, ProviderUnavailable, RequestRefused
from gateway.domain.refusal import Refusal
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.states import OrderState, PaymentState, RefundState
from gateway.services.ask_provider import record_answer
from gateway.store.tables import NOTIFICATIONS
from tests.support.invariants import assert_invariants
from tests.support.provider import Trade
from tests.support.world import AMOUNT_FEN, World, subject

PART_FEN: Final = 100
_QUARANTINED: Final = select(NOTIFICATIONS.c.reason).where(NOTIFICATIONS.c.state == "quarantined")
_LIFE_AND_GRACE_SECONDS: Final = 7200 + 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """
    One kind of thing: its states, what can happen to it, and how both are brought about.

    Attributes:
        reach: By state's name, from a fresh world to the thing in that state.
        happen: By event's name, from the world and the thing to what came of it.
    """

    title: str
    says: str
    reach: Mapping[str, Callable[[World], Any]]
    happen: Mapping[str, Callable[[World, Any], str]]

    def cell(self, world: World, state: str, event: str) -> str:
        """What comes of an event in a state; the invariants hold afterwards."""
        thing = self.reach[state](world)
        outcome = self.happen[event](world, thing)
        assert_invariants(world.store)
        return outcome


def moved(before: str, after: str, word: str) -> str:
    """The move, or, where there was none, the word."""
    return f"→ {after}" if before != after else word


# --- payments ---------------------------------------------------------------------------------------------------------


def _payment(state: PaymentState) -> Callable[[World], Payment]:
    def reach(world: World) -> Payment:
        order = world.open()
        steps: dict[PaymentState, list[Any]] = {
            PaymentState.CREATED: [ProviderUnavailable("x")],
            PaymentState.UNKNOWN: [NoVerdict("x")],
            PaymentState.FAILED: [RequestRefused("x", code="NO")],
        }
        world.alpha.script("create", *steps.get(state, []))
        with contextlib.suppress(Refusal):  # provider_unavailable
            world.start_reply(order)
        payment = world.store.read().payments_of_order(order.id)[0]
        world.alpha.trades.setdefault(payment.out_trade_no, Trade(ReportedState.PENDING, AMOUNT_FEN, "T-1"))
        if state in (PaymentState.PAID, PaymentState.CLOSED):
            world.deliver(payment, world.alpha.callback(payment.out_trade_no, state=ReportedState(state.value)))
        return world.payment(payment.id)

    return reach


def _told(**said: Any) -> Callable[[World, Payment], str]:
    """A callback that says this."""

    def happen(world: World, payment: Payment) -> str:
        accepted = world.deliver(payment, world.alpha.callback(payment.out_trade_no, **said))
        after = world.payment(payment.id).state.value
        return moved(payment.state.value, after, message_word(world, accepted.outcome))

    return happen


def message_word(world: World, outcome: str) -> str:
    """What became of the only message that can have been quarantined."""
    if outcome != "quarantined":
        return outcome
    [(reason,)] = world.store.read().rows(_QUARANTINED)
    return f"quarantined: {reason}"


def _not_found_late(world: World, payment: Payment) -> str:
    world.clock.advance(seconds=_LIFE_AND_GRACE_SECONDS)
    report = ProviderReport(
        source=Source.QUERY, out_trade_no=payment.out_trade_no, state=ReportedState.NOT_FOUND, provider_status="NO"
    )
    record_answer(world.deps, "alpha_main", "query", ProviderAnswer(report=report, raw=b"{}"), actor="worker")
    return moved(payment.state.value, world.payment(payment.id).state.value, "nothing")


PAYMENTS: Final = Grid(
    title="Payments",
    says="What one report makes of the only payment of an open order.",
    reach={state.value: _payment(state) for state in PaymentState},
    happen={
        **{f"says {said.value}": _told(state=said) for said in ReportedState},
        "not found, 10 min after its last moment": _not_found_late,
        "paid, another amount": _told(state=ReportedState.PAID, amount_fen=AMOUNT_FEN - 1),
        "paid, no amount": _told(state=ReportedState.PAID, amount_fen=None),
        "paid, another currency": _told(state=ReportedState.PAID, currency="USD"),
        "paid, another number there": _told(state=ReportedState.PAID, provider_trade_no="T-other"),
        "paid, for another merchant": _told(state=ReportedState.PAID, contradictions=("mchid",)),
    },
)


# --- orders -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Charge:
    """An order and its payments: the first is open, or pays the order."""

    order: Order
    first: Payment
    second: Payment


def _order(state: OrderState, *, refunded: bool = False) -> Callable[[World], _Charge]:
    def reach(world: World) -> _Charge:
        order = world.open("C-1", subject=subject())
        first, second = world.start(order), world.start(order, "beta")
        if state is OrderState.PAID:
            world.pay(first)
        if state in (OrderState.CLOSING, OrderState.CLOSED):
            world.close(order)
        if state is OrderState.CLOSED:
            world.work()
        if refunded:
            _whole_refund(world, order)
        return _Charge(order=world.order(order.id), first=world.payment(first.id), second=world.payment(second.id))

    return reach


def _whole_refund(world: World, order: Order) -> None:
    refund = world.refund(world.order(order.id))
    world.work()
    world.alpha.refunds[refund.out_refund_no].state = ReportedRefundState.SUCCEEDED
    payment = world.payment(refund.payment_id)
    world.deliver(payment, world.alpha.refund_callback(refund.out_refund_no))


def _after(world: World, charge: _Charge, word: str = "nothing") -> str:
    order = world.order(charge.order.id)
    words = [moved(charge.order.state.value, order.state.value, word)]
    if order.paid_payment_id != charge.order.paid_payment_id:
        words.append("payment kept")
    known = {refund.id for refund in world.refunds(order) if refund.reason.value in ("surplus", "late")}
    words += [f"goes back as {refund.reason.value}" for refund in world.refunds(order) if refund.id in known]
    return ", ".join(words)


def _payment_paid(name: str) -> Callable[[World, _Charge], str]:
    def happen(world: World, charge: _Charge) -> str:
        payment: Payment = getattr(charge, name)
        provider = world.fake(payment)
        provider.trades[payment.out_trade_no].state = ReportedState.PAID
        world.deliver(payment, provider.callback(payment.out_trade_no))
        return _after(world, charge)

    return happen


def _another_order_pays(world: World, charge: _Charge) -> str:
    try:
        other = world.open("C-2", subject=subject())
        world.pay(world.start(other))
    except (Refusal, KeyError):
        return "refused: premium_already_paid"
    return _after(world, charge)


def _answer_code(body: bytes) -> str:
    members = json.loads(body)
    return f"refused: {members['code']}" if "code" in members else ""


def _asked_to_close(world: World, charge: _Charge) -> str:
    return _answer_code(world.close(charge.order).body) or _after(world, charge)


def _expires(world: World, charge: _Charge) -> str:
    world.clock.advance(seconds=7200)
    world.work()
    return _after(world, charge)


def _asked_to_start(world: World, charge: _Charge) -> str:
    return _answer_code(world.start_reply(charge.order).body) or "payment started"


def _asked_to_refund(world: World, charge: _Charge) -> str:
    return _answer_code(world.refund_reply(charge.order, PART_FEN, "R-9").body) or "refund requested"


ORDERS: Final = Grid(
    title="Orders",
    says=(
        "What happens to a premium order with two payments, the first of which paid it where it is paid. What the "
        "worker does at once is included; the provider closes what it is asked to."
    ),
    reach={
        **{state.value: _order(state) for state in OrderState},
        "paid, wholly refunded": _order(OrderState.PAID, refunded=True),
    },
    happen={
        "first payment paid": _payment_paid("first"),
        "second payment paid": _payment_paid("second"),
        "another order pays the premium": _another_order_pays,
        "app closes it": _asked_to_close,
        "its life ends": _expires,
        "app starts a payment": _asked_to_start,
        "app asks for a part back": _asked_to_refund,
    },
)


# --- refunds ----------------------------------------------------------------------------------------------------------


def _refund(state: RefundState) -> Callable[[World], Refund]:
    def reach(world: World) -> Refund:
        order, payment = world.paid()
        refund = world.refund(order, PART_FEN)
        if state is RefundState.REQUESTED:
            return refund
        if state is RefundState.FAILED:
            world.alpha.script("refund", RequestRefused("no", code="NO"))
        if state is RefundState.UNKNOWN:
            world.alpha.script("refund", NoVerdict("x"))
        world.work()
        if state in (RefundState.SUCCEEDED, RefundState.ABNORMAL):
            said = RefundReport(
                out_refund_no=refund.out_refund_no, state=ReportedRefundState(state.value), amount_fen=PART_FEN
            )
            world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=said))
        return world.refund_row(refund.id)

    return reach


def _refund_told(said: ReportedRefundState, amount_fen: int | None = PART_FEN) -> Callable[[World, Refund], str]:
    def happen(world: World, refund: Refund) -> str:
        payment = world.payment(refund.payment_id)
        report = RefundReport(out_refund_no=refund.out_refund_no, state=said, amount_fen=amount_fen)
        accepted = world.deliver(payment, world.alpha.callback(payment.out_trade_no, refund=report))
        after = world.refund_row(refund.id).state.value
        return moved(refund.state.value, after, message_word(world, accepted.outcome))

    return happen


REFUNDS: Final = Grid(
    title="Refunds",
    says="What one report makes of a part refund that the app asked for.",
    reach={state.value: _refund(state) for state in RefundState},
    happen={
        **{f"says {said.value}": _refund_told(said) for said in ReportedRefundState},
        "succeeded, another amount": _refund_told(ReportedRefundState.SUCCEEDED, PART_FEN + 1),
        "succeeded, no amount": _refund_told(ReportedRefundState.SUCCEEDED, None),
    },
)
