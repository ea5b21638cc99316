"""The idempotency rule in full: what is stored, what is repeated, what is resumed, and who is fenced off."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.domain.order import IdempotencyKey, KeyState, Order
from gateway.domain.provider import NoVerdict, ProviderUnavailable, RequestRefused
from gateway.domain.refusal import Refusal
from gateway.domain.states import PaymentState
from gateway.services.idempotent import LEASE, KeyedRequest, Reply, once, take_over
from gateway.store import Tx
from tests.support.databases import Database
from tests.support.invariants import assert_invariants
from tests.support.world import APP, World

Call = Callable[[World, KeyedRequest], Reply]


def _paid_order(world: World) -> Order:
    order = world.open("C-1")
    return order if order.paid_payment_id else world.paid("C-1")[0]


CALLS: dict[str, Call] = {
    "open_order": lambda world, request: world.open_reply("C-9", request=request),
    "start_payment": lambda world, request: world.start_reply(world.open("C-1"), request=request),
    "request_refund": lambda world, request: world.refund_reply(_paid_order(world), 100, "R-1", request=request),
    "close_order": lambda world, request: world.close(world.open("C-1"), request=request),
}


def _refusal(call: Callable[[], Any]) -> Refusal:
    with pytest.raises(Refusal) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("name", CALLS)
def test_request_repeated_gets_the_stored_answer_byte_for_byte(world: World, database: Database, name: str) -> None:
    """Item 3: same key, same meaning: nothing happens again, and the answer says that it is a repetition."""
    request = world.request("k-1")
    first = CALLS[name](world, request)
    before = [database.rows(f"SELECT count(*) FROM {table}") for table in ("orders", "payments", "refunds", "events")]
    world.clock.advance(days=29)
    calls = list(world.alpha.calls)
    again = CALLS[name](world, request)

    assert (first.status, first.body, False) == (again.status, again.body, first.replayed)
    assert again.replayed
    assert calls == world.alpha.calls
    after = [database.rows(f"SELECT count(*) FROM {table}") for table in ("orders", "payments", "refunds", "events")]
    assert before == after


@pytest.mark.parametrize("name", CALLS)
def test_key_used_for_another_request_is_refused_by_its_own_code(world: World, name: str) -> None:
    """N20, item 4: 'reused' and 'in flight' are different codes, so that a client can tell them apart."""
    request = world.request("k-1")
    first = CALLS[name](world, request)
    other = replace(request, meaning="f" * 64)

    assert _refusal(lambda: CALLS[name](world, other)).code == "idempotency_key_reused"
    assert CALLS[name](world, request).body == first.body


def test_key_of_another_app_is_another_key(world: World) -> None:
    """Item 2: the scope is app and key."""
    first = world.open_reply("C-1", request=world.request("same"))
    other = world.open_reply("C-1", app="village", request=world.request("same", app="village"))

    assert not other.replayed
    assert first.body != other.body


def test_request_while_the_first_is_running_is_told_to_wait(world: World) -> None:
    """Item 5: 409 in flight with a time to wait; the provider hears of one request only."""
    order, request = world.open(), world.request()
    refusals = []

    def meanwhile(_request: Any) -> None:
        world.clock.advance(seconds=59.999999)
        refusals.append(_refusal(lambda: world.start_reply(order, request=request)))

    world.alpha.script("create", meanwhile)
    reply = world.start_reply(order, request=request)

    assert [(refusal.code, refusal.retry_after_seconds) for refusal in refusals] == [("idempotency_in_flight", 2)]
    assert reply.status == 201
    assert world.alpha.count("create") == 1


def test_slow_first_owner_is_fenced_off_when_its_lease_has_run_out(world: World, database: Database) -> None:
    """
    N14, item 5: slower than the lease, the request is taken over under the SAME number; what the second owner stored
    stands, whatever the first brings afterwards.
    """
    order, request = world.open(), world.request()
    taken_over: list[Reply] = []

    def slow(_request: Any) -> None:
        world.clock.advance(seconds=LEASE.total_seconds())
        taken_over.append(world.start_reply(order, request=request))

    world.alpha.script("create", slow)
    late = world.start_reply(order, request=request)
    replayed = world.start_reply(order, request=request)

    assert late == replayed  # one key, one answer, byte for byte
    assert len(set(world.alpha.numbers("create"))) == 1
    assert world.alpha.count("create") == 2
    assert replayed.replayed
    assert replayed.body == taken_over[0].body
    assert database.rows("SELECT count(*) FROM payments") == [(1,)]
    held = world.store.read().idempotency_key(APP, request.key)
    assert (held.fence, held.state) == (2, KeyState.FINISHED)
    assert_invariants(world.store)


def test_second_owner_has_a_lease_of_its_own(world: World) -> None:
    """Who takes a request over is not overtaken in turn by the next repetition, but has the same minute."""
    order, request = world.open(), world.request()
    refusals = []

    def second(_request: Any) -> None:
        world.clock.advance(seconds=LEASE.total_seconds() - 1)
        refusals.append(_refusal(lambda: world.start_reply(order, request=request)))

    world.alpha.script("create", MemoryError("killed"), second)
    with pytest.raises(MemoryError):
        world.start_reply(order, request=request)
    world.clock.advance(seconds=LEASE.total_seconds())
    world.start_reply(order, request=request)

    assert [(refusal.code, world.alpha.count("create")) for refusal in refusals] == [("idempotency_in_flight", 2)]
    assert world.store.read().idempotency_key(APP, request.key).fence == 2


@pytest.mark.parametrize(
    "told", [RequestRefused("a number twice", code="USED"), NoVerdict("time-out")], ids=["refused", "without_verdict"]
)
def test_slow_first_owner_is_not_believed(world: World, told: Exception) -> None:
    """The refusal is of the repetition: the payment lives, the payer holds its instruction, the app is told that."""
    order, request = world.open(), world.request()

    def slow(_request: Any) -> None:
        world.clock.advance(seconds=LEASE.total_seconds())
        world.start_reply(order, request=request)
        raise told

    world.alpha.script("create", slow)
    late = world.start_reply(order, request=request)

    assert (late.status, json.loads(late.body)["state"]) == (201, "pending")
    assert [payment.state for payment in world.store.read().payments_of_order(order.id)] == [PaymentState.PENDING]
    assert_invariants(world.store)


def test_slow_first_owner_has_no_answer_while_the_second_is_at_work(world: World) -> None:
    """Nothing is recorded by it; the key's answer will be the other one's."""
    order, request = world.open(), world.request()

    def slow(_request: Any) -> None:
        world.clock.advance(seconds=LEASE.total_seconds())
        world.store.run(lambda tx: take_over(tx, world.deps, _held(world, request.key)))

    world.alpha.script("create", slow)
    refusal = _refusal(lambda: world.start_reply(order, request=request))

    assert refusal.code == "idempotency_in_flight"
    assert [payment.state for payment in world.store.read().payments_of_order(order.id)] == [PaymentState.CREATED]


def _held(world: World, key: str) -> IdempotencyKey:
    held = world.store.read().idempotency_key(APP, key)
    assert held is not None
    return held


def test_slow_first_owner_without_verdict_does_not_open_the_finished_key(world: World) -> None:
    """Fencing holds for letting go as for finishing."""
    order, request = world.open(), world.request()

    def slow(_request: Any) -> None:
        world.clock.advance(seconds=LEASE.total_seconds())
        world.start_reply(order, request=request)
        raise NoVerdict("time-out")

    world.alpha.script("create", slow)
    world.start_reply(order, request=request)

    held = world.store.read().idempotency_key(APP, request.key)
    assert (held.fence, held.state) == (2, KeyState.FINISHED)
    assert world.start_reply(order, request=request).replayed


def test_owner_that_died_is_taken_over_under_the_same_number(world: World) -> None:
    """Items 5 and 7: until the lease ends the key is in flight, then the request resumes with the stored number."""
    order, request = world.open(), world.request()
    world.alpha.script("create", MemoryError("killed"))
    with pytest.raises(MemoryError):
        world.start_reply(order, request=request, fields={"openid": "o-1"})
    world.clock.advance(seconds=59)
    assert _refusal(lambda: world.start_reply(order, request=request)).code == "idempotency_in_flight"
    world.clock.advance(seconds=1)
    reply = world.start_reply(order, request=request)

    assert reply.status == 201
    assert len(set(world.alpha.numbers("create"))) == 1
    first, second = world.alpha.requests
    assert first == second
    assert_invariants(world.store)


def test_answer_of_5xx_is_not_stored_and_the_request_resumes(world: World) -> None:
    """Item 6: the provider was not reached: 503, and the same request goes on under the same number at once."""
    order, request = world.open(), world.request()
    world.alpha.script("create", ProviderUnavailable("no way"), ProviderUnavailable("no way"))
    for _ in range(2):
        assert _refusal(lambda: world.start_reply(order, request=request)).code == "provider_unavailable"
    reply = world.start_reply(order, request=request)

    assert (reply.status, reply.replayed) == (201, False)
    assert world.alpha.count("create") == 3
    assert len(set(world.alpha.numbers("create"))) == 1


def test_fault_in_the_request_is_not_stored(world: World) -> None:
    """Item 6: nothing was executed, so the key is free for the corrected request."""
    order, request = world.open(), world.request()
    faulty = _refusal(lambda: world.start_reply(order, fields={"unknown": "x"}, request=request))

    assert faulty.code == "invalid_request"
    assert world.store.read().idempotency_key(APP, request.key) is None
    assert world.start_reply(order, request=request).status == 201


def test_business_rejection_is_stored_although_the_rule_would_say_yes_later(world: World) -> None:
    """Item 6: the same request has the same answer, even when the state has changed."""
    order, _ = world.paid()
    request = world.request()
    first = world.start_reply(order, "beta", request=request)
    again = world.start_reply(order, "beta", request=request)

    assert json.loads(first.body)["code"] == "order_already_paid"
    assert (again.body, again.replayed) == (first.body, True)
    assert world.beta.calls == []


def test_rejected_request_leaves_nothing_but_its_answer(world: World, database: Database) -> None:
    """Whatever was to be written before the rule said no."""
    now, request = world.clock.now(), world.request()

    def act(tx: Tx) -> Reply:
        tx.use_nonce(APP, "nonce-0123456789", now + LEASE)
        raise Refusal("order_already_paid", "it is")

    rejected = once(world.deps, request, act, lambda reply: reply)

    assert database.rows("SELECT count(*) FROM request_nonces") == [(0,)]
    assert once(world.deps, request, act, lambda reply: reply) == replace(rejected, replayed=True)


def test_stored_answer_is_sealed_for_this_purpose_alone(world: World) -> None:
    """It outlives a new version of the gateway; another column's seal does not open it."""
    request = world.request()
    reply = world.open_reply("C-1", request=request)
    held = world.store.read().idempotency_key(APP, request.key)

    assert reply.body == world.deps.vault.unseal(held.response_sealed, "idempotency")
    assert reply.status == held.response_status == 201


def test_number_is_on_record_before_the_provider_hears_it(world: World) -> None:
    """Item 7: committed first, called afterwards."""
    order = world.open()
    seen = []

    def look(request: Any) -> None:
        view = world.store.read().report_view(
            account="alpha_main", out_trade_no=request.out_trade_no, dedup_key="nothing"
        )
        seen.append(view.payment.state.value)

    world.alpha.script("create", look)
    world.start(order)

    assert seen == ["created"]


@pytest.mark.parametrize("name", ["open_order", "request_refund"])
def test_natural_key_guards_after_the_key_was_forgotten(world: World, database: Database, name: str) -> None:
    """Item 8: after thirty days the key is purged, and the app's own number still prevents a second effect."""
    request = world.request("k-1")
    first = CALLS[name](world, request)
    world.clock.advance(days=30, seconds=1)
    world.store.run(
        lambda tx: tx.purge(nonces_before=world.clock.now(), keys_before=world.clock.now() - timedelta(days=30))
    )
    assert world.store.read().idempotency_key(APP, "k-1") is None
    table = "orders" if name == "open_order" else "refunds"
    before = database.rows(f"SELECT count(*) FROM {table}")
    again = (
        world.open_reply("C-9", request=request)
        if name == "open_order"
        else world.refund_reply(world.open("C-1"), 100, "R-1", request=request)
    )

    assert not again.replayed
    assert json.loads(again.body)["id"] == json.loads(first.body)["id"]
    assert before == database.rows(f"SELECT count(*) FROM {table}")
