"""What a scrape tells of webhooks."""

from datetime import timedelta

from gateway.services.webhook_wire import WebhookAnswer
from gateway.web.metrics import Metrics
from tests.services.webhooks.journeys import work_until
from tests.support.receiver import FakeReceiver
from tests.support.world import APP, World


def told(world: World) -> dict[str, float]:
    """The webhooks' lines of a scrape."""
    lines = (line.split() for line in Metrics(world.deps).text().decode().splitlines() if "jiaofei_webhook" in line)
    return {name: float(value) for name, value, *more in lines if name != "#" and not more}


def test_scrape_tells_pending_dead_oldest_and_disabled(world: World) -> None:
    """By app: one message died, one is held by a disabled receiver for a minute."""
    receiver = FakeReceiver(world.clock)
    world.deps.webhooks[APP] = receiver.endpoint()
    assert told(world)['jiaofei_webhooks_pending{app="wallet"}'] == 0
    receiver.usual = WebhookAnswer(status=500)
    world.paid("C-1")
    work_until(world, world.clock.now() + timedelta(hours=84))
    receiver.usual = WebhookAnswer(status=410)
    world.paid("C-2")
    world.work()
    world.clock.advance(seconds=60)

    assert told(world) == {
        'jiaofei_webhooks_pending{app="wallet"}': 1,
        'jiaofei_webhooks_oldest_pending_seconds{app="wallet"}': 60,
        'jiaofei_webhooks_dead{app="wallet"}': 1,
        'jiaofei_webhook_endpoint_disabled{app="wallet"}': 1,
    }
