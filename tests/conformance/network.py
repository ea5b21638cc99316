"""A scripted network under `kit.http`: plays answers and faults in order, and keeps what was sent."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

import requests
import responses
import urllib3
from requests import PreparedRequest

from adapters.kit.http import HttpAnswer, Transport
from tests.conformance.case import WireAnswer, WireRequest

Reply = WireAnswer | Exception

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_POOL: Final = urllib3.HTTPConnectionPool("provider.invalid")


def connection_refused() -> Exception:
    """What requests raises when nobody listens."""
    cause = urllib3.exceptions.NewConnectionError(_POOL, "refused")  # type: ignore[arg-type]
    return requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(_POOL, "/", cause))


def connect_timeout() -> Exception:
    """What requests raises when the connection is never made."""
    cause = urllib3.exceptions.ConnectTimeoutError(_POOL, "timed out")
    return requests.exceptions.ConnectTimeout(urllib3.exceptions.MaxRetryError(_POOL, "/", cause))


def read_timeout() -> Exception:
    """What requests raises when the request went out and no answer came."""
    return requests.exceptions.ReadTimeout(urllib3.exceptions.ReadTimeoutError(_POOL, "/", "timed out"))


def connection_reset() -> Exception:
    """What requests raises when the other side breaks off after the request went out."""
    cause = ConnectionResetError(104, "reset by peer")
    return requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", cause))


class Network:
    """
    What was sent, and what is still to be answered.

    Attributes:
        sent: Every request that left, in order, header names in lower case.
        outside: Requests that did not go through `Transport.send`.
    """

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.sent: list[WireRequest] = []
        self.outside: list[str] = []
        self.depth = 0
        self._replies = list(replies)

    def answer(self, request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
        """Keep the request and play the next reply; a fault that is the last reply is played for ever."""
        if not self.depth:
            self.outside.append(request.method or "")
        headers = {name.lower(): str(value) for name, value in request.headers.items()}
        body = request.body or b""
        raw = body.encode() if isinstance(body, str) else bytes(body)
        self.sent.append(WireRequest(method=request.method or "", url=request.url or "", headers=headers, body=raw))
        if not self._replies:
            raise connection_refused()
        fault_for_ever = len(self._replies) == 1 and isinstance(self._replies[0], Exception)
        reply = self._replies[0] if fault_for_ever else self._replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply.status, dict(reply.headers), reply.body


def _through_the_door(network: Network) -> Callable[..., HttpAnswer]:
    send = Transport.send

    def counted(self: Transport, *args: Any, **kwargs: Any) -> HttpAnswer:
        network.depth += 1
        try:
            return send(self, *args, **kwargs)
        finally:
            network.depth -= 1

    return counted


@contextmanager
def playing(*replies: Reply) -> Iterator[Network]:
    """
    Answer every request of the block by the script; at its end, all must have gone through `kit.http`.
    """
    network = Network(replies)
    with (
        responses.RequestsMock(assert_all_requests_are_fired=False) as mock,
        patch.object(Transport, "send", _through_the_door(network)),
    ):
        for method in _METHODS:
            mock.add(_Scripted(network, method))
        yield network
    assert network.outside == [], "an adapter called the network beside kit.http"


class _Scripted(responses.CallbackResponse):
    """Matches every URL of one HTTP method."""

    def __init__(self, network: Network, method: str) -> None:
        super().__init__(method, "https://any.invalid", callback=network.answer, content_type=None)

    def matches(self, request: PreparedRequest) -> tuple[bool, str]:
        return request.method == self.method, ""
