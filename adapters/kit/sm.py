"""
SM2, SM3 and SM4 (国密) behind small functions; SM2 comes from an optional library that the settings name.

Signatures are raw r‖s and ciphertexts raw C1‖C3‖C2 here; DER is turned into them and back, strictly. Libraries with
predictable nonces or unauthenticated decryption are not offered. Source of every fact: sheet of the SM libraries.
"""

import hmac
from collections.abc import Callable
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, Protocol

from cryptography.hazmat.primitives import hashes, padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hmac import HMAC

from adapters.kit.sm_der import (
    HASH_BYTES,
    NUMBER_BYTES,
    ciphertext_from_der,
    ciphertext_to_der,
    signature_from_der,
    signature_to_der,
)
from adapters.kit.sm_keys import ORDER, Sm2PrivateKey, Sm2PublicKey, check_point

DEFAULT_USER_ID: Final = b"1234567812345678"
SIGNATURE_BYTES: Final = 2 * NUMBER_BYTES
SM4_BLOCK_BYTES: Final = 16
PLAINTEXT_BYTES_MAX: Final = 255
"""What GmSSL encrypts with SM2 at once: a session key, not a document. Source: section 3."""

# --- SM2 --------------------------------------------------------------------------------------------------------------


class SmLibraryMissing(ValueError):
    """The SM2 library that the settings name is not installed: install the extra, or name the other one."""


class Sm2(Protocol):
    """One library. A broken signature is False, never an exception; a broken ciphertext is a ValueError."""

    def sign(self, key: Sm2PrivateKey, message: bytes, user_id: bytes) -> bytes:
        """Raw r‖s over SM3(Z ‖ message); different every time."""
        ...

    def verify(self, key: Sm2PublicKey, message: bytes, user_id: bytes, signature: bytes) -> bool:
        """True when the raw signature is the key's own over this message and user ID."""
        ...

    def encrypt(self, key: Sm2PublicKey, plaintext: bytes) -> bytes:
        """Raw C1‖C3‖C2 without the leading 04; 1 to 255 bytes of plaintext."""
        ...

    def decrypt(self, key: Sm2PrivateKey, ciphertext: bytes) -> bytes:
        """
        Open raw C1‖C3‖C2 without the leading 04; the hash C3 and the point C1 are checked.

        Raises:
            ValueError: It was not encrypted to this key, or was changed.
        """
        ...


SM2_PACKAGES: Final = MappingProxyType({"gmssl_pyx": "gmssl-pyx", "gmalg": "gmalg"})
"""The libraries that may be named, by module, and what to install for each. Source: section 1."""


def find_sm2(name: str) -> Sm2:
    """
    The SM2 library of that name; never another one instead.

    Raises:
        SmLibraryMissing: It is not installed here.
    """
    try:
        module = import_module(name)
    except ImportError:
        raise SmLibraryMissing(f"needs the package {SM2_PACKAGES[name]}, which is not installed") from None
    return _LIBRARIES[name](module)


class _Gmssl:
    """GmSSL in C, through gmssl-pyx; it speaks DER."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def sign(self, key: Sm2PrivateKey, message: bytes, user_id: bytes) -> bytes:
        der: bytes = self._module.sm2_sign(key.number, key.public.point, message, signer_id=user_id)
        return signature_from_der(der)

    def verify(self, key: Sm2PublicKey, message: bytes, user_id: bytes, signature: bytes) -> bool:
        if not _is_in_range(signature):
            return False
        try:
            return bool(self._module.sm2_verify(key.point, message, signature_to_der(signature), signer_id=user_id))
        except self._module.GmsslInnerError:
            return False

    def encrypt(self, key: Sm2PublicKey, plaintext: bytes) -> bytes:
        _check_plaintext(plaintext)
        der: bytes = self._module.sm2_encrypt(key.point, plaintext)
        return ciphertext_from_der(der)

    def decrypt(self, key: Sm2PrivateKey, ciphertext: bytes) -> bytes:
        _check_ciphertext(ciphertext)
        try:
            return bytes(self._module.sm2_decrypt(key.number, ciphertext_to_der(ciphertext)))
        except self._module.GmsslInnerError:
            raise ValueError("cannot be decrypted with this key") from None


class _Gmalg:
    """Pure Python, for machines without a wheel of the other; about fifty signatures a second."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def sign(self, key: Sm2PrivateKey, message: bytes, user_id: bytes) -> bytes:
        signer = self._module.SM2(key.number, user_id, b"\x04" + key.public.point)
        r, s = signer.sign(message)
        return bytes(r.rjust(NUMBER_BYTES, b"\x00") + s.rjust(NUMBER_BYTES, b"\x00"))

    def verify(self, key: Sm2PublicKey, message: bytes, user_id: bytes, signature: bytes) -> bool:
        if not _is_in_range(signature):
            return False
        verifier = self._module.SM2(uid=user_id, pk=b"\x04" + key.point)
        return bool(verifier.verify(message, signature[:NUMBER_BYTES], signature[NUMBER_BYTES:]))

    def encrypt(self, key: Sm2PublicKey, plaintext: bytes) -> bytes:
        _check_plaintext(plaintext)
        return bytes(self._module.SM2(pk=b"\x04" + key.point).encrypt(plaintext))[1:]

    def decrypt(self, key: Sm2PrivateKey, ciphertext: bytes) -> bytes:
        _check_ciphertext(ciphertext)
        try:
            return bytes(self._module.SM2(key.number).decrypt(b"\x04" + ciphertext))
        except (self._module.errors.GMError, ValueError):
            raise ValueError("cannot be decrypted with this key") from None


_LIBRARIES: Final[MappingProxyType[str, Callable[[Any], Sm2]]] = MappingProxyType(
    {"gmssl_pyx": _Gmssl, "gmalg": _Gmalg}
)


def _is_in_range(signature: bytes) -> bool:
    """1 ≤ r, s < n, and nothing behind them: checked here for whatever library follows. Source: section 5."""
    r, s = signature[:NUMBER_BYTES], signature[NUMBER_BYTES:]
    return len(signature) == SIGNATURE_BYTES and all(0 < int.from_bytes(number) < ORDER for number in (r, s))


def _check_plaintext(plaintext: bytes) -> None:
    if not 0 < len(plaintext) <= PLAINTEXT_BYTES_MAX:
        raise ValueError(f"SM2 encrypts 1 to {PLAINTEXT_BYTES_MAX} bytes")


def _check_ciphertext(ciphertext: bytes) -> None:
    """C1 must be on the curve: decrypting another point gives the private key away bit by bit."""
    if len(ciphertext) <= SIGNATURE_BYTES + HASH_BYTES:
        raise ValueError("is too short for a ciphertext")
    check_point(ciphertext[: 2 * NUMBER_BYTES])


# --- SM3 and SM4 ------------------------------------------------------------------------------------------------------


def sm3(content: bytes) -> bytes:
    """The SM3 digest, 32 bytes."""
    digest = hashes.Hash(hashes.SM3())
    digest.update(content)
    return digest.finalize()


def hmac_sm3(key: bytes, content: bytes) -> bytes:
    """HMAC with SM3, 32 bytes."""
    digest = HMAC(key, hashes.SM3())
    digest.update(content)
    return digest.finalize()


def same_digest(one: str, other: str) -> bool:
    """Compare two digests in hex, in constant time."""
    return hmac.compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8", "replace"))


def sm4_encrypt(key: bytes, plaintext: bytes, *, iv: bytes | None = None) -> bytes:
    """SM4 with PKCS#7 padding: ECB without an `iv`, CBC with one."""
    padder = padding.PKCS7(8 * SM4_BLOCK_BYTES).padder()
    encryptor = _cipher(key, iv).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()


def sm4_decrypt(key: bytes, ciphertext: bytes, *, iv: bytes | None = None) -> bytes:
    """
    Undo `sm4_encrypt`. A right padding proves nothing: the plaintext is untrusted until a signature over it passes.

    Raises:
        ValueError: Another length, key length or padding.
    """
    if not ciphertext or len(ciphertext) % SM4_BLOCK_BYTES:
        raise ValueError("is not whole SM4 blocks")
    decryptor = _cipher(key, iv).decryptor()
    padded = decryptor.update(ciphertext) + decryptor.finalize()
    unpadder = padding.PKCS7(8 * SM4_BLOCK_BYTES).unpadder()
    return unpadder.update(padded) + unpadder.finalize()


def _cipher(key: bytes, iv: bytes | None) -> Cipher[modes.ECB] | Cipher[modes.CBC]:
    if iv is None:
        return Cipher(algorithms.SM4(key), modes.ECB())  # noqa: S305  prescribed; the signature and TLS protect
    return Cipher(algorithms.SM4(key), modes.CBC(iv))
