"""Settings of a gateway whose merchant accounts live at the simulators, in every mode that an account can have."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from gateway.domain.secret import Secret
from gateway.settings import AccountConfig, AppSettings, Settings
from sandbox.keyring import Keyring

SANDBOX_URL: Final = "http://127.0.0.1:8400"
PUBLIC_URL: Final = "https://pay.example.test"
ORDER_TTL_SECONDS: Final = 1800
API_KEYS: Final = {"web": "test-api-key-of-web", "counter": "test-api-key-of-counter"}

Values = dict[str, Any]


def _wechatpay(ring: Keyring) -> Values:
    return {
        "base_url": f"{SANDBOX_URL}/wechatpay",
        "mode": "direct",
        "mchid": ring.identities.mchid,
        "appid": ring.identities.appid,
        "merchant_serial_no": ring.identities.merchant_serial,
        "merchant_private_key": _file(ring, "wechatpay_merchant_private_key.pem"),
        "apiv3_key": _file(ring, "wechatpay_apiv3_key.txt"),
    }


def _public_key(ring: Keyring) -> Values:
    return {"public_key_id": ring.identities.public_key_id, "public_key": _file(ring, "wechatpay_public_key.pem")}


def _certificate(ring: Keyring) -> Values:
    return {"platform_certificates": [_file(ring, "wechatpay_platform_certificate.pem")]}


def _partner(ring: Keyring) -> Values:
    return {"mode": "partner", "sub_mchid": ring.identities.sub_mchids[0]}


def _partner_sub(ring: Keyring) -> Values:
    return _partner(ring) | {"sub_appid": ring.identities.sub_appid, "cashier": "sub"}


def _alipay(ring: Keyring) -> Values:
    return {
        "base_url": f"{SANDBOX_URL}/alipay/gateway.do",
        "app_id": ring.identities.app_id,
        "seller_id": ring.identities.seller_id,
        "app_private_key": _file(ring, "alipay_app_private_key.pem"),
    }


def _alipay_key(ring: Keyring) -> Values:
    return {"mode": "key", "alipay_public_key": _file(ring, "alipay_public_key.pem")}


def _alipay_certificate(ring: Keyring) -> Values:
    return {
        "mode": "certificate",
        "app_cert": _file(ring, "alipay_app_certificate.pem"),
        "alipay_cert": _file(ring, "alipay_platform_certificate.pem"),
        "alipay_root_cert": _file(ring, "alipay_root_certificates.pem"),
    }


WECHATPAY_MODES: Final[Mapping[str, Callable[[Keyring], Values]]] = {
    "direct-public_key": lambda ring: _wechatpay(ring) | _public_key(ring),
    "direct-certificate": lambda ring: _wechatpay(ring) | _certificate(ring),
    "direct-downloaded": _wechatpay,
    "partner-public_key": lambda ring: _wechatpay(ring) | _public_key(ring) | _partner(ring),
    "partner-certificate": lambda ring: _wechatpay(ring) | _certificate(ring) | _partner_sub(ring),
}
ALIPAY_MODES: Final[Mapping[str, Callable[[Keyring], Values]]] = {
    "key": lambda ring: _alipay(ring) | _alipay_key(ring),
    "certificate": lambda ring: _alipay(ring) | _alipay_certificate(ring),
}


def settings_for(
    ring: Keyring, database_url: str, *, wechatpay: str = "direct-public_key", alipay: str = "key"
) -> Settings:
    """One WeChat Pay account and one Alipay account in the named modes, and two apps that may use both."""
    return Settings(
        database_url=Secret(database_url),
        public_base_url=PUBLIC_URL,
        data_keys=(_key("d"),),
        index_key=_key("i"),
        token_key=_key("t"),
        order_ttl_seconds=ORDER_TTL_SECONDS,
        apps={
            name: AppSettings(name=name, entry="h5", api_key_digests=(hashlib.sha256(key.encode()).hexdigest(),))
            for name, key in API_KEYS.items()
        },
        accounts={
            "wx": _account("wx", "wechatpay", WECHATPAY_MODES[wechatpay](ring)),
            "ali": _account("ali", "alipay", ALIPAY_MODES[alipay](ring)),
        },
    )


def _account(name: str, provider: str, values: Values) -> AccountConfig:
    return AccountConfig(
        name=name,
        provider=provider,
        regions=frozenset(),
        callback_networks=(),
        connect_seconds=1.0,
        answer_seconds=2.0,
        connections_max=4,
        ca_file=None,
        proxy=None,
        values=values,
    )


def _file(ring: Keyring, name: str) -> Secret:
    return Secret(ring.path(name).read_text("ascii"))


def _key(letter: str) -> Secret:
    return Secret(base64.b64encode(letter.encode() * 32).decode())
