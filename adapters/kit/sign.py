"""RSA signatures with SHA-256 and PKCS#1 v1.5, base64 on the wire. A broken signature is False, never an exception."""

import base64
import binascii

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_PADDING = padding.PKCS1v15()
_SHA256 = hashes.SHA256()


def sign_sha256(key: rsa.RSAPrivateKey, text: bytes) -> str:
    """Sign bytes; the same key and bytes always give the same base64 text."""
    return base64.b64encode(key.sign(text, _PADDING, _SHA256)).decode("ascii")


def verify_sha256(key: rsa.RSAPublicKey, text: bytes, signature: str) -> bool:
    """True when the strict-base64 signature is the key's own over these bytes."""
    try:
        key.verify(base64.b64decode(signature.encode("ascii"), validate=True), text, _PADDING, _SHA256)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
