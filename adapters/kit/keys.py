"""Loads RSA keys and certificates in every shape that merchants paste; each key once, when settings are read."""

import base64
import binascii
import re
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

_RSA_BITS_MIN: Final = 2048
_ARMOUR: Final = re.compile(r"-----(?:BEGIN|END) [A-Z0-9 ]+-----")
_BLANK: Final = re.compile(r"\s+")


def der_from_pasted(text: str) -> bytes:
    """
    The DER bytes of a PEM block or of bare base64, white space anywhere.

    Raises:
        ValueError: Not base64.
    """
    try:
        return base64.b64decode(_BLANK.sub("", _ARMOUR.sub("", text)), validate=True)
    except binascii.Error:
        raise ValueError("is neither PEM nor base64") from None


def load_rsa_private_key(text: str) -> rsa.RSAPrivateKey:
    """
    Load an unencrypted RSA private key: PKCS#8 or PKCS#1, PEM or bare base64.

    Raises:
        ValueError: With a text that shows nothing of the key.
    """
    try:
        key = serialization.load_der_private_key(der_from_pasted(text), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("is not a private key in PKCS#8 or PKCS#1") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("is not an RSA key")
    if key.key_size < _RSA_BITS_MIN:
        raise ValueError(f"has fewer than {_RSA_BITS_MIN} bits")
    return key


def load_rsa_public_key(text: str) -> rsa.RSAPublicKey:
    """
    Load an RSA public key: SubjectPublicKeyInfo, PEM or bare base64.

    Raises:
        ValueError: With a text that shows nothing of the key.
    """
    try:
        key = serialization.load_der_public_key(der_from_pasted(text))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a public key") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("is not an RSA key")
    if key.key_size < _RSA_BITS_MIN:
        raise ValueError(f"has fewer than {_RSA_BITS_MIN} bits")
    return key


def load_certificate(text: str) -> x509.Certificate:
    """
    Load the first certificate of a PEM text.

    Raises:
        ValueError: Not a PEM certificate.
    """
    try:
        return x509.load_pem_x509_certificate(text.encode("ascii"))
    except (ValueError, UnicodeError):
        raise ValueError("is not a PEM certificate") from None
