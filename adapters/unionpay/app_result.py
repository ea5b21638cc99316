"""
Reads what the app control (手机控件) tells the app after a payment: a hint to query, never a proof of payment.

It still signs with SHA-1 in the 5.1.0 kit, with a key of its own. Source: sheet section 12; vector app_result.json.
"""

import base64
import binascii
import hashlib
from typing import Final
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.domain.strict_json import parse_strict_json_object

_TEXT_CHARACTERS_MAX: Final = 4096


def read_app_result(key: rsa.RSAPublicKey, text: str) -> tuple[str, str]:
    """
    The `tn` and `pay_result` of a result that UnionPay's control signed.

    Args:
        text: JSON as the app was given it: {"sign": …, "data": "pay_result=…&tn=…&cert_id=…"}.

    Raises:
        ValueError: Not signed, or not what the sheet describes.
    """
    if len(text) > _TEXT_CHARACTERS_MAX:
        raise ValueError("too long")
    members = parse_strict_json_object(text)
    sign, signed = members.get("sign"), members.get("data")
    if not isinstance(sign, str) or not isinstance(signed, str):
        raise ValueError("sign or data")
    _verify(key, signed, sign)
    pairs = parse_qsl(signed, max_num_fields=8)
    fields = dict(pairs)
    if len(fields) != len(pairs) or not fields.get("tn") or not fields.get("pay_result"):
        raise ValueError("data")
    return fields["tn"], fields["pay_result"]


def _verify(key: rsa.RSAPublicKey, signed: str, sign: str) -> None:
    hexed = hashlib.sha1(signed.encode(), usedforsecurity=False).hexdigest()  # the vendor's own choice
    try:
        proof = base64.b64decode(sign.encode("ascii"), validate=True)
        key.verify(proof, hexed.encode("ascii"), padding.PKCS1v15(), hashes.SHA1())  # noqa: S303  as above
    except (InvalidSignature, binascii.Error, ValueError):
        raise ValueError("sign") from None
