"""
Card numbers on the wire: sealed for UnionPay, opened with our own key. Never logged, never stored by this adapter.

CVN2, PIN and customerInfo belong to products where cards are entered at the merchant; no method here takes them.
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import padding, rsa

_PLAIN: Final = re.compile(r"[0-9*]{1,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealer:
    """
    UnionPay's encryption certificate.

    Attributes:
        cert_id: Its serial, decimal, sent as `encryptCertId`.
    """

    cert_id: str
    key: rsa.RSAPublicKey = field(repr=False)

    def seal(self, text: str) -> str:
        """
        Encrypt for UnionPay: RSA with PKCS#1 v1.5 padding, base64; another text on every call.

        Source: sheet section 9; vector sensitive.json.
        """
        return base64.b64encode(self.key.encrypt(text.encode(), padding.PKCS1v15())).decode("ascii")


def open_sealed(key: rsa.RSAPrivateKey, sealed: str) -> bytes:
    """
    Decrypt what was encrypted to our certificate.

    Source: sheet section 9; vectors sensitive.json, notifies.json.

    Raises:
        ValueError: Not for this key, or no cipher at all.
    """
    try:
        return key.decrypt(base64.b64decode(sealed.encode("ascii"), validate=True), padding.PKCS1v15())
    except (binascii.Error, ValueError):
        raise ValueError("cannot be decrypted") from None


def card_number(key: rsa.RSAPrivateKey, acc_no: str) -> str:
    """
    The card number of a field `accNo`: merchants without the permission get it masked and in clear.

    Raises:
        ValueError: As `open_sealed`, or something else was in it.
    """
    if _PLAIN.fullmatch(acc_no):
        return acc_no
    opened = open_sealed(key, acc_no).decode("ascii", "replace")
    if _PLAIN.fullmatch(opened) is None:
        raise ValueError("is no card number")
    return opened
