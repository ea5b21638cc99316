"""
The MAC of orders and the signature of notifies, written from the sheet: check the one, make the other.

Source of every rule: sheet bank.md sections 2.1 to 2.3.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from sandbox.bank_ccb.keys import public_hex


def pub_of(key: rsa.RSAPrivateKey) -> str:
    """The last 30 hex characters of the public key."""
    return public_hex(key)[-30:]


def mac_of(fields: Mapping[str, str], pub: str) -> str:
    """PUB stands behind TYPE for the cashier, at the end for the aggregate QR."""
    text = "".join(f"&{name}={value}" for name, value in fields.items() if name != "MAC")
    if fields["TXCODE"] == "530550":
        text += f"&PUB={pub}"
    else:
        head, _, tail = text.partition("&GATEWAY=")
        text = f"{head}&PUB={pub}&GATEWAY={tail}"
    return hashlib.md5(text[1:].encode("ascii", "replace"), usedforsecurity=False).hexdigest()


def sign(key: rsa.RSAPrivateKey, pairs: Iterable[tuple[str, str]], encoding: str) -> str:
    """MD5withRSA over `k=v&k=v`, lower-case hex."""
    text = "&".join(f"{name}={value}" for name, value in pairs)
    return key.sign(text.encode(encoding), padding.PKCS1v15(), hashes.MD5()).hex()  # noqa: S303  the bank's choice


def spoilt(signature: str) -> str:
    """Another signature of the same length: still hex, never valid."""
    return os.urandom(len(signature) // 2).hex()
