"""The one door to the network. It says for certain whether a request can have arrived, and never follows a redirect."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import requests
import tenacity
import urllib3
from requests.adapters import HTTPAdapter

from gateway.domain.provider import NoVerdict, ProviderUnavailable

ANSWER_BYTES_MAX: Final = 1 << 20
_CONNECT_TRIES: Final = 3
_CHUNK_BYTES: Final = 1 << 16


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
    """True only for faults before the first byte of the request can have been sent."""
    if isinstance(exc, requests.exceptions.ConnectTimeout):
        return True
    if not isinstance(exc, requests.exceptions.ConnectionError) or not exc.args:
        return False
    reason = getattr(exc.args[0], "reason", None)
    return isinstance(reason, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError))


class Transport:
    """
    A pooled HTTP client of one account; safe to use from many threads.

    TLS is always verified: `ca_file` adds an authority for intranet deployments, nothing switches the check off. The
    environment (proxies, .netrc, REQUESTS_CA_BUNDLE) is not consulted.
    """

    def __init__(
        self,
        *,
        connect_seconds: float = 3.0,
        answer_seconds: float = 10.0,
        connections_max: int = 64,
        ca_file: str | None = None,
        proxy: str | None = None,
    ) -> None:
        self._connect_seconds = connect_seconds
        self._answer_seconds = answer_seconds
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file or True
        if proxy:
            self._session.proxies = {"http": proxy, "https": proxy}
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=connections_max, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

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
            ProviderUnavailable: The request never left.
            NoVerdict: It may have arrived, but no whole answer came back in time or within the size limit.
        """
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_CONNECT_TRIES),
            wait=tenacity.wait_random_exponential(multiplier=0.05, max=0.4),
            retry=tenacity.retry_if_exception(_never_left),
            reraise=True,
        )
        try:
            return retrying(self._send_once, method, url, headers, body, answer_bytes_max)
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as exc:
            kind = type(exc).__name__
            if _never_left(exc):
                raise ProviderUnavailable(f"the provider cannot be reached: {kind}") from None
            raise NoVerdict(f"no whole answer: {kind}") from None

    def _send_once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, answer_bytes_max: int
    ) -> HttpAnswer:
        deadline = time.monotonic() + self._connect_seconds + self._answer_seconds
        with self._session.request(
            method,
            url,
            headers=dict(headers),
            data=body,
            timeout=(self._connect_seconds, self._answer_seconds),
            allow_redirects=False,
            stream=True,
        ) as answer:
            content = bytearray()
            for chunk in answer.iter_content(_CHUNK_BYTES):
                content += chunk
                if len(content) > answer_bytes_max:
                    raise NoVerdict("the answer is too long")
                if time.monotonic() > deadline:
                    raise NoVerdict("the answer took too long")
            lowered = {name.lower(): value for name, value in answer.headers.items()}
            return HttpAnswer(status=answer.status_code, headers=lowered, content=bytes(content))
