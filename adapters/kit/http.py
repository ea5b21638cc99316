"""The one door to the network. It says for certain whether a request can have arrived, and never follows a redirect."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import requests
import tenacity
import urllib3

from adapters.kit.connections import TimedAdapter
from gateway.domain.gate import Gate
from gateway.domain.provider import NoVerdict, ProviderUnavailable

ANSWER_BYTES_MAX: Final = 1 << 20
_FIRST_SERVER_FAULT: Final = 500
_CONNECT_TRIES: Final = 3
_CHUNK_BYTES: Final = 1 << 16
_HTTP: Final = re.compile("https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """
    An answer as it arrived.

    Attributes:
        headers: Names in lower case.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes = field(repr=False)


def wire_target(url: str) -> str:
    """The path and query exactly as `Transport.send` puts them on the wire for this URL: what a provider checks."""
    prepared = requests.PreparedRequest()
    prepared.prepare_url(url, None)
    return prepared.path_url


def _never_left(exc: BaseException) -> bool:
    """
    True only for faults before the first byte of the request can have been sent: every fault of `connect`, TLS and
    proxy included, arrives as a NewConnectionError (see `adapters.kit.connections`).
    """
    if not isinstance(exc, requests.exceptions.ConnectionError) or not exc.args:
        return isinstance(exc, requests.exceptions.ConnectTimeout)
    reason = getattr(exc.args[0], "reason", None)
    if isinstance(reason, urllib3.exceptions.ProxyError):
        reason = reason.original_error
    return isinstance(reason, urllib3.exceptions.ConnectTimeoutError)


def _kind(exc: BaseException) -> str:
    """The innermost fault's class, e.g. SSLCertVerificationError; its text may show addresses or contents."""
    while isinstance(cause := exc.__cause__ or getattr(exc.args[0] if exc.args else None, "reason", None), Exception):
        exc = cause
    return type(exc).__name__


class Transport:
    """
    A pooled HTTP client of one account; safe to use from many threads.

    TLS is always verified: `ca_file` names the authorities of an intranet instead of the public ones, nothing switches
    the check off. The environment (proxies, .netrc, REQUESTS_CA_BUNDLE) is not consulted, and no cookie is kept.

    Args:
        answer_seconds: For the whole answer, from the request's last byte to the answer's last.
        proxy: Address of the proxy for every call.
        gate: Asked before each call, told afterwards whether the provider answered; None lets every call pass.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = 3.0,
        answer_seconds: float = 10.0,
        connections_max: int = 64,
        ca_file: str | None = None,
        proxy: str | None = None,
        gate: Gate | None = None,
    ) -> None:
        self._gate = gate
        self._timeout = (connect_seconds, answer_seconds)
        self._verify = ca_file or True
        self._proxies = {"http": proxy, "https": proxy} if proxy else {}
        self._adapter = TimedAdapter(pool_connections=4, pool_maxsize=connections_max, max_retries=0)
        self._retrying = tenacity.Retrying(  # keeps what it counts apart for each thread
            stop=tenacity.stop_after_attempt(_CONNECT_TRIES),
            wait=tenacity.wait_random_exponential(multiplier=0.05, max=0.4),
            retry=tenacity.retry_if_exception(_never_left),
            reraise=True,
        )

    @property
    def gate(self) -> Gate | None:
        """The account's gate, for what has to go another way than HTTP."""
        return self._gate

    def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        answer_bytes_max: int = ANSWER_BYTES_MAX,
    ) -> HttpAnswer:
        """
        Send once; connection faults before sending are tried again at once, with the same bytes.

        Raises:
            ProviderUnavailable: The request never left, or cannot be made at all, or the gate lets none pass.
            NoVerdict: It may have arrived, but no whole answer came back in time or within the size limit.
        """
        request = self._prepared(requests.Request(method, url, headers=dict(headers), data=body))
        if self._gate is None:
            return self._exchanged(request, answer_bytes_max)
        self._gate.enter()
        answered = False
        try:
            answer = self._exchanged(request, answer_bytes_max)
            answered = answer.status < _FIRST_SERVER_FAULT
            return answer
        finally:
            self._gate.leave(answered=answered)

    def _exchanged(self, request: requests.PreparedRequest, answer_bytes_max: int) -> HttpAnswer:
        try:
            return self._retrying(self._send_once, request, answer_bytes_max)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            if _never_left(exc):
                raise ProviderUnavailable(f"the provider cannot be reached: {_kind(exc)}") from None
            raise NoVerdict(f"no whole answer: {_kind(exc)}") from None

    @staticmethod
    def _prepared(request: requests.Request) -> requests.PreparedRequest:
        try:
            prepared = request.prepare()  # no session: it would merge in cookies, netrc and headers of its own
        except (requests.exceptions.RequestException, ValueError) as exc:
            raise ProviderUnavailable(f"the request cannot be made: {type(exc).__name__}") from None
        if not _HTTP.match(prepared.url or ""):
            raise ProviderUnavailable("the request cannot be made: not an HTTP address")
        return prepared

    def _send_once(self, request: requests.PreparedRequest, answer_bytes_max: int) -> HttpAnswer:
        # The adapter's own `send`, not the session's: that one follows the Location of a redirect half-way, reads its
        # body without a limit, and keeps cookies.
        with self._adapter.send(
            request, stream=True, timeout=self._timeout, verify=self._verify, proxies=self._proxies
        ) as answer:
            content = bytearray()
            for chunk in answer.iter_content(_CHUNK_BYTES):
                content += chunk
                if len(content) > answer_bytes_max:
                    raise NoVerdict("the answer is too long")
            lowered = {name.lower(): value for name, value in answer.headers.items()}
            return HttpAnswer(status=answer.status_code, headers=lowered, content=bytes(content))
