"""
The counter's key, whose private half the bank holds. Its signatures are MD5withRSA with 1024 bits: the bank's choice,
confined to this flavour.
"""

import re
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key

from gateway.domain.secret import Secret

PUB_CHARACTERS: Final = 30

_BITS_MIN: Final = 1024
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2}){60,1000}")
_PADDING: Final = padding.PKCS1v15()
_MD5: Final = hashes.MD5()  # noqa: S303  the bank's choice; sheet section 2.3

# A signature of the bank's own program with a test key of 1024 bits and exponent 17: vector ccb_callback.json.
_KNOWN_KEY: Final = (
    "30819d300d06092a864886f70d010101050003818b0030818702818100b43139e648dc23966003a32b1978d0049e6aebcff851c4"
    "7097e27e95778629c2799aee76b6bc6287becded587dcc11f9deb07a70d29f0de8b6736cad453afd5365d31e4548e84915f9e355"
    "f48bb1173ab9b75ab912cd79264069bcd90dfe0ad23519ff7c1b249768d57bd966a08f149b9cac05c3c022a0016e0f6130742b4d"
    "47020111"
)
_KNOWN_TEXT: Final = (
    b"POSID=061230001&BRANCHID=340000000&ORDERID=JM20260100000001&PAYMENT=400.00&CURCODE=01&REMARK1=&REMARK2="
    b"&ACC_TYPE=12&SUCCESS=Y"
)
_KNOWN_SIGN: Final = (
    "95cad89b742f95f24e6511dddc465ccfec2236533103d4c1aec88f04fa4e72d9bf24ad04b61721d37eaa56e6cb9f09c03679a582"
    "ad3fed7b2899139af26c425d35d603008117a3a4d073d05a69d041d379c52bd9c14b2938f86744f6f087cedd338765d319c15964"
    "4f30eabe6a2e83b4b51e4cb7cb42a57dedd18b5e0852ce6b"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterKey:
    """
    The public half of a counter's key.

    Attributes:
        pub: `PUB`, the last 30 hex characters: part of every order's MAC, and never sent.
    """

    public: rsa.RSAPublicKey = field(repr=False)
    pub: Secret


def load_counter_key(text: str) -> CounterKey:
    """
    Load the key as the merchant platform (商户服务平台) hands it out: one hex text, a SubjectPublicKeyInfo.

    Source: sheet section 2.1; vector ccb_merchant_public.hex.

    Raises:
        ValueError: With a text that shows nothing of the key.
    """
    plain = "".join(text.split())
    if _HEX.fullmatch(plain) is None:
        raise ValueError("is not the counter's public key in hex")
    try:
        public = load_der_public_key(bytes.fromhex(plain))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not the counter's public key in hex") from None
    if not isinstance(public, rsa.RSAPublicKey) or public.key_size < _BITS_MIN:
        raise ValueError(f"is not an RSA key of {_BITS_MIN} bits or more")
    return CounterKey(public=public, pub=Secret(plain[-PUB_CHARACTERS:]))


def verifies(key: rsa.RSAPublicKey, text: bytes, proof: bytes) -> bool:
    """True when the proof is the key's own MD5withRSA signature (PKCS#1 v1.5) over these bytes."""
    try:
        key.verify(proof, text, _PADDING, _MD5)
    except InvalidSignature:
        return False
    return True


def machine_can_verify() -> bool:
    """
    Verify a signature that is known to be good.

    A FIPS build of OpenSSL refuses MD5, short keys or small exponents: to be learnt when settings are read, not from
    the first callback. Source: sheet section 9, trap 5.
    """
    try:
        return verifies(load_counter_key(_KNOWN_KEY).public, _KNOWN_TEXT, bytes.fromhex(_KNOWN_SIGN))
    except (UnsupportedAlgorithm, InternalError, ValueError):
        return False
