"""Notifies, beside what the conformance suite asks of every adapter: how they arrive, and what is not one."""

import base64
from typing import Any
from urllib.parse import quote

import pytest

from adapters.bank.trustpay import Malformed, element
from gateway.domain.provider import CallbackRefused, CallbackUnreadable
from gateway.domain.report import ReportedState
from tests.adapters.bank_abchina import peer

DOCUMENT = peer.notify_document(peer.notify_inner())
MSG = base64.b64encode(DOCUMENT)


def refused(body: bytes) -> str:
    with pytest.raises(CallbackRefused) as raised:
        peer.provider().parse_callback(peer.callback(body))
    return raised.value.reason


@pytest.mark.parametrize("blank", [b" ", b"%20", b"+", b"%2B"])
def test_notify_whose_plus_became_a_blank_is_the_same_notify(blank: bytes) -> None:
    """However the sender, or a server in between, has spoilt it."""
    assert b"+" in MSG
    good = peer.provider().parse_callback(peer.callback(peer.form(DOCUMENT)))

    assert good == peer.provider().parse_callback(peer.callback(b"MSG=" + MSG.replace(b"+", blank)))


def test_notify_in_another_text_of_the_same_base64_is_refused() -> None:
    """The last digit's unused bits would let other texts through."""
    spaced = DOCUMENT + b" " * (-len(DOCUMENT) % 3 + 1)
    text = base64.b64encode(spaced).decode("ascii")
    assert text.endswith("==")
    other = text[:-3] + chr(ord(text[-3]) + 1) + "=="
    assert base64.b64decode(other) == spaced

    assert peer.provider().parse_callback(peer.callback(f"MSG={quote(text)}".encode())).report
    assert refused(f"MSG={quote(other)}".encode()) == "malformed"


def test_notify_with_another_text_of_its_signature_is_refused() -> None:
    """As with MSG: 128 bytes leave two bits unused."""
    text = DOCUMENT.partition(b"<Signature>")[2].partition(b"</Signature>")[0].decode("ascii")
    assert text.endswith("=")
    other = text[:-2] + chr(ord(text[-2]) + 1) + "="
    assert base64.b64decode(other) == base64.b64decode(text)

    assert refused(peer.form(DOCUMENT.replace(text.encode(), other.encode()))) == "signature"


@pytest.mark.parametrize(
    "body",
    [b"", b"MSG=", b"msg=" + MSG, b"MSG=%ff", b"MSG=" + MSG + b"%0A", b"x=1&MSG=" + MSG, b"MSG=" + b"A" * 200_000],
    ids=["empty", "no-value", "lower-case", "not-ascii", "line-end", "a-field-before", "too-long"],
)
def test_notify_that_is_no_form_of_one_field_is_refused(body: bytes) -> None:
    """Nothing of it is decoded further."""
    assert refused(body) == "malformed"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"SHA1withRSA", b"SHA256withRSA"),
        (b"<Signature-Algorithm>SHA1withRSA</Signature-Algorithm>", b""),
        (b"</MSG>", b"<Signature>AAAA</Signature></MSG>"),
        (b"</Message>", b"</Message></Message>"),
        (b"380.01", b"380.02"),
        (b"</MSG>", b"\xff\xff</MSG>"),
    ],
    ids=["other-algorithm", "no-algorithm", "two-signatures", "two-ends", "another-amount", "not-gbk"],
)
def test_notify_that_was_tampered_with_is_refused(old: bytes, new: bytes) -> None:
    """Whether outside the signed text or in it."""
    assert old in DOCUMENT

    assert refused(peer.form(DOCUMENT.replace(old, new, 1))) in {"signature", "malformed"}


def test_notify_around_which_something_else_stands_is_understood() -> None:
    """The root's name and a declaration are not known for certain, and nothing there is read."""
    declared = b'<?xml version="1.0" encoding="gb2312"?>\r\n' + DOCUMENT.replace(b"MSG>", b"Root>")
    good, other = (
        peer.provider().parse_callback(peer.callback(peer.form(document))) for document in (DOCUMENT, declared)
    )

    assert good == other


def test_notify_of_the_page_and_of_the_server_are_one_message() -> None:
    """They differ in NotifyType alone."""
    page, server = (peer.provider().parse_callback(peer.notified(NotifyType=kind)) for kind in ("0", "1"))

    assert page.dedup_key == server.dedup_key


@pytest.mark.parametrize("changes", [{"Amount": "380.02"}, {"ReturnCode": "0001"}, {"iRspRef": "8A1"}], ids=str)
def test_notify_of_another_fact_is_another_message(changes: dict[str, Any]) -> None:
    """Everything that is judged is part of its name."""
    one, other = (peer.provider().parse_callback(raw).dedup_key for raw in (peer.notified(), peer.notified(**changes)))

    assert one != other


@pytest.mark.parametrize("code", ["2302", "EUNKWN", "9999"])
def test_notify_with_any_other_code_is_neither_paid_nor_failed(code: str) -> None:
    """It may be one try of several: the query tells."""
    report = peer.provider().parse_callback(peer.notified(ReturnCode=code)).report

    assert report is not None
    assert (ReportedState.UNKNOWN, None, code) == (report.state, report.provider_trade_no, report.provider_status)


@pytest.mark.parametrize(
    "changes",
    [{"OrderNo": "中文"}, {"OrderNo": ""}, {"iRspRef": "a b"}, {"TrxType": "a b"}, {"Amount": "100000000.01"}],
    ids=str,
)
def test_notify_with_a_malformed_field_is_unreadable(changes: dict[str, Any]) -> None:
    """Genuine, and not what is described."""
    with pytest.raises(CallbackUnreadable):
        peer.provider().parse_callback(peer.notified(**changes))


@pytest.mark.parametrize("host_time", ["", "25:00:00", "10:19"])
def test_notify_whose_time_cannot_be_read_says_no_time(host_time: str) -> None:
    """The payment counts all the same."""
    report = peer.provider().parse_callback(peer.notified(HostTime=host_time)).report

    assert report is not None
    assert (ReportedState.PAID, None) == (report.state, report.occurred_at)


@pytest.mark.parametrize("text", ["", "<A>1", "1</A>", "</A>1<A>", "<A>1</A><A>2</A>", "<A>1</A></A>"])
def test_element_that_is_not_there_once_and_whole_is_malformed(text: str) -> None:
    """A default stands for one that is missing altogether, and for nothing else."""
    with pytest.raises(Malformed):
        element(text, "A")
    if text:
        with pytest.raises(Malformed):
            element(text, "A", default="")
    else:
        assert element(text, "A", default="") == ""
