"""Journeys and simulations build hundreds of gateways of the same settings and lose nothing when the power fails."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from unittest.mock import patch

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from gateway.store import sqlite
from gateway.web import openapi

_load_once = cache(serialization.load_der_private_key)
_open_once = cache(pkcs12.load_key_and_certificates)


@contextmanager
def quick_gateways() -> Iterator[None]:
    """Each key is checked once, the public document is not made, no disk is waited for, nothing is logged."""
    pragmas = tuple(pragma.replace("synchronous = FULL", "synchronous = OFF") for pragma in sqlite._PRAGMAS)
    assert pragmas != sqlite._PRAGMAS
    before = structlog.get_config()
    with ExitStack() as stack:
        stack.enter_context(patch.object(serialization, "load_der_private_key", _load_once))
        stack.enter_context(patch.object(pkcs12, "load_key_and_certificates", _open_once))
        stack.enter_context(patch.object(openapi, "build_spec", lambda _routes: {}))
        stack.enter_context(patch.object(sqlite, "_PRAGMAS", pragmas))
        stack.callback(lambda: structlog.configure(**before))
        structlog.configure(processors=[_drop], cache_logger_on_first_use=False)
        yield


def _drop(*_event: object) -> str:
    raise structlog.DropEvent
