"""
Posts one message to one app's receiver, over a connection of its own.

The name is resolved once and the connection made to an address that was checked, under the name's own certificate.
Nothing is followed, nothing retried, and the whole of it ends in time, however slowly the other side drips.
"""

import io
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, Final
from urllib.parse import urlsplit

from requests.utils import DEFAULT_CA_BUNDLE_PATH

from gateway.domain.webhook import WebhookReceiver
from gateway.domain.webhook_address import address_allowed, address_in

TRY_SECONDS: Final = 20.0
"""For a whole try. Source: Standard Webhooks 1.0.0, "Request timeouts": 15 to 30 seconds."""

ANSWER_BYTES_MAX: Final = 1024
_RESOLVE_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 5.0
_BODY_SECONDS: Final = 2.0
"""For the answer's body: the status has said all that matters."""
_ADDRESSES_MAX: Final = 2
_LOOKUPS_MAX: Final = 8
_PORTS: Final = {"https": 443, "http": 80}

Resolve = Callable[[str, int], list[str]]


class Unanswered(Exception):
    """
    A try without a whole answer; it may have arrived all the same.

    Attributes:
        reason: cannot_resolve, address_refused, cannot_connect, tls, timeout or broken; nothing of the other side's.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookAnswer:
    """
    What a receiver answered.

    Attributes:
        retry_after: That header as it came; "" without one.
        excerpt: The first bytes of the body, 1024 at most.
    """

    status: int
    retry_after: str = ""
    excerpt: bytes = field(default=b"", repr=False)


def resolve_name(host: str, port: int) -> list[str]:
    """The addresses of a name, as the system orders them; an OSError when there are none."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class WebhookPoster:
    """The way to one receiver; safe to use from many threads."""

    def __init__(
        self,
        receiver: WebhookReceiver,
        *,
        resolve: Resolve = resolve_name,
        try_seconds: float = TRY_SECONDS,
        ca_file: str | None = None,
    ) -> None:
        """
        Args:
            ca_file: Authorities instead of the system's and the bundled ones.
        """
        parts = urlsplit(receiver.url)
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or _PORTS[parts.scheme]
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._networks = receiver.networks
        self._resolve = resolve
        self._try_seconds = try_seconds
        self._lookups = threading.BoundedSemaphore(_LOOKUPS_MAX)
        self._tls = _tls_context(ca_file) if parts.scheme == "https" else None

    def __call__(self, headers: Mapping[str, str], body: bytes) -> WebhookAnswer:
        """
        Post once.

        Raises:
            Unanswered: No whole answer in time.
        """
        deadline = _Deadline(self._try_seconds)
        connection = _Connection(self._host, self._port, deadline)
        connection.default_port = _PORTS[self._scheme]  # which is left out of the Host header
        connection.sock = self._connected(deadline)
        try:
            connection.request("POST", self._target, body, {**headers, "Connection": "close"})
            return _read(connection.getresponse(), deadline)
        except TimeoutError:
            raise Unanswered("timeout") from None
        except (OSError, HTTPException, ValueError):
            raise Unanswered("broken") from None
        finally:
            connection.close()

    def _connected(self, deadline: "_Deadline") -> socket.socket:
        allowed = [address for address in self._addresses(deadline) if self._may_connect(address)]
        if not allowed:
            raise Unanswered("address_refused")
        error = Unanswered("cannot_connect")
        for address in allowed[:_ADDRESSES_MAX]:
            try:
                return self._secured(_connect(address, self._port, deadline), deadline)
            except ssl.SSLError:
                error = Unanswered("tls")
            except TimeoutError:
                error = Unanswered("timeout")
            except OSError:
                error = Unanswered("cannot_connect")
        raise error

    def _may_connect(self, address: str) -> bool:
        """Plain HTTP stays within the networks that the operator has named."""
        return address_allowed(address, self._networks) and (
            self._tls is not None or address_in(address, self._networks)
        )

    def _addresses(self, deadline: "_Deadline") -> list[str]:
        """
        The name's addresses, or none in time: the system's own lookup knows no deadline, so it runs aside and is left
        behind when it takes too long.
        """
        found: list[str] = []
        if not self._lookups.acquire(blocking=False):
            raise Unanswered("cannot_resolve")

        def look() -> None:
            try:
                found.extend(dict.fromkeys(self._resolve(self._host, self._port)))
            except (OSError, UnicodeError):
                found.clear()
            finally:
                self._lookups.release()

        thread = threading.Thread(target=look, name="webhook-lookup", daemon=True)
        thread.start()
        thread.join(min(_RESOLVE_SECONDS, deadline.left()))
        if thread.is_alive() or not found:
            raise Unanswered("cannot_resolve")
        return list(found)

    def _secured(self, sock: socket.socket, deadline: "_Deadline") -> socket.socket:
        if self._tls is None:
            return sock
        try:
            sock.settimeout(deadline.left())
            return self._tls.wrap_socket(sock, server_hostname=self._host)
        except BaseException:
            sock.close()
            raise


def _tls_context(ca_file: str | None) -> ssl.SSLContext:
    """The system's authorities, where an intranet's own belong, and the public ones that come with requests."""
    context = ssl.create_default_context(cafile=ca_file)
    if ca_file is None:
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def _connect(address: str, port: int, deadline: "_Deadline") -> socket.socket:
    """Straight to a number: no name is looked up again."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(min(_CONNECT_SECONDS, deadline.left()))
        sock.connect((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _read(answer: HTTPResponse, deadline: "_Deadline") -> WebhookAnswer:
    deadline.shorten(_BODY_SECONDS)
    try:
        excerpt = answer.read(ANSWER_BYTES_MAX)
    except (OSError, HTTPException, ValueError):  # cut off, too slow, or no proper encoding: it decides nothing
        excerpt = b""
    return WebhookAnswer(status=answer.status, retry_after=answer.getheader("Retry-After", ""), excerpt=excerpt)


class _Deadline:
    """The moment by which everything must be over, on the machine's own steady clock."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds to go; TimeoutError when there are none."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the try took too long")
        return left

    def shorten(self, seconds: float) -> None:
        """No longer than this from now on."""
        self._at = min(self._at, time.monotonic() + seconds)


class _Connection(HTTPConnection):
    """http.client over a socket that is connected already; each write and read ends with the deadline."""

    def __init__(self, host: str, port: int, deadline: _Deadline) -> None:
        super().__init__(host, port)
        self.auto_open = 0
        self._deadline = deadline

    def send(self, data: Any) -> None:
        self.sock.settimeout(self._deadline.left())
        super().send(data)

    def response_class(self, sock: socket.socket, *args: Any, **kwargs: Any) -> HTTPResponse:  # type: ignore[override]
        return _Answer(sock, self._deadline, *args, **kwargs)


class _Answer(HTTPResponse):
    """An answer whose head must come whole and in time."""

    def __init__(self, sock: socket.socket, deadline: _Deadline, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: _WholeHead = _WholeHead(_TimedReader(self.fp.detach(), sock, deadline))

    def begin(self) -> None:
        super().begin()
        self.fp.in_head = False


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a deadline, however slowly the bytes drip in."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, deadline: _Deadline) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._deadline.left())
        return self._raw.readinto(buffer)  # type: ignore[no-any-return, attr-defined, unused-ignore]

    def close(self) -> None:
        self._raw.close()
        super().close()


class _WholeHead(io.BufferedReader):
    """Gives lines; http.client alone takes the end of the stream for the empty line that ends a head."""

    in_head = True

    def readline(self, size: int | None = -1, /) -> bytes:
        line = super().readline(size)
        if self.in_head and not line:
            raise HTTPException("the head of the answer is cut off")
        return line
