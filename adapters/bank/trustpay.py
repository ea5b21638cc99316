"""
TrustPay V3 of the Agricultural Bank (农业银行): keys, SHA1withRSA, and the proof of what it sends, over raw bytes.

Shared by everything that speaks with that bank. SHA-1 and keys of 1024 bits are the bank's choice; nothing else may
import this. What is not proven is refused, and nothing of it is read.
Source: sheet sections 3.1 to 3.4; vectors abc_request.json, abc_response.json, abc_notify.json.
"""

import base64
import binascii
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from adapters.kit.keys import der_from_pasted
from gateway.domain.strict_json import parse_strict_json_object

ALGORITHM: Final = "SHA1withRSA"
BANK_CHARSET: Final = "gbk"

_RSA_BITS_MIN: Final = 1024
_KEY_CHARACTERS_MAX: Final = 65536
_MSG_CHARACTERS_MAX: Final = 65536
_PADDING: Final = padding.PKCS1v15()
_SHA1: Final = hashes.SHA1()  # noqa: S303  prescribed by the bank
_PEM_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_ANSWER_START: Final = b'{"MSG'
_ANSWER_HEAD: Final = re.compile(r'\{"MSG"\s*:\s*\{\s*"Message"\s*:\s*')
_CODE: Final = re.compile(r"[0-9A-Za-z]{1,16}")
_JSON: Final = json.JSONDecoder()


class Malformed(ValueError):
    """Not the form that is described; the text shows nothing of the message."""


class NotAuthentic(Exception):
    """
    Not proven to be the bank's.

    Attributes:
        said: The ReturnCode that the unproven message names, for logs alone; "" if none.
    """

    def __init__(self, said: str = "") -> None:
        super().__init__("not signed by a key of the bank")
        self.said = said


# --- keys and signatures ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """
    Our signing key.

    Attributes:
        ends_at: When its certificate ends; None for a bare key.
    """

    private_key: rsa.RSAPrivateKey = field(repr=False)
    ends_at: datetime | None = None


def load_pfx(text: str, password: str) -> Identity:
    """
    Open the merchant's PFX (PKCS #12) given as base64.

    Raises:
        ValueError: With a text that shows nothing of it.
    """
    try:
        content = base64.b64decode("".join(text[:_KEY_CHARACTERS_MAX].split()), validate=True)
        key, certificate, _ = pkcs12.load_key_and_certificates(content, password.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a PFX in base64 that the password opens") from None
    if certificate is None or not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("holds no RSA key with its certificate")
    if certificate.public_key() != key.public_key():
        raise ValueError("holds a key and a certificate that do not belong together")
    _must_be_long_enough(key.key_size)
    return Identity(private_key=key, ends_at=certificate.not_valid_after_utc)


def load_signing_key(text: str) -> Identity:
    """
    Load an unencrypted private key: PKCS#8 or PKCS#1, PEM or bare base64.

    Raises:
        ValueError: With a text that shows nothing of it.
    """
    try:
        key = serialization.load_der_private_key(der_from_pasted(text[:_KEY_CHARACTERS_MAX]), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("is not a private key in PKCS#8 or PKCS#1") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("is not an RSA key")
    _must_be_long_enough(key.key_size)
    return Identity(private_key=key)


def load_bank_keys(text: str) -> tuple[rsa.RSAPublicKey, ...]:
    """
    The keys of the bank's certificates: PEM, one after the other, or the DER of one (TrustPay.cer) in base64.

    They are pinned: whoever issued them, and whether their time is over, is not asked. The production certificate ended
    on 2023-08-11 and the bank went on signing with it. Source: sheet section 3.1.

    Raises:
        ValueError: With a text that shows nothing of it.
    """
    blocks = _PEM_CERTIFICATE.findall(text[:_KEY_CHARACTERS_MAX]) or [text[:_KEY_CHARACTERS_MAX]]
    keys = []
    for block in blocks:
        try:
            key = x509.load_der_x509_certificate(der_from_pasted(block)).public_key()
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("is neither PEM certificates nor one certificate in base64") from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise ValueError("holds a certificate of another kind of key")
        _must_be_long_enough(key.key_size)
        keys.append(key)
    return tuple(keys)


def sign(key: rsa.RSAPrivateKey, content: bytes) -> str:
    """SHA1withRSA in base64 on one line; the same key and bytes always give the same text."""
    return base64.b64encode(key.sign(content, _PADDING, _SHA1)).decode("ascii")


def is_signed_by(keys: Sequence[rsa.RSAPublicKey], content: bytes, signature: str) -> bool:
    """True when the signature is one of the keys' own over these bytes, in the one base64 text that it has."""
    try:
        proof = base64.b64decode(signature.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return False
    # The last digit's unused bits would let three other texts through.
    return base64.b64encode(proof).decode("ascii") == signature and any(_proves(key, proof, content) for key in keys)


def _proves(key: rsa.RSAPublicKey, proof: bytes, content: bytes) -> bool:
    try:
        key.verify(proof, content, _PADDING, _SHA1)
    except InvalidSignature:
        return False
    return True


def _must_be_long_enough(bits: int) -> None:
    if bits < _RSA_BITS_MIN:
        raise ValueError(f"has fewer than {_RSA_BITS_MIN} bits")


# --- JSON answers -----------------------------------------------------------------------------------------------------


def open_answer(body: bytes, keys: Sequence[rsa.RSAPublicKey]) -> dict[str, Any]:
    """
    Prove an answer over the GBK bytes of its `Message` as they stand there, and give that object.

    Whatever stands before `{"MSG` or behind the object is no part of it.
    Source: sheet section 3.3; vector abc_response.json.

    Raises:
        Malformed: Not GBK, no such object, or ambiguous JSON.
        NotAuthentic: Unsigned, of another algorithm, or not signed by the bank.
    """
    start = body.find(_ANSWER_START)
    if start < 0:
        raise Malformed('no {"MSG')
    raw = body[start:]
    try:
        text = raw.decode(BANK_CHARSET)
        head = _ANSWER_HEAD.match(text)
        if head is None or text.encode(BANK_CHARSET) != raw:
            raise Malformed("no Message")
        span = text[head.end() : _JSON.raw_decode(text, head.end())[1]]
        frame = parse_strict_json_object(text[: _JSON.raw_decode(text)[1]])["MSG"]
    except (ValueError, RecursionError) as exc:
        raise Malformed(str(exc) if isinstance(exc, Malformed) else "is no readable JSON in GBK") from None
    message = frame["Message"]
    if not isinstance(message, dict):
        raise Malformed("Message is no object")
    signature = frame.get("Signature")
    signed = frame.get("Signature-Algorithm") == ALGORITHM and isinstance(signature, str)
    if not signed or not is_signed_by(keys, span.encode(BANK_CHARSET), signature):
        raise NotAuthentic(_said(message))
    return message


def _said(message: dict[str, Any]) -> str:
    answer = message.get("TrxResponse")
    code = answer.get("ReturnCode") if isinstance(answer, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else ""


# --- XML messages -----------------------------------------------------------------------------------------------------


def form_msg(body: bytes) -> str:
    """
    The value of a post whose one field is `MSG`. A `+` that the sender did not escape is still a `+`.

    Source: sheet section 3.4.

    Raises:
        Malformed: Another field, or none, or not ASCII.
    """
    name, _, value = body.partition(b"=")
    if name != b"MSG" or b"&" in value or len(value) > 3 * _MSG_CHARACTERS_MAX:
        raise Malformed("MSG is not the one field")
    try:
        return unquote_to_bytes(value).decode("ascii").replace(" ", "+")
    except UnicodeDecodeError:
        raise Malformed("MSG is not ASCII") from None


def decode_msg(msg: str) -> bytes:
    """
    The XML document that `MSG` holds in base64.

    Raises:
        Malformed: Not base64, in its one text.
    """
    try:
        document = base64.b64decode(msg.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("MSG is not base64") from None
    if not msg or base64.b64encode(document).decode("ascii") != msg:
        raise Malformed("MSG is not base64")
    return document


def open_xml(document: bytes, keys: Sequence[rsa.RSAPublicKey]) -> str:
    """
    Prove a document over the text between its `Message` tags, and give that text; nothing outside it is read.

    The bank signs gb2312 bytes, where a character that only GBK has is a `?` (as its own SDK checks it); should a
    server sign the GBK bytes instead, these are tried as well. No XML parser ever sees the document.
    Source: sheet section 3.4; vector abc_notify.json.

    Raises:
        Malformed: Not GBK.
        NotAuthentic: An element is missing or there twice, another algorithm, or not signed by the bank.
    """
    try:
        text = document.decode(BANK_CHARSET)
        inner, algorithm, signature = (element(text, name) for name in ("Message", "Signature-Algorithm", "Signature"))
    except UnicodeDecodeError:
        raise Malformed("MSG is not GBK") from None
    except Malformed:
        raise NotAuthentic from None
    candidates = (inner.encode("gb2312", "replace"), inner.encode(BANK_CHARSET))
    if algorithm != ALGORITHM or not any(is_signed_by(keys, content, signature) for content in candidates):
        raise NotAuthentic
    return inner


def element(text: str, name: str, *, default: str | None = None) -> str:
    """
    The text between the tags of the one element of this name, wherever it stands, as the bank's SDK finds it.

    Source: sheet section 3.4.

    Raises:
        Malformed: It is there twice or not whole; or missing, and there is no default.
    """
    opening, closing = f"<{name}>", f"</{name}>"
    if default is not None and opening not in text and closing not in text:
        return default
    start, end = text.find(opening) + len(opening), text.find(closing)
    if text.count(opening) != 1 or text.count(closing) != 1 or end < start:
        raise Malformed(name)
    return text[start:end]
