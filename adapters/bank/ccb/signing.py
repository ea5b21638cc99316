"""
The MAC of an order, and the bank's signature on a callback.

The MAC is a checksum that everybody can make who has seen the public key: it proves nothing. Only the signature does.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.bank.ccb.keys import verifies
from gateway.domain.secret import Secret

MANDATORY: Final = ("POSID", "BRANCHID", "ORDERID", "PAYMENT", "CURCODE", "REMARK1", "REMARK2", "ACC_TYPE", "SUCCESS")
"""Of a server notify, in the order that is signed, blank ones too. A page notify has no ACC_TYPE."""

OPTIONAL: Final = ("TYPE", "REFERER", "CLIENTIP", "ACCDATE", "USRINFO", "PAYTYPE")
"""Signed after those, only where they were posted. Source of both: sheet section 2.3; vector ccb_callback.json."""

_SIGN: Final = re.compile(rb"(?:[0-9a-f]{2}){64,512}|(?:[0-9A-F]{2}){64,512}")


def mac_text(fields: Mapping[str, str], pub: Secret, pub_after: str) -> str:
    """
    The text that an order's MAC is made of: every field in the order sent, blank ones too, nothing escaped.

    Source: sheet section 2.2; vector ccb_order_mac.json.

    Args:
        pub_after: Name of the field that PUB follows: it stands in the middle or at the end, by product.
    """
    pieces = []
    for name, value in fields.items():
        pieces.append(f"{name}={value}")
        if name == pub_after:
            pieces.append(f"PUB={pub.reveal()}")
    return "&".join(pieces)


def mac(text: str) -> str:
    """MD5 in lower-case hex. Source: as `mac_text`."""
    return hashlib.md5(text.encode("ascii"), usedforsecurity=False).hexdigest()


def signed_texts(fields: Mapping[str, bytes]) -> dict[str, bytes]:
    """
    The texts that the bank may have signed, by the name of the recipe; a field outside a text is in no recipe's text.

    The canonical order holds for the fields that the sheet knows. Newer products post more of them, at places that are
    not known: those are tried as received. Source: sheet section 2.3.
    """
    posted = {name: value for name, value in fields.items() if name != "SIGN"}
    texts = {}
    if set(posted) <= {*MANDATORY, *OPTIONAL}:
        texts["canonical"] = _joined(posted, (*MANDATORY, *(name for name in OPTIONAL if name in posted)))
    texts["as received"] = _joined(posted, posted)
    return texts


def recipe_of(keys: Iterable[rsa.RSAPublicKey], fields: Mapping[str, bytes]) -> str | None:
    """The name of the recipe by which one of the keys signed these fields; None if none did."""
    sign = fields.get("SIGN", b"")
    if _SIGN.fullmatch(sign) is None:
        return None
    proof = bytes.fromhex(sign.decode("ascii"))
    texts = signed_texts(fields)
    return next((name for key in keys for name, text in texts.items() if verifies(key, text, proof)), None)


def _joined(fields: Mapping[str, bytes], names: Iterable[str]) -> bytes:
    return b"&".join(name.encode("ascii") + b"=" + fields[name] for name in names)
