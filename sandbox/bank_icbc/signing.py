"""
Signatures and encryption of ICBC's platform, written from the sheet: check the merchant, sign as the bank.

Source of every rule: sheet bank.md sections 4.1, 4.2 and 4.4. Sign types CA and SM2 are not simulated.
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
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

CODECS: Final = {"utf-8": "utf-8", "gbk": "gbk"}
"""The values of `charset`, by lower-case name."""

_DIGESTS: Final[dict[str, hashes.HashAlgorithm]] = {"RSA": hashes.SHA1(), "RSA2": hashes.SHA256()}  # noqa: S303
_BLOCK: Final = 16
_ANSWER_START: Final = '{"response_biz_content":'
_SIGN_MEMBER: Final = ',"sign":"'


def signed_text(path: str, fields: Mapping[str, str]) -> str:
    """Path, question mark, then `k=v` in order of name: no `sign`, no empty values, nothing escaped."""
    kept = sorted((name, value) for name, value in fields.items() if value and name != "sign")
    return path + "?" + "&".join(f"{name}={value}" for name, value in kept)


def genuine(key: rsa.RSAPublicKey, sign_type: str, signature: str, text: bytes) -> bool:
    """True when the key made this signature with the digest that the merchant's sign_type stands for."""
    try:
        proof = base64.b64decode(signature, validate=True)
        key.verify(proof, text, padding.PKCS1v15(), _DIGESTS[sign_type])
    except (binascii.Error, InvalidSignature, KeyError, ValueError):
        return False
    return True


def bank_signature(key: rsa.RSAPrivateKey, text: bytes) -> str:
    """The bank signs with SHA-1, whatever the merchant does."""
    return base64.b64encode(key.sign(text, padding.PKCS1v15(), _DIGESTS["RSA"])).decode("ascii")


def spoilt(signature: str) -> str:
    """Another signature of the same length: still base64, never valid."""
    return base64.b64encode(os.urandom(len(base64.b64decode(signature)))).decode("ascii")


def seal(key: bytes, text: str) -> str:
    """AES in CBC mode, an IV of zeros, PKCS#7 padding, base64."""
    raw = text.encode("utf-8")
    missing = _BLOCK - len(raw) % _BLOCK
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK))).encryptor()
    return base64.b64encode(encryptor.update(raw + bytes([missing]) * missing) + encryptor.finalize()).decode("ascii")


def unseal(key: bytes, ciphertext: str) -> str:
    """
    Take `seal` back.

    Raises:
        ValueError: Not base64, no whole blocks, wrong padding, or not UTF-8.
    """
    decryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(_BLOCK))).decryptor()
    raw = decryptor.update(base64.b64decode(ciphertext, validate=True)) + decryptor.finalize()
    missing = raw[-1] if raw else 0
    if not 1 <= missing <= _BLOCK or raw[-missing:] != bytes([missing]) * missing:
        raise ValueError("padding")
    return raw[:-missing].decode("utf-8")


def written(members: Mapping[str, Any]) -> str:
    """JSON as the bank writes it."""
    return json.dumps(members, ensure_ascii=False, separators=(",", ":"))


def answer_body(content: str, signature: str) -> bytes:
    """An answer around the raw text that was signed."""
    return f'{_ANSWER_START}{content}{_SIGN_MEMBER}{signature}"}}'.encode()


def merchant_answer(key: rsa.RSAPublicKey, content_key: bytes, body: bytes) -> dict[str, Any]:
    """
    The members of the merchant's answer to a notify, proven with its key and the sign_type that it names.

    Source: sheet section 4.4; vectors icbc_notify.json, answers. An answer to an encrypted notify is encrypted.

    Raises:
        ValueError: Unsigned, badly signed, or not this form.
    """
    text = body.decode("utf-8")
    signed, found, rest = text.removeprefix("{").rpartition(_SIGN_MEMBER)
    whole = json.loads(text)
    if not found or not isinstance(whole, dict) or rest != f'{whole.get("sign")}"}}':
        raise ValueError("not a signed answer")
    if not genuine(key, str(whole.get("sign_type")), str(whole["sign"]), signed.encode("utf-8")):
        raise ValueError("the signature is not the merchant's")
    content = whole.get("response_biz_content")
    members = json.loads(unseal(content_key, content)) if isinstance(content, str) else content
    if not isinstance(members, dict):
        raise ValueError("no members")
    return members
