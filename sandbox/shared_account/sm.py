"""
SM2, SM3 and SM4, and the one place that loads gmssl-pyx; SM3 and SM4 come from `cryptography`.

Source: sheet shared_account.md sections 1.3 and 1.4; proved by the vectors. Private keys are 32 bytes, public ones 64.
"""

import importlib
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.padding import PKCS7

LIBRARY: Final = "gmssl_pyx"
DEFAULT_USER_ID: Final = b"1234567812345678"
RAW_BYTES: Final = 64
PRIVATE_BYTES: Final = 32

_BLOCK_BITS: Final = 128
_KEY_CHARACTERS: Final = 16
_HALF: Final = RAW_BYTES // 2
_INTEGER: Final = 0x02
_SEQUENCE: Final = 0x30
_TOP_BIT: Final = 0x80


@dataclass(frozen=True, slots=True, kw_only=True)
class Sm2Pair:
    """One side's pair: 32 bytes of private key, 64 bytes X‖Y of public key."""

    private_key: bytes = field(repr=False)
    public_key: bytes = field(repr=False)


def available() -> bool:
    """True when gmssl-pyx is installed."""
    try:
        _library()
    except ImportError:
        return False
    return True


def new_pair() -> Sm2Pair:
    """A fresh key pair."""
    public_key, private_key = _library().sm2_key_generate()
    return Sm2Pair(private_key=private_key, public_key=public_key)


def sign(pair: Sm2Pair, message: bytes, user_id: bytes) -> bytes:
    """Sign with SM2 and SM3; the answer is raw r‖s, 64 bytes."""
    return _raw_of(_library().sm2_sign(pair.private_key, pair.public_key, message, user_id))


def genuine(public_key: bytes, message: bytes, signature: bytes, user_id: bytes) -> bool:
    """True when the raw r‖s is the key's signature of the message; False for anything else, junk included."""
    if len(signature) != RAW_BYTES:
        return False
    library = _library()
    try:
        return bool(library.sm2_verify(public_key, message, der_of(signature), user_id))
    except (library.GmsslInnerError, ValueError):
        return False


def der_of(raw: bytes) -> bytes:
    """The same signature as SEQUENCE{INTEGER r, INTEGER s}, shortest form."""
    numbers = b"".join(_integer(raw[start : start + _HALF]) for start in (0, _HALF))
    return bytes((_SEQUENCE, len(numbers))) + numbers


def raw_from_der(signature: bytes) -> bytes:
    """
    Read SEQUENCE{INTEGER r, INTEGER s}; only the one shortest form is taken.

    Raises:
        ValueError: Anything else.
    """
    try:
        raw = _raw_of(signature)
    except (IndexError, OverflowError) as exc:
        raise ValueError("not a DER signature") from exc
    if der_of(raw) != signature:
        raise ValueError("not a DER signature")
    return raw


def sm3_hex(content: bytes) -> str:
    """The SM3 digest in lower-case hex."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(content)
    return digest.finalize().hex()


def derive_key(app_id: str, app_secret: str) -> bytes:
    """The 16 bytes that encData is encrypted with. Source: sheet section 1.3, `vector`."""
    first = app_id[:_KEY_CHARACTERS].encode("utf-8")
    return sm4_encrypt(first, app_secret.encode("utf-8")).hex().upper()[:_KEY_CHARACTERS].encode("ascii")


def sm4_encrypt(key: bytes, content: bytes) -> bytes:
    """SM4-ECB with PKCS#7 padding."""
    padder = PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(SM4(key), modes.ECB()).encryptor()  # noqa: S305  the platform's mode
    return encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()


def sm4_decrypt(key: bytes, content: bytes) -> bytes:
    """
    Undo `sm4_encrypt`.

    Raises:
        ValueError: Wrong length or padding.
    """
    decryptor = Cipher(SM4(key), modes.ECB()).decryptor()  # noqa: S305  the platform's mode
    unpadder = PKCS7(_BLOCK_BITS).unpadder()
    return unpadder.update(decryptor.update(content) + decryptor.finalize()) + unpadder.finalize()


def _library() -> Any:
    return importlib.import_module(LIBRARY)


def _integer(number: bytes) -> bytes:
    short = number.lstrip(b"\0") or b"\0"
    short = b"\0" + short if short[0] & _TOP_BIT else short
    return bytes((_INTEGER, len(short))) + short


def _raw_of(der: bytes) -> bytes:
    r_length = der[3]
    r = int.from_bytes(der[4 : 4 + r_length], "big")
    s_length = der[5 + r_length]
    s = int.from_bytes(der[6 + r_length : 6 + r_length + s_length], "big")
    return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")
