"""How synchronous answers are taken apart, and which bytes are no message at all."""

import pytest

from adapters.unionpay.form import Malformed, read_answer


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"{a=1&b=2}", {"a": "1", "b": "2"}),
        (b"a=&b=x=y==", {"a": "", "b": "x=y=="}),
        (b"a={x=1&y=2}&b=[1&2]z&c=+/=", {"a": "{x=1&y=2}", "b": "[1&2]z", "c": "+/="}),
        (b"a={x=[1&2}&b=1", {"a": "{x=[1&2}", "b": "1"}),
        (b"a={x&b=1", {"a": "{x&b=1"}),
        (b"a=1&encoding=GBK&b=\xb3\xc9", {"a": "1", "encoding": "GBK", "b": "成"}),
        (b"encoding=gbk&b=\xc0\x7b\xc0\x5b&c=1", {"encoding": "gbk", "b": "纚繹", "c": "1"}),
    ],
    ids=["plain", "wrapped", "blank", "brackets", "first-bracket", "unclosed", "gbk", "gbk-bytes-like-brackets"],
)
def test_answer_is_split_as_by_the_vendor(body: bytes, wanted: dict[str, str]) -> None:
    """`&` ends a value outside brackets; the first closing one closes; the first `=` ends the name."""
    if b"ncoding" not in body:
        wrapped = body.startswith(b"{a=1")
        body = b"{encoding=UTF-8&" + body[1:] if wrapped else b"encoding=UTF-8&" + body
        wanted = {"encoding": "UTF-8", **wanted}

    assert wanted == read_answer(body).fields


@pytest.mark.parametrize(
    "body",
    [b"&", b"&a", b"&a=1&", b"&a=1&&b=2", b"&=1", b"&a=1&a=2", b"&a=1&a=1", b"&encoding=UTF-8", b"&a b=1", b"&a=\xff"],
    ids=repr,
)
def test_good_fields_with_a_bad_one_are_malformed(body: bytes) -> None:
    """Half answers, and a name twice, with the same content as well."""
    assert {"encoding": "UTF-8"} == read_answer(b"encoding=UTF-8").fields
    with pytest.raises(Malformed):
        read_answer(b"encoding=UTF-8" + body)


@pytest.mark.parametrize("body", [b"", b"a=1", b"encoding=GBK&a=\xff", b"encoding=x&a=1", b"x=encoding=GBK"], ids=repr)
def test_body_that_is_no_message_is_malformed(body: bytes) -> None:
    """Pages, and bytes of another encoding than is named, or of none."""
    with pytest.raises(Malformed):
        read_answer(body)
