"""
Takes the bank's messages apart: answers as JSON text, notifies as posted forms. Signed bytes are kept as they came.

Nothing read here is believed yet. Two fields of one name are refused.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from adapters.bank.icbc.tables import ENCRYPT_TYPE
from adapters.kit.aes import decrypt_content
from gateway.domain.strict_json import parse_strict_json, parse_strict_json_object

NOTIFY_BYTES_MAX: Final = 1 << 16

_FIELDS_MAX: Final = 64
_NAME: Final = re.compile(r"[A-Za-z][0-9A-Za-z_]{0,63}")
_ESCAPED: Final = re.compile(rb"(?:[!-$'-~]|%[0-9A-Fa-f]{2})*+")
_ANSWER: Final = re.compile(
    rb'\s*\{\s*"response_biz_content"\s*:(?P<content>.*),"sign":"(?P<sign>[0-9A-Za-z+/=]{1,2048})"\s*\}\s*', re.DOTALL
)
_CODECS: Final = {"": "utf-8", "utf-8": "utf-8", "utf8": "utf-8", "gbk": "gb18030"}
_CODE: Final = re.compile(r"-?[0-9]{1,18}")


class Malformed(ValueError):
    """These bytes are no message: half an answer, a proxy's page, a field that comes twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAnswer:
    """
    An answer taken apart, unproven.

    Attributes:
        content: The raw text of response_biz_content, its quotes included when it is encrypted. Signed as it stands.
    """

    content: bytes = field(repr=False)
    signature: str = field(repr=False)


def split_answer(body: bytes) -> SignedAnswer:
    """
    Cut the signed text out of an answer: all from after the colon to the last `,"sign":"`.

    Source: sheet section 4.4; vector icbc_response.json, signed_text.

    Raises:
        Malformed: Not this form.
    """
    match = _ANSWER.fullmatch(body)
    if match is None:
        raise Malformed("not an answer of the platform")
    return SignedAnswer(content=match["content"], signature=match["sign"].decode("ascii"))


def read_content(content: bytes, content_key: bytes | None) -> dict[str, Any]:
    """
    The members of a proven response_biz_content, decrypted where it is a text.

    Raises:
        ValueError: Not strict JSON, not an object, or encrypted with another key or without one being configured.
    """
    value = parse_strict_json(content)
    if isinstance(value, str):
        if content_key is None:
            raise ValueError("encrypted, and encrypt_key is not configured")
        value = parse_strict_json(decrypt_content(content_key, value))
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """
    A posted form, unescaped once and unproven.

    Attributes:
        fields: Raw bytes by name; what is signed is made of these.
    """

    fields: Mapping[str, bytes] = field(repr=False)

    def text(self, name: str) -> str:
        """
        A field's text, "" if it is missing.

        Raises:
            Malformed: Not in the charset that the form names.
        """
        codec = _CODECS.get(self.fields.get("charset", b"").decode("latin-1").lower())
        if codec is None:
            raise Malformed("charset")
        try:
            return self.fields.get(name, b"").decode(codec)
        except UnicodeDecodeError:
            raise Malformed("not in its own charset") from None

    def content(self, content_key: bytes | None) -> dict[str, Any]:
        """
        The members of biz_content, decrypted where the form says so. Only for a proven form.

        Raises:
            ValueError: As `read_content`.
        """
        text = self.text("biz_content")
        if not self.is_encrypted:
            return parse_strict_json_object(text)
        if content_key is None:
            raise ValueError("encrypted, and encrypt_key is not configured")
        return parse_strict_json_object(decrypt_content(content_key, text))

    @property
    def is_encrypted(self) -> bool:
        return self.fields.get("encrypt_type", b"") == ENCRYPT_TYPE.encode()


def read_form(body: bytes) -> Form:
    """
    Take a notify's body apart.

    Raises:
        Malformed: As the class says.
    """
    if len(body) > NOTIFY_BYTES_MAX or body.count(b"&") >= _FIELDS_MAX:
        raise Malformed("too long")
    fields: dict[str, bytes] = {}
    for piece in body.split(b"&"):
        raw_name, equals, value = piece.partition(b"=")
        name = raw_name.decode("latin-1")
        if not equals or _NAME.fullmatch(name) is None or name in fields or _ESCAPED.fullmatch(value) is None:
            raise Malformed("not a form")
        fields[name] = unquote_to_bytes(value.replace(b"+", b" "))
    return Form(fields=fields)


def code_of(members: Mapping[str, Any]) -> int:
    """
    return_code, which comes as a number or as a text, also with leading zeros.

    Source: sheet section 4.4; vectors ok-query-paid, ok-string-code.

    Raises:
        ValueError: Missing, or neither.
    """
    code = members.get("return_code")
    if type(code) is int:
        code = str(code)
    if not isinstance(code, str) or _CODE.fullmatch(code) is None:
        raise ValueError("return_code")
    return int(code)
