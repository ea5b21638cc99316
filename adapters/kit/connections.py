"""
Connections that know two things urllib3's own do not: whether a fault lay before the first byte of the request, and
how long an answer may take as a whole. Used by `adapters.kit.http` alone.
"""

import io
import socket
import time
from collections.abc import Mapping
from http.client import HTTPException, HTTPResponse, RemoteDisconnected
from typing import Any, Final

import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, NewConnectionError

_CONNECT_FAULTS: Final = (OSError, HTTPError, HTTPException)


class _TimedReader(io.RawIOBase):
    """Reads from a socket until a deadline, however slowly the bytes drip in; the socket's own time-out is for each."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket) -> None:
        self._raw = raw
        self._sock = sock
        self._deadline = time.monotonic() + (sock.gettimeout() or 0.0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._sock.settimeout(left)
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
            raise RemoteDisconnected("the head of the answer is cut off")
        return line


class _TimedResponse(HTTPResponse):
    """An answer whose status line, headers and body together must arrive in time, the head whole."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp: _WholeHead = _WholeHead(_TimedReader(self.fp.detach(), sock))

    def begin(self) -> None:
        super().begin()
        self.fp.in_head = False


class _PlainConnection(HTTPConnection):
    """HTTP, for the sandbox on this machine and for a proxy's own address."""

    response_class = _TimedResponse

    def connect(self) -> None:
        try:
            super().connect()
        except _CONNECT_FAULTS as exc:
            raise NewConnectionError(self, "cannot connect") from (exc.__cause__ or exc)


class _TlsConnection(HTTPSConnection):
    """HTTPS. A failed handshake or proxy tunnel is a connection never made: nothing of the request was sent."""

    response_class = _TimedResponse

    def connect(self) -> None:
        try:
            super().connect()
        except _CONNECT_FAULTS as exc:
            raise NewConnectionError(self, "cannot connect") from (exc.__cause__ or exc)


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS: Final[Mapping[str, type[urllib3.HTTPConnectionPool]]] = {"http": _PlainPool, "https": _TlsPool}


class TimedAdapter(HTTPAdapter):
    """The pooled adapter of requests, over these connections."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = dict(_POOLS)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = dict(_POOLS)
        return manager
