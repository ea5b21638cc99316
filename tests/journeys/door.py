"""The gateway's WSGI door: a request as a server hands it over; a test client would cost a third of the answer more."""

import io
from collections.abc import Mapping
from typing import Any, Final

from flask import Flask
from werkzeug.test import run_wsgi_app

_SERVER: Final[Mapping[str, Any]] = {
    "SERVER_NAME": "pay.example.test",
    "SERVER_PORT": "443",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "pay.example.test",
    "REMOTE_ADDR": "127.0.0.1",
    "SCRIPT_NAME": "",
    "wsgi.version": (1, 0),
    "wsgi.url_scheme": "https",
    "wsgi.multithread": True,
    "wsgi.multiprocess": True,
    "wsgi.run_once": False,
}
_PLAIN: Final = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


def ask(
    app: Flask, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    """Code, headers and body of the answer; whatever the application raises goes through."""
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        **_SERVER,
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
    }
    for name, value in headers.items():
        plain = name.upper().replace("-", "_")
        environ[plain if plain in _PLAIN else f"HTTP_{plain}"] = value
    parts, status, answered = run_wsgi_app(app.wsgi_app, environ)
    return int(status[:3]), dict(answered), b"".join(parts)
