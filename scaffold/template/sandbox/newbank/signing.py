"""
The bank's side of the signatures: SHA256withRSA over text lines, headers Bank-Timestamp, -Nonce, -Key-Id, -Signature.

Fact to replace: parts, order, separators, header names (source: section on signatures). It shares no code with the
adapter, so that a mistake of one side shows in the other.
"""

import base64
import binascii
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

SKEW: Final = timedelta(minutes=5)


def proof_fault(
    key: rsa.RSAPublicKey, *, key_id: str, target: str, headers: Mapping[str, str], body: bytes, now: datetime
) -> str:
    """
    Why a request is not the merchant's own and fresh; "" when it is.

    Args:
        target: Path with query exactly as on the wire.
        headers: Names in lower case.
    """
    named = [headers.get(f"bank-{name}", "") for name in ("timestamp", "nonce", "key-id", "signature")]
    timestamp, nonce, named_key, signature = named
    if not all(named) or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) == len("1772331630")):
        return "headers"
    if abs(now.timestamp() - int(timestamp)) > SKEW.total_seconds():
        return "timestamp"
    signed = b"\n".join([b"POST", target.encode(), timestamp.encode(), nonce.encode(), body, b""])
    try:
        key.verify(base64.b64decode(signature, validate=True), signed, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, binascii.Error, ValueError):
        return "signature"
    return "" if named_key == key_id else "key-id"


def signed_headers(key: rsa.RSAPrivateKey, key_id: str, body: bytes, now: datetime) -> dict[str, str]:
    """The headers of an answer or a notice of this moment."""
    timestamp, nonce = str(int(now.timestamp())), secrets.token_hex(16)
    signed = b"\n".join([timestamp.encode(), nonce.encode(), body, b""])
    signature = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return {
        "Content-Type": "application/json; charset=utf-8",
        "Bank-Timestamp": timestamp,
        "Bank-Nonce": nonce,
        "Bank-Key-Id": key_id,
        "Bank-Signature": base64.b64encode(signature).decode("ascii"),
    }


def spoilt(headers: Mapping[str, str]) -> dict[str, str]:
    """The same headers with random bytes in place of the signature."""
    return {**headers, "Bank-Signature": base64.b64encode(secrets.token_bytes(256)).decode("ascii")}
