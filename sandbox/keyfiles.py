"""
Key files: making keys, writing them privately, reading them back, and each party's identity file.

`<provider>_identity.json` says who the two sides are and is written last, so that it marks a party's set as complete.
Keyrings made by the first version have one identities.json for wechatpay, alipay and unionpay instead; it still counts.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.certificates import AuthorityKey

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_COMMON_IDENTITIES: Final = "identities.json"
_RSA_BITS: Final = 2048

IdentityT = TypeVar("IdentityT", bound="DataclassInstance")


def has_keys(folder: Path, provider: str) -> bool:
    """True when the folder has the party's complete set."""
    if identity_file(folder, provider).exists():
        return True
    return (folder / _COMMON_IDENTITIES).exists() and any(folder.glob(f"{provider}_*"))


def identity_file(folder: Path, provider: str) -> Path:
    """Where the party's identities stand."""
    return folder / f"{provider}_identity.json"


def identity_bytes(identity: "DataclassInstance") -> bytes:
    """What is written into the identity file."""
    return (json.dumps(asdict(identity), ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def read_identity(folder: Path, provider: str, kind: type[IdentityT]) -> IdentityT:
    """
    Read the identity file; members that it does not have keep their defaults.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is not JSON.
    """
    own = identity_file(folder, provider)
    path = own if own.exists() else folder / _COMMON_IDENTITIES
    content: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
    known = {member.name for member in fields(kind)}
    return kind(**{name: _frozen(value) for name, value in content.items() if name in known})


def write_private(path: Path, content: bytes) -> None:
    """Mode 0600 from the first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)


def new_rsa_key() -> rsa.RSAPrivateKey:
    """A fresh key of the size that all providers use."""
    return rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS)


def private_pem(key: AuthorityKey) -> bytes:
    """Unencrypted PKCS#8."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_pem(key: AuthorityKey) -> bytes:
    """The key's public half as SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def load_rsa_key(path: Path) -> rsa.RSAPrivateKey:
    """
    Read a private key.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds something else.
    """
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError(f"not an RSA private key: {path}")
    return key


def load_certificate(path: Path) -> x509.Certificate:
    """
    Read the file's first certificate.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It holds something else.
    """
    return x509.load_pem_x509_certificate(path.read_bytes())


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
