"""
The counter's keys, made by the bank, as files.

    bank_ccb_identity.json               G  merchant, counter, branch, operator (no secret)
    bank_ccb_counter_public_key.hex      G  proves notifies; its last 30 characters are PUB
    bank_ccb_ebs_password.txt            G  the operator's password at the client program
    bank_ccb_counter_private_key.pem     S  signs notifies: the bank holds it
    bank_ccb_stranger_private_key.pem    S  another counter's
"""

import math
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.keyfiles import identity_bytes, load_rsa_key, private_pem, read_identity

PROVIDER: Final = "bank_ccb"

_EXPONENT: Final = 17
_BITS: Final = 1024
"""Source of both: sheet bank.md section 2.1."""

_PASSWORD_BYTES: Final = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class BankCcbIdentity:
    """Who the merchant is. Invented."""

    merchant_id: str = "105999900000001"
    pos_id: str = "099999001"
    branch_id: str = "999000000"
    operator: str = "105999900000001-001"


@dataclass(frozen=True, slots=True, kw_only=True)
class BankCcbKeys:
    """The counter's key pair, and what the client program's operator knows."""

    identity: BankCcbIdentity
    counter_private_key: rsa.RSAPrivateKey = field(repr=False)
    stranger_private_key: rsa.RSAPrivateKey = field(repr=False)
    password: str = field(repr=False)


def new_counter_key() -> rsa.RSAPrivateKey:
    """A key of the bank's size and exponent, which the library makes with another exponent only."""
    while True:
        primes = rsa.generate_private_key(public_exponent=65537, key_size=_BITS).private_numbers()
        p, q = primes.p, primes.q
        if math.gcd(_EXPONENT, (p - 1) * (q - 1)) == 1:
            break
    exponent = pow(_EXPONENT, -1, math.lcm(p - 1, q - 1))
    return rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=exponent,
        dmp1=exponent % (p - 1),
        dmq1=exponent % (q - 1),
        iqmp=pow(q, -1, p),
        public_numbers=rsa.RSAPublicNumbers(_EXPONENT, p * q),
    ).private_key()


def public_hex(key: rsa.RSAPrivateKey) -> str:
    """The public half as the merchant platform hands it out."""
    return (
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo).hex()
    )


def new_files() -> dict[str, bytes]:
    """Fresh keys, as the module's table lists them."""
    counter, stranger = new_counter_key(), new_counter_key()
    return {
        "bank_ccb_counter_public_key.hex": public_hex(counter).encode("ascii") + b"\n",
        "bank_ccb_ebs_password.txt": secrets.token_hex(_PASSWORD_BYTES).encode("ascii") + b"\n",
        "bank_ccb_counter_private_key.pem": private_pem(counter),
        "bank_ccb_stranger_private_key.pem": private_pem(stranger),
        "bank_ccb_identity.json": identity_bytes(BankCcbIdentity()),
    }


def load_keys(folder: Path) -> BankCcbKeys:
    """
    Read what `new_files` made.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """
    return BankCcbKeys(
        identity=read_identity(folder, PROVIDER, BankCcbIdentity),
        counter_private_key=load_rsa_key(folder / "bank_ccb_counter_private_key.pem"),
        stranger_private_key=load_rsa_key(folder / "bank_ccb_stranger_private_key.pem"),
        password=(folder / "bank_ccb_ebs_password.txt").read_text("ascii").strip(),
    )
