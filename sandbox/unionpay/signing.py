"""
Signatures of 银联 ACP 5.1.0 with signMethod 01, written from the sheet: check requests, sign answers and notices.

Source of every rule: sheet unionpay.md sections 1 to 3. Other sign methods and versions are not simulated.
"""

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox.certificates import pem_of

VERSION: Final = "5.1.0"
SIGN_METHOD: Final = "01"
CODECS: Final = {"utf-8": "utf-8", "gbk": "gbk"}
"""The two values of `encoding`, by lower-case name; real traffic shows both cases."""

_FIELDS_MAX: Final = 100


@dataclass(frozen=True, kw_only=True)
class Signer:
    """A key of UnionPay's side, with the certificate that goes along in every message."""

    certificate: x509.Certificate = field(repr=False)
    private_key: rsa.RSAPrivateKey = field(repr=False)

    @cached_property
    def certificate_text(self) -> str:
        """`signPubKeyCert`."""
        return certificate_text(self.certificate)

    def signed(self, fields: Mapping[str, str]) -> dict[str, str]:
        """The fields in order of name, then `signPubKeyCert` and `signature`, as the vectors' bodies have them."""
        whole = dict(sorted(fields.items())) | {"signPubKeyCert": self.certificate_text}
        codec = CODECS[fields["encoding"].lower()]
        signature = self.private_key.sign(digest(whole, codec), padding.PKCS1v15(), hashes.SHA256())
        return whole | {"signature": base64.b64encode(signature).decode("ascii")}


def certificate_text(certificate: x509.Certificate) -> str:
    """PEM with CRLF between the lines and nothing after the last, as real messages carry it."""
    return pem_of(certificate).decode("ascii").strip().replace("\n", "\r\n")


def signed_text(fields: Mapping[str, str]) -> str:
    """`k=v` joined by `&` in order of code point: no `signature`, no blank values, no URL-encoding."""
    kept = {name: value for name, value in fields.items() if name != "signature" and value.strip()}
    return "&".join(f"{name}={kept[name]}" for name in sorted(kept))


def digest(fields: Mapping[str, str], codec: str) -> bytes:
    """
    The 64 lower-case hex characters of SHA-256, which are what RSA then signs (with SHA-256 once more).

    Raises:
        UnicodeEncodeError: A value the codec cannot write.
    """
    return hashlib.sha256(signed_text(fields).encode(codec)).hexdigest().encode("ascii")


def answer_body(signed: Mapping[str, str]) -> bytes:
    """`k=v` joined by `&`, not percent-encoded, in the encoding the message names; vectors/responses.json."""
    text = "&".join(f"{name}={value}" for name, value in signed.items())
    return text.encode(CODECS[signed["encoding"].lower()])


def genuine(fields: Mapping[str, str], key: rsa.RSAPublicKey, codec: str) -> bool:
    """True when `signature` was made by this key over exactly these fields."""
    try:
        signature = base64.b64decode(fields["signature"], validate=True)
        key.verify(signature, digest(fields, codec), padding.PKCS1v15(), hashes.SHA256())
    except (binascii.Error, InvalidSignature, UnicodeEncodeError):
        return False
    return True


def spoilt(signature: str) -> str:
    """Another signature of the same length: still base64, never valid."""
    return base64.b64encode(os.urandom(len(base64.b64decode(signature)))).decode("ascii")


def form_pairs(body: bytes, codec: str) -> list[tuple[str, str]]:
    """
    Percent-decode once, to bytes, then read the bytes in the codec.

    Raises:
        ValueError: Bytes that are not of this codec, or too many fields.
    """
    text = body.decode("latin-1")
    pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1", max_num_fields=_FIELDS_MAX)
    return [(_reread(name, codec), _reread(value, codec)) for name, value in pairs]


def within(text: str, codec: str) -> str:
    """The text with whatever the codec cannot write replaced by question marks."""
    return text.encode(codec, "replace").decode(codec)


def _reread(text: str, codec: str) -> str:
    return text.encode("latin-1").decode(codec)
