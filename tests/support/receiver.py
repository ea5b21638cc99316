"""An app's receiver in memory: it answers what it is told, verifies with code of its own and remembers everything."""

import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gateway.domain.secret import Secret
from gateway.domain.webhook import WebhookReceiver, signing_key
from gateway.services.webhook_endpoints import Endpoint
from gateway.services.webhook_wire import Unanswered, WebhookAnswer
from tests.support.clock import ManualClock

SECRET = Secret("whsec_" + base64.b64encode(b"w" * 32).decode())
NEXT_SECRET = Secret("whsec_" + base64.b64encode(b"n" * 32).decode())
URL = "https://app.example.test/hooks?tenant=1"

Step = WebhookAnswer | Unanswered | Callable[[], WebhookAnswer]


@dataclass(frozen=True)
class Post:
    """One message as it arrived."""

    at: Any
    headers: Mapping[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def content(self) -> Any:
        return json.loads(self.body)

    @property
    def type(self) -> str:
        return str(self.content["type"])

    def is_signed_with(self, secret: Secret) -> bool:
        """As an app would verify it, with nothing of ours."""
        key = base64.b64decode(secret.reveal()[6:])
        text = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        return expected in self.headers["webhook-signature"].split(" ")


class FakeReceiver:
    """
    Attributes:
        posts: Everything that arrived, also what was answered badly.
        usual: The answer when no other is scripted.
    """

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._steps: deque[Step] = deque()
        self.posts: list[Post] = []
        self.usual: Step = WebhookAnswer(status=204)

    def script(self, *steps: Step | int) -> None:
        """What the next posts get: an answer, an error, or what a function returns."""
        self._steps.extend(WebhookAnswer(status=step) if isinstance(step, int) else step for step in steps)

    def __call__(self, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        self.posts.append(Post(self._clock.now(), headers, body))
        step = self._steps.popleft() if self._steps else self.usual
        if isinstance(step, Unanswered):
            raise Unanswered(step.reason)
        return step if isinstance(step, WebhookAnswer) else step()

    @property
    def types(self) -> list[str]:
        return [post.type for post in self.posts]

    def endpoint(self, *, secrets: Sequence[Secret] = (SECRET,), url: str = URL) -> Endpoint:
        """What the services are given to reach it."""
        receiver = WebhookReceiver(url=url, secrets=tuple(secrets))
        keys = tuple(signing_key(secret) for secret in secrets)
        return Endpoint(address_digest=receiver.address_digest, keys=keys, post=self)


@contextmanager
def every_turn_taken(endpoint: Endpoint) -> Iterator[None]:
    """As if as many tries of the app were running as may."""
    taken = 0
    while endpoint.turns.acquire(blocking=False):
        taken += 1
    yield
    endpoint.turns.release(taken)
