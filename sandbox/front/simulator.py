"""
An app that takes webhooks as docs/webhooks.md tells it to: verify over the raw bytes, remember, answer.

It does not judge the timestamp's age: the sandbox's clock may be far from the gateway's.
"""

import base64
import hashlib
import hmac
import json
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sandbox.clock import rfc3339
from sandbox.faults import FaultRule
from sandbox.frame import Surroundings
from sandbox.front.faults import FrontFault
from sandbox.front.keys import FrontKeys
from sandbox.simulator import Simulator
from sandbox.wire import Answer, Json, folded

OPERATION: Final = "webhook"
RECEIVED_MAX: Final = 500
_UNANSWERED_SECONDS: Final = 30.0
_ANSWERS: Final = {
    FrontFault.WEBHOOK_REFUSED: Answer(status=500, body="系统繁忙".encode()),
    FrontFault.WEBHOOK_BUSY: Answer(status=503, headers={"Retry-After": "10"}),
    FrontFault.WEBHOOK_REDIRECTED: Answer(status=307, headers={"Location": "/front/elsewhere"}),
    FrontFault.WEBHOOK_GONE: Answer(status=410),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """
    One message as it came.

    Attributes:
        status: What was answered; None when nothing was.
        fresh: False when the same webhook-id was taken before.
    """

    at: str
    webhook_id: str
    verified: bool
    fresh: bool
    status: int | None
    content: Json


class FrontSimulator(Simulator):
    """Answers POST …/hooks; keeps the newest 500 messages in memory."""

    def __init__(self, keys: FrontKeys, surroundings: Surroundings) -> None:
        self._key = keys.webhook_key
        self._surroundings = surroundings
        self._lock = threading.Lock()
        self._received: deque[Received] = deque(maxlen=RECEIVED_MAX)
        self._taken: dict[str, None] = {}

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        if method != "POST":
            return Answer(status=405)
        lowered = folded(headers)
        webhook_id = lowered.get("webhook-id", "")
        verified = self._is_signed(webhook_id, lowered, body)
        answer = self._answer(verified=verified)
        with self._lock:
            self._remember(webhook_id, body, verified=verified, answer=answer)
        return answer

    def received(self) -> list[Json]:
        """Newest first."""
        with self._lock:
            return [
                {
                    "at": one.at,
                    "webhook_id": one.webhook_id,
                    "verified": one.verified,
                    "fresh": one.fresh,
                    "answered": one.status,
                    "content": one.content,
                }
                for one in reversed(self._received)
            ]

    def fail_next(self, fault: str) -> None:
        """
        Let the next message meet this fault.

        Raises:
            ValueError: It is none of the app's.
        """
        around = self._surroundings
        around.faults.add(FrontFault(fault).value, provider=around.provider, operation=OPERATION, times=1)

    def _answer(self, *, verified: bool) -> Answer:
        rule = self._fault()
        if rule is not None and rule.fault is FrontFault.WEBHOOK_UNANSWERED:
            return Answer(status=0, lost=True, lost_after_seconds=rule.seconds or _UNANSWERED_SECONDS)
        if rule is not None:
            return _ANSWERS[FrontFault(rule.fault)]
        return Answer(status=204 if verified else 401)

    def _fault(self) -> FaultRule | None:
        around = self._surroundings
        return around.faults.take(frozenset(FrontFault), provider=around.provider, operation=OPERATION, out_trade_no="")

    def _is_signed(self, webhook_id: str, headers: Mapping[str, str], body: bytes) -> bool:
        """Source: Standard Webhooks 1.0.0, "Verifying signatures"."""
        content = b".".join((webhook_id.encode(), headers.get("webhook-timestamp", "").encode(), body))
        mac = base64.b64encode(hmac.new(self._key, content, hashlib.sha256).digest())
        given = headers.get("webhook-signature", "").encode().split(b" ")
        return any(hmac.compare_digest(b"v1," + mac, one) for one in given)

    def _remember(self, webhook_id: str, body: bytes, *, verified: bool, answer: Answer) -> None:
        accepted = verified and answer.status == 204  # noqa: PLR2004  what it says when it takes a message
        self._received.append(
            Received(
                at=rfc3339(self._surroundings.clock.now()),
                webhook_id=webhook_id[:80],
                verified=verified,
                fresh=webhook_id not in self._taken,
                status=None if answer.lost else answer.status,
                content=_content(body) if verified else {},
            )
        )
        if accepted:
            self._taken[webhook_id] = None
            while len(self._taken) > RECEIVED_MAX:
                self._taken.pop(next(iter(self._taken)))


def _content(body: bytes) -> Json:
    """What a verified message says; nothing of one that is no JSON object."""
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
