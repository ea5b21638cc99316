"""What operators see of webhooks, and what they can do: send again, enable an endpoint."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from gateway.domain.order import Order, TaskKind
from gateway.domain.webhook import EndpointState, MessageState, WebhookEndpoint, WebhookMessage, WebhookTry
from gateway.services.deliver_webhook import ANSWER_PURPOSE, endpoint_now
from gateway.services.deps import Deps
from gateway.services.tasks import app_lane, due_task
from gateway.services.webhook_messages import body_of, history
from gateway.store import Tx
from gateway.store.families import webhooks

PAGE: Final = 100
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
_AFTER_EVERY_ID: Final = "ord_z"
"""Ids are ord_ and hex digits, which sort before it in every collation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownTry:
    """A try, with the beginning of the receiver's answer opened."""

    attempt: WebhookTry
    answer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMessage:
    """A message with its tries, oldest first, and the body that they carry."""

    message: WebhookMessage
    tries: tuple[ShownTry, ...]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointFigures:
    """
    One app's endpoint, and what has not reached it.

    Attributes:
        oldest_pending_at: When the event happened that waits longest; None when nothing waits.
    """

    endpoint: WebhookEndpoint
    pending: int
    oldest_pending_at: datetime | None
    dead: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which messages of an app: in this state, from `since` to before `until` by the time of their events."""

    app: str
    state: MessageState
    since: datetime
    until: datetime


def newest_messages(
    deps: Deps, *, app: str | None, state: MessageState | None, since: datetime | None, limit: int
) -> list[WebhookMessage]:
    """Newest first."""
    return webhooks.newest_messages(deps.store.read(), app=app, state=state, since=since or _BEGINNING, limit=limit)


def messages_of_order(deps: Deps, order_id: str) -> list[WebhookMessage]:
    """In the order in which they go out."""
    return webhooks.messages_of_order(deps.store.read(), order_id)


def find_message(deps: Deps, order_id: str, seq: int) -> WebhookMessage | None:
    """The message of an order's event, if it became one."""
    return webhooks.message(deps.store.read(), order_id, seq)


def show_message(deps: Deps, message: WebhookMessage) -> ShownMessage:
    """A message with everything that is on record of it."""
    tx = deps.store.read()
    tries = webhooks.tries_of(tx, message.order_id, message.seq)
    return ShownMessage(
        message=message,
        tries=tuple(ShownTry(attempt=attempt, answer=_answer(deps, attempt)) for attempt in tries),
        body=body_of(tx, _order(tx, message.order_id), history(tx, message.order_id), message),
    )


def _answer(deps: Deps, attempt: WebhookTry) -> bytes:
    return deps.vault.unseal(attempt.answer_sealed, ANSWER_PURPOSE) if attempt.answer_sealed else b""


def _order(tx: Tx, order_id: str) -> Order:
    order = tx.order(order_id)
    if order is None:
        raise LookupError(order_id)
    return order


def endpoint_figures(deps: Deps) -> list[EndpointFigures]:
    """Every app that has a receiver, and every app that still has something undelivered, by name."""
    tx, now = deps.store.read(), deps.clock.now()
    waiting = {(found.app, found.state): found for found in webhooks.undelivered(tx)}
    stored = {endpoint.app: endpoint for endpoint in webhooks.endpoints(tx)}
    figures = []
    for app in sorted({*deps.webhooks, *(app for app, _ in waiting)}):
        ready = deps.webhooks.get(app)
        pending, dead = (waiting.get((app, state)) for state in (MessageState.PENDING, MessageState.DEAD))
        known = endpoint_now(stored.get(app), app, ready.address_digest if ready else "", now)
        figures.append(
            EndpointFigures(
                endpoint=known,
                pending=pending.count if pending else 0,
                oldest_pending_at=pending.oldest_at if pending else None,
                dead=dead.count if dead else 0,
            )
        )
    return figures


def chosen_messages(deps: Deps, choice: Choice) -> Iterator[list[WebhookMessage]]:
    """The messages of a choice, oldest first, a page at a time."""
    after = (choice.since - timedelta(microseconds=1), _AFTER_EVERY_ID, 0)
    while page := webhooks.oldest_messages(
        deps.store.read(), app=choice.app, state=choice.state, after=after, until=choice.until, limit=PAGE
    ):
        yield page
        after = (page[-1].occurred_at, page[-1].order_id, page[-1].seq)


def resend(deps: Deps, messages: Sequence[WebhookMessage]) -> int:
    """
    Have messages sent again, at once and with a fresh schedule, under their old webhook-id; returns how many.

    Those of one order go out in their order. A message that is being sent at this moment is left alone.
    """
    pages = [messages[start : start + PAGE] for start in range(0, len(messages), PAGE)]
    return sum(deps.store.run(partial(_resend, deps=deps, messages=page)) for page in pages)


def _resend(tx: Tx, *, deps: Deps, messages: Iterable[WebhookMessage]) -> int:
    now = deps.clock.now()
    apps = {}
    count = 0
    for message in messages:
        current = webhooks.message(tx, message.order_id, message.seq)
        if current is None or _is_being_sent(current, now):
            continue
        again = replace(current, state=MessageState.PENDING, step=0, due_at=now, lease_until=None, settled_at=None)
        webhooks.move_message(tx, current, again)
        apps[message.order_id] = message.app
        count += 1
    _wake(tx, apps, now)
    return count


def _is_being_sent(message: WebhookMessage, now: datetime) -> bool:
    return message.lease_until is not None and message.lease_until > now


def _wake(tx: Tx, apps: dict[str, str], now: datetime) -> None:
    """Make the webhook tasks of these orders due."""
    for order_id, app in apps.items():
        tx.schedule(due_task(TaskKind.WEBHOOK, order_id, app_lane(app), at=now, now=now))


def tell_order(deps: Deps, order: Order) -> int:
    """
    Have everything that an order has to tell sent again, and what was never told, such as events from before its app
    had a receiver; returns how many messages there are already.
    """
    known = messages_of_order(deps, order.id)
    if known:
        return resend(deps, known)
    deps.store.run(lambda tx: _wake(tx, {order.id: order.app}, deps.clock.now()))
    return 0


def enable_endpoint(deps: Deps, app: str) -> int:
    """
    Let an app's endpoint take messages again, and begin at once with all that waits; returns how many orders do.

    Raises:
        LookupError: The app has no receiver.
    """
    digest = deps.webhooks[app].address_digest

    def enable(tx: Tx) -> None:
        known = endpoint_now(webhooks.endpoint(tx, app), app, digest, deps.clock.now())
        if known.state is EndpointState.DISABLED or known.failing_since or known.quiet_until:
            fresh = endpoint_now(None, app, digest, deps.clock.now())
            webhooks.move_endpoint(tx, replace(fresh, version=known.version))

    deps.store.run(enable)
    count, after = 0, ""
    while orders := webhooks.waiting_orders(deps.store.read(), app, after=after, limit=PAGE):
        deps.store.run(partial(_hurry, deps=deps, app=app, orders=orders))
        count, after = count + len(orders), orders[-1]
    return count


def _hurry(tx: Tx, *, deps: Deps, app: str, orders: list[str]) -> None:
    now = deps.clock.now()
    for order_id in orders:
        for message in webhooks.messages_of_order(tx, order_id):
            if message.state is MessageState.PENDING and message.due_at > now and not _is_being_sent(message, now):
                webhooks.move_message(tx, message, replace(message, due_at=now))
    _wake(tx, dict.fromkeys(orders, app), now)
