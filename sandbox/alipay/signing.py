"""
Signatures of 支付宝 (Alipay) OpenAPI v2, written from the sheet: check requests, sign answers, notifies and returns.

Source of every rule: sheet alipay.md sections 1.2, 2, 3, 7.2 and 7.6.
"""

import base64
import binascii
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

CODECS: Final = {"utf-8": "utf-8", "gbk": "gbk", "gb2312": "gbk", "gb18030": "gb18030"}
"""The charsets of requests, notifies and answers, by lower-case name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """The key Alipay signs with; `cert_sn` is empty in key mode."""

    cert_sn: str
    private_key: rsa.RSAPrivateKey = field(repr=False)

    def sign(self, signed: bytes) -> str:
        """RSA2: PKCS#1 v1.5 with SHA-256, base64."""
        signature = self.private_key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
        return base64.b64encode(signature).decode("ascii")


def request_text(fields: Mapping[str, str]) -> str:
    """What a request signs: every non-empty parameter except `sign`, by name, raw values."""
    return _joined((name, value) for name, value in fields.items() if name != "sign" and value != "")


def notice_text(fields: Mapping[str, str]) -> str:
    """What a notify or a browser return signs: everything except `sign` and `sign_type`, empty values included."""
    return _joined((name, value) for name, value in fields.items() if name not in {"sign", "sign_type"})


def genuine(fields: Mapping[str, str], key: rsa.RSAPublicKey, codec: str) -> bool:
    """True when the request's sign is the app's own over exactly these parameters."""
    try:
        signature = base64.b64decode(fields["sign"], validate=True)
        key.verify(signature, request_text(fields).encode(codec), padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, InvalidSignature, UnicodeEncodeError):
        return False
    return True


def spoilt(signature: str) -> str:
    """Another signature of the same length: still base64, never valid."""
    return base64.b64encode(os.urandom(len(base64.b64decode(signature)))).decode("ascii")


def form_pairs(text: str, codec: str, errors: str = "strict") -> list[tuple[str, str]]:
    """
    Percent-decode once, to bytes, then read the bytes in the charset.

    Raises:
        ValueError: Bytes that are not of this charset, or too many fields.
    """
    pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1", max_num_fields=200)
    return [(_reread(name, codec, errors), _reread(value, codec, errors)) for name, value in pairs]


def within(text: str, codec: str) -> str:
    """The text with whatever the charset cannot write replaced by question marks."""
    return text.encode(codec, "replace").decode(codec)


def _joined(pairs: Iterable[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _reread(text: str, codec: str, errors: str) -> str:
    return text.encode("latin-1").decode(codec, errors)
