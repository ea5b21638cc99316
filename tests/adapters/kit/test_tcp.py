"""Plain TCP to a bank's client program, over real loopback connections: every fault is named for what it proves."""

import socket
import struct
from collections.abc import Callable

import pytest

from adapters.kit import tcp
from gateway.domain.provider import NoVerdict, ProviderUnavailable
from tests.adapters.kit.loopback import Loopback, serving

Behaviour = Callable[[socket.socket, Loopback], None]

QUESTION = b"<TX>canary-question</TX>"


def ask(server: Loopback, **changes: float) -> bytes:
    return tcp.exchange("127.0.0.1", server.port, QUESTION, **{"answer_seconds": 0.4, **changes})  # type: ignore[arg-type]


def read_question(connection: socket.socket, server: Loopback) -> None:
    got = b""
    while len(got) < len(QUESTION):
        got += connection.recv(65536)
    server.received.append(got)


def answering(*pieces: bytes) -> Behaviour:
    def behave(connection: socket.socket, server: Loopback) -> None:
        read_question(connection, server)
        for piece in pieces:
            connection.sendall(piece)

    return behave


def silent(connection: socket.socket, server: Loopback) -> None:
    read_question(connection, server)
    server.over.wait(5)


def dripping(connection: socket.socket, server: Loopback) -> None:
    """A byte now and then, each within the time-out of a single read."""
    read_question(connection, server)
    while not server.over.wait(0.05):
        connection.sendall(b"x")


def resetting(connection: socket.socket, server: Loopback) -> None:
    read_question(connection, server)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def test_exchange_writes_the_question_and_reads_to_the_end() -> None:
    """Exactly these bytes, in whatever pieces the answer comes."""
    with serving(answering(b"<TX>", b"", b"\xff\x00ok</TX>")) as server:
        assert b"<TX>\xff\x00ok</TX>" == ask(server)

    assert [QUESTION] == server.received


@pytest.mark.parametrize("behave", [silent, dripping, resetting], ids=["silent", "dripping", "reset"])
def test_fault_after_the_question_is_no_verdict(behave: Behaviour) -> None:
    """It may have been understood; and the time is for the whole answer."""
    with serving(behave) as server, pytest.raises(NoVerdict) as raised:
        ask(server)

    assert "canary" not in f"{raised.value!s} {raised.value.__cause__!r}"


def test_answer_that_is_too_long_is_no_verdict() -> None:
    """It is not kept in memory to its end."""
    with serving(answering(b"x" * 2000)) as server, pytest.raises(NoVerdict):
        ask(server, answer_bytes_max=1999)


def test_answer_of_the_greatest_length_is_whole() -> None:
    """One byte less than too long."""
    with serving(answering(b"x" * 2000)) as server:
        assert 2000 == len(ask(server, answer_bytes_max=2000))


def test_refused_connection_is_unavailable() -> None:
    """Nothing was sent, for certain."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ProviderUnavailable):
        tcp.exchange("127.0.0.1", port, QUESTION)


@pytest.mark.parametrize(
    "host", ["", "no such host", "a" * 300, "x\udcff"], ids=["empty", "blank", "long", "surrogate"]
)
def test_host_that_is_none_is_unavailable(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that leads nowhere: nothing was sent."""

    def nowhere(name: str, *_arguments: object) -> None:
        name.encode("idna")
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(ProviderUnavailable):
        tcp.exchange(host, 1, QUESTION)
