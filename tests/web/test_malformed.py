"""Everything that a body can be wrong about: JSON, amounts, times, numbers of people, fields of methods."""

import pytest

from tests.web.front import (
    PAYMENT,
    PERSON,
    SUBJECT,
    UNKNOWN_ORDER,
    Front,
    order_body,
    problem,
)

MALFORMED = {
    "empty": b"",
    "blank": b" ",
    "truncated": b'{"client_order_no": "C-1", "amount_fen": 38',
    "two-values": b"{}{}",
    "trailing-comma": b'{"a": 1,}',
    "single-quotes": b"{'a': 1}",
    "duplicate-members": b'{"client_order_no": "C-1", "client_order_no": "C-2"}',
    "duplicate-members-below": b'{"subject": {"region": "340100", "region": "340101"}}',
    "duplicate-by-escape": b'{"amount_fen": 1, "amount_\\u0066en": 2}',
    "nan": b'{"amount_fen": NaN}',
    "infinity": b'{"amount_fen": -Infinity}',
    "bom": b"\xef\xbb\xbf{}",
    "utf-16": '{"a": 1}'.encode("utf-16"),
    "gbk": '{"description": "医保"}'.encode("gbk"),
    "nul-byte": b'{"a\x00": 1}',
    "nul-behind": b"{}\x00",
    "overlong-utf-8": b'{"description": "\xc0\x80"}',
    "raw-surrogate": b'{"description": "\xed\xa0\x80"}',
    "lone-surrogate-value": b'{"description": "\\ud800"}',
    "lone-surrogate-name": b'{"\\udfff": 1}',
    "lone-surrogate-in-fields": b'{"provider":"alpha","method":"native","fields":{"openid":"\\uD83D"}}',
    "deep-nesting": b"[" * 30000 + b"]" * 30000,
    "deep-objects": b'{"a":' * 10000 + b"1" + b"}" * 10000,
    "65-levels": b'{"a":' + b"[" * 64 + b"]" * 64 + b"}",
    "2000-digits": b'{"amount_fen": ' + b"9" * 2000 + b"}",
    "60000-digits": b'{"amount_fen": ' + b"9" * 60000 + b"}",
    "2000-digits-behind-the-point": b'{"amount_fen": 1.' + b"9" * 2000 + b"}",
    "array": b"[]",
    "text": b'"text"',
    "number": b"1",
    "null": b"null",
    "html": b"<html>",
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED.keys())
@pytest.mark.parametrize("path", ["/v1/orders", f"/v1/orders/{UNKNOWN_ORDER}/payments"], ids=["orders", "payments"])
def test_malformed_json_gets_400(front: Front, path: str, raw: bytes) -> None:
    """One JSON object without ambiguities, or nothing."""
    assert problem(front.post(path, raw)) == (400, "malformed_request")


AMOUNTS = {
    "zero": "0",
    "negative": "-1",
    "one-too-many": "10000000001",
    "float": "1.0",
    "exponent": "1e2",
    "too-great-a-float": "1e999",
    "text": '"38001"',
    "true": "true",
    "null": "null",
    "list": "[38001]",
    "object": "{}",
    "40-digits": "9" * 40,
}


@pytest.mark.parametrize("amount", AMOUNTS.values(), ids=AMOUNTS.keys())
def test_amount_that_is_no_positive_integer_of_fen_gets_422(front: Front, amount: str) -> None:
    """Never rounded, never read from a text."""
    raw = b'{"client_order_no":"C-1","description":"x","amount_fen":%s}' % amount.encode()
    response = front.post("/v1/orders", raw)

    assert problem(response) == (422, "invalid_request")
    assert list(response.get_json()["errors"]) == ["amount_fen"]


@pytest.mark.parametrize("amount_fen", [1, 10_000_000_000])
def test_amount_at_the_edge_is_taken(front: Front, amount_fen: int) -> None:
    """The smallest and the greatest."""
    assert front.opened(amount_fen=amount_fen)["amount_fen"] == amount_fen


INSTANTS = [
    "2026-03-01T12:00:00",
    "2026-03-01 12:00:00+08:00",
    "2026-03-01T12:00+08:00",
    "2026-02-30T12:00:00+08:00",
    "2026-03-01T12:00:60+08:00",
    "2026-03-01T12:00:00+99:99",
    "2026-03-01T12:00:00.1234567Z",
    "２０２６-03-01T12:00:00Z",
    "0000-03-01T12:00:00Z",
    "",
]


@pytest.mark.parametrize("text", INSTANTS)
def test_time_that_is_not_rfc_3339_gets_422(front: Front, text: str) -> None:
    """A time without offset is a guess."""
    response = front.post("/v1/orders", order_body(expires_at=text))

    assert problem(response) == (422, "invalid_request")
    assert list(response.get_json()["errors"]) == ["expires_at"]


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1969-12-31T23:59:59Z"])
def test_time_at_the_end_of_the_calendar_is_out_of_range(front: Front, text: str) -> None:
    """A time that can be written need not be one that can be reckoned with."""
    assert problem(front.post("/v1/orders", order_body(expires_at=text))) == (422, "expiry_out_of_range")


NUMBERS = {
    "wrong-check-digit": PERSON["id_number"][:-1] + "7",
    "15-digits": "340100900101001",
    "full-width": "３４０１００１９０００１０１００１Ｘ",
    "arabic-digits": "٣٤٠١٠٠١٩٠٠٠١٠١٠٠١X",
    "no-such-day": "34010019000231001X",
    "17": PERSON["id_number"][:-1],
    "blank": "   ",
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS.keys())
def test_resident_id_that_cannot_be_one_gets_422_and_is_not_repeated(front: Front, number: str) -> None:
    """The answer does not hold the number."""
    subject = SUBJECT | {"insured": PERSON | {"id_number": number}}
    response = front.post("/v1/orders", order_body(subject=subject))

    assert problem(response) == (422, "invalid_request")
    assert list(response.get_json()["errors"]["subject"]["insured"]) == ["id_number"]
    assert number.strip() == "" or number not in response.text


FIELDS = {
    "unknown": {"colour": "red"},
    "empty": {"openid": ""},
    "too-long": {"openid": "x" * 65},
    "line-break": {"openid": "a\nb"},
    "not-text": {"openid": 1},
    "null": {"openid": None},
    "bad-name": {"Open Id": "x"},
    "too-many": {f"f{i}": "x" for i in range(21)},
}


@pytest.mark.parametrize("fields", FIELDS.values(), ids=FIELDS.keys())
def test_method_fields_that_do_not_fit_get_422(front: Front, fields: dict[str, object]) -> None:
    """Each provider's own fields are checked before anything is put on record."""
    order = front.opened()
    response = front.post(f"/v1/orders/{order['order_id']}/payments", PAYMENT | {"fields": fields})

    assert problem(response) == (422, "invalid_request")
    assert list(response.get_json()["errors"]) == ["fields"]
    assert front.alpha.calls == []
