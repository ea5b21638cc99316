"""
The platform's and the merchant's keys as files. They are made only where gmssl-pyx is installed.

    shared_account_identity.json             G  app_id (no secret)
    shared_account_app_secret.txt            G  32 ASCII characters
    shared_account_app_private_key.pem       G  SM2, signs requests
    shared_account_platform_public_key.pem   G  SM2, one of platform_public_keys
    shared_account_app_public_key.pem        S  SM2
    shared_account_platform_private_key.pem  S  SM2

Source: sheet sm_libraries.md section 2 for the byte shapes of PKCS#8 and SPKI.
"""

import base64
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.keyfiles import identity_bytes, read_identity
from sandbox.shared_account import sm
from sandbox.shared_account.sm import PRIVATE_BYTES, RAW_BYTES, Sm2Pair

PROVIDER: Final = "shared_account"

_SECRET_FILE: Final = "shared_account_app_secret.txt"  # noqa: S105  a file's name
_APP_FILE: Final = "shared_account_app_private_key.pem"
_PLATFORM_FILE: Final = "shared_account_platform_private_key.pem"
_PRIVATE_HEAD: Final = bytes.fromhex(
    "308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420"
)  # fmt: skip
_PRIVATE_MIDDLE: Final = bytes.fromhex("a144034200")
_PUBLIC_HEAD: Final = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")
_UNCOMPRESSED: Final = b"\x04"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAccountIdentity:
    """Who the application is. Invented: it has the documented length, and no application has it."""

    app_id: str = "5A5D0B0C00000000000000000000A001"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAccountKeys:
    """Both sides' keys and the application's identity."""

    identity: SharedAccountIdentity
    app_secret: str = field(repr=False)
    app: Sm2Pair = field(repr=False)
    platform: Sm2Pair = field(repr=False)


def new_files() -> dict[str, bytes]:
    """Fresh keys, as the module's table lists them."""
    app, platform = sm.new_pair(), sm.new_pair()
    return {
        _SECRET_FILE: secrets.token_hex(16).upper().encode("ascii"),
        _APP_FILE: _private_pem(app),
        "shared_account_app_public_key.pem": _public_pem(app),
        _PLATFORM_FILE: _private_pem(platform),
        "shared_account_platform_public_key.pem": _public_pem(platform),
        "shared_account_identity.json": identity_bytes(SharedAccountIdentity()),
    }


def load_keys(folder: Path) -> SharedAccountKeys:
    """
    Read what `new_files` made.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """
    return SharedAccountKeys(
        identity=read_identity(folder, PROVIDER, SharedAccountIdentity),
        app_secret=(folder / _SECRET_FILE).read_text("ascii"),
        app=_load_pair(folder / _APP_FILE),
        platform=_load_pair(folder / _PLATFORM_FILE),
    )


def public_text(public_key: bytes) -> str:
    """The form platforms hand a public key out in: base64 of 04‖X‖Y."""
    return base64.b64encode(_UNCOMPRESSED + public_key).decode("ascii")


def _load_pair(path: Path) -> Sm2Pair:
    lines = path.read_text("ascii").splitlines()
    der = base64.b64decode("".join(lines[1:-1]), validate=True)
    private_key = der[len(_PRIVATE_HEAD) : len(_PRIVATE_HEAD) + PRIVATE_BYTES]
    pair = Sm2Pair(private_key=private_key, public_key=der[-RAW_BYTES:])
    if der != _private_der(pair):
        raise ValueError(f"not an SM2 private key as the sandbox writes it: {path}")
    return pair


def _private_der(pair: Sm2Pair) -> bytes:
    return _PRIVATE_HEAD + pair.private_key + _PRIVATE_MIDDLE + _UNCOMPRESSED + pair.public_key


def _private_pem(pair: Sm2Pair) -> bytes:
    return _pem("PRIVATE KEY", _private_der(pair))


def _public_pem(pair: Sm2Pair) -> bytes:
    return _pem("PUBLIC KEY", _PUBLIC_HEAD + _UNCOMPRESSED + pair.public_key)


def _pem(label: str, der: bytes) -> bytes:
    text = base64.b64encode(der).decode("ascii")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode("ascii")
