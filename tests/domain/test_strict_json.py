"""JSON from outside: one meaning or none, and ValueError for everything else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.strict_json import parse_strict_json, parse_strict_json_object

GOOD: dict[str, tuple[bytes, Any]] = {
    "object": (b'{"a":1,"b":[true,false,null]}', {"a": 1, "b": [True, False, None]}),
    "white-space": (b' \r\n\t{ "a" : 1 } \n', {"a": 1}),
    "utf8": ('{"名":"缴费"}'.encode(), {"名": "缴费"}),
    "escapes": (b'{"a":"\\u7f34\\/\\n"}', {"a": "缴/\n"}),
    "emoji-escaped": (b'"\\ud83d\\ude00"', "😀"),
    "same-name-on-other-levels": (b'{"a":{"a":1}}', {"a": {"a": 1}}),
    "negative": (b"-1", -1),
    "fraction": (b"1.5", 1.5),
    "exponent": (b"1e2", 100.0),
    "40-digits": (b"1" * 40, int("1" * 40)),
    "40-digits-with-a-point": (b"1." + b"1" * 38, float("1." + "1" * 38)),
    "64-levels": (b"[" * 64 + b"]" * 64, None),
}


@pytest.mark.parametrize(("raw", "wanted"), GOOD.values(), ids=GOOD)
def test_good_json_is_parsed(raw: bytes, wanted: Any) -> None:
    """From bytes and from text alike."""
    parsed = parse_strict_json(raw)

    assert wanted in (parsed, None)
    assert parsed == parse_strict_json(raw.decode())


WRONG: dict[str, bytes] = {
    "empty": b"",
    "white-space": b"  \n",
    "bom": b'\xef\xbb\xbf{"a":1}',
    "utf16": '{"a":1}'.encode("utf-16"),
    "latin1": b'{"a":"\xe9"}',
    "gbk": '{"a":"缴费"}'.encode("gbk"),
    "overlong-utf8": b'"\xc0\xaf"',
    "surrogate-in-utf8": b'"\xed\xa0\x80"',
    "two-values": b"{}{}",
    "trailing-junk": b"{} x",
    "trailing-comma": b'{"a":1,}',
    "comment": b'{"a":1/* */}',
    "single-quotes": b"{'a':1}",
    "bare-name": b"{a:1}",
    "line-break-in-text": b'"a\nb"',
    "zero-byte-in-text": b'"a\x00b"',
    "nan": b"NaN",
    "nan-inside": b'{"a":NaN}',
    "infinity": b"Infinity",
    "minus-infinity": b'{"a":-Infinity}',
    "plus": b"+1",
    "leading-zero": b"01",
    "hexadecimal": b"0x1",
    "underscore": b"1_000",
    "full-width-digit": "１".encode(),
    "duplicate": b'{"a":1,"a":2}',
    "duplicate-equal": b'{"a":1,"a":1}',
    "duplicate-by-escape": b'{"a":1,"\\u0061":2}',
    "duplicate-inside": b'[{"b":{"a":1,"a":2}}]',
    "41-digits": b"1" * 41,
    "2000-digits": b"1" * 2000,
    "10000-digits": b'{"a":' + b"9" * 10_000 + b"}",
    "2000-digit-fraction": b"0." + b"1" * 2000,
    "2000-digit-exponent": b"1e" + b"9" * 2000,
    "65-levels": b"[" * 65 + b"]" * 65,
    "65-levels-of-objects": b'{"a":' * 65 + b"1" + b"}" * 65,
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep-objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "deep-unfinished": b"[" * 1_000_000,
    "lone-surrogate-deep-down": b'{"a":[{"b":"\\udc00"}]}',
    "lone-surrogate-in-a-name": b'{"\\ud800":1}',
    "lone-surrogate-in-a-deep-name": b'[{"a":{"\\udfff":1}}]',
}


@pytest.mark.parametrize("raw", WRONG.values(), ids=WRONG)
def test_anything_else_is_a_value_error(raw: bytes) -> None:
    """Neither RecursionError nor an int-conversion limit nor a silent choice between two members."""
    with pytest.raises(ValueError):  # noqa: PT011  # the class is the contract
        parse_strict_json(raw)


@pytest.mark.parametrize("raw", [b"[]", b"1", b'"a"', b"null", b"true"])
def test_object_is_wanted_and_nothing_else(raw: bytes) -> None:
    """A message is an object."""
    assert parse_strict_json_object(b'{"a":1}') == {"a": 1}
    with pytest.raises(ValueError, match="not a JSON object"):
        parse_strict_json_object(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**39) + 1, 10**39) | st.text(),
    lambda child: st.lists(child) | st.dictionaries(st.text(), child),
    max_leaves=30,
)


@given(JSON)
def test_what_json_writes_is_read_back(value: Any) -> None:
    """Strictness costs no honest message."""
    assert parse_strict_json(json.dumps(value)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_a_value_error(raw: bytes) -> None:
    """Junk raises the declared error alone."""
    try:
        parse_strict_json(raw)
    except ValueError:
        return


@given(st.text(alphabet='{}[],:"\\u0123456789abcdefeE+-.NaInfity truels\ud800', max_size=60))
def test_any_text_is_json_or_a_value_error(text: str) -> None:
    """Junk that looks like JSON, lone surrogates included."""
    try:
        parse_strict_json(text)
    except ValueError:
        return
