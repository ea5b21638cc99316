"""The way to a receiver, over real loopback connections: where it leads, and that every try ends in time."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.domain.webhook import WebhookReceiver
from gateway.services import webhook_wire
from gateway.services.webhook_wire import Unanswered, WebhookAnswer, WebhookPoster
from tests.adapters.kit import loopback
from tests.adapters.kit.loopback import Loopback, serving
from tests.support.receiver import SECRET

LOOPBACK = ("127.0.0.0/8",)
NAME = "app.example.test"
BODY = '{"type":"order.paid","data":{"序":1}}'.encode()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Behave = Callable[[socket.socket, Loopback], None]


def poster(url: str, **changes: object) -> WebhookPoster:
    """One that loses patience quickly; names lead to the loopback."""
    networks = changes.pop("networks", LOOPBACK)
    receiver = WebhookReceiver(url=url, secrets=(SECRET,), networks=networks)  # type: ignore[arg-type]
    told = {"try_seconds": 0.5, "resolve": lambda _host, _port: ["127.0.0.1"], **changes}
    return WebhookPoster(receiver, **told)  # type: ignore[arg-type]


def post(url: str, **changes: object) -> WebhookAnswer:
    return poster(url, **changes)({"webhook-id": "evt_1_1", "Content-Type": "application/json"}, BODY)


def reason_of(url: str, **changes: object) -> str:
    with pytest.raises(Unanswered) as caught:
        post(url, **changes)
    return caught.value.reason


def named(server: Loopback, scheme: str = "http") -> str:
    return f"{scheme}://{NAME}:{server.port}/hooks?tenant=1"


# --- what is sent and read --------------------------------------------------------------------------------------------


def test_post_puts_exactly_this_on_the_wire() -> None:
    """Target with its query, the host's own name, our headers, the body's bytes; one request on one connection."""
    with serving(loopback.answering(OK)) as server:
        answer = post(named(server))
    head, body = server.received[0].split(b"\r\n\r\n", 1)
    lines = head.split(b"\r\n")

    assert lines[0] == b"POST /hooks?tenant=1 HTTP/1.1"
    assert f"Host: {NAME}:{server.port}".encode() in lines
    assert {b"webhook-id: evt_1_1", b"Content-Type: application/json", b"Connection: close"} <= set(lines)
    assert f"Content-Length: {len(BODY)}".encode() in lines
    assert body == BODY
    assert answer == WebhookAnswer(status=200, excerpt=b"ok")


ANSWERS = {
    "no_content": (b"HTTP/1.1 204 No Content\r\n\r\n", WebhookAnswer(status=204)),
    "retry": (
        b"HTTP/1.1 503 Busy\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n",
        WebhookAnswer(status=503, retry_after="30"),
    ),
    "chunked": (
        b"HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        WebhookAnswer(status=500, excerpt=b"abc"),
    ),
    "half_a_chunk": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        WebhookAnswer(status=200, excerpt=b""),
    ),
    "until_close": (b"HTTP/1.0 200 OK\r\n\r\nabc", WebhookAnswer(status=200, excerpt=b"abc")),
    "continue_first": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, WebhookAnswer(status=200, excerpt=b"ok")),
    "endless": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000, WebhookAnswer(status=200, excerpt=b"x" * 1024)),
    "bytes": (b"HTTP/1.1 400 No\r\n\r\n\xff\x00", WebhookAnswer(status=400, excerpt=b"\xff\x00")),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_answer_is_read_for_its_status_and_a_short_excerpt(name: str) -> None:
    """No more than 1024 bytes of whatever comes."""
    raw, expected = ANSWERS[name]

    def behave(connection: socket.socket, server: Loopback) -> None:
        loopback.receive(connection, server)
        try:
            connection.sendall(raw)
        except OSError:
            return  # we hung up on the endless one

    with serving(behave) as server:
        assert post(named(server)) == expected


def test_redirect_is_not_followed() -> None:
    """The answer is the redirect itself."""
    answer = b"HTTP/1.1 307 Elsewhere\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    with serving(loopback.answering(answer)) as server:
        assert post(named(server)).status == 307

    assert len(server.accepted) == 1


# --- time -------------------------------------------------------------------------------------------------------------

SLOW: dict[str, tuple[Behave, str]] = {
    "silent": (loopback.silent, "timeout"),
    "dripping_status": (loopback.dripping(b"HTTP/1.1 2", b"0"), "timeout"),
    "dripping_head": (loopback.dripping(b"HTTP/1.1 200 OK\r\nX-A: ", b"a"), "timeout"),
    "dripping_headers": (loopback.dripping(b"HTTP/1.1 200 OK\r\n", b"A: a\r\n"), "timeout"),
    "dripping_continues": (loopback.dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "timeout"),
}


@pytest.mark.parametrize("name", SLOW)
def test_receiver_that_takes_its_time_is_left_in_time(name: str) -> None:
    """Each byte is in time, the whole is not."""
    behave, reason = SLOW[name]
    with serving(behave) as server:
        began = time.monotonic()
        found = reason_of(named(server))
        took = time.monotonic() - began

    assert found == reason
    assert took < 1.5


def test_dripping_body_after_the_head_is_a_success_and_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status has said it."""
    monkeypatch.setattr(webhook_wire, "_BODY_SECONDS", 0.2)
    with serving(loopback.dripping(b"HTTP/1.1 200 OK\r\n\r\n", b".")) as server:
        began = time.monotonic()
        answer = post(named(server), try_seconds=10)
        took = time.monotonic() - began

    assert answer.status == 200
    assert took < 1.5


def test_deaf_tls_receiver_is_left_in_time(tmp_path: Path) -> None:
    """No handshake comes."""
    pem = loopback.self_signed(tmp_path)
    with serving(loopback.deaf) as server:
        began = time.monotonic()
        found = reason_of(server.tls_url, ca_file=str(pem))
        took = time.monotonic() - began

    assert found == "timeout"
    assert took < 1.5


def test_slow_name_service_is_left_in_time() -> None:
    """The system's lookup knows no deadline; it is left behind, and only so many of them."""
    release = threading.Event()

    def resolve(_host: str, _port: int) -> list[str]:
        release.wait(10)
        return ["127.0.0.1"]

    slow = poster(f"https://{NAME}/hooks", resolve=resolve, try_seconds=0.1)
    began = time.monotonic()
    for _ in range(10):
        with pytest.raises(Unanswered, match="cannot_resolve"):
            slow({}, BODY)
    took = time.monotonic() - began
    waiting = sum(thread.name == "webhook-lookup" for thread in threading.enumerate())
    release.set()

    assert waiting <= 8
    assert took < 3


BROKEN: dict[str, tuple[Behave, str]] = {
    "reset": (loopback.resetting, "broken"),
    "cut_head": (loopback.answering(b"HTTP/1.1 200 OK\r\nContent-"), "broken"),
    "cut_before_the_empty_line": (loopback.answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"), "broken"),
    "closed": (loopback.answering(b""), "broken"),
    "not_http": (loopback.answering(b"SSH-2.0-OpenSSH_9.6\r\n"), "broken"),
    "absurd_status": (loopback.answering(b"HTTP/1.1 20O OK\r\n\r\n"), "broken"),
    "too_many_headers": (loopback.answering(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"), "broken"),
    "too_long_a_header": (loopback.answering(b"HTTP/1.1 200 OK\r\nA: " + b"b" * 70_000 + b"\r\n\r\n"), "broken"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_answer_that_is_not_whole_is_no_answer(name: str) -> None:
    """A 2xx whose head was cut off is no success."""
    behave, reason = BROKEN[name]
    with serving(behave) as server:
        assert reason_of(named(server)) == reason


def test_receiver_that_is_not_there_is_not_reached() -> None:
    """Connection refused."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    assert reason_of(f"http://{NAME}:{port}/") == "cannot_connect"


# --- where it leads ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1", "169.254.169.254", "fe80::1%lo"])
def test_name_that_leads_to_a_place_not_allowed_is_not_connected_to(address: str) -> None:
    """Judged after the lookup: a public name with a private address opens no connection."""
    with serving(loopback.answering(OK)) as server:
        found = reason_of(f"https://{NAME}:{server.port}/", networks=(), resolve=lambda _host, _port: [address])

    assert found == "address_refused"
    assert server.accepted == []


def test_literal_address_is_judged_as_well() -> None:
    """Written in the address itself, in whatever spelling the system understands."""
    for host in ("127.0.0.1", "2130706433", "0x7f000001", "localhost"):
        assert reason_of(f"https://{host}/", networks=(), resolve=webhook_wire.resolve_name) == "address_refused"


def test_plain_http_stays_within_the_named_networks() -> None:
    """A public address is not spoken to without TLS, although it is allowed with it."""
    assert reason_of(f"http://{NAME}/", resolve=lambda _host, _port: ["1.1.1.1"]) == "address_refused"


def test_name_is_resolved_once_and_the_checked_address_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that answers otherwise the second time (DNS rebinding) is never asked a second time."""
    asked: list[str] = []

    def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    def never(*_arguments: object, **_more: object) -> None:
        raise AssertionError("a second lookup")

    with serving(loopback.answering(OK)) as server:
        monkeypatch.setattr(socket, "getaddrinfo", never)
        assert post(named(server), resolve=resolve).status == 200

    assert asked == [NAME]


def test_connection_goes_to_the_resolved_number_alone() -> None:
    """The server listens at 127.0.0.1, the name leads to 127.0.0.9: nobody is there."""
    with serving(loopback.answering(OK)) as server:
        found = reason_of(f"http://localhost:{server.port}/", resolve=lambda _host, _port: ["127.0.0.9"])

    assert found == "cannot_connect"
    assert server.accepted == []


def test_addresses_not_allowed_are_left_out_of_a_mixed_answer() -> None:
    """Only those that were allowed are tried, two at most."""
    with serving(loopback.answering(OK)) as server:
        answer = post(named(server), resolve=lambda _host, _port: ["10.0.0.1", "fe80::1", "127.0.0.1"])

    assert answer.status == 200


@pytest.mark.parametrize("error", [OSError("no such name"), UnicodeError("label too long")], ids=["os", "idna"])
def test_name_without_an_address_is_no_answer(error: Exception) -> None:
    """Nothing was sent."""

    def resolve(_host: str, _port: int) -> list[str]:
        raise error

    assert reason_of(f"https://{NAME}/", resolve=resolve) == "cannot_resolve"


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_certificate_is_checked_for_the_name_and_not_for_the_address(tmp_path: Path) -> None:
    """The connection goes to a number; the certificate is that of the name."""
    pem = loopback.self_signed(tmp_path, name_of_host=NAME)
    with serving(loopback.over_tls(pem, loopback.answering(OK))) as server:
        assert post(named(server, "https"), ca_file=str(pem)).status == 200


def quiet_tls(pem: Path) -> Behave:
    """A TLS server that does not mind being hung up on."""
    behave = loopback.over_tls(pem, loopback.answering(OK))

    def guarded(connection: socket.socket, server: Loopback) -> None:
        try:
            behave(connection, server)
        except OSError:
            return

    return guarded


@pytest.mark.parametrize("case", ["another_name", "unknown_authority"])
def test_certificate_that_does_not_prove_the_name_is_refused(tmp_path: Path, case: str) -> None:
    """Nothing is sent."""
    pem = loopback.self_signed(tmp_path, name_of_host="other.example.test" if case == "another_name" else NAME)
    with serving(quiet_tls(pem)) as server:
        found = reason_of(named(server, "https"), ca_file=str(pem) if case == "another_name" else None)

    assert found == "tls"
    assert server.received == []


def test_default_port_is_left_out_of_the_host_header() -> None:
    """As every client does; some servers find no site under a name with a port."""
    sent: list[bytes] = []

    class Recorder:
        def settimeout(self, _seconds: float) -> None: ...

        def sendall(self, data: bytes) -> None:
            sent.append(data)

        def makefile(self, _mode: str) -> None:
            raise OSError

        def close(self) -> None: ...

    way = poster(f"https://{NAME}/hooks")
    way._connected = lambda _deadline: Recorder()  # type: ignore[assignment, method-assign, return-value]
    with pytest.raises(Unanswered):
        way({}, BODY)

    assert f"\r\nHost: {NAME}\r\n".encode() in b"".join(sent)
