"""
The bank's and the merchant's keys as files.

    bank_icbc_identity.json            G  app_id, mer_id, mer_prtcl_no (no secret)
    bank_icbc_app_private_key.pem      G  signs requests and the answers to notifies
    bank_icbc_gateway_public_key.pem   G  proves answers and notifies
    bank_icbc_content_key.txt          G  AES key in base64, for encrypt_key
    bank_icbc_gateway_private_key.pem  S  signs as the bank, 1024 bits as the real one
    bank_icbc_stranger_private_key.pem S  of nobody whom the merchant knows
"""

import base64
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.keyfiles import identity_bytes, load_rsa_key, new_rsa_key, private_pem, public_pem, read_identity

PROVIDER: Final = "bank_icbc"

_BANK_KEY_BITS: Final = 1024
_CONTENT_KEY_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class IcbcIdentity:
    """Who the merchant is. Invented: the numbers have the length of real ones, and no merchant has them."""

    app_id: str = "19999999999999000001"
    mer_id: str = "999900000001"
    mer_prtcl_no: str = "9999000000010201"


@dataclass(frozen=True, slots=True, kw_only=True)
class IcbcKeys:
    """Both sides' keys; `stranger` belongs to neither."""

    identity: IcbcIdentity
    content_key: bytes = field(repr=False)
    app_private_key: rsa.RSAPrivateKey = field(repr=False)
    gateway_private_key: rsa.RSAPrivateKey = field(repr=False)
    stranger_private_key: rsa.RSAPrivateKey = field(repr=False)


def new_files() -> dict[str, bytes]:
    """Fresh keys, as the module's table lists them."""
    bank, stranger = (_new_bank_key() for _ in range(2))
    return {
        "bank_icbc_app_private_key.pem": private_pem(new_rsa_key()),
        "bank_icbc_gateway_private_key.pem": private_pem(bank),
        "bank_icbc_gateway_public_key.pem": public_pem(bank),
        "bank_icbc_stranger_private_key.pem": private_pem(stranger),
        "bank_icbc_content_key.txt": base64.b64encode(secrets.token_bytes(_CONTENT_KEY_BYTES)),
        "bank_icbc_identity.json": identity_bytes(IcbcIdentity()),
    }


def load_keys(folder: Path) -> IcbcKeys:
    """
    Read what `new_files` made.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """
    return IcbcKeys(
        identity=read_identity(folder, PROVIDER, IcbcIdentity),
        content_key=base64.b64decode((folder / "bank_icbc_content_key.txt").read_bytes(), validate=True),
        app_private_key=load_rsa_key(folder / "bank_icbc_app_private_key.pem"),
        gateway_private_key=load_rsa_key(folder / "bank_icbc_gateway_private_key.pem"),
        stranger_private_key=load_rsa_key(folder / "bank_icbc_stranger_private_key.pem"),
    )


def _new_bank_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=_BANK_KEY_BITS)
