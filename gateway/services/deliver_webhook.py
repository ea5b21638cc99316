"""
Delivers an order's messages to its app, one after the other: unit of work, post, unit of work.

A message is not begun before the one ahead of it is delivered or dead, and never twice at once. A receiver that fails
costs its own messages time, nobody else's: few tries of one app run at once, and each ends in time.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Final

import structlog

from gateway.domain.order import Order
from gateway.domain.webhook import (
    FAILING_MAX,
    RETRY_AFTER_MAX,
    SILENCE_MAX,
    SILENCE_PARTS,
    EndpointState,
    MessageState,
    TryOutcome,
    WebhookEndpoint,
    WebhookMessage,
    WebhookTry,
    pause_before,
    signature_headers,
)
from gateway.services.deps import Deps
from gateway.services.tasks import SubjectMissing
from gateway.services.webhook_endpoints import Endpoint
from gateway.services.webhook_messages import body_of, history, untold
from gateway.services.webhook_wire import Unanswered, WebhookAnswer
from gateway.store import Tx
from gateway.store.families import webhooks

ANSWER_PURPOSE: Final = "webhook_answer"
_IN_A_ROW: Final = 4
"""Messages of one order sent under one claim of its task, which is leased for 120 s."""

_LEASE: Final = timedelta(seconds=60)
"""Longer than a try can take, so that it runs out only when the process that began the try has died."""

_BUSY_PAUSE: Final = timedelta(seconds=2)
_HELD_PAUSE: Final = timedelta(hours=24)
"""Enabling an endpoint wakes its orders; this finds those that were missed, and those of a receiver that is back."""

_REST_STATUSES: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

_log = structlog.get_logger(__name__)


def deliver_webhooks(deps: Deps, order_id: str) -> timedelta | None:
    """
    Send what an order has to tell its app; returns the pause until the next look, None when all is told.

    Raises:
        SubjectMissing: There is no such order.
    """
    order = deps.store.read().order(order_id)
    if order is None:
        raise SubjectMissing(order_id)
    endpoint = deps.webhooks.get(order.app)
    if endpoint is None:  # no receiver any more: what is pending stays so, and visible
        return _HELD_PAUSE if _has_to_tell(deps, order) else None
    for _ in range(_IN_A_ROW):
        if not endpoint.turns.acquire(blocking=False):
            return _BUSY_PAUSE
        try:
            pause = _try_next(deps, endpoint, order_id)
        finally:
            endpoint.turns.release()
        if pause != timedelta():
            return pause
    return timedelta()


def _has_to_tell(deps: Deps, order: Order) -> bool:
    tx = deps.store.read()
    known = webhooks.messages_of_order(tx, order.id)
    waiting = any(message.state is MessageState.PENDING for message in known)
    return waiting or any(untold(deps, order, history(tx, order.id), after=known[-1].seq if known else 0))


def _try_next(deps: Deps, endpoint: Endpoint, order_id: str) -> timedelta | None:
    """Try the order's first message; zero when the next one may go on at once."""
    taken = deps.store.run(lambda tx: _take(tx, deps, endpoint, order_id))
    if not isinstance(taken, _Taken):
        return taken
    headers = signature_headers(
        endpoint.keys, webhook_id=taken.message.id, sent_at=taken.attempt.started_at, body=taken.body
    )
    outcome: WebhookAnswer | Unanswered
    try:
        outcome = endpoint.post(
            {"Content-Type": "application/json", "User-Agent": "Jiaofei-Webhooks/1", **headers}, taken.body
        )
    except Unanswered as unanswered:
        outcome = unanswered
    return _settle(deps, endpoint, taken, outcome)


# --- what is next -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """A message under our lease, and the try that is on record."""

    message: WebhookMessage
    attempt: WebhookTry
    body: bytes = field(repr=False)


def _take(tx: Tx, deps: Deps, endpoint: Endpoint, order_id: str) -> _Taken | timedelta | None:
    """
    Begin a try of the order's first undelivered message, or say how long to wait for it; None when there is none.

    Events that were not told yet become messages by the way.
    """
    order = tx.order(order_id)
    if order is None:
        raise SubjectMissing(order_id)
    now = deps.clock.now()
    known = webhooks.messages_of_order(tx, order_id)
    events = history(tx, order_id)
    fresh = list(untold(deps, order, events, after=known[-1].seq if known else 0))
    queue = [message for message in (*known, *fresh) if message.state is MessageState.PENDING]
    wait = _wait(tx, endpoint, order, queue, now)
    if not queue or wait > timedelta():
        _insert(tx, fresh)
        return wait if queue else None
    taken = _begun(tx, order, queue[0], body_of(tx, order, events, queue[0]), now)
    if queue[0] in fresh:
        _insert(tx, [taken.message, *fresh[1:]])
    else:
        webhooks.move_message(tx, queue[0], taken.message)
        _insert(tx, fresh)
    tx.insert(taken.attempt)
    return taken


def _insert(tx: Tx, messages: list[WebhookMessage]) -> None:
    for message in messages:
        tx.insert(message)


def _begun(tx: Tx, order: Order, message: WebhookMessage, body: bytes, now: datetime) -> _Taken:
    message = replace(message, tries=message.tries + 1, lease_until=now + _LEASE)
    attempt = WebhookTry(
        order_id=message.order_id,
        seq=message.seq,
        number=message.tries,
        started_at=now,
        ended_at=None,
        outcome=TryOutcome.STARTED,
        answer_status=None,
        error="",
        digest=sha256(body).hexdigest(),
        answer_sealed=None,
    )
    return _Taken(message=message, attempt=attempt, body=body)


def _wait(tx: Tx, endpoint: Endpoint, order: Order, queue: list[WebhookMessage], now: datetime) -> timedelta:
    """How long the first of the queue has to wait; zero or less when it may go."""
    if not queue:
        return timedelta()
    found = endpoint_now(webhooks.endpoint(tx, order.app), order.app, endpoint.address_digest, now)
    if found.state is EndpointState.DISABLED:
        return _HELD_PAUSE
    first = queue[0]
    moments = (first.due_at, first.lease_until, found.quiet_until)
    return max(at - now for at in moments if at is not None)


def endpoint_now(found: WebhookEndpoint | None, app: str, address_digest: str, now: datetime) -> WebhookEndpoint:
    """What is known of an app's endpoint at its present address; at another one it begins with a clean slate."""
    if found is not None and found.address_digest == address_digest:
        return found
    return WebhookEndpoint(
        app=app,
        address_digest=address_digest,
        state=EndpointState.ENABLED,
        reason="",
        failing_since=None,
        quiet_until=None,
        changed_at=now,
        version=found.version if found else 0,
    )


# --- what became of it ------------------------------------------------------------------------------------------------


def _settle(deps: Deps, endpoint: Endpoint, taken: _Taken, outcome: WebhookAnswer | Unanswered) -> timedelta:
    """Record a try; returns the pause until the next one, zero when the message is done with."""
    now = deps.clock.now()
    accepted = isinstance(outcome, WebhookAnswer) and HTTPStatus(200) <= outcome.status < HTTPStatus(300)
    rest = _rest(outcome, now)
    attempt = _ended(deps, taken.attempt, outcome, accepted=accepted, now=now)
    message = _moved(taken.message, accepted=accepted, rest=rest, now=now)

    def job(tx: Tx) -> tuple[WebhookEndpoint, WebhookEndpoint]:
        tx.update(attempt)
        current = webhooks.message(tx, message.order_id, message.seq)
        overtaken = current is None or current.tries != taken.message.tries
        if current is not None and not overtaken:  # else our lease ran out, and the try that was begun then decides
            webhooks.move_message(tx, current, message)
        found = webhooks.endpoint(tx, message.app)
        before = endpoint_now(found, message.app, endpoint.address_digest, now)
        after = _learnt(before, outcome, accepted=accepted, rest=rest, now=now)
        if after != before:
            webhooks.move_endpoint(tx, after)
        return before, after

    _tell_operators(*deps.store.run(job))
    return timedelta() if message.state is not MessageState.PENDING else message.due_at - now


def _ended(
    deps: Deps, attempt: WebhookTry, outcome: WebhookAnswer | Unanswered, *, accepted: bool, now: datetime
) -> WebhookTry:
    if isinstance(outcome, Unanswered):
        return replace(attempt, ended_at=now, outcome=TryOutcome.UNANSWERED, error=outcome.reason)
    return replace(
        attempt,
        ended_at=now,
        outcome=TryOutcome.ACCEPTED if accepted else TryOutcome.REFUSED,
        answer_status=outcome.status,
        answer_sealed=deps.vault.seal(outcome.excerpt, ANSWER_PURPOSE) if outcome.excerpt else None,
    )


def _moved(message: WebhookMessage, *, accepted: bool, rest: timedelta, now: datetime) -> WebhookMessage:
    if accepted:
        return replace(message, state=MessageState.DELIVERED, lease_until=None, settled_at=now)
    step = message.step + 1
    pause = pause_before(message, step)
    if pause is None:
        return replace(message, state=MessageState.DEAD, lease_until=None, settled_at=now)
    return replace(message, step=step, lease_until=None, due_at=now + max(pause, rest))


def _rest(outcome: WebhookAnswer | Unanswered, now: datetime) -> timedelta:
    """The rest that a receiver asks for with 429 or 503, an hour at most; zero without one."""
    if isinstance(outcome, Unanswered) or outcome.status not in _REST_STATUSES:
        return timedelta()
    return min(max(_retry_after(outcome.retry_after, now), timedelta()), RETRY_AFTER_MAX)


def _retry_after(header: str, now: datetime) -> timedelta:
    """Source: RFC 9110 section 10.2.3: seconds or an HTTP date; what is neither asks for nothing."""
    text = header.strip()
    if text.isascii() and text.isdecimal():
        return timedelta(seconds=int(text)) if len(text) < len("1" * 10) else RETRY_AFTER_MAX
    try:
        return parsedate_to_datetime(text) - now
    except (ValueError, TypeError, OverflowError):  # no date, or one without a zone
        return timedelta()


def _learnt(
    endpoint: WebhookEndpoint, outcome: WebhookAnswer | Unanswered, *, accepted: bool, rest: timedelta, now: datetime
) -> WebhookEndpoint:
    """What a try tells of its endpoint; the same value when nothing new, so that a calm endpoint is never written."""
    if accepted:
        calm = endpoint.failing_since is None and endpoint.quiet_until is None
        return endpoint if calm else replace(endpoint, failing_since=None, quiet_until=None, changed_at=now)
    since = endpoint.failing_since or now
    gone = isinstance(outcome, WebhookAnswer) and outcome.status == HTTPStatus.GONE
    reason = "gone" if gone else "failing" if now - since >= FAILING_MAX else ""
    if reason and endpoint.state is EndpointState.ENABLED:
        return replace(endpoint, state=EndpointState.DISABLED, reason=reason, failing_since=since, changed_at=now)
    rest = max(rest, _silence(outcome, now - since))
    if endpoint.failing_since is None or rest:
        quiet_until = now + rest if rest else endpoint.quiet_until
        return replace(endpoint, failing_since=since, quiet_until=quiet_until, changed_at=now)
    return endpoint


def _silence(outcome: WebhookAnswer | Unanswered, failing: timedelta) -> timedelta:
    """How long a receiver that does not answer is left alone: the messages of a thousand orders need not all ask."""
    return min(failing / SILENCE_PARTS, SILENCE_MAX) if isinstance(outcome, Unanswered) else timedelta()


def _tell_operators(before: WebhookEndpoint, after: WebhookEndpoint) -> None:
    if after.state is EndpointState.DISABLED and before.state is EndpointState.ENABLED:
        _log.error("webhook_endpoint_disabled", app=after.app, reason=after.reason)
    elif before.failing_since is None and after.failing_since is not None:
        _log.warning("webhook_endpoint_failing", app=after.app)
    elif before.failing_since is not None and after.failing_since is None:
        _log.info("webhook_endpoint_recovered", app=after.app, failing_since=before.failing_since.isoformat())
