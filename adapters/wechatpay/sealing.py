"""Opens what WeChat encrypted for us and seals single fields for WeChat."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ALGORITHM: Final = "AEAD_AES_256_GCM"

# OAEP's security does not rest on SHA-1's collision resistance; WeChat accepts no other hash here.
_OAEP: Final = padding.OAEP(mgf=padding.MGF1(hashes.SHA1()), algorithm=hashes.SHA1(), label=None)  # noqa: S303


class CannotOpen(Exception):
    """No held APIv3 key opens a sealed text: it was changed, or it is under a key we do not hold."""


def open_sealed(keys: Sequence[AESGCM], sealed: Mapping[str, Any]) -> bytes:
    """
    Decrypt a `resource` or `encrypt_certificate` object with the first key that fits; any nonce length is survived.

    Source: sheet section 6.2; vectors `callbacks.json`, `certificates_download.json`.

    Raises:
        ValueError: A member is missing or of another kind, or the algorithm is not AEAD_AES_256_GCM.
        CannotOpen: The tag fits none of the keys.
    """
    nonce, ciphertext, associated = (sealed.get(name) for name in ("nonce", "ciphertext", "associated_data"))
    if sealed.get("algorithm") != ALGORITHM:
        raise ValueError("algorithm")
    if not isinstance(nonce, str) or not isinstance(ciphertext, str) or not isinstance(associated, str | None):
        raise ValueError("sealed members")
    try:
        raw = base64.b64decode(ciphertext, validate=True)
        nonce_bytes, associated_bytes = nonce.encode(), (associated or "").encode()
    except (binascii.Error, ValueError):
        raise CannotOpen("ciphertext is not base64") from None
    for key in keys:
        try:
            return key.decrypt(nonce_bytes, raw, associated_bytes)
        except (InvalidTag, ValueError):
            continue
    raise CannotOpen("no key opens it")


def seal_field(key: rsa.RSAPublicKey, text: str) -> str:
    """
    Encrypt one sensitive request field (RSAES-OAEP, SHA-1, base64) for the key that Wechatpay-Serial names.

    Source: sheet section 3.1, last paragraph; vector `sensitive_fields.json`.

    Raises:
        ValueError: The text is too long for the key.
    """
    return base64.b64encode(key.encrypt(text.encode(), _OAEP)).decode("ascii")
