"""The apps' receivers, each with its keys, its way and its turns, built once from the settings."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from gateway.domain.webhook import WebhookReceiver, signing_key
from gateway.services.webhook_wire import WebhookAnswer, WebhookPoster
from gateway.settings import Settings

TRIES_AT_ONCE: Final = 4
"""Of one app in one process; with a time-out of 20 s each, that is all a dead receiver can hold."""

Post = Callable[[Mapping[str, str], bytes], WebhookAnswer]
"""Posts headers and body once; raises Unanswered."""


def _turns() -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(TRIES_AT_ONCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """
    One app's receiver, ready to be posted to.

    Attributes:
        keys: Each of them signs.
        turns: One for each try that may run at once.
    """

    address_digest: str
    keys: tuple[bytes, ...] = field(repr=False)
    post: Post = field(repr=False)
    turns: threading.BoundedSemaphore = field(default_factory=_turns, repr=False)


def build_endpoints(
    settings: Settings, make_post: Callable[[WebhookReceiver], Post] = WebhookPoster
) -> dict[str, Endpoint]:
    """The endpoint of every app that has one, by the app's name; keys are parsed here, once."""
    return {
        app.name: Endpoint(
            address_digest=app.webhook.address_digest,
            keys=tuple(signing_key(secret) for secret in app.webhook.secrets),
            post=make_post(app.webhook),
        )
        for app in settings.apps.values()
        if app.webhook is not None
    }
