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
    """True when the signature is the key's own over these bytes, in the one base64 text that it has."""
    try:
        proof = base64.b64decode(signature.encode("ascii"), validate=True)
        key.verify(proof, text, _PADDING, _SHA256)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    # The last digit's unused bits would let three other texts through.
    return base64.b64encode(proof).decode("ascii") == signature
