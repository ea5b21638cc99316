"""
What ICBC signs and how it is proven. The bank signs with SHA-1 and a key of 1024 bits; nothing else may use this.

Source: sheet sections 4.1, 4.2, 4.4; vectors icbc_request.json, icbc_response.json, icbc_notify.json.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from adapters.kit.keys import der_from_pasted

SIGN_TYPE_RSA2: Final = "RSA2"
SIGN_TYPE_RSA: Final = "RSA"

_SHA1: Final = hashes.SHA1()  # noqa: S303  the bank's choice
_DIGESTS: Final[Mapping[str, hashes.HashAlgorithm]] = {SIGN_TYPE_RSA2: hashes.SHA256(), SIGN_TYPE_RSA: _SHA1}
"""What we sign with, as registered for the app. Source: sheet section 4.1; CA and SM2 are not supported."""

_PADDING: Final = padding.PKCS1v15()
_BANK_KEY_BITS_MIN: Final = 1024


def sign_string(path: str, fields: Mapping[str, str]) -> bytes:
    """
    The text that a request signs: path, then `k=v` by name, raw values; empty ones and `sign` are left out.

    Source: sheet section 4.2; vector icbc_request.json, string_to_sign.
    """
    return canonical(path, {name: value.encode() for name, value in fields.items()})


def canonical(path: str, fields: Mapping[str, bytes]) -> bytes:
    """The same over values that arrived as bytes. Source: sheet section 4.4; vector icbc_notify.json."""
    signed = sorted(name for name, value in fields.items() if value and name != "sign")
    return f"{path}?".encode() + b"&".join(name.encode() + b"=" + fields[name] for name in signed)


def sign(key: rsa.RSAPrivateKey, text: bytes, sign_type: str) -> str:
    """Sign as the app; the same key and bytes always give the same base64 text."""
    return base64.b64encode(key.sign(text, _PADDING, _DIGESTS[sign_type])).decode("ascii")


def is_from_bank(keys: Sequence[rsa.RSAPublicKey], text: bytes, signature: str) -> bool:
    """
    True when one of the keys made the signature over these bytes, with SHA-1 whatever a message says of itself.

    Source: sheet section 4.4; vectors bad-sha256 of icbc_response.json and icbc_notify.json.
    """
    try:
        proof = base64.b64decode(signature.encode("ascii"), validate=True)
    except (binascii.Error, ValueError):
        return False
    # The last digit's unused bits would let three other texts through.
    return base64.b64encode(proof).decode("ascii") == signature and any(_verifies(key, text, proof) for key in keys)


def load_bank_key(text: str) -> rsa.RSAPublicKey:
    """
    Load the platform's public key (网关公钥): PEM or bare base64. The real one has 1024 bits.

    Raises:
        ValueError: With a text that shows nothing of it.
    """
    try:
        key = serialization.load_der_public_key(der_from_pasted(text))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a public key") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size < _BANK_KEY_BITS_MIN:
        raise ValueError(f"is not an RSA key of {_BANK_KEY_BITS_MIN} bits or more")
    return key


def _verifies(key: rsa.RSAPublicKey, text: bytes, proof: bytes) -> bool:
    try:
        key.verify(proof, text, _PADDING, _SHA1)
    except InvalidSignature:
        return False
    return True
