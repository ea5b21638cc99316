"""How an Idempotency-Key is read, and what makes two requests equal."""

import hashlib

import pytest

from gateway.domain.idempotency import fingerprint, read_key

READ = {
    "bare": ("k-1", "k-1"),
    "quoted": ('"k-1"', "k-1"),
    "blanks_around": ('  "k-1"\t', "k-1"),
    "escaped_quote": (r'"a\"b"', 'a"b'),
    "escaped_backslash": (r'"a\\b"', r"a\b"),
    "bare_backslash": (r"a\b", r"a\b"),
    "quote_inside_bare": ('a"b', 'a"b'),
    "longest": ("k" * 255, "k" * 255),
    "longest_quoted": (f'"{"k" * 255}"', "k" * 255),
    "longest_all_escaped": ('"' + r"\"" * 255 + '"', '"' * 255),
    "every_sign": ("".join(map(chr, range(0x23, 0x7F))), "".join(map(chr, range(0x23, 0x7F)))),
}
REFUSED = {
    "empty": "",
    "blank": "   ",
    "quoted_empty": '""',
    "too_long": "k" * 256,
    "too_long_quoted": f'"{"k" * 256}"',
    "blank_inside": "a b",
    "blank_inside_quotes": '"a b"',
    "open_quote": '"a',
    "lone_quote": '"',
    "bad_escape": r'"a\b"',
    "parameter_behind": '"a";v=1',
    "chinese": "键",
    "full_width": "ａ",
    "newline": "a\nb",
    "trailing_newline": "a\n",
    "nul": "a\x00",
    "delete": "a\x7f",
}


@pytest.mark.parametrize("name", READ)
def test_key_in_a_header_is_read_after_unquoting(name: str) -> None:
    """Quoted and bare are one key."""
    header, key = READ[name]

    assert key == read_key(header)


@pytest.mark.parametrize("name", REFUSED)
def test_key_that_is_no_visible_text_is_refused(name: str) -> None:
    """1 to 255 visible ASCII characters, nothing else."""
    with pytest.raises(ValueError, match="key"):
        read_key(REFUSED[name])


def test_fingerprint_ignores_the_order_of_members() -> None:
    """Equal meaning, equal print."""
    assert fingerprint("POST", "/r", {"a": 1, "b": {"c": 2, "d": "é"}}) == fingerprint(
        "POST", "/r", {"b": {"d": "é", "c": 2}, "a": 1}
    )


@pytest.mark.parametrize(
    "other",
    [("PUT", "/r", {"a": 1}), ("POST", "/s", {"a": 1}), ("POST", "/r", {"a": 2}), ("POST", "/r", {"a": "1"})],
    ids=["method", "route", "content", "type"],
)
def test_fingerprint_tells_requests_apart(other: tuple[str, str, dict[str, object]]) -> None:
    """Method, route and content all count."""
    assert fingerprint("POST", "/r", {"a": 1}) != fingerprint(*other)


def test_fingerprint_is_that_of_the_keys_already_stored() -> None:
    """Keys outlive a new version of the gateway; what a fingerprint is made of cannot change under them."""
    made_of = 'POST\n/v1/orders\n{"a":{"b":[1,null,true]},"人":"é"}'.encode()

    assert hashlib.sha256(made_of).hexdigest() == fingerprint(
        "POST", "/v1/orders", {"人": "é", "a": {"b": [1, None, True]}}
    )
