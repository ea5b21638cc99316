"""A small valid configuration on disk, and means to spoil it. Every key and identity is invented."""

import base64
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.settings import Settings, SettingsInvalid, load_settings

DATA_KEY = base64.b64encode(b"d" * 32).decode()
OLD_DATA_KEY = base64.b64encode(b"o" * 32).decode()
INDEX_KEY = base64.b64encode(b"i" * 32).decode()
TOKEN_KEY = base64.b64encode(b"t" * 32).decode()
DIGEST_A = "a" * 64
DIGEST_B = "b" * 64
CANARY = "canary-7f3e-never-shown"

GATEWAY = """\
[gateway]
database_url = "sqlite:///orders.db"
public_base_url = "https://pay.example.test"
data_keys = ["file:keys/data", "env:OLD_DATA_KEY"]
index_key = "file:keys/index"
token_key = "file:keys/token"
"""
APP = f"""\
[apps.demo]
entry = "mini_program"
api_keys = ["sha256:{DIGEST_A}"]
"""
ACCOUNT = """\
[accounts.city]
provider = "wechatpay"
mchid = "1900000001"
apiv3_key = "env:APIV3_KEY"
"""
VALID = f"{GATEWAY}\n{APP}\n{ACCOUNT}"


class Configuration:
    """A folder with a configuration file, its key files and the environment to read it in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "GATEWAY_CONFIG": str(folder / "gateway.toml"),
            "OLD_DATA_KEY": OLD_DATA_KEY,
            "APIV3_KEY": CANARY,
            "SHORT": CANARY[:15],
        }
        (folder / "keys").mkdir(mode=0o700)
        for name, text in {"data": DATA_KEY, "index": INDEX_KEY, "token": TOKEN_KEY}.items():
            self.write(f"keys/{name}", f"{text}\n")

    def write(self, name: str, content: str | bytes, *, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)
        return path

    def load(self, toml: str = VALID) -> Settings:
        self.write("gateway.toml", toml)
        return load_settings(self.environ)

    def faults(self, toml: str, environ: Mapping[str, str] | None = None) -> list[str]:
        self.write("gateway.toml", toml)
        with pytest.raises(SettingsInvalid) as caught:
            load_settings(self.environ if environ is None else environ)
        assert "\n".join(caught.value.faults) == str(caught.value)
        return caught.value.faults
