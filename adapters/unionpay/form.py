"""
Takes messages apart and writes them: `k=v&k=v…`, as answers (not percent-encoded) and as posted forms.

Nothing read here is believed yet. A message that two readers could read in two ways is refused.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar
from urllib.parse import unquote_to_bytes, urlencode

ENCODING: Final = "UTF-8"
"""What we write; we read GBK as well."""

NOTIFY_BYTES_MAX: Final = 1 << 16

T = TypeVar("T")

_FIELDS_MAX: Final = 200
_CODEC_BY_ENCODING: Final = {"utf-8": "utf-8", "utf8": "utf-8", "gbk": "gb18030", "gb2312": "gb18030"}
_ENCODING_FIELD: Final = re.compile(rb"(?:\A\{?|&)encoding=([0-9A-Za-z-]{1,16})(?=[&}]|\Z)")
_NAME: Final = re.compile(r"[A-Za-z][0-9A-Za-z_.]{0,63}")
_PIECE: Final = re.compile(r"([^=&]{1,64})=((?:[^&{\[]++|\{[^}]*+(?:\}|\Z)|\[[^\]]*+(?:\]|\Z))*+)(?:&|\Z)")
_ESCAPED: Final = re.compile(rb"(?:[!-$'-*,-~]|[+]|%[0-9A-Fa-f]{2})*+")


class Malformed(ValueError):
    """These bytes are no message: half an answer, a proxy's page, a field that comes twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """
    A message taken apart, unproven.

    Attributes:
        fields: Every field, `signature` and `signPubKeyCert` included.
        canonical: The bytes that are hashed.
    """

    fields: Mapping[str, str] = field(repr=False)
    canonical: bytes = field(repr=False)


def canonical_bytes(fields: Mapping[str, str]) -> bytes:
    """
    The bytes that a message signs: all fields but `signature`, by code point, no escaping, in the field `encoding`.

    Source: sheet section 2; vector requests.json.

    Raises:
        Malformed: An encoding that is not known, or a character that it cannot write.
    """
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if name != "signature")
    try:
        return text.encode(_codec_of(fields.get("encoding", "")))
    except UnicodeEncodeError:
        raise Malformed("a character is outside the message's encoding") from None


def sent_fields(fields: Mapping[str, str]) -> dict[str, str]:
    """What is signed and sent of the given fields: trimmed, blank ones left out. Source: sheet section 2, step 1."""
    trimmed = {name: value.strip() for name, value in fields.items()}
    return {name: value for name, value in trimmed.items() if value}


def form_body(fields: Mapping[str, str]) -> bytes:
    """The body of a request; percent-encoded in the field `encoding`."""
    return urlencode(sorted(fields.items()), encoding=_codec_of(fields.get("encoding", ""))).encode("ascii")


def read_answer(body: bytes) -> Message:
    """
    Take a synchronous answer apart. Blank fields are part of what is signed here.

    Source: sheet sections 1 and 3; vector responses.json.

    Raises:
        Malformed: As the class says.
    """
    named = _ENCODING_FIELD.search(body)
    encoding = named[1].decode("ascii") if named else ""
    try:
        text = body.decode(_codec_of(encoding))
    except UnicodeDecodeError:
        raise Malformed("not in its own encoding") from None
    if text.startswith("{") and text.endswith("}"):
        text = text[1:-1]
    fields = _unique(_pieces(text))
    if fields.get("encoding") != encoding:
        raise Malformed("encoding")
    return Message(fields=fields, canonical=canonical_bytes(fields))


def read_notify(body: bytes) -> Message:
    """
    Take a posted form apart: every value is unescaped once, and blank fields are no part of what is signed.

    A value that could be read as several fields is refused: it signs the same bytes as those fields would.
    Source: sheet sections 1, 3 and 8; vector notifies.json.

    Raises:
        Malformed: As the class says.
    """
    if len(body) > NOTIFY_BYTES_MAX or body.count(b"&") >= _FIELDS_MAX:
        raise Malformed("too long")
    raw = _unique(_unescaped(piece) for piece in body.split(b"&"))
    codec = _codec_of(raw.get("encoding", b"").decode("ascii", "replace"))
    try:
        fields = {name: value.decode(codec) for name, value in raw.items() if value}
    except UnicodeDecodeError:
        raise Malformed("not in its own encoding") from None
    for name, value in fields.items():
        if "&" in value and len(list(_pieces(f"{name}={value}"))) != 1:
            raise Malformed("a value reads as several fields")
    signed = sorted(name for name in fields if name != "signature")
    return Message(fields=fields, canonical=b"&".join(name.encode("ascii") + b"=" + raw[name] for name in signed))


def _codec_of(encoding: str) -> str:
    """UTF-8 where nothing is said. Source: sheet section 2, last paragraph: letter case varies on the wire."""
    codec = _CODEC_BY_ENCODING.get((encoding or ENCODING).lower())
    if codec is None:
        raise Malformed("encoding")
    return codec


def _pieces(text: str) -> Iterable[tuple[str, str]]:
    """Split at `&` outside `{…}` and `[…]`; the first closing bracket closes, as in the vendor's parser."""
    position = 0
    while position < len(text):
        match = _PIECE.match(text, position)
        if match is None:
            raise Malformed("not k=v")
        yield match[1], match[2]
        position = match.end()
    if text.endswith("&") or not text:
        raise Malformed("not k=v")


def _unescaped(piece: bytes) -> tuple[str, bytes]:
    name, equals, value = piece.partition(b"=")
    if not equals or _ESCAPED.fullmatch(value) is None:
        raise Malformed("not k=v")
    return name.decode("ascii", "replace"), unquote_to_bytes(value.replace(b"+", b" "))


def _unique(pieces: Iterable[tuple[str, T]]) -> dict[str, T]:
    fields: dict[str, T] = {}
    for name, value in pieces:
        if name in fields or len(fields) >= _FIELDS_MAX or _NAME.fullmatch(name) is None:
            raise Malformed("a field's name")
        fields[name] = value
    return fields
