"""The simulators behind the gateway's own HTTP client: each request is handed over as it would stand on the wire."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import requests
import responses
import urllib3
from requests import PreparedRequest

from sandbox.simulator import Simulator
from sandbox.wire import Answer
from tests.journeys.accounts import SANDBOX_URL
from tests.journeys.crashing import Fate

_HOP_HEADERS: Final = frozenset({"content-length", "connection", "transfer-encoding"})
_POOL: Final = urllib3.HTTPConnectionPool("provider.invalid")
_METHODS: Final = ("GET", "POST")


def _timed_out() -> Exception:
    return requests.exceptions.ReadTimeout(urllib3.exceptions.ReadTimeoutError(_POOL, "/", "timed out"))


def _reset() -> Exception:
    cause = ConnectionResetError(104, "reset by peer")
    return requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted.", cause))


LOSSES: Final[dict[str, Callable[[], Exception]]] = {"timed_out": _timed_out, "reset": _reset}
"""What the caller of a lost answer sees."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request that reached a simulator."""

    provider: str
    method: str
    target: str
    body: bytes


class Network:
    """
    Stands between the gateway and the simulators.

    Attributes:
        asked: Every request that left the gateway, oldest first.
        loss: How a lost answer looks, by its name in LOSSES.
        before: Called with each request before the simulator sees it.
        after: Called with each request when the simulator has answered and the gateway has not yet heard.
    """

    def __init__(self, simulators: dict[str, Simulator], fate: Fate) -> None:
        self.asked: list[Asked] = []
        self.loss = "timed_out"
        self.before: Callable[[Asked], None] = lambda _asked: None
        self.after: Callable[[Asked], None] = lambda _asked: None
        self._simulators = simulators
        self._fate = fate
        self._mock = responses.RequestsMock(assert_all_requests_are_fired=False)
        for method in _METHODS:
            for name in simulators:
                self._mock.add(
                    responses.CallbackResponse(
                        method, _below(f"{SANDBOX_URL}/{name}/"), self._answering(name), content_type=None
                    )
                )

    def start(self) -> None:
        self._mock.start()

    def stop(self) -> None:
        self._mock.stop(allow_assert=False)
        self._mock.reset()

    def _answering(self, provider: str) -> Callable[[PreparedRequest], tuple[int, dict[str, str], bytes]]:
        def answer(request: PreparedRequest) -> tuple[int, dict[str, str], bytes]:
            raw = request.body or b""
            body = raw.encode() if isinstance(raw, str) else bytes(raw)
            asked = Asked(provider=provider, method=request.method or "", target=request.path_url, body=body)
            self._fate.point("request_sent")
            self.asked.append(asked)
            self.before(asked)
            headers = {name: str(value) for name, value in request.headers.items()}
            answered = self._simulators[provider].answer(asked.method, asked.target, headers, body)
            self.after(asked)
            self._fate.point("request_answered")
            return self._on_the_wire(answered)

        return answer

    def _on_the_wire(self, answer: Answer) -> tuple[int, dict[str, str], bytes]:
        if answer.lost:
            raise LOSSES[self.loss]()
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOP_HEADERS}
        return answer.status, headers, answer.body


def target_of(url: str) -> str:
    """The path and query of an address, as a browser sends them."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path


def _below(prefix: str) -> re.Pattern[str]:
    return re.compile(re.escape(prefix))
