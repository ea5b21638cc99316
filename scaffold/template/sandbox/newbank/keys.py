"""
The bank's and the merchant's keys as files.

    newbank_identity.json             G  merchant_no and the names of both keys (no secret)
    newbank_merchant_private_key.pem  G  signs requests
    newbank_bank_public_key.pem       G  proves answers and notices
    newbank_bank_private_key.pem      S  signs as the bank
    newbank_stranger_private_key.pem  S  of nobody whom the merchant knows

Fact to replace: which keys and certificates each side has, and their sizes (source: section on access).
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.keyfiles import identity_bytes, load_rsa_key, new_rsa_key, private_pem, public_pem, read_identity

PROVIDER: Final = "newbank"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewbankIdentity:
    """Who the two sides are. Invented: 15 digits, and no merchant has them."""

    merchant_no: str = "999900000000001"
    key_id: str = "newbank-merchant-1"
    bank_key_id: str = "newbank-bank-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewbankKeys:
    """Both sides' keys; `stranger` belongs to neither."""

    identity: NewbankIdentity
    merchant_private_key: rsa.RSAPrivateKey = field(repr=False)
    bank_private_key: rsa.RSAPrivateKey = field(repr=False)
    stranger_private_key: rsa.RSAPrivateKey = field(repr=False)


def new_files() -> dict[str, bytes]:
    """Fresh keys, as the module's table lists them."""
    bank = new_rsa_key()
    return {
        "newbank_merchant_private_key.pem": private_pem(new_rsa_key()),
        "newbank_bank_private_key.pem": private_pem(bank),
        "newbank_bank_public_key.pem": public_pem(bank),
        "newbank_stranger_private_key.pem": private_pem(new_rsa_key()),
        "newbank_identity.json": identity_bytes(NewbankIdentity()),
    }


def load_keys(folder: Path) -> NewbankKeys:
    """
    Read what `new_files` made.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """
    return NewbankKeys(
        identity=read_identity(folder, PROVIDER, NewbankIdentity),
        merchant_private_key=load_rsa_key(folder / "newbank_merchant_private_key.pem"),
        bank_private_key=load_rsa_key(folder / "newbank_bank_private_key.pem"),
        stranger_private_key=load_rsa_key(folder / "newbank_stranger_private_key.pem"),
    )
