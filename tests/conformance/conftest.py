"""Readable assertions in the checks, and no network for anybody."""

import socket
from collections.abc import Iterator

import pytest

pytest.register_assert_rewrite("tests.conformance.checks")


@pytest.fixture(autouse=True)
def sockets_opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every attempt to reach a network; a test in which there was one fails, even if the adapter hid the error."""
    opened: list[str] = []

    def refuse(*_args: object, **_kwargs: object) -> None:
        opened.append("socket")
        raise OSError("no network in tests")

    for owner, name in ((socket.socket, "connect"), (socket.socket, "connect_ex"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, refuse)
    yield opened
    assert opened == [], "an adapter opened a socket beside kit.http"
