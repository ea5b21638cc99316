"""
The bank's and the merchant's keys as files.

    bank_abchina_identity.json                G  merchant number (no secret)
    bank_abchina_merchant_private_key.pem     G  signs requests
    bank_abchina_merchant_certificate.pem     S
    bank_abchina_merchant_pfx.txt             G  the same pair as PKCS#12 in base64
    bank_abchina_merchant_pfx_password.txt    G  opens it
    bank_abchina_bank_certificates.pem        G  both certificates of the bank, to be pinned
    bank_abchina_expired_private_key.pem      S  signs at first: 1024 bits, and its certificate ended on 2023-08-11
    bank_abchina_renewed_private_key.pem      S  signs after a rotation
    bank_abchina_stranger_private_key.pem     S  nobody's
"""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from sandbox.certificates import VALID_FROM, VALID_TO, pem_of
from sandbox.keyfiles import (
    identity_bytes,
    load_rsa_key,
    new_rsa_key,
    private_pem,
    read_identity,
)

PROVIDER: Final = "bank_abchina"

_BANK_NAME: Final = "MainServer.Sandbox"
_EXPIRED_BITS: Final = 1024
_EXPIRED_FROM: Final = datetime(2013, 8, 14, tzinfo=UTC)
_EXPIRED_TO: Final = datetime(2023, 8, 11, tzinfo=UTC)
"""As the production certificate. Source: sheet bank.md section 3.1; the day it began is invented."""
_PFX_PASSWORD: Final = b"sandbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAbchinaIdentity:
    """Who the merchant is. Invented: 15 digits, and no merchant has them."""

    merchant_id: str = "103999900000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankAbchinaKeys:
    """Both sides' keys."""

    identity: BankAbchinaIdentity
    merchant_private_key: rsa.RSAPrivateKey = field(repr=False)
    expired_private_key: rsa.RSAPrivateKey = field(repr=False)
    renewed_private_key: rsa.RSAPrivateKey = field(repr=False)
    stranger_private_key: rsa.RSAPrivateKey = field(repr=False)


def new_files() -> dict[str, bytes]:
    """Fresh keys, as the module's table lists them."""
    identity = BankAbchinaIdentity()
    expired = rsa.generate_private_key(public_exponent=65537, key_size=_EXPIRED_BITS)
    merchant, renewed, stranger = (new_rsa_key() for _ in range(3))
    certificate = _certificate(f"merchant.{identity.merchant_id}", merchant, VALID_FROM, VALID_TO)
    pinned = (
        _certificate(_BANK_NAME, expired, _EXPIRED_FROM, _EXPIRED_TO),
        _certificate(_BANK_NAME, renewed, VALID_FROM, VALID_TO),
    )
    return {
        "bank_abchina_merchant_private_key.pem": private_pem(merchant),
        "bank_abchina_merchant_certificate.pem": pem_of(certificate),
        "bank_abchina_merchant_pfx.txt": _pfx(merchant, certificate),
        "bank_abchina_merchant_pfx_password.txt": _PFX_PASSWORD,
        "bank_abchina_bank_certificates.pem": pem_of(*pinned),
        "bank_abchina_expired_private_key.pem": private_pem(expired),
        "bank_abchina_renewed_private_key.pem": private_pem(renewed),
        "bank_abchina_stranger_private_key.pem": private_pem(stranger),
        "bank_abchina_identity.json": identity_bytes(identity),
    }


def load_keys(folder: Path) -> BankAbchinaKeys:
    """
    Read what `new_files` made.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """

    def key(name: str) -> rsa.RSAPrivateKey:
        return load_rsa_key(folder / f"bank_abchina_{name}_private_key.pem")

    return BankAbchinaKeys(
        identity=read_identity(folder, PROVIDER, BankAbchinaIdentity),
        merchant_private_key=key("merchant"),
        expired_private_key=key("expired"),
        renewed_private_key=key("renewed"),
        stranger_private_key=key("stranger"),
    )


def _certificate(name: str, key: rsa.RSAPrivateKey, begins_at: datetime, ends_at: datetime) -> x509.Certificate:
    """Self-signed: the bank's certificate is pinned, and no chain is looked at."""
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Jiaofei Sandbox, invented for tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins_at)
        .not_valid_after(ends_at)
        .sign(key, hashes.SHA256())
    )


def _pfx(key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> bytes:
    encryption = serialization.BestAvailableEncryption(_PFX_PASSWORD)
    return base64.b64encode(pkcs12.serialize_key_and_certificates(b"merchant", key, certificate, None, encryption))
