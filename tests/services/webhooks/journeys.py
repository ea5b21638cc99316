"""What several tests of webhooks do and look at."""

from datetime import datetime

from gateway.domain.order import Order
from gateway.domain.report import ReportedRefundState
from gateway.domain.webhook import WebhookEndpoint, WebhookMessage, WebhookTry
from gateway.store.families import webhooks
from tests.support.world import APP, World


def refund_succeeds(world: World, order: Order, amount_fen: int | None = None, no: str = "R-1") -> None:
    """A refund is asked for, submitted, and proven by the provider's callback."""
    refund = world.refund(world.order(order.id), amount_fen, no)
    world.work()
    world.alpha.refunds[refund.out_refund_no].state = ReportedRefundState.SUCCEEDED
    payment = world.payment(refund.payment_id)
    world.deliver(payment, world.alpha.refund_callback(refund.out_refund_no))


def messages(world: World, order: Order) -> list[WebhookMessage]:
    return webhooks.messages_of_order(world.store.read(), order.id)


def only_message(world: World, order: Order) -> WebhookMessage:
    (message,) = messages(world, order)
    return message


def tries(world: World, message: WebhookMessage) -> list[WebhookTry]:
    return webhooks.tries_of(world.store.read(), message.order_id, message.seq)


def endpoint(world: World, app: str = APP) -> WebhookEndpoint | None:
    return webhooks.endpoint(world.store.read(), app)


def work_until(world: World, until: datetime) -> None:
    """Let time pass, each task at its own due time."""
    while (due := world.store.read().next_due()) is not None and due <= until:
        world.clock.advance(seconds=max((due - world.clock.now()).total_seconds(), 0))
        world.worker.run_due()
    world.clock.advance(seconds=(until - world.clock.now()).total_seconds())
