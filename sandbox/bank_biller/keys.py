"""
The bank's and the gateway's keys as files.

    bank_biller_identity.json                  G  institution, billers and merchant (no secret)
    bank_biller_bank_private_key.pem           S  signs requests by BBP/1
    bank_biller_bank_public_key.pem            G  verifies them
    bank_biller_renewed_private_key.pem        S  signs after a rotation
    bank_biller_renewed_public_key.pem         G  verifies those
    bank_biller_gateway_private_key.pem        G  signs answers by BBP/1
    bank_biller_gateway_public_key.pem         S  verifies them
    bank_biller_ebpp_bank_private_key.pem      S  signs EBPP messages
    bank_biller_ebpp_bank_certificate.pem      G  verifies them
    bank_biller_ebpp_merchant_private_key.pem  G  signs EBPP answers
    bank_biller_ebpp_merchant_public_key.pem   S  verifies them
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sandbox.certificates import VALID_FROM, VALID_TO, pem_of
from sandbox.keyfiles import identity_bytes, load_rsa_key, new_rsa_key, private_pem, public_pem, read_identity

PROVIDER: Final = "bank_biller"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankBillerIdentity:
    """Who the two sides are to each other. Invented: no institution and no merchant has these numbers."""

    inst_id: str = "SANDBOX01"
    biller_id: str = "YB000001"
    regions: tuple[str, ...] = ("341200", "340104", "341800", "210200", "341000")
    key_id: str = "SANDBOX01-1"
    renewed_key_id: str = "SANDBOX01-2"
    gateway_key_id: str = "JIAOFEI-1"
    merchant_id: str = "103999900000009"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankBillerKeys:
    """Both sides' keys."""

    identity: BankBillerIdentity
    bank: rsa.RSAPrivateKey = field(repr=False)
    renewed: rsa.RSAPrivateKey = field(repr=False)
    gateway: rsa.RSAPrivateKey = field(repr=False)
    ebpp_bank: rsa.RSAPrivateKey = field(repr=False)
    ebpp_merchant: rsa.RSAPrivateKey = field(repr=False)


def new_files() -> dict[str, bytes]:
    """Fresh keys, as the module's table lists them."""
    bank, renewed, gateway, ebpp_bank, ebpp_merchant = (new_rsa_key() for _ in range(5))
    return {
        "bank_biller_bank_private_key.pem": private_pem(bank),
        "bank_biller_bank_public_key.pem": public_pem(bank),
        "bank_biller_renewed_private_key.pem": private_pem(renewed),
        "bank_biller_renewed_public_key.pem": public_pem(renewed),
        "bank_biller_gateway_private_key.pem": private_pem(gateway),
        "bank_biller_gateway_public_key.pem": public_pem(gateway),
        "bank_biller_ebpp_bank_private_key.pem": private_pem(ebpp_bank),
        "bank_biller_ebpp_bank_certificate.pem": pem_of(_certificate(ebpp_bank)),
        "bank_biller_ebpp_merchant_private_key.pem": private_pem(ebpp_merchant),
        "bank_biller_ebpp_merchant_public_key.pem": public_pem(ebpp_merchant),
        "bank_biller_identity.json": identity_bytes(BankBillerIdentity()),
    }


def load_keys(folder: Path) -> BankBillerKeys:
    """
    Read what `new_files` made.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """

    def key(name: str) -> rsa.RSAPrivateKey:
        return load_rsa_key(folder / f"bank_biller_{name}_private_key.pem")

    return BankBillerKeys(
        identity=read_identity(folder, PROVIDER, BankBillerIdentity),
        bank=key("bank"),
        renewed=key("renewed"),
        gateway=key("gateway"),
        ebpp_bank=key("ebpp_bank"),
        ebpp_merchant=key("ebpp_merchant"),
    )


def _certificate(key: rsa.RSAPrivateKey) -> x509.Certificate:
    """Self-signed: it is pinned, and no chain is looked at."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Jiaofei Sandbox Bank, invented for tests")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(VALID_FROM).not_valid_after(VALID_TO)
    return builder.sign(key, hashes.SHA256())
