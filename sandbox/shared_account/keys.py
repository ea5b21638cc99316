"""
The platform's and the merchant's keys as files; sandbox/keyring.py lists them.

Source: sheet sm_libraries.md section 2 for the byte shapes of PKCS#8 and SPKI.
"""

import base64
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.shared_account import sm
from sandbox.shared_account.sm import PRIVATE_BYTES, RAW_BYTES, Sm2Pair

APP_ID: Final = "5A5D0B0C00000000000000000000A001"
"""Invented: it has the documented length, and no application has it."""

_IDENTITY_FILE: Final = "shared_account_identity.json"
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
class SharedAccountKeys:
    """Both sides' keys and the application's identity."""

    app_id: str
    app_secret: str = field(repr=False)
    app: Sm2Pair = field(repr=False)
    platform: Sm2Pair = field(repr=False)


def new_keys() -> SharedAccountKeys | None:
    """Fresh keys, or None where gmssl-pyx is not installed."""
    if not sm.available():
        return None
    return SharedAccountKeys(
        app_id=APP_ID,
        app_secret=secrets.token_hex(16).upper(),
        app=sm.new_pair(),
        platform=sm.new_pair(),
    )


def files_of(keys: SharedAccountKeys) -> dict[str, bytes]:
    """What is written, by name; the identity last, because it marks the set as complete."""
    identity = json.dumps({"app_id": keys.app_id}, indent=2) + "\n"
    return {
        _SECRET_FILE: keys.app_secret.encode("ascii"),
        _APP_FILE: _private_pem(keys.app),
        "shared_account_app_public_key.pem": _public_pem(keys.app),
        _PLATFORM_FILE: _private_pem(keys.platform),
        "shared_account_platform_public_key.pem": _public_pem(keys.platform),
        _IDENTITY_FILE: identity.encode("ascii"),
    }


def present(folder: Path) -> bool:
    """True when the folder has a complete set."""
    return (folder / _IDENTITY_FILE).exists()


def load_keys(folder: Path) -> SharedAccountKeys | None:
    """
    Read what `files_of` wrote; None when the keyring was made without it.

    Raises:
        FileNotFoundError: A file of the set is missing.
        ValueError: A file does not hold what its name says.
    """
    if not present(folder):
        return None
    return SharedAccountKeys(
        app_id=json.loads((folder / _IDENTITY_FILE).read_text("ascii"))["app_id"],
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
