"""Seals what must not lie in clear: people, openids, instructions, raw messages. AES-256-GCM, rotatable keys."""

import base64
import binascii
import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.domain.secret import Secret

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_KEY_NAME_BYTES: Final = 4


class Unsealable(Exception):
    """The sealed bytes were not made by any key at hand for this purpose, or were changed."""


def _key_bytes(secret: Secret) -> bytes:
    try:
        key = base64.b64decode(secret.reveal(), validate=True)
    except binascii.Error:
        raise ValueError("a key must be base64") from None
    if len(key) != _KEY_BYTES:
        raise ValueError("a key must be 32 bytes")
    return key


class Vault:
    """Seals with the first data key, opens with any; `purpose` binds the bytes to where they are kept."""

    def __init__(self, *, data_keys: Sequence[Secret], index_key: Secret) -> None:
        """
        Raises:
            ValueError: A key is not 32 bytes in base64, or there is none.
        """
        raw = [_key_bytes(secret) for secret in data_keys]
        if not raw:
            raise ValueError("at least one data key is needed")
        self._ciphers = {hashlib.sha256(key).digest()[:_KEY_NAME_BYTES]: AESGCM(key) for key in raw}
        self._sealing_name = hashlib.sha256(raw[0]).digest()[:_KEY_NAME_BYTES]
        self._sealing = self._ciphers[self._sealing_name]
        self._index_key = _key_bytes(index_key)

    def seal(self, plain: bytes, purpose: str) -> bytes:
        """Key name, nonce, ciphertext with tag."""
        nonce = os.urandom(_NONCE_BYTES)
        return self._sealing_name + nonce + self._sealing.encrypt(nonce, plain, purpose.encode())

    def unseal(self, sealed: bytes, purpose: str) -> bytes:
        """
        The plain bytes.

        Raises:
            Unsealable: Unknown key, other purpose, or changed bytes.
        """
        cipher = self._ciphers.get(sealed[:_KEY_NAME_BYTES])
        if cipher is None:
            raise Unsealable("sealed with a key that is not configured")
        start = _KEY_NAME_BYTES + _NONCE_BYTES
        try:
            return cipher.decrypt(sealed[_KEY_NAME_BYTES:start], sealed[start:], purpose.encode())
        except (InvalidTag, ValueError):
            raise Unsealable("sealed bytes do not open") from None

    def seal_json(self, value: Mapping[str, Any], purpose: str) -> bytes:
        """Seal a JSON object."""
        return self.seal(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(), purpose)

    def unseal_json(self, sealed: bytes, purpose: str) -> dict[str, Any]:
        """Open what `seal_json` made."""
        value: dict[str, Any] = json.loads(self.unseal(sealed, purpose))
        return value

    def blind_index(self, *parts: str) -> str:
        """Keyed digest (hex) by which equal texts find each other without being readable."""
        return hmac.new(self._index_key, "\x1f".join(parts).encode(), hashlib.sha256).hexdigest()
