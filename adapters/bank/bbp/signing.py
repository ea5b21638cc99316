"""What is signed, and how it is verified. Source: sheet section 8.1; vector biller_proposed_request.json."""

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.bank.bbp.tables import RSA2, SIG_RAW, SM2
from adapters.kit.sign import sign_sha256, verify_sha256
from adapters.kit.sm import DEFAULT_USER_ID, SIGNATURE_BYTES, Sm2
from adapters.kit.sm_der import signature_from_der, signature_to_der
from adapters.kit.sm_keys import Sm2PrivateKey, Sm2PublicKey

Verify = Callable[[bytes, str], bool]
"""(bytes, signature in base64) → whether it is the key's own."""

_SIGNATURE_CHARACTERS_MAX: Final = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class BankKey:
    """One of the bank's keys; `sign_type` says how it signs."""

    sign_type: str
    verify: Verify = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class OurKey:
    """The key that our answers are signed with, and the name under which the bank knows it."""

    key_id: str
    sign_type: str
    sign: Callable[[bytes], str] = field(repr=False)


def request_text(path: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """The bytes that a request signs."""
    return f"POST\n{path}\n{timestamp}\n{nonce}\n".encode("utf-8", "replace") + body + b"\n"


def answer_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """The bytes that an answer signs."""
    return f"{timestamp}\n{nonce}\n".encode() + body + b"\n"


def rsa_bank_key(key: rsa.RSAPublicKey) -> BankKey:
    return BankKey(sign_type=RSA2, verify=lambda text, signature: verify_sha256(key, text, signature))


def rsa_our_key(key_id: str, key: rsa.RSAPrivateKey) -> OurKey:
    return OurKey(key_id=key_id, sign_type=RSA2, sign=lambda text: sign_sha256(key, text))


def sm2_bank_key(library: Sm2, key: Sm2PublicKey, sig_format: str) -> BankKey:
    def verify(text: bytes, signature: str) -> bool:
        try:
            raw = _raw_signature(signature, sig_format)
        except ValueError:
            return False
        return library.verify(key, text, DEFAULT_USER_ID, raw)

    return BankKey(sign_type=SM2, verify=verify)


def sm2_our_key(key_id: str, library: Sm2, key: Sm2PrivateKey, sig_format: str) -> OurKey:
    def sign(text: bytes) -> str:
        raw = library.sign(key, text, DEFAULT_USER_ID)
        return base64.b64encode(raw if sig_format == SIG_RAW else signature_to_der(raw)).decode("ascii")

    return OurKey(key_id=key_id, sign_type=SM2, sign=sign)


def _raw_signature(signature: str, sig_format: str) -> bytes:
    """
    The raw r‖s of a signature in the one base64 text that it has.

    Raises:
        ValueError: Not base64, or not of the agreed form.
    """
    try:
        proof = base64.b64decode(signature[:_SIGNATURE_CHARACTERS_MAX].encode("ascii"), validate=True)
    except binascii.Error:
        raise ValueError("is not base64") from None
    if base64.b64encode(proof).decode("ascii") != signature:
        raise ValueError("is not the one base64 text")
    raw = proof if sig_format == SIG_RAW else signature_from_der(proof)
    if len(raw) != SIGNATURE_BYTES:
        raise ValueError("is not r and s")
    return raw
