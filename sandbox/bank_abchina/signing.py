"""
Signatures and envelopes of TrustPay V3, written from the sheet: check requests, sign answers and notices as the bank.

Source of every rule: sheet bank.md sections 3.2 to 3.4.
"""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ALGORITHM: Final = "SHA1withRSA"
ENVELOPE_BYTES_MAX: Final = 8000

_WRAPPED: Final = '{"MSG":'
_HEAD: Final = '{"Message":'
_MIDDLE: Final = f',"Signature-Algorithm":"{ALGORITHM}","Signature":"'
_TAIL: Final = '"}'
_LEGACY_END: Final = ",}}}"


def signature_of(key: rsa.RSAPrivateKey, content: bytes) -> str:
    """SHA1withRSA in base64."""
    digest = hashes.SHA1()  # noqa: S303  the bank's choice
    return base64.b64encode(key.sign(content, padding.PKCS1v15(), digest)).decode("ascii")


def genuine(key: rsa.RSAPublicKey, content: bytes, signature: str) -> bool:
    """True when the signature was made by this key over exactly these bytes."""
    try:
        proof = base64.b64decode(signature, validate=True)
        key.verify(proof, content, padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  the bank's choice
    except (binascii.Error, InvalidSignature, ValueError):
        return False
    return True


def spoilt(signature: str) -> str:
    """Another signature of the same length: still base64, never valid."""
    return base64.b64encode(os.urandom(len(base64.b64decode(signature)))).decode("ascii")


def split_envelope(body: bytes) -> tuple[str, str]:
    """
    The text of the Message and its signature, from the bare or the wrapped form.

    Raises:
        ValueError: Neither, not UTF-8, or longer than 8000 bytes.
    """
    if len(body) > ENVELOPE_BYTES_MAX:
        raise ValueError("报文超长")
    text = body.decode("utf-8")
    if text.startswith(_WRAPPED):
        text = text.removeprefix(_WRAPPED).removesuffix("}")
    message, middle, rest = text.rpartition(_MIDDLE)
    if not text.startswith(_HEAD) or not middle or not rest.endswith(_TAIL):
        raise ValueError("报文格式错误")
    return message.removeprefix(_HEAD), rest.removesuffix(_TAIL)


def read_message(text: str) -> dict[str, Any]:
    """
    The Message; the malformed end of the old library's refunds is put right.

    Raises:
        ValueError: Not such JSON.
    """
    if text.endswith(_LEGACY_END):
        text = text.removesuffix(_LEGACY_END) + "}}"
    message = json.loads(text)
    if not isinstance(message, dict):
        raise ValueError("Message")
    return message


def message_of(merchant_id: str, response: Mapping[str, str]) -> str:
    """The text of an answer's Message."""
    whole = {
        "Version": "V3.0.0",
        "Format": "JSON",
        "Common": {"Channel": "EBUS"},
        "Merchant": {"ECMerchantType": "EBUS", "MerchantID": merchant_id},
        "TrxResponse": dict(response),
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"))


def answer_body(message: str, key: rsa.RSAPrivateKey | None) -> bytes:
    """The answer in GBK, signed over the GBK bytes of its Message; without a key, unsigned."""
    if key is None:
        return f'{{"MSG":{{"Message":{message}}}}}'.encode("gbk")
    signature = signature_of(key, message.encode("gbk"))
    return f'{{"MSG":{{"Message":{message}{_MIDDLE}{signature}{_TAIL}}}'.encode("gbk")


def notice_document(inner: str, key: rsa.RSAPrivateKey, *, charset: str = "gb2312") -> tuple[str, bytes]:
    """A notice's signature over the text between its tags, and the document up to it, in GBK."""
    signature = signature_of(key, inner.encode(charset, "replace"))
    head = f"<MSG><Message>{inner}</Message><Signature-Algorithm>{ALGORITHM}</Signature-Algorithm>"
    return signature, head.encode("gbk")
