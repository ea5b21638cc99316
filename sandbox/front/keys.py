"""
The secret that gateway and app share, as a file.

    front_identity.json       G  the app's name (no secret)
    front_webhook_secret.txt  G  whsec_ and the base64 of 32 bytes; both sides need it

Source: Standard Webhooks 1.0.0, "Signature scheme".
"""

import base64
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sandbox.keyfiles import identity_bytes, read_identity

PROVIDER: Final = "front"

_SECRET_FILE: Final = "front_webhook_secret.txt"  # noqa: S105  a file's name
_SECRET_PREFIX: Final = "whsec_"  # noqa: S105  how every such secret begins
_SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontIdentity:
    """Which app of the gateway it is: the one that `jiaofei init` writes."""

    app: str = "demo"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontKeys:
    """The app's name, and the key in the secret."""

    identity: FrontIdentity
    webhook_key: bytes = field(repr=False)


def new_files() -> dict[str, bytes]:
    """A fresh secret, as the module's table lists it."""
    secret = _SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")
    return {_SECRET_FILE: secret.encode("ascii"), "front_identity.json": identity_bytes(FrontIdentity())}


def load_keys(folder: Path) -> FrontKeys:
    """
    Read what `new_files` made.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """
    secret = (folder / _SECRET_FILE).read_text("ascii").strip()
    return FrontKeys(
        identity=read_identity(folder, PROVIDER, FrontIdentity),
        webhook_key=base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True),
    )
