"""The gateway tells an app, and dies at any moment while it does: the app hears all of it, in order, under one name."""

from datetime import datetime, timedelta

import pytest

from gateway.domain.webhook import MessageState
from gateway.services.webhook_endpoints import Endpoint
from gateway.services.webhook_wire import Unanswered, WebhookAnswer
from gateway.store.families import webhooks
from sandbox.faults import Fault
from sandbox.front.keys import FrontKeys
from sandbox.front.simulator import FrontSimulator
from sandbox.keyring import Keyring
from tests.journeys.faulting import METHOD
from tests.journeys.settled import assert_settled
from tests.journeys.world import World
from tests.support.databases import Database

POINTS_MAX = 48
_HOURS = 3600
_TOLD = ["order.paid", "refund.succeeded"]


@pytest.fixture
def front(world: World, ring: Keyring, monkeypatch: pytest.MonkeyPatch) -> FrontSimulator:
    """The sandbox's app, told by every gateway that is built from now on; between its answer and us one can die."""
    simulator = world.sandbox.of(FrontSimulator)

    def post(headers: dict[str, str], body: bytes) -> WebhookAnswer:
        world.fate.point("before_post")
        answer = simulator.answer("POST", "/front/hooks", headers, body)
        world.fate.point("after_post")
        if answer.lost:
            raise Unanswered("broken")
        return WebhookAnswer(status=answer.status, retry_after=answer.headers.get("Retry-After", ""))

    endpoint = Endpoint(address_digest="a" * 64, keys=(ring.of(FrontKeys).webhook_key,), post=post)
    monkeypatch.setattr("gateway.app.build_endpoints", lambda _settings: {"web": endpoint})
    world.restart()
    world.fate.points.clear()
    return simulator


def paid_and_refunded(world: World) -> str:
    """One order, paid, a part of it taken back."""
    order_id = world.open_order()
    world.pay(world.start(order_id, "alipay", "qr"))
    world.advance(30)
    assert world.refund(order_id, 12_001).status == 202
    world.advance(8 * _HOURS)
    return order_id


def heard(front: FrontSimulator) -> list[str]:
    """The types of what the app took, each message once, in the order of its first coming."""
    received = front.received()[::-1]
    assert all(one["verified"] for one in received)
    bodies = {one["webhook_id"]: one["content"] for one in received}
    assert all(bodies[one["webhook_id"]] == one["content"] for one in received), "one name, two contents"
    return [content["type"] for content in bodies.values()]


def assert_all_told(world: World, front: FrontSimulator, order_id: str) -> None:
    messages = webhooks.messages_of_order(world.gateway.store.read(), order_id)

    assert heard(front) == _TOLD
    assert [message.state for message in messages] == [MessageState.DELIVERED] * 2


@pytest.mark.parametrize("point", range(1, POINTS_MAX + 1))
def test_app_hears_everything_although_the_gateway_dies_once(
    world: World, database: Database, front: FrontSimulator, point: int
) -> None:
    """At any commit, and on both sides of each post."""
    world.fate.dies_at = point
    order_id = paid_and_refunded(world)

    assert_all_told(world, front, order_id)
    assert_settled(world, database)


def test_every_point_is_one_at_which_the_gateway_dies(world: World, front: FrontSimulator) -> None:
    """Otherwise POINTS_MAX is too small."""
    paid_and_refunded(world)

    assert POINTS_MAX - 10 < len(world.fate.points) <= POINTS_MAX
    assert world.fate.points.count("after_post") == 2


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"], indirect=True)
def test_app_hears_everything_although_the_gateway_restarts_after_every_step(
    world: World, database: Database, front: FrontSimulator
) -> None:
    """Nothing of a message lives in the process."""
    world.watching = world.restart
    order_id = paid_and_refunded(world)

    assert_all_told(world, front, order_id)
    assert_settled(world, database)


@pytest.mark.parametrize("known_by", ["callback", "query"])
@pytest.mark.parametrize("second", METHOD)
def test_payment_too_many_is_back_and_told_within_a_minute_of_knowing(
    world: World, database: Database, front: FrontSimulator, second: str, known_by: str
) -> None:
    """From the event that tells of it to the app's taking of `payment.surplus_refunded`, on the clock of both sides."""
    if known_by == "query":
        world.sandbox.faults.add(Fault.CALLBACK_NEVER, operation="payment_callback", provider=second)
    order_id = world.open_order()
    ways = [world.start(order_id, name, METHOD[name]) for name in ("wechatpay", second)]
    world.pay(ways[0])
    world.pay(ways[1])
    world.advance(2 * _HOURS)

    events = world.gateway.store.read().events_page(order_id, after=0, limit=99)
    (known_at,) = [event.at for event in events if event.kind == "payment_surplus"]
    (told,) = [one for one in front.received() if one["content"]["type"] == "payment.surplus_refunded"]
    assert datetime.fromisoformat(told["at"]) - known_at <= timedelta(seconds=60)
    assert told["content"]["data"]["reason"] == "surplus"
    assert_settled(world, database)


@pytest.mark.parametrize("fault", ["webhook_refused", "webhook_busy", "webhook_redirected", "webhook_unanswered"])
def test_app_that_fails_three_times_hears_everything(
    world: World, database: Database, front: FrontSimulator, fault: str
) -> None:
    """The refund is not told before the payment was taken."""
    world.sandbox.faults.add(fault, provider="front", times=3)
    order_id = paid_and_refunded(world)

    assert_all_told(world, front, order_id)
    assert [one["content"]["type"] for one in front.received()[::-1]] == ["order.paid"] * 4 + ["refund.succeeded"]
    assert_settled(world, database)
