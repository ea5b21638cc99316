"""The one door to the network, over real loopback connections: every fault is named for what it proves."""

import gzip
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import responses
from responses.registries import OrderedRegistry

from adapters.kit.http import HttpAnswer, Transport, wire_target
from gateway.domain.gate import FAILURES_TO_OPEN, Gate, GateLimits
from gateway.domain.provider import NoVerdict, ProviderError, ProviderUnavailable
from tests.adapters.kit import loopback
from tests.adapters.kit.loopback import Loopback, serving
from tests.support.clock import ManualClock

Behaviour = Callable[[socket.socket, Loopback], None]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
URL = "https://provider.invalid/pay?no=1"
SECRET_BODY = b'{"openid":"oCanary01"}'


def transport(**changes: object) -> Transport:
    """A transport that loses patience quickly."""
    return Transport(**{"connect_seconds": 0.3, "answer_seconds": 0.3, **changes})  # type: ignore[arg-type]


def ask(url: str, **changes: object) -> HttpAnswer:
    return transport(**changes).send("POST", url, headers={"X-Test": "1"}, body=SECRET_BODY)


def error_of(url: str, **changes: object) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        ask(url, **changes)
    return caught.value


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def pem(tmp_path: Path) -> Path:
    return loopback.self_signed(tmp_path)


# --- the good case ----------------------------------------------------------------------------------------------------


def test_send_puts_exactly_these_bytes_on_the_wire_and_gives_the_answer() -> None:
    """Method, target, headers and body go out as given; header names come back in lower case."""
    answer = b"HTTP/1.1 404 Not Found\r\nX-Serial: A1\r\nContent-Length: 5\r\n\r\n\xff\x00abc"
    with serving(loopback.answering(answer)) as server:
        got = ask(server.url)

    head, body = server.received[0].split(b"\r\n\r\n", 1)
    assert head.startswith(b"POST /pay?no=1 HTTP/1.1\r\n")
    assert b"\r\nX-Test: 1" in head
    assert body == SECRET_BODY
    assert got == HttpAnswer(status=404, headers={"x-serial": "A1", "content-length": "5"}, content=b"\xff\x00abc")


def test_send_over_tls_with_a_known_authority_gives_the_answer(pem: Path) -> None:
    """`ca_file` makes an intranet's own authority known."""
    with serving(loopback.over_tls(pem, loopback.answering(OK))) as server:
        assert ask(server.tls_url, ca_file=str(pem)).content == b"ok"


def test_answers_on_one_kept_connection_each_have_their_own_time() -> None:
    """The patience of one answer is not used up by the one before it on the same connection."""

    def slow_answers(connection: socket.socket, server: Loopback) -> None:
        for _ in range(3):
            loopback.receive(connection, server)
            server.over.wait(0.2)
            connection.sendall(OK)

    with serving(slow_answers) as server:
        one = transport()
        for _ in range(3):
            assert one.send("GET", server.url, headers={}).content == b"ok"

    assert len(server.accepted) == 1


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://h.invalid/v3/pay/a%7Cb?mchid=1", "/v3/pay/a%7Cb?mchid=1"),
        ("https://h.invalid/file?token=a%2Bb%2F%3D", "/file?token=a%2Bb%2F%3D"),
        ("https://h.invalid/a|b*@", "/a%7Cb*@"),
        ("https://h.invalid", "/"),
    ],
)
def test_wire_target_is_what_stands_in_the_request_line(url: str, target: str) -> None:
    """What is signed is what is sent."""
    with serving(loopback.answering(OK)) as server:
        ask(url.replace("https://h.invalid", f"http://127.0.0.1:{server.port}"))

    assert target == wire_target(url)
    assert server.received[0].split(b" ", 2)[1].decode() == target


# --- nothing was sent -------------------------------------------------------------------------------------------------


def test_refused_connection_is_unavailable() -> None:
    """Nobody listens: nothing can have arrived."""
    error = error_of(f"http://127.0.0.1:{free_port()}/")

    assert type(error) is ProviderUnavailable
    assert "ConnectionRefusedError" in str(error)


def test_refused_tls_connection_is_unavailable() -> None:
    """Nobody listens on the TLS port either."""
    assert type(error_of(f"https://127.0.0.1:{free_port()}/")) is ProviderUnavailable


def test_unknown_host_is_unavailable() -> None:
    """A name that does not resolve (.invalid never does)."""
    assert type(error_of("http://provider.invalid/")) is ProviderUnavailable


def test_connection_that_is_never_made_is_unavailable() -> None:
    """The listener's queue is full: the connection attempt itself times out."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        error = error_of(f"http://127.0.0.1:{listener.getsockname()[1]}/", connect_seconds=0.1)
        for one in waiting:
            one.close()

    assert type(error) is ProviderUnavailable


def test_self_signed_server_is_refused_before_anything_is_sent(pem: Path) -> None:
    """The certificate of an unknown authority ends the connection; no byte of the request was readable."""
    with serving(loopback.over_tls(pem, loopback.answering(OK))) as server:
        error = error_of(server.tls_url)

    assert type(error) is ProviderUnavailable
    assert "SSLCertVerificationError" in str(error)
    assert server.received == []


def test_certificate_of_another_host_is_refused(tmp_path: Path) -> None:
    """A known authority's certificate for another address does not do."""
    pem = loopback.self_signed(tmp_path, host="127.0.0.9")
    with serving(loopback.over_tls(pem, loopback.answering(OK))) as server:
        error = error_of(server.tls_url, ca_file=str(pem))

    assert type(error) is ProviderUnavailable
    assert server.received == []


@pytest.mark.parametrize(
    "behave",
    [loopback.deaf, loopback.resetting_at_once, loopback.answering(OK)],
    ids=["handshake-unanswered", "handshake-reset", "not-tls"],
)
def test_failed_handshake_is_unavailable(behave: Behaviour) -> None:
    """A TLS handshake that dies in whatever way carried nothing of the request."""
    with serving(behave) as server:
        error = error_of(server.tls_url, connect_seconds=0.1)

    assert type(error) is ProviderUnavailable


@pytest.mark.parametrize(
    "behave",
    [loopback.answering(b"HTTP/1.1 403 Forbidden\r\n\r\n"), loopback.resetting],
    ids=["tunnel-refused", "tunnel-reset"],
)
def test_failed_proxy_tunnel_is_unavailable(behave: Behaviour) -> None:
    """A proxy that refuses the tunnel saw the host's name and nothing of the request."""
    with serving(behave) as server:
        error = error_of(URL, proxy=f"http://127.0.0.1:{server.port}")

    assert type(error) is ProviderUnavailable
    assert all(request.startswith(b"CONNECT ") for request in server.received)


def test_unreachable_proxy_is_unavailable() -> None:
    """A proxy that does not listen."""
    assert type(error_of(URL, proxy=f"http://127.0.0.1:{free_port()}")) is ProviderUnavailable


@pytest.mark.parametrize("url", ["provider/pay", "http://", "ftp://provider.invalid/", "http://[::1", "http://a b/"])
def test_address_that_cannot_be_called_is_unavailable(url: str) -> None:
    """A request that cannot be made was never sent."""
    assert type(error_of(url)) is ProviderUnavailable


def test_header_that_cannot_be_sent_is_unavailable() -> None:
    """A line break in a header is refused before the connection."""
    with pytest.raises(ProviderUnavailable):
        transport().send("GET", URL, headers={"X-Test": "a\nb"})


def scripted(*answers: Exception | bytes) -> responses.RequestsMock:
    """Answers and faults in this order, and no others."""
    mock = responses.RequestsMock(registry=OrderedRegistry)
    for answer in answers:
        mock.add(responses.POST, URL, body=answer)
    return mock


def test_connection_fault_is_tried_again_with_the_same_bytes() -> None:
    """A connection that came about at the third try carries the very request of the first."""
    fault = requests.exceptions.ConnectTimeout()
    with scripted(fault, fault, b"ok") as mock:
        answer = ask(URL)
        sent = [(call.request.body, dict(call.request.headers)) for call in mock.calls]

    assert answer.content == b"ok"
    assert len(sent) == 3
    assert sent[0] == sent[1] == sent[2]


def test_connection_fault_is_tried_three_times_and_no_more() -> None:
    """One layer retries, briefly; everything longer is a task."""
    fault = requests.exceptions.ConnectTimeout()
    with scripted(fault, fault, fault) as mock:
        error = error_of(URL)
        assert len(mock.calls) == 3

    assert type(error) is ProviderUnavailable


def test_read_time_out_is_not_tried_again() -> None:
    """What may have arrived is not sent twice by the door."""
    with scripted(requests.exceptions.ReadTimeout()) as mock:
        error = error_of(URL)
        assert len(mock.calls) == 1

    assert type(error) is NoVerdict


# --- it may have arrived ----------------------------------------------------------------------------------------------

LONG = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"

FAULTS_AFTER_SENDING: dict[str, Behaviour] = {
    "silent": loopback.silent,
    "reset": loopback.resetting,
    "closed-without-answer": loopback.answering(b""),
    "not-http": loopback.answering(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "cut-in-head": loopback.answering(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "cut-in-body": loopback.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}"),
    "cut-in-chunk": loopback.answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}"),
    "broken-chunk-size": loopback.answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    "two-lengths": loopback.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 3\r\n\r\n{}"),
    "broken-gzip": loopback.answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}"),
    "endless-head": loopback.dripping(b"HTTP/1.1 200 OK\r\n", b"X-Drip: 1\r\n"),
    "long-header-line": loopback.answering(b"HTTP/1.1 200 OK\r\nX: " + b"A" * 70_000 + b"\r\n\r\n"),
    "slow-drip-in-head": loopback.dripping(b"HTTP/1.1 200 OK\r\nX-Slow: ", b"A"),
    "slow-drip-in-body": loopback.dripping(LONG, b"A"),
    "slow-drip-in-chunk": loopback.dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nA\r\n"),
    "slow-drip-without-length": loopback.dripping(b"HTTP/1.1 200 OK\r\n\r\n", b"A"),
}


@pytest.mark.parametrize("behave", FAULTS_AFTER_SENDING.values(), ids=FAULTS_AFTER_SENDING)
def test_fault_after_sending_gives_no_verdict_in_time_and_once(behave: Behaviour) -> None:
    """The request may have arrived, so it is not sent again, and the caller is not kept waiting."""
    with serving(behave) as server:
        started = time.monotonic()
        error = error_of(server.url)
        lasted = time.monotonic() - started

    assert type(error) is NoVerdict
    assert len(server.received) == 1
    assert lasted < 1.5


@pytest.mark.parametrize("behave", [loopback.silent, loopback.resetting, loopback.dripping(LONG, b"A")])
def test_fault_after_sending_over_tls_gives_no_verdict(pem: Path, behave: Behaviour) -> None:
    """After a good handshake every fault may have come too late."""
    with serving(loopback.over_tls(pem, behave)) as server:
        error = error_of(server.tls_url, ca_file=str(pem))

    assert type(error) is NoVerdict
    assert len(server.received) == 1


@pytest.mark.parametrize("length", [b"Content-Length: 3000\r\n", b""], ids=["told", "untold"])
def test_answer_beyond_the_limit_gives_no_verdict(length: bytes) -> None:
    """An answer is read up to its limit and no further."""
    with serving(loopback.answering(b"HTTP/1.1 200 OK\r\n", length, b"\r\n", b"A" * 3000)) as server:
        assert transport().send("GET", server.url, headers={}, answer_bytes_max=3000).content == b"A" * 3000
        with pytest.raises(NoVerdict):
            transport().send("GET", server.url, headers={}, answer_bytes_max=2999)


def test_compressed_answer_is_measured_unpacked() -> None:
    """A few kilobytes that unpack to megabytes are too long."""
    packed = gzip.compress(b"\x00" * (8 << 20))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with serving(loopback.answering(head, packed)) as server:
        error = error_of(server.url, answer_seconds=3.0)

    assert type(error) is NoVerdict
    assert "too long" in str(error)


# --- what it never does -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", [b"/elsewhere", b"http://127.0.0.1:1/", b"http://[", b"", b"javascript:1"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_an_answer_and_not_followed(status: int, location: bytes) -> None:
    """A signed request is for one address; where a redirect points is of no interest, however odd."""
    answer = b"HTTP/1.1 %d Moved\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, location)
    with serving(loopback.answering(answer)) as server:
        got = ask(server.url)

    assert got.status == status
    assert len(server.received) == 1


def test_redirect_with_endless_body_is_not_swallowed() -> None:
    """The limit holds for the body of a redirect, too."""
    head = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 3000000\r\n\r\n"
    with serving(loopback.answering(head, b"A" * 3_000_000)) as server:
        error = error_of(server.url, answer_seconds=3.0)

    assert type(error) is NoVerdict
    assert "too long" in str(error)


def test_cookie_is_not_kept() -> None:
    """An adapter remembers nothing, and neither does its door."""
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    with serving(loopback.answering(answer)) as server:
        one = transport()
        for _ in range(2):
            one.send("GET", server.url, headers={})

    assert not any(b"cookie" in request.lower() for request in server.received)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"])
def test_proxy_of_the_environment_is_ignored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is put between us and the provider by a variable."""
    monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    with serving(loopback.answering(OK)) as server:
        assert ask(server.url).content == b"ok"


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_authority_of_the_environment_is_ignored(name: str, pem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is trusted by a variable, either."""
    monkeypatch.setenv(name, str(pem))
    with serving(loopback.over_tls(pem, loopback.answering(OK))) as server:
        assert type(error_of(server.tls_url)) is ProviderUnavailable


def test_netrc_is_ignored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials come from a file that nobody named."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login canary password canary")
    monkeypatch.setenv("NETRC", str(netrc))
    with serving(loopback.answering(OK)) as server:
        ask(server.url)

    assert b"authorization" not in server.received[0].lower()


def test_configured_proxy_is_used() -> None:
    """The proxy of the settings gets the request for the provider."""
    with serving(loopback.answering(OK)) as server:
        assert ask("http://provider.invalid/pay", proxy=f"http://127.0.0.1:{server.port}").content == b"ok"

    assert server.received[0].startswith(b"POST http://provider.invalid/pay ")


@pytest.mark.parametrize("behave", [loopback.silent, loopback.resetting])
def test_error_shows_neither_address_nor_content(behave: Behaviour) -> None:
    """The error's texts and chain carry nothing of the request."""
    with serving(behave) as server:
        error = error_of(server.url)

    shown = f"{error!r} {error.__cause__!r} {error.__suppress_context__}"
    assert "oCanary01" not in shown
    assert "127.0.0.1" not in shown
    assert "True" in shown


# --- the gate ---------------------------------------------------------------------------------------------------------


class WatchedGate(Gate):
    """A gate that remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(ManualClock(), GateLimits())
        self.told: list[bool] = []

    def leave(self, *, answered: bool) -> None:
        self.told.append(answered)
        super().leave(answered=answered)


@pytest.mark.parametrize(
    ("line", "healthy"),
    [
        ("200 OK", True),
        ("404 Not Found", True),
        ("429 Too Many Requests", True),
        ("500 Oops", False),
        ("503 No", False),
    ],
)
def test_gate_hears_whether_the_provider_answered(line: str, *, healthy: bool) -> None:
    """A refusal is an answer; a server's own fault is none."""
    gate = WatchedGate()
    with serving(loopback.answering(f"HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n".encode())) as server:
        ask(server.url, gate=gate)

    assert [healthy] == gate.told


def test_gate_hears_of_refused_connections_and_opens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind an open gate nothing is tried any more."""
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _seconds: None)
    gate, client = WatchedGate(), transport()
    client._gate = gate
    url = f"http://127.0.0.1:{free_port()}/"
    codes = []
    for _ in range(FAILURES_TO_OPEN + 2):
        with pytest.raises(ProviderUnavailable) as caught:
            client.send("GET", url, headers={})
        codes.append(caught.value.code)

    assert [""] * FAILURES_TO_OPEN + ["breaker_open"] * 2 == codes
    assert [False] * FAILURES_TO_OPEN == gate.told
