"""
Webhooks to apps (业务通知): which events are told under which name, when they are tried, how they are signed.

The order's own history is the outbox: a message is one event of it, named by the event's position, so that it keeps its
name whatever crashes between the event and its delivery.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from standardwebhooks import Webhook

from gateway.domain.order import Event
from gateway.domain.secret import Secret
from gateway.domain.states import OWED

TYPE_BY_EVENT: Final[Mapping[str, str]] = {
    "order_paid": "order.paid",
    "order_closing": "order.closing",
    "order_closed": "order.closed",
    "refund_succeeded": "refund.succeeded",
    "refund_outside": "refund.succeeded",
    "refund_failed": "refund.failed",
    "refund_abnormal": "refund.abnormal",
}
"""Events of an order's history that are told; every other kind is not."""

SURPLUS_REFUNDED: Final = "payment.surplus_refunded"

PAUSES: Final[tuple[int, ...]] = (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
"""
Seconds before each try, counted from the one before it; 75 hours in all.

Source: Standard Webhooks 1.0.0, "Deliverability and reliability", example retry schedule.
"""

FAILING_MAX: Final = timedelta(hours=120)
"""An endpoint that took nothing for this long, although it was tried at both ends of it, is disabled."""

RETRY_AFTER_MAX: Final = timedelta(hours=1)
"""The longest rest that a receiver can ask for by Retry-After."""

SILENCE_PARTS: Final = 10
SILENCE_MAX: Final = timedelta(minutes=10)
"""A receiver that gives no answer is left alone for a tenth of the time it has been failing, this long at most."""

_JITTER_PARTS: Final = 10
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105  how every such secret begins
_SECRET_BYTES: Final = range(24, 65)


class MessageState(StrEnum):
    """
    pending: to be sent, or held while the endpoint is disabled; delivered: answered 2xx; dead: every try failed, and
    only an operator has it sent again.
    """

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


class TryOutcome(StrEnum):
    """
    started: sending, or the process ended while it was; accepted: answered 2xx; refused: answered otherwise;
    unanswered: no whole answer, or never sent.
    """

    STARTED = "started"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNANSWERED = "unanswered"


class EndpointState(StrEnum):
    ENABLED = "enabled"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookMessage:
    """
    One event of an order on its way to the order's app.

    Attributes:
        seq: The event's position in the order's history; messages of one order go out in this order.
        occurred_at: When the event happened.
        due_at: Not to be tried before.
        tries: How many tries were begun; whoever begins one counts it, so that two never settle the same one.
        step: Position in `PAUSES`; a message that is sent again by an operator begins anew.
        lease_until: While a try is running, when it must be over at the latest.
        settled_at: When it was delivered or died.
    """

    order_id: str
    seq: int
    app: str
    type: str
    state: MessageState
    occurred_at: datetime
    due_at: datetime
    tries: int
    step: int
    lease_until: datetime | None
    settled_at: datetime | None

    @property
    def id(self) -> str:
        """The webhook-id: the same for every try, for ever."""
        return message_id(self.order_id, self.seq)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookTry:
    """
    One try to deliver a message.

    Attributes:
        number: From 1, as counted by the message.
        outcome: See TryOutcome.
        answer_status: The receiver's HTTP status; None when there was no answer.
        error: Why there was no answer; "" when there was one.
        digest: SHA-256 (hex) of the body that was sent.
        answer_sealed: The beginning of the receiver's answer, encrypted: it may hold anything.
    """

    order_id: str
    seq: int
    number: int
    started_at: datetime
    ended_at: datetime | None
    outcome: TryOutcome
    answer_status: int | None
    error: str
    digest: str
    answer_sealed: bytes | None = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEndpoint:
    """
    What we learnt of an app's receiver; an app that has no such row is enabled and never failed.

    Attributes:
        address_digest: Of the address that it was learnt about: another address begins with a clean slate.
        state: disabled: nothing is sent until an operator enables it or the address changes.
        reason: Why it is disabled: gone (it answered 410) or failing (120 hours without a success); "" otherwise.
        failing_since: The first failure after the last success.
        quiet_until: It asked for a rest (Retry-After), or gave no answer.
        version: Grows with each change, so that two writers collide.
    """

    app: str
    address_digest: str
    state: EndpointState
    reason: str
    failing_since: datetime | None
    quiet_until: datetime | None
    changed_at: datetime
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookReceiver:
    """
    Where an app takes its webhooks, from the configuration.

    Attributes:
        secrets: Every one of them signs, so that the app can change over from one to the next.
        networks: Networks (CIDR) that the address may lie in although they are not public; plain http:// is allowed
            to them alone.
    """

    url: str = field(repr=False)
    secrets: tuple[Secret, ...]
    networks: tuple[str, ...] = ()

    @property
    def address_digest(self) -> str:
        """SHA-256 (hex) of the address: it may hold a path that nobody else should know."""
        return hashlib.sha256(self.url.encode()).hexdigest()


def message_id(order_id: str, seq: int) -> str:
    """The webhook-id of an order's event: letters, digits and `_` only, as the signature needs it."""
    return f"evt_{order_id.removeprefix('ord_')}_{seq}"


def message_place(webhook_id: str) -> tuple[str, int]:
    """
    Order id and position that a webhook-id names.

    Raises:
        ValueError: It is no webhook-id.
    """
    number, _, seq = webhook_id.removeprefix("evt_").rpartition("_")
    if not (
        webhook_id.startswith("evt_") and number and seq.isascii() and seq.isdecimal() and len(seq) < len("1" * 10)
    ):
        raise ValueError("not a webhook-id")
    return f"ord_{number}", int(seq)


def message_type(event: Event) -> str | None:
    """The name under which an event is told; None when it is not."""
    named = TYPE_BY_EVENT.get(event.kind)
    if event.kind not in ("refund_succeeded", "refund_outside"):
        return named
    detail = json.loads(event.detail)
    of_surplus = detail.get("reason") in OWED or detail.get("kept") is False
    return SURPLUS_REFUNDED if of_surplus else named


def pause_before(message: WebhookMessage, step: int) -> timedelta | None:
    """
    How long to wait before the try at this step; None when there is none any more.

    Up to a tenth is added, the same for the same message and step, so that what failed together does not come back
    together.
    """
    if step >= len(PAUSES):
        return None
    digest = hashlib.sha256(f"{message.id}.{step}".encode()).digest()
    share = int.from_bytes(digest[:4]) / 2**32 / _JITTER_PARTS
    return timedelta(seconds=PAUSES[step] * (1 + share))


def signing_key(secret: Secret) -> bytes:
    """
    The key in a webhook secret, `whsec_` and the base64 of 24 to 64 bytes.

    Source: Standard Webhooks 1.0.0, "Signature scheme".

    Raises:
        ValueError: It has another form.
    """
    text = secret.reveal()
    try:
        key = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith(_SECRET_PREFIX) or len(key) not in _SECRET_BYTES:
        raise ValueError("must be whsec_ and the base64 of 24 to 64 bytes")
    return key


def signature_headers(keys: Sequence[bytes], *, webhook_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
    """
    The three headers of a message; one `v1` signature for each key, with blanks between.

    Source: Standard Webhooks 1.0.0, "Signature scheme" and "Webhook headers"; vector of its libraries' tests.
    """
    second = sent_at.astimezone(UTC)  # the library takes any other zone's digits for UTC
    signed = (Webhook(key).sign(webhook_id, second, body.decode()) for key in keys)
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(second.timestamp())),
        "webhook-signature": " ".join(signed),
    }
