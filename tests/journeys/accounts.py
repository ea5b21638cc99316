"""Settings of a gateway whose merchant accounts live at the simulators, in every mode that an account can have."""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from gateway.domain.secret import Secret
from gateway.settings import AccountConfig, AppSettings, Settings
from sandbox.alipay.keys import AlipayKeys
from sandbox.bank_abchina.keys import BankAbchinaKeys
from sandbox.bank_ccb import kind as bank_ccb
from sandbox.bank_ccb.keys import BankCcbKeys
from sandbox.bank_icbc.keys import IcbcKeys
from sandbox.keyring import Keyring
from sandbox.unionpay.keys import UnionpayKeys
from sandbox.wechatpay.keys import WechatpayKeys

SANDBOX_URL: Final = "http://127.0.0.1:8400"
PUBLIC_URL: Final = "https://pay.example.test"
ORDER_TTL_SECONDS: Final = 1800
API_KEYS: Final = {"web": "test-api-key-of-web", "counter": "test-api-key-of-counter"}

Values = dict[str, Any]

_ELSEWHERE: Final = frozenset({"999900"})
_OTHER_MERCHANT: Final[Mapping[str, Values]] = {
    "wechatpay": {"mchid": "1999900002"},
    "alipay": {"app_id": "2099000000000002", "seller_id": "2088999900000002"},
    "unionpay": {"mer_id": "777999900000002"},
    "bank_icbc": {"app_id": "19999999999999000002", "mer_id": "999900000002"},
    "bank_abchina": {"merchant_id": "103999900000002"},
    "bank_ccb": {"pos_id": "099999002"},
}


def _wechatpay(ring: Keyring) -> Values:
    return {
        "base_url": f"{SANDBOX_URL}/wechatpay",
        "mode": "direct",
        "mchid": ring.of(WechatpayKeys).identity.mchid,
        "appid": ring.of(WechatpayKeys).identity.appid,
        "merchant_serial_no": ring.of(WechatpayKeys).identity.merchant_serial,
        "merchant_private_key": _file(ring, "wechatpay_merchant_private_key.pem"),
        "apiv3_key": _file(ring, "wechatpay_apiv3_key.txt"),
    }


def _public_key(ring: Keyring) -> Values:
    return {
        "public_key_id": ring.of(WechatpayKeys).identity.public_key_id,
        "public_key": _file(ring, "wechatpay_public_key.pem"),
    }


def _certificate(ring: Keyring) -> Values:
    return {"platform_certificates": [_file(ring, "wechatpay_platform_certificate.pem")]}


def _partner(ring: Keyring) -> Values:
    return {"mode": "partner", "sub_mchid": ring.of(WechatpayKeys).identity.sub_mchids[0]}


def _partner_sub(ring: Keyring) -> Values:
    return _partner(ring) | {"sub_appid": ring.of(WechatpayKeys).identity.sub_appid, "cashier": "sub"}


def _alipay(ring: Keyring) -> Values:
    return {
        "base_url": f"{SANDBOX_URL}/alipay/gateway.do",
        "app_id": ring.of(AlipayKeys).identity.app_id,
        "seller_id": ring.of(AlipayKeys).identity.seller_id,
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


def _unionpay(ring: Keyring) -> Values:
    return {
        "base_url": f"{SANDBOX_URL}/unionpay",
        "file_url": f"{SANDBOX_URL}/unionpay/filedownload/",
        "mer_id": ring.of(UnionpayKeys).identity.mer_id,
        "root_certificates": _file(ring, "unionpay_root_certificate.pem"),
        "middle_certificates": _file(ring, "unionpay_middle_certificate.pem"),
        "term_id": "00000001",
    }


def _unionpay_pair(ring: Keyring) -> Values:
    return {
        "sign_certificate": _file(ring, "unionpay_merchant_certificate.pem"),
        "sign_private_key": _file(ring, "unionpay_merchant_private_key.pem"),
    }


def _unionpay_pfx(ring: Keyring) -> Values:
    pfx = base64.b64encode(ring.path("unionpay_merchant_sign.pfx").read_bytes()).decode("ascii")
    return {"sign_pfx": Secret(pfx), "sign_pfx_password": Secret("000000")}


def _bank_ccb(ring: Keyring) -> Values:
    sections = bank_ccb.configuration(
        ring.of(BankCcbKeys), f"{SANDBOX_URL}/bank_ccb", lambda name: ring.path(name).read_text("ascii")
    )
    values = dict(sections["accounts.bank_ccb"])
    secrets = {name: Secret(values[name]) for name in ("public_key", "ebs_password")}
    return values | secrets | {"pay_minutes": 15}


def _bank_abchina(ring: Keyring) -> Values:
    return {
        "base_url": f"{SANDBOX_URL}/bank_abchina",
        "merchant_id": ring.of(BankAbchinaKeys).identity.merchant_id,
        "bank_certificates": _file(ring, "bank_abchina_bank_certificates.pem"),
        "result_url": f"{PUBLIC_URL}/done",
        "pay_minutes": 15,
    }


def _bank_abchina_pfx(ring: Keyring) -> Values:
    return {
        "sign_pfx": _file(ring, "bank_abchina_merchant_pfx.txt"),
        "sign_pfx_password": _file(ring, "bank_abchina_merchant_pfx_password.txt"),
    }


def _bank_abchina_key(ring: Keyring) -> Values:
    """With every switch turned the other way."""
    return {
        "sign_private_key": _file(ring, "bank_abchina_merchant_private_key.pem"),
        "request_path": "/ebus/ReceiveMerchantTrxReqServlet",
        "wrapped_requests": True,
        "legacy_refund_text": True,
        "zipped_statements": False,
    }


def _bank_icbc(ring: Keyring) -> Values:
    identity = ring.of(IcbcKeys).identity
    return {
        "base_url": f"{SANDBOX_URL}/bank_icbc",
        "app_id": identity.app_id,
        "mer_id": identity.mer_id,
        "mer_prtcl_no": identity.mer_prtcl_no,
        "app_private_key": _file(ring, "bank_icbc_app_private_key.pem"),
        "gateway_public_key": _file(ring, "bank_icbc_gateway_public_key.pem"),
        "pay_minutes": 10,
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
UNIONPAY_MODES: Final[Mapping[str, Callable[[Keyring], Values]]] = {
    "pair": lambda ring: _unionpay(ring) | _unionpay_pair(ring),
    "pfx": lambda ring: _unionpay(ring) | _unionpay_pfx(ring),
}
BANK_CCB_MODES: Final[Mapping[str, Callable[[Keyring], Values]]] = {
    "http": _bank_ccb,
    "timed": lambda ring: _bank_ccb(ring) | {"h5_timeout": "yes"},
}
BANK_ABCHINA_MODES: Final[Mapping[str, Callable[[Keyring], Values]]] = {
    "pfx": lambda ring: _bank_abchina(ring) | _bank_abchina_pfx(ring),
    "key": lambda ring: _bank_abchina(ring) | _bank_abchina_key(ring),
}
BANK_ICBC_MODES: Final[Mapping[str, Callable[[Keyring], Values]]] = {
    "plain": _bank_icbc,
    "sha1": lambda ring: _bank_icbc(ring) | {"sign_type": "RSA"},
    "sealed": lambda ring: _bank_icbc(ring) | {"encrypt_key": _file(ring, "bank_icbc_content_key.txt")},
}
ACCOUNT: Final = {
    "wechatpay": "wx",
    "alipay": "ali",
    "unionpay": "up",
    "bank_ccb": "ccb",
    "bank_abchina": "abc",
    "bank_icbc": "icbc",
}
"""The account of each provider; beside it stands one of another merchant, with `-else` behind its name."""


def settings_for(
    ring: Keyring,
    database_url: str,
    *,
    wechatpay: str = "direct-public_key",
    alipay: str = "key",
    unionpay: str = "pair",
    bank_icbc: str = "plain",
    bank_abchina: str = "pfx",
    bank_ccb: str = "http",
    neighbours: bool = False,
) -> Settings:
    """One account of each provider in the named modes, and two apps that may use all; on demand, other merchants'."""
    accounts = {
        "wx": account_of("wx", "wechatpay", WECHATPAY_MODES[wechatpay](ring)),
        "ali": account_of("ali", "alipay", ALIPAY_MODES[alipay](ring)),
        "up": account_of("up", "unionpay", UNIONPAY_MODES[unionpay](ring)),
        "icbc": account_of("icbc", "bank_icbc", BANK_ICBC_MODES[bank_icbc](ring)),
        "abc": account_of("abc", "bank_abchina", BANK_ABCHINA_MODES[bank_abchina](ring)),
        "ccb": account_of("ccb", "bank_ccb", BANK_CCB_MODES[bank_ccb](ring)),
    }
    return Settings(
        database_url=Secret(database_url),
        public_base_url=PUBLIC_URL,
        data_keys=(_key("d"),),
        index_key=_key("i"),
        token_key=_key("t"),
        order_ttl_seconds=ORDER_TTL_SECONDS,
        apps={
            name: AppSettings(name=name, entry="trial", api_key_digests=(hashlib.sha256(key.encode()).hexdigest(),))
            for name, key in API_KEYS.items()
        },
        accounts=accounts | (_neighbours(accounts) if neighbours else {}),
    )


def _neighbours(accounts: Mapping[str, AccountConfig]) -> dict[str, AccountConfig]:
    """The same keys under another merchant's number, for a region that no order names."""
    return {
        f"{name}-else": replace(
            account,
            name=f"{name}-else",
            regions=_ELSEWHERE,
            values={**account.values, **_OTHER_MERCHANT[account.provider]},
        )
        for name, account in accounts.items()
    }


def account_of(name: str, provider: str, values: Values, *, regions: frozenset[str] = frozenset()) -> AccountConfig:
    """One account with these values, which waits for nobody long."""
    return AccountConfig(
        name=name,
        provider=provider,
        regions=regions,
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
