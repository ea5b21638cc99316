"""The client program's XML and both ways to it."""

import socket
from collections.abc import Callable
from typing import Any, Final

import pytest

from adapters.bank.ccb.ebs_xml import Element, Malformed, read, write
from adapters.kit.http import Transport
from gateway.domain.gate import FAILURES_TO_OPEN, BreakerState, Gate, GateLimits
from gateway.domain.provider import NoVerdict, ProviderUnavailable
from gateway.domain.report import ReportedState
from tests.adapters.bank_ccb import peer
from tests.adapters.kit.loopback import Loopback, serving
from tests.conformance.case import FixedClock

BOMB: Final = '<!DOCTYPE TX [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><TX>&b;</TX>'
REFUSED: Final[dict[str, bytes]] = {
    "empty": b"",
    "html": b"<html><body>502 Bad Gateway",
    "not-gb18030": b"<TX>\xff\xff</TX>",
    "entities": BOMB.encode(),
    "external-entity": b'<!DOCTYPE TX [<!ENTITY x SYSTEM "file:///etc/passwd">]><TX>&x;</TX>',
    "doctype": b'<!DOCTYPE TX SYSTEM "http://elsewhere.example/tx.dtd"><TX></TX>',
    "parameter-entity": b'<!DOCTYPE TX [<!ENTITY % p SYSTEM "http://elsewhere.example/">%p;]><TX></TX>',
    "undefined-entity": b"<TX>&x;</TX>",
    "two-roots": b"<TX></TX><TX></TX>",
    "cut": b"<TX><TX_INFO>",
    "deep": b"<TX>" * 2000 + b"</TX>" * 2000,
    "wide": b"<TX>" + b"<A></A>" * 30_000 + b"</TX>",
    "zero-byte": b"<TX>\x00</TX>",
}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED)
def test_xml_that_is_not_plain_is_refused(raw: bytes) -> None:
    """Declared errors only, and nothing is expanded or fetched."""
    with pytest.raises(Malformed):
        read(raw)


@pytest.mark.parametrize("declared", ["GB18030", "GB2312", "GBK", "UTF-8", "ISO-8859-1"])
def test_bytes_are_gb18030_whatever_they_declare(declared: str) -> None:
    """The bank's own samples disagree about the name."""
    raw = f'<?xml version="1.0" encoding="{declared}" ?>\n<TX><A>缴费𠮷</A></TX>\n'.encode("gb18030")

    assert "缴费𠮷" == read(raw).get("A")


def test_text_is_read_whole_and_trimmed() -> None:
    """Predefined entities are text; several of one name are not one."""
    root = read(b"<TX> <A> x&amp;&lt;y </A><B/><C>1</C><C>2</C></TX>")

    assert ("x&<y", "", "") == (root.get("A"), root.get("B"), root.get("D"))
    with pytest.raises(Malformed):
        root.get("C")


def test_values_are_escaped_when_written() -> None:
    """A password is no markup."""
    assert (
        b'<?xml version="1.0" encoding="GB18030" standalone="yes" ?><TX><A>&lt;&amp;</A><B><C></C></B></TX>'
        == write("TX", {"A": "<&", "B": {"C": ""}})
    )


def test_element_shows_nothing_of_its_texts() -> None:
    """Names and accounts of payers are among them."""
    assert "张" not in repr(Element(name="ACC_NAME", text="张三"))


# --- over TCP ---------------------------------------------------------------------------------------------------------


def answering(*answers: bytes) -> Callable[[socket.socket, Loopback], None]:
    """Answers each connection with the next of these, as soon as the question's last element has come."""
    left = list(answers)

    def behave(connection: socket.socket, server: Loopback) -> None:
        got = b""
        while not got.endswith(b"</TX>"):
            got += connection.recv(65536)
        server.received.append(got)
        connection.sendall(left.pop(0))

    return behave


def over_tcp(server: Loopback, **changes: Any) -> Any:
    return peer.provider(ebs_address=f"tcp://127.0.0.1:{server.port}", **changes)


def test_query_over_tcp_is_the_bare_xml_and_its_answer_read_to_the_end() -> None:
    """The same question and answer as over HTTP."""
    with serving(answering(peer.no_record().body, peer.payments(peer.record()).body)) as server:
        report = over_tcp(server).query(peer.ref()).report

    assert ReportedState.PAID is report.state
    assert [b"0", b"1"] == [question.split(b"<KIND>")[1][:1] for question in server.received]
    assert all(question.startswith(b'<?xml version="1.0" encoding="GB18030"') for question in server.received)


@pytest.mark.parametrize("answer", [b"", peer.no_record().body[:-3]], ids=["nothing", "cut"])
def test_half_an_answer_over_tcp_is_no_verdict(answer: bytes) -> None:
    """The question did arrive."""
    with serving(answering(answer)) as server, pytest.raises(NoVerdict):
        over_tcp(server).query(peer.ref())


def test_refused_connection_over_tcp_is_unavailable() -> None:
    """Nothing was sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(ProviderUnavailable):
        peer.provider(ebs_address=f"tcp://127.0.0.1:{port}").refund(peer.refund())


def test_client_program_that_is_down_shuts_the_accounts_gate() -> None:
    """Over TCP as over HTTP: one account's dead program must not keep a thread of ours at every question."""
    clock = FixedClock(peer.NOW)
    gate = Gate(clock, GateLimits())
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    provider = peer.provider(clock, Transport(gate=gate), ebs_address=f"tcp://127.0.0.1:{port}")
    for _ in range(FAILURES_TO_OPEN):
        with pytest.raises(ProviderUnavailable):
            provider.query(peer.ref())

    assert BreakerState.OPEN is gate.state
    with pytest.raises(ProviderUnavailable) as shut:
        provider.query(peer.ref())
    assert "breaker_open" == shut.value.code
