"""Calls the gateway's WSGI callable in this process, for figures in processor time."""

import functools
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.ground import API_KEY, Ground, settings_for
from bench.wechat import CALLBACK_PATH, Message
from gateway.app import World, build_world, configure_logging, create_app

Respond = Callable[[str, list[tuple[str, str]]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """The real application on a database of its own."""

    wsgi: Callable[[dict[str, Any], Callable[..., Any]], Any]
    world: World
    database_url: str

    def deliver(self, message: Message, *, expect: str = "200") -> None:
        """Post a callback; any other answer than the expected ends the run."""
        self.call(callback_environ(message), expect)

    def call(self, environ: dict[str, Any], expect: str) -> None:
        status: list[str] = []
        answer = self.wsgi(environ, lambda line, _headers, _info=None: status.append(line))
        for _ in answer:
            pass
        if hasattr(answer, "close"):
            answer.close()
        if not status[0].startswith(expect):
            raise RuntimeError(f"answered {status[0]}, not {expect}")


def callback_environ(message: Message) -> dict[str, Any]:
    """A WSGI environment as granian would hand it over."""
    return environ(CALLBACK_PATH, message.body, message.environ())


def call_environ(path: str, body: bytes, idempotency_key: str) -> dict[str, Any]:
    """An app's own call."""
    return environ(path, body, {"HTTP_AUTHORIZATION": f"Bearer {API_KEY}", "HTTP_IDEMPOTENCY_KEY": idempotency_key})


def environ(path: str, body: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "pay.bench.test",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        **headers,
    }


@functools.cache
def log_to_nowhere() -> None:
    """Log as in service, every line made and written; once, because loggers keep the first file they were given."""
    kept, sys.stderr = sys.stderr, Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  for the run's length
    configure_logging("info")
    sys.stderr = kept


@contextmanager
def gateway_on(ground: Ground, engine: str, name: str, *, provider_port: int = 1) -> Iterator[Gateway]:
    """The real gateway over a new database."""
    url = ground.gateway_database(engine, name)
    settings = settings_for(ground.keys, url, provider_port=provider_port)
    world = build_world(settings)
    log_to_nowhere()
    try:
        yield Gateway(wsgi=create_app(settings, world=world).wsgi_app, world=world, database_url=url)
    finally:
        world.close()
