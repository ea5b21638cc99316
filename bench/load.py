"""The load generator: pre-built requests over kept connections, each sent when the one before it is answered."""

import collections
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.board import percentile

_RECEIVE_BYTES = 65536
_SILENCE_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """
    What a server made of a batch of requests.

    Attributes:
        rate: Answers per second, from the first byte sent to the last received.
        seconds: Time to answer, one for each request.
    """

    rate: float
    seconds: tuple[float, ...]

    @property
    def p50(self) -> float:
        return percentile(self.seconds, 0.5)

    @property
    def p99(self) -> float:
        return percentile(self.seconds, 0.99)


class _Line:
    """One connection and the request that is on its way over it."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sent_at = 0.0
        self._received = b""

    def send(self, request: bytes) -> None:
        self._received = b""
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def take(self) -> int | None:
        """The status once the whole answer is here."""
        chunk = self.socket.recv(_RECEIVE_BYTES)
        if not chunk:
            raise ConnectionError("the server hung up")
        self._received += chunk
        head, gap, body = self._received.partition(b"\r\n\r\n")
        if not gap:
            return None
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        return int(head[9:12]) if len(body) >= length else None


def run_load(port: int, requests: Sequence[bytes], *, connections: int, expect: int = 200) -> Load:
    """
    Send every request once.

    Raises:
        RuntimeError: An answer has another status than expected: its figure would mean nothing.
    """
    todo = collections.deque(requests)
    seconds: list[float] = []
    lines = [_Line(port) for _ in range(min(connections, len(requests)))]
    with selectors.DefaultSelector() as selector:
        began = time.perf_counter()
        for line in lines:
            selector.register(line.socket, selectors.EVENT_READ, line)
            line.send(todo.popleft())
        while len(seconds) < len(requests):
            for line in _answered(selector, expect):
                seconds.append(time.perf_counter() - line.sent_at)
                if todo:
                    line.send(todo.popleft())
        ended = time.perf_counter()
    for line in lines:
        line.socket.close()
    return Load(rate=len(requests) / (ended - began), seconds=tuple(seconds))


def _answered(selector: selectors.BaseSelector, expect: int) -> Iterator[_Line]:
    """The lines whose answers are whole by now."""
    ready = selector.select(_SILENCE_SECONDS_MAX)
    if not ready:
        raise RuntimeError("the server is silent")
    for key, _ in ready:
        status = key.data.take()
        if status is not None and status != expect:
            raise RuntimeError(f"answered {status}, not {expect}")
        if status is not None:
            yield key.data
