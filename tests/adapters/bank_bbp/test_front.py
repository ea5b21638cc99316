"""Who is let in, and what is read: not one bit may change, nothing may be missing, nothing may be guessed."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest

from gateway.domain.biller import BillerReason, BillerRefused, BillQuestion, PaymentNotice
from gateway.domain.biller_front import BillerFront, BillerRequest, NotAdmitted
from gateway.domain.clock import CHINA
from tests.adapters.bank_bbp import peer

PAY: Mapping[str, Any] = {
    "biller_id": peer.BILLER,
    "bank_seq": "2026112100000001",
    "bank_date": "20261121",
    "bank_time": "100101",
    "bill_no": peer.BILL_NO,
    "amount": 38001,
    "channel": "APP",
}
QUERY: Mapping[str, Any] = {
    "biller_id": peer.BILLER,
    "id_type": "01",
    "id_no": "34120019900101001x",
    "year": "2027",
}
REVERSE: Mapping[str, Any] = {
    "biller_id": peer.BILLER,
    "bank_seq": "R1",
    "bank_date": "20261121",
    "orig_bank_seq": "S1",
    "orig_bank_date": "20261121",
    "amount": 38001,
    "reason": "核心冲正",
}
SIGNED_HEADERS = {
    "x-bank-inst": BillerReason.INSTITUTION,
    "x-bank-key-id": BillerReason.KEY,
    "x-bank-timestamp": BillerReason.TIMESTAMP,
    "x-bank-nonce": BillerReason.NONCE,
    "x-bank-sign-type": BillerReason.KEY,
    "x-bank-signature": BillerReason.SIGNATURE,
}
JUNK = ["", " ", "0", "-1", "1e9", "９", "\xe9", "\x00", "=" * 4096, "A" * 344, "null", "²" * 16]


def pay(**changes: Any) -> BillerRequest:
    return peer.request("payments/notify", peer.envelope("PAYNTF", PAY), **changes)


def refused(request: BillerRequest) -> BillerReason:
    with pytest.raises(NotAdmitted) as caught:
        peer.front().admit(request)
    return caught.value.reason


def read(path: str, tran_code: str, body: Any, **head: Any) -> Any:
    front = peer.front()
    return front.read(front.admit(peer.request(path, peer.envelope(tran_code, body, **head))))


def unreadable(path: str, tran_code: str, body: Any, **head: Any) -> BillerReason:
    with pytest.raises(BillerRefused) as caught:
        read(path, tran_code, body, **head)
    return caught.value.reason


# --- admission --------------------------------------------------------------------------------------------------------


def test_front_is_one() -> None:
    """The composition root finds it by its shape."""
    assert isinstance(peer.front(), BillerFront)


@pytest.mark.parametrize("key", ["ABC340-rsa2", "ABC340-new", "ABC340-sm2"])
def test_each_live_key_admits(key: str) -> None:
    """Old and new key at once, and SM2 beside RSA2."""
    assert peer.front().admit(pay(key=key)).nonce == "f" * 32


def test_every_flipped_byte_of_a_body_is_refused() -> None:
    request = pay()
    front = peer.front()
    for at in range(len(request.body)):
        body = bytearray(request.body)
        body[at] ^= 1
        with pytest.raises(NotAdmitted) as caught:
            front.admit(replace(request, body=bytes(body)))
        assert caught.value.reason is BillerReason.SIGNATURE


@pytest.mark.parametrize("name", SIGNED_HEADERS)
def test_every_flipped_byte_of_a_signed_header_is_refused(name: str) -> None:
    request = pay()
    front = peer.front()
    value = request.headers[name]
    for at in range(len(value)):
        changed = value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
        with pytest.raises(NotAdmitted):
            front.admit(replace(request, headers={**request.headers, name: changed}))


@pytest.mark.parametrize(("name", "reason"), SIGNED_HEADERS.items())
def test_missing_header_is_refused_with_its_code(name: str, reason: BillerReason) -> None:
    request = pay()
    headers = {key: value for key, value in request.headers.items() if key != name}

    assert refused(replace(request, headers=headers)) is reason


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
@pytest.mark.parametrize("name", SIGNED_HEADERS)
def test_junk_in_a_header_is_refused(name: str, junk: str) -> None:
    """Whatever stands there, nothing but the declared error."""
    request = pay()

    refused(replace(request, headers={**request.headers, name: junk}))


@pytest.mark.parametrize("body", [b"", b"\xff", b"{}", b"null", b"[" * 100000], ids=range(5))
def test_junk_body_without_its_signature_is_refused(body: bytes) -> None:
    assert refused(replace(pay(), body=body)) is BillerReason.SIGNATURE


@pytest.mark.parametrize(("seconds", "stale"), [(300, False), (301, True), (-300, False), (-301, True)])
def test_time_stamp_is_judged_to_the_second(seconds: int, *, stale: bool) -> None:
    """Five minutes either way, and not one second more."""
    request = pay(received_at=peer.NOW + timedelta(seconds=seconds, microseconds=999_999 if seconds < 0 else 0))
    if seconds > 0:
        request = replace(request, received_at=peer.NOW + timedelta(seconds=seconds, microseconds=999_999))

    if stale:
        assert refused(request) is BillerReason.TIMESTAMP
    else:
        peer.front().admit(request)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": "foreign", "key_id": "ABC340-rsa2"}, BillerReason.SIGNATURE),
        ({"key": "ABC340-new", "key_id": "ABC340-rsa2"}, BillerReason.SIGNATURE),
        ({"key_id": "ABC340-gone"}, BillerReason.KEY),
        ({"sign_type": "SM2"}, BillerReason.KEY),
        ({"sign_type": "RSA"}, BillerReason.KEY),
        ({"inst": "PSB340"}, BillerReason.INSTITUTION),
        ({"nonce": "f" * 15}, BillerReason.NONCE),
        ({"nonce": "f" * 65}, BillerReason.NONCE),
        ({"nonce": "f" * 15 + "\n"}, BillerReason.NONCE),
    ],
    ids=["foreign-key", "other-live-key", "removed-key", "other-type", "no-type", "inst", "short", "long", "line"],
)
def test_request_of_another_key_or_institution_is_refused(changes: dict[str, Any], reason: BillerReason) -> None:
    assert refused(pay(**changes)) is reason


def test_head_of_another_institution_is_refused_although_it_is_signed() -> None:
    """head.inst_id is the header's and the key's owner, or nothing."""
    body = peer.envelope("PAYNTF", PAY, inst_id="PSB340")

    assert refused(peer.request("payments/notify", body)) is BillerReason.INSTITUTION


def test_signature_for_another_address_is_refused() -> None:
    request = pay()

    assert refused(replace(request, path=peer.PREFIX + "payments/reverse")) is BillerReason.SIGNATURE
    assert refused(replace(request, path=peer.PREFIX + "payments")) is BillerReason.INSTITUTION


def test_base64_of_a_signature_has_one_text() -> None:
    """The last digit's unused bits, blanks and missing padding make it another text."""
    request = pay()
    signature = request.headers["x-bank-signature"]
    assert signature.endswith("==")
    last = signature[-3]
    other = chr(ord(last) + 1) if last not in "Zz9/" else "B"
    for changed in (signature[:-3] + other + "==", signature.rstrip("="), signature + "\n", " " + signature):
        headers = {**request.headers, "x-bank-signature": changed}
        assert refused(replace(request, headers=headers)) is BillerReason.SIGNATURE


def test_raw_sm2_signature_is_taken_where_it_was_agreed() -> None:
    """Either form, never both."""
    body = peer.envelope("PAYNTF", PAY)
    request = peer.request("payments/notify", body, key="ABC340-sm2")
    text = f"POST\n{request.path}\n{request.headers['x-bank-timestamp']}\n{'f' * 32}\n".encode() + body + b"\n"
    raw = {**request.headers, "x-bank-signature": peer.sm2_sign(peer.sm2_private(), text, raw=True)}

    peer.front(sm2_sig="raw").admit(replace(request, headers=raw))
    assert refused(replace(request, headers=raw)) is BillerReason.SIGNATURE
    with pytest.raises(NotAdmitted):
        peer.front(sm2_sig="raw").admit(request)


# --- reading ----------------------------------------------------------------------------------------------------------


def test_payment_is_read_with_its_optional_fields() -> None:
    """Unknown fields are ignored; an empty optional text is one left out."""
    said = {**PAY, "bill_version": "0a1b2c3d", "payer_name": "张三", "remark": "", "colour": [1, {"a": None}]}

    assert read("payments/notify", "PAYNTF", said) == PaymentNotice(
        biller_id=peer.BILLER,
        bank_date=date(2026, 11, 21),
        bank_seq="2026112100000001",
        occurred_at=datetime(2026, 11, 21, 10, 1, 1, tzinfo=CHINA),
        bill_no=peer.BILL_NO,
        amount_fen=38001,
        bill_version="0a1b2c3d",
        channel="app",
    )


def test_question_is_read_with_its_optional_fields() -> None:
    said = {**QUERY, "area_code": "341200", "name": "张三", "begin_num": 2, "query_num": 50}
    asked = read("bills/query", "BILLQRY", said)

    assert asked == BillQuestion(
        biller_id=peer.BILLER,
        id_type="resident_id",
        id_number="34120019900101001X",
        insured_year=2027,
        region="341200",
        name="张三",
        first=2,
        count=50,
    )
    assert "34120019900101001" not in repr(asked)
    assert "张三" not in repr(asked)


@pytest.mark.parametrize("amount", [0, -1, 100_000_000, 380.01, 38001.0, "38001", True, [38001]], ids=str)
def test_amount_of_another_form_is_refused(amount: Any) -> None:
    """Fen as a JSON integer from 1 to 99999999: no text, no true, no 1.0."""
    assert unreadable("payments/notify", "PAYNTF", {**PAY, "amount": amount}) is BillerReason.AMOUNT_FORM
    assert unreadable("payments/reverse", "PAYREV", {**REVERSE, "amount": amount}) is BillerReason.AMOUNT_FORM


@pytest.mark.parametrize("amount", [1, 38001, 99_999_999])
def test_amount_at_its_edges_is_read(amount: int) -> None:
    assert read("payments/notify", "PAYNTF", {**PAY, "amount": amount}).amount_fen == amount


@pytest.mark.parametrize("name", sorted(PAY))
@pytest.mark.parametrize("empty", [None, ""], ids=["null", "empty"])
def test_payment_without_a_field_says_so(name: str, empty: Any) -> None:
    left_out = {key: value for key, value in PAY.items() if key != name}

    assert unreadable("payments/notify", "PAYNTF", left_out) is BillerReason.FIELD_MISSING
    assert unreadable("payments/notify", "PAYNTF", {**PAY, name: empty}) is BillerReason.FIELD_MISSING


@pytest.mark.parametrize("name", ["version", "tran_code", "tran_date", "tran_time", "tran_seq", "inst_id"])
def test_head_without_a_field_says_so(name: str) -> None:
    front = peer.front()
    body = json.loads(peer.envelope("PAYNTF", PAY))
    del body["head"][name]
    with pytest.raises(BillerRefused) as caught:
        front.read(front.admit(peer.request("payments/notify", json.dumps(body).encode())))

    assert caught.value.reason is BillerReason.FIELD_MISSING


@pytest.mark.parametrize(
    ("changes", "head", "reason"),
    [
        ({"bank_date": "20260230"}, {}, BillerReason.FORMAT),
        ({"bank_date": "2026-1-1"}, {}, BillerReason.FORMAT),
        ({"bank_date": 20261121}, {}, BillerReason.FORMAT),
        ({"bank_date": "20261122"}, {}, BillerReason.FORMAT),
        ({"bank_time": "240000"}, {}, BillerReason.FORMAT),
        ({"bank_seq": "a|b"}, {}, BillerReason.FORMAT),
        ({"bank_seq": "a" * 65}, {}, BillerReason.FORMAT),
        ({"bank_seq": "１２"}, {}, BillerReason.FORMAT),
        ({"bill_no": "a\nb"}, {}, BillerReason.FORMAT),
        ({"channel": "PHONE"}, {}, BillerReason.FORMAT),
        ({"channel": "app"}, {}, BillerReason.FORMAT),
        ({"biller_id": "YB999999"}, {}, BillerReason.FORMAT),
        ({"bill_version": 1}, {}, BillerReason.FORMAT),
        ({}, {"version": "2.0"}, BillerReason.FORMAT),
        ({}, {"tran_date": "20261301"}, BillerReason.FORMAT),
        ({}, {"tran_time": "1001"}, BillerReason.FORMAT),
        ({}, {"tran_code": "PAYREV"}, BillerReason.CALL),
        ({}, {"tran_code": "pay"}, BillerReason.CALL),
    ],
    ids=lambda value: str(value)[:40],
)
def test_payment_of_another_form_is_refused(changes: Any, head: Any, reason: BillerReason) -> None:
    """Nothing is bent into shape; a day that cannot have begun is a mistake."""
    tran_code = head.pop("tran_code", "PAYNTF")

    assert unreadable("payments/notify", tran_code, {**PAY, **changes}, **head) is reason


@pytest.mark.parametrize(
    "changes",
    [
        {"id_type": "02"},
        {"id_no": "123"},
        {"id_no": "３4120019900101001X"},
        {"year": "1999"},
        {"year": 2027},
        {"area_code": "34120"},
        {"begin_num": 0},
        {"begin_num": "1"},
        {"query_num": 51},
        {"query_num": True},
        {"name": "a\x00b"},
    ],
    ids=str,
)
def test_question_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    assert unreadable("bills/query", "BILLQRY", {**QUERY, **changes}) is BillerReason.FORMAT


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"head":{},"body":[]}',
        b'{"head":null,"body":{}}',
        peer.envelope("PAYNTF", PAY).replace(b'"body":{', b'"body":{"amount":1,', 1),
        peer.envelope("PAYNTF", PAY) + b" x",
        b"\xef\xbb\xbf" + peer.envelope("PAYNTF", PAY),
        b"[" * 60000,
        peer.envelope("PAYNTF", {**PAY, "remark": "\\ud800"}).replace(b"\\\\u", b"\\u"),
    ],
    ids=[
        "empty",
        "bytes",
        "null",
        "list",
        "bare",
        "list-body",
        "null-head",
        "twice",
        "tail",
        "bom",
        "deep",
        "surrogate",
    ],
)
def test_signed_nonsense_is_a_format_error(body: bytes) -> None:
    """Authentic, so it gets a code of its own; a member given twice is never chosen from."""
    front = peer.front()
    with pytest.raises(BillerRefused) as caught:
        front.read(front.admit(peer.request("payments/notify", body)))

    assert caught.value.reason is BillerReason.FORMAT


def test_evening_after_the_cut_off_is_of_the_day_before() -> None:
    """Booked under tomorrow, done today."""
    front = peer.front(datetime(2026, 11, 21, 23, 10, tzinfo=CHINA), cut_off="23:00")
    said = {**PAY, "bank_date": "20261122", "bank_time": "230959"}
    request = peer.request(
        "payments/notify", peer.envelope("PAYNTF", said), at=datetime(2026, 11, 21, 23, 10, tzinfo=CHINA)
    )
    notice = front.read(front.admit(request))

    assert isinstance(notice, PaymentNotice)
    assert (notice.bank_date, notice.occurred_at) == (
        date(2026, 11, 22),
        datetime(2026, 11, 21, 23, 9, 59, tzinfo=CHINA),
    )


def test_longest_bodies_are_known_by_address() -> None:
    """Only a day's file may be long."""
    front = peer.front()

    assert front.body_bytes_max(peer.PREFIX + "payments/notify") == 65536
    assert front.body_bytes_max(peer.PREFIX + "recon/files") == 65536 + (5 << 20)
    assert json.loads(peer.envelope("PAYNTF", PAY))["body"] == PAY
