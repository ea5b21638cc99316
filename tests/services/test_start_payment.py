"""Starting a payment, whatever the provider answers."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event, Lock
from typing import Any

import pytest

from gateway.domain.order import TaskKind, TaskState
from gateway.domain.provider import AccountMisconfigured, NoVerdict, ProviderUnavailable, RequestRefused
from gateway.domain.refusal import Refusal
from gateway.domain.report import ReportedState
from gateway.domain.states import OrderState, PaymentState
from gateway.services.idempotent import LEASE
from gateway.services.start_payment import PAYMENTS_MAX
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import World, subject


def _code(reply: Any) -> str:
    return str(json.loads(reply.body)["code"])


def test_payment_that_the_provider_accepts_gives_an_instruction(world: World) -> None:
    """Pending, with what the front end needs, and a first look ten seconds ahead."""
    order = world.open()
    reply = world.start_reply(order)
    payment = world.payment(json.loads(reply.body)["id"])

    assert reply.status == 201
    assert json.loads(reply.body)["instruction"]["payload"] == {"text": f"qr:{payment.out_trade_no}"}
    assert payment.state is PaymentState.PENDING
    assert payment.id == f"pay_{payment.out_trade_no}"
    task = world.task(TaskKind.QUERY, payment.id)
    assert (task.state, task.due_at) == (TaskState.DUE, payment.created_at + timedelta(seconds=10))
    assert_invariants(world.store)


def test_request_to_the_provider_holds_the_stored_values(world: World) -> None:
    """Amount, number, last moment and address of callbacks are the order's and the account's own."""
    order = world.open()
    payment = world.start(order, fields={"openid": "o-1"})
    request = world.alpha.requests[0]

    assert (request.amount_fen, request.out_trade_no, request.expires_at, request.fields) == (
        order.amount_fen,
        payment.out_trade_no,
        order.expires_at,
        {"openid": "o-1"},
    )
    assert request.notify_url == "https://pay.example.test/callbacks/alpha/alpha_main"


def test_payment_without_verdict_is_unknown_and_resumes_under_its_number(world: World) -> None:
    """N19: a time-out after sending is unknown, never declined; the same request goes on with the same number."""
    order, request = world.open(), world.request()
    world.alpha.script("create", NoVerdict("read time-out", code="TIMEOUT"))
    reply = world.start_reply(order, request=request)
    payment = world.payment(json.loads(reply.body)["id"])
    assert (reply.status, payment.state) == (202, PaymentState.UNKNOWN)
    assert world.store.read().notification(payment.evidence_id).source == "answer"
    assert_invariants(world.store)
    again = world.start_reply(order, request=request)

    assert (again.status, again.replayed) == (201, False)
    assert world.payment(payment.id).state is PaymentState.PENDING
    assert world.alpha.numbers("create") == [payment.out_trade_no] * 2
    assert world.start_reply(order, request=request).body == again.body
    assert_invariants(world.store)


def test_payment_without_verdict_that_was_paid_is_found_by_the_query(world: World) -> None:
    """The accepted payment of an answer that never came is not lost."""
    order = world.open()

    def accept_then_break(_request: Any) -> None:
        world.alpha.script("create", None)
        world.alpha.create(world.alpha.requests[-1])
        raise NoVerdict("reset")

    world.alpha.script("create", accept_then_break)
    payment = world.start(order)
    world.alpha.pay(payment.out_trade_no)
    world.clock.advance(seconds=10)
    world.work()

    assert world.order(order.id).state is OrderState.PAID
    assert_invariants(world.store)


def test_provider_that_cannot_be_reached_leaves_nothing_accepted(world: World) -> None:
    """503 and a payment that is merely on record: not failed, not unknown."""
    order, request = world.open(), world.request()
    world.alpha.script("create", ProviderUnavailable("no route"))
    with pytest.raises(Refusal) as caught:
        world.start_reply(order, request=request)
    payment = world.payment(caught.value.extra["payment_id"])

    assert (caught.value.code, caught.value.retry_after_seconds) == ("provider_unavailable", 5)
    assert (payment.state, payment.evidence_id) == (PaymentState.CREATED, None)
    assert_invariants(world.store)


@pytest.mark.parametrize("error", [RequestRefused, AccountMisconfigured], ids=["request", "account"])
def test_payment_that_the_provider_refuses_has_failed_with_evidence(world: World, error: type[RequestRefused]) -> None:
    """Failed for good, with the provider's code as evidence; another one can be started."""
    order, request = world.open(), world.request()
    world.alpha.script("create", error("no", code="PARAM_ERROR", trace_id="t-1"))
    reply = world.start_reply(order, request=request)
    payment = world.payment(json.loads(reply.body)["payment_id"])

    assert _code(reply) == "provider_refused"
    assert payment.state is PaymentState.FAILED
    evidence = world.store.read().notification(payment.evidence_id)
    assert json.loads(world.vault.unseal(evidence.body_sealed, "notification"))["code"] == "PARAM_ERROR"
    assert world.start_reply(order, request=request).body == reply.body
    assert world.start(order, "beta").state is PaymentState.PENDING
    assert_invariants(world.store)


RESUMED: dict[str, tuple[Any, PaymentState]] = {
    "never_arrived": (None, PaymentState.FAILED),
    "accepted": (ReportedState.PENDING, PaymentState.PENDING),
    "already_paid": (ReportedState.PAID, PaymentState.PAID),
    "no_answer": (NoVerdict("time-out"), PaymentState.UNKNOWN),
    "not_reached": (ProviderUnavailable("no route"), PaymentState.UNKNOWN),
}


@pytest.mark.parametrize("name", RESUMED)
def test_refusal_of_a_resumed_payment_is_believed_only_when_the_provider_does_not_know_it(
    world: World, name: str
) -> None:
    """N12, item 9: the refusal may be of the repetition ('number used'); unknown fails by evidence alone."""
    trade, expected = RESUMED[name]
    order, request = world.open(), world.request()

    def first(asked: Any) -> None:
        if isinstance(trade, ReportedState):
            world.alpha.create(asked)
            world.alpha.trades[asked.out_trade_no].state = trade
        raise NoVerdict("time-out")

    world.alpha.script("create", first)
    world.alpha.always("create", None)
    payment = world.payment(json.loads(world.start_reply(order, request=request).body)["id"])
    if isinstance(trade, Exception):
        world.alpha.script("query", trade)
    world.alpha.script("create", RequestRefused("number used", code="OUT_TRADE_NO_USED"))
    world.start_reply(order, request=request)

    assert world.payment(payment.id).state is expected
    assert world.alpha.count("query") == 1
    assert_invariants(world.store)


def test_resume_after_the_order_was_paid_another_way_opens_no_second_cashier(world: World) -> None:
    """The order is paid by beta meanwhile: the resumed alpha payment must not become payable."""
    order, request = world.open(), world.request()
    world.alpha.script("create", ProviderUnavailable("no route"))
    with pytest.raises(Refusal):
        world.start_reply(order, request=request)
    world.pay(world.start(order, "beta"))
    reply = world.start_reply(order, request=request)

    assert _code(reply) == "order_already_paid"
    assert world.alpha.count("create") == 1
    assert world.start_reply(order, request=request).replayed
    assert_invariants(world.store)


@pytest.mark.parametrize("name", ["expired", "closing", "premium_paid_elsewhere"])
def test_resume_of_an_order_that_is_no_longer_payable_is_turned_down(world: World, name: str) -> None:
    """The rules of a first try hold for a resume, too."""
    order, request = world.open(subject=subject()), world.request()
    rival = world.open("C-2", subject=subject())
    world.alpha.script("create", ProviderUnavailable("no route"))
    with pytest.raises(Refusal):
        world.start_reply(order, request=request)
    if name == "expired":
        world.clock.advance(seconds=7200)
    elif name == "closing":
        world.close(order)
    else:
        world.pay(world.start(rival, "beta"))
    reply = world.start_reply(order, request=request)

    codes = {"expired": "order_expired", "closing": "order_closed", "premium_paid_elsewhere": "premium_already_paid"}
    assert _code(reply) == codes[name]
    assert world.alpha.count("create") == 1


def test_callback_faster_than_the_answer_wins(world: World) -> None:
    """Paid before `create` returned: the reply says paid and sends nobody to a cashier."""
    order = world.open()

    def pay_at_once(request: Any) -> Any:
        world.alpha.script("create", None)
        answer = world.alpha.create(request)
        payment = world.store.read().payments_of_order(order.id)[0]
        assert world.pay(payment).outcome == "applied"
        return answer

    world.alpha.script("create", pay_at_once)
    reply = world.start_reply(order)

    assert json.loads(reply.body)["state"] == "paid"
    assert json.loads(reply.body)["instruction"] is None
    assert world.order(order.id).state is OrderState.PAID
    assert_invariants(world.store)


def test_refusal_after_the_request_was_taken_over_is_not_believed(world: World) -> None:
    """Whoever stood still before the call hears of a number that was used: by the one who took the request over."""
    order, request = world.open(), world.request()

    def late(_asked: Any) -> None:
        world.clock.advance(seconds=LEASE.total_seconds())
        world.start_reply(order, request=request)
        raise RequestRefused("number used", code="OUT_TRADE_NO_USED")

    world.alpha.script("create", late)
    world.start_reply(order, request=request)

    (payment,) = world.store.read().payments_of_order(order.id)
    assert payment.state is PaymentState.PENDING
    assert world.task(TaskKind.QUERY, payment.id).state == "due"
    assert_invariants(world.store)


def test_request_that_was_taken_over_is_answered_as_the_one_who_took_it_was(world: World) -> None:
    """One key, one answer: nobody is told what is not kept, although the payment has moved on since."""
    order, request = world.open(), world.request()

    def late(_asked: Any) -> None:
        world.clock.advance(seconds=LEASE.total_seconds())
        world.start_reply(order, request=request)
        world.pay(world.store.read().payments_of_order(order.id)[0])

    world.alpha.script("create", late)
    told = world.start_reply(order, request=request)

    assert world.start_reply(order, request=request).body == told.body
    assert json.loads(told.body)["state"] == "pending"


def test_request_that_was_taken_over_is_in_flight_until_the_other_is_done(world: World) -> None:
    """There is no answer yet that would be kept; the same request will find it."""
    order, request = world.open(), world.request()

    def late(_asked: Any) -> None:
        world.clock.advance(seconds=LEASE.total_seconds())
        with pytest.raises(MemoryError):
            world.start_reply(order, request=request)

    world.alpha.script("create", late, MemoryError("killed"))
    with pytest.raises(Refusal) as refused:
        world.start_reply(order, request=request)

    assert refused.value.code == "idempotency_in_flight"


def test_refusal_after_the_money_came_does_not_unpay(world: World) -> None:
    """A provider that contradicts itself is quarantined; paid stays paid."""
    order = world.open()

    def pay_then_refuse(request: Any) -> Any:
        world.alpha.script("create", None)
        world.alpha.create(request)
        world.pay(world.store.read().payments_of_order(order.id)[0])
        raise RequestRefused("no", code="X")

    world.alpha.script("create", pay_then_refuse)
    reply = world.start_reply(order)

    assert json.loads(reply.body)["state"] == "paid"
    assert world.order(order.id).state is OrderState.PAID
    assert "report_quarantined" in world.kinds(order)
    assert_invariants(world.store)


def test_second_payment_shuts_the_first(world: World) -> None:
    """The payer has changed their mind: the way left behind is closed by a task of the same commit."""
    order = world.open()
    first = world.start(order)
    second = world.start(order, "beta")
    task = world.task(TaskKind.CLOSE, first.id)
    assert (task.state, task.due_at) == (TaskState.DUE, second.created_at + timedelta(seconds=10))
    world.clock.advance(seconds=10)
    world.work()

    assert world.payment(first.id).state is PaymentState.CLOSED
    assert world.payment(second.id).state is PaymentState.PENDING
    assert world.order(order.id).state is OrderState.OPEN
    assert_invariants(world.store)


def test_methods_that_are_not_offered_are_refused_by_name(world: World) -> None:
    """The answer tells what would be allowed, and it is stored."""
    order, request = world.open(), world.request()
    reply = world.start_reply(order, "gamma", request=request)

    assert _code(reply) == "method_not_available"
    assert json.loads(reply.body)["allowed"] == ["alpha.native", "beta.native"]
    assert world.start_reply(order, "gamma", request=request).replayed


@pytest.mark.parametrize(("left", "starts"), [(60, True), (59.999999, False)], ids=["a_minute", "less"])
def test_order_with_less_than_a_minute_left_starts_nothing(world: World, left: float, starts: bool) -> None:
    """A cashier needs time."""
    order = world.open()
    world.clock.advance(seconds=7200 - left)
    reply = world.start_reply(order)

    assert (reply.status == 201) == starts
    if not starts:
        assert _code(reply) == "order_expired"


def test_order_with_too_many_payments_starts_no_more(world: World) -> None:
    """Twenty tries are enough; the twenty-first is refused and the provider not asked."""
    order = world.open()
    for _ in range(PAYMENTS_MAX):
        world.start(order)
    reply = world.start_reply(order)

    assert _code(reply) == "too_many_payments"
    assert world.alpha.count("create") == PAYMENTS_MAX
    assert_invariants(world.store)


def test_order_whose_premium_was_paid_by_another_starts_nothing(world: World) -> None:
    """Two family members open an order for grandmother; one pays."""
    first, second = world.open("C-1", subject=subject()), world.open("C-2", subject=subject())
    world.pay(world.start(first))

    assert _code(world.start_reply(second, "beta")) == "premium_already_paid"
    assert world.beta.calls == []


def test_order_of_another_app_does_not_exist(world: World) -> None:
    """Neither its state nor its existence shows, and nothing is stored for it."""
    order = replace(world.open(app="village"), app="wallet")
    request = world.request()
    with pytest.raises(Refusal) as caught:
        world.start_reply(order, request=request)

    assert caught.value.code == "not_found"
    assert world.store.read().idempotency_key("wallet", request.key) is None
    assert json.loads(world.close(order).body)["code"] == "not_found"


def test_thousand_equal_starts_at_once_make_one_provider_call(world: World, database: Database) -> None:
    """Everyone gets the one answer, byte for byte, or is told that it is being worked on."""
    order, request = world.open(), world.request()
    waiting, enough, mutex = [0], Event(), Lock()
    sisters = [World(world.store, seed=seed, sister=world) for seed in range(2, 6)]

    def create_slowly(_request: Any) -> None:
        assert enough.wait(20), "the others never came"

    def start(number: int) -> tuple[int, bytes]:
        try:
            reply = sisters[number % len(sisters)].start_reply(order, request=request)
        except Refusal as refusal:
            with mutex:
                waiting[0] += 1
                if waiting[0] == 200:
                    enough.set()
            return 409, refusal.code.encode()
        return reply.status, reply.body

    world.alpha.script("create", create_slowly)
    with ThreadPoolExecutor(24) as pool:
        outcomes = list(pool.map(start, range(1000)))

    assert world.alpha.count("create") == 1
    assert database.rows("SELECT count(*) FROM payments") == [(1,)]
    assert len({body for status, body in outcomes if status == 201}) == 1
    in_flight = outcomes.count((409, b"idempotency_in_flight"))
    assert in_flight >= 200
    assert in_flight + sum(status == 201 for status, _ in outcomes) == 1000
    assert_invariants(world.store)
