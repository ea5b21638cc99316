"""
Takes an answer apart without changing a byte: the signed node is sliced out of the raw body.

It refuses an answer of another method, two top-level members of one name, and whatever is not strict JSON. Nothing here
is believed yet: the signature is checked by the caller, over `Envelope.node`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

ERROR_NODE: Final = "error_response"

_BLANK: Final = re.compile(r"[ \t\n\r]*")
_GB_CHARSET: Final = re.compile(r"charset\s*=\s*\"?(?:gbk|gb2312|gb18030)", re.IGNORECASE)
_CERT_SN: Final = re.compile(r"[0-9a-fA-F]{32}")


class AnswerUnreadable(ValueError):
    """The body is no answer to this call; it may be anything from a proxy's page to half an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """
    An answer's parts, unverified.

    Attributes:
        node: The signed bytes: the node's JSON value exactly as received, quotes included when it is a string.
        text: The same, decoded.
        signature: Base64; None when the answer carries no `sign` at all.
        cert_sn: Serial of the certificate that signed, in lower case; "" if unsaid.
    """

    node_name: str
    node: bytes = field(repr=False)
    text: str = field(repr=False)
    signature: str | None = field(repr=False)
    cert_sn: str


def node_name_of(method: str) -> str:
    """The member that answers a method: alipay.trade.query gives alipay_trade_query_response."""
    return method.replace(".", "_") + "_response"


def open_envelope(body: bytes, *, method: str, content_type: str = "") -> Envelope:
    """
    Find the node of a method, or `error_response`, in an answer.

    Source: layouts seen in the vendor's SDKs; `sign` may stand before or after the node; vector responses.json.

    Raises:
        AnswerUnreadable: As the module says; also a `sign` that is no text.
    """
    text, codec = _decoded(body, content_type)
    members = _members(text)
    name = next((name for name in (node_name_of(method), ERROR_NODE) if name in members), None)
    if name is None:
        raise AnswerUnreadable("the answer has no node of this method")
    start, end, _ = members[name]
    sn = _value(members, "alipay_cert_sn")
    return Envelope(
        node_name=name,
        node=text[start:end].encode(codec),
        text=text[start:end],
        signature=_signature(members),
        cert_sn=sn.lower() if isinstance(sn, str) and _CERT_SN.fullmatch(sn) else "",
    )


def _decoded(body: bytes, content_type: str) -> tuple[str, str]:
    """The text and a codec that turns any slice of it back into the very same bytes (GBK's second byte can be `{`)."""
    codecs = ("gb18030",) if _GB_CHARSET.search(content_type) else ("utf-8", "gb18030")
    for codec in codecs:
        try:
            text = body.decode(codec)
        except UnicodeDecodeError:
            continue
        if text.encode(codec) == body:
            return text, codec
    raise AnswerUnreadable("the answer is neither UTF-8 nor GBK")


def _value(members: dict[str, tuple[int, int, Any]], name: str) -> Any:
    return members[name][2] if name in members else None


def _signature(members: dict[str, tuple[int, int, Any]]) -> str | None:
    if "sign" not in members:
        return None
    signature = _value(members, "sign")
    if not isinstance(signature, str):
        raise AnswerUnreadable("the answer's sign is no text")
    return signature


def _after_blank(text: str, position: int) -> int:
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _members(text: str) -> dict[str, tuple[int, int, Any]]:
    """Start, end and value of each top-level member; strings, escapes and nesting are left to the JSON scanner."""
    members: dict[str, tuple[int, int, Any]] = {}
    position = _after_blank(text, 0)
    expected = "{"
    while True:
        if text[position : position + 1] == "}" and expected == ",":
            break
        if text[position : position + 1] != expected:
            raise AnswerUnreadable("the answer is not a JSON object")
        name, position = _scanned(text, _after_blank(text, position + 1))
        position = _after_blank(text, position)
        if not isinstance(name, str) or name in members or text[position : position + 1] != ":":
            raise AnswerUnreadable("the answer has a member without a name, or two of one name")
        start = _after_blank(text, position + 1)
        value, end = _scanned(text, start)
        members[name] = (start, end, value)
        position, expected = _after_blank(text, end), ","
    if _after_blank(text, position + 1) != len(text):
        raise AnswerUnreadable("something follows the answer")
    return members


def _scanned(text: str, position: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, position)
    except (ValueError, RecursionError) as exc:
        raise AnswerUnreadable("the answer is not strict JSON") from exc


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a JSON object has two members of one name")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_no_duplicates,
    parse_constant=_no_constant,
    parse_int=str,
    parse_float=str,
)
"""Numbers stay the text they are: an amount may be a bare 400.00, and must not become a float."""


def parse_node(text: str) -> dict[str, Any]:
    """
    Parse a verified node; numbers come out as their own text.

    Raises:
        AnswerUnreadable: Not one strict JSON object.
    """
    value, end = _scanned(text, _after_blank(text, 0))
    if not isinstance(value, dict) or _after_blank(text, end) != len(text):
        raise AnswerUnreadable("the node is not a JSON object")
    return value


def parse_text_node(text: str) -> str:
    """
    Read an encrypted node: a JSON string.

    Raises:
        AnswerUnreadable: Another JSON value.
    """
    value, end = _scanned(text, 0)
    if not isinstance(value, str) or end != len(text):
        raise AnswerUnreadable("the node is not a JSON string")
    return value


def text_of(fields: Mapping[str, Any], name: str) -> str:
    """A member's text; "" when it is absent or of another JSON type."""
    value = fields.get(name)
    return value if isinstance(value, str) else ""
