"""Names of platform keys: certificate serials and public key ids, made comparable."""

import re
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

PUBLIC_KEY_PREFIX: Final = "PUB_KEY_ID_"

_HEX_SERIAL: Final = re.compile(r"[0-9A-Fa-f]{1,40}")


def normal_serial(text: str) -> str:
    """
    The form under which keys are kept: hex without case and leading zeros, a public key id as it is.

    Source: sheet section 3.1; vector `callbacks.json`, case pay_success_rotated_cert_leading_zero_serial.
    """
    return text if text.startswith(PUBLIC_KEY_PREFIX) else text.upper().lstrip("0")


def may_be_certificate(text: str) -> bool:
    """True if a certificate can have this serial, so that a download could bring it."""
    return _HEX_SERIAL.fullmatch(text) is not None


def certificate_serial(certificate: x509.Certificate) -> str:
    """
    The normal serial of an RSA certificate.

    Raises:
        ValueError: Its key is not RSA.
    """
    certificate_key(certificate)
    return normal_serial(f"{certificate.serial_number:X}")


def certificate_key(certificate: x509.Certificate) -> rsa.RSAPublicKey:
    """
    The RSA key of a certificate.

    Raises:
        ValueError: Its key is not RSA.
    """
    key = certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("has no RSA key")
    return key
