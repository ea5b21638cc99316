"""The settings of one merchant account at ICBC. Refuses an account that could not prove a word of the bank."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.bank.icbc.signing import SIGN_TYPE_RSA, SIGN_TYPE_RSA2, load_bank_key
from adapters.kit.aes import load_content_key
from adapters.kit.config import AccountSettings
from adapters.kit.keys import load_rsa_private_key

RETURN_URL: Final = r"https?://[!-~]{1,240}"

_BASE_URL: Final = r"https://[^\s/?#@]+(/[^\s?#]*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[^\s?#]*)?"
_PRODUCTION: Final = "https://gw.open.icbc.com.cn"
_SIGNED_PATH: Final = r"/[!-<>@-~]{0,199}"
_NUMBER: Final = r"[0-9A-Za-z]{1,32}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    One account, keys already parsed.

    Attributes:
        mer_prtcl_no: 协议编号 of the merchant's contract.
        base_url: A path of its own is part of what requests sign, as the path of the service's URL is.
        sign_type: RSA2 or RSA, as registered for the app on the platform.
        bank_keys: The platform's public keys, the present one first.
        content_key: AES key of content encryption; None when it is off.
        notify_sign_path: Path that the bank signs in notifies.
        is_path_assumed: The path was not configured: it must be the notify URL's own.
        pay_time: How long the bank lets a payment be paid, from the moment its cashier opens.
        shop_appid: The merchant's app at WeChat; "" where the cashier is opened outside it.
    """

    base_url: str
    app_id: str
    mer_id: str
    mer_prtcl_no: str
    sign_type: str
    private_key: rsa.RSAPrivateKey = field(repr=False)
    bank_keys: tuple[rsa.RSAPublicKey, ...] = field(repr=False)
    content_key: bytes | None = field(repr=False)
    notify_sign_path: str
    is_path_assumed: bool
    pay_time: timedelta
    shop_appid: str
    shop_name: str


def read_config(settings: AccountSettings) -> Config:
    """
    Read one `[accounts.<name>]` table.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    private_key = settings.loaded("app_private_key", load_rsa_private_key)
    is_path_assumed = not settings.has("notify_sign_path")
    values = {
        "base_url": settings.text("base_url", pattern=_BASE_URL, default=_PRODUCTION).rstrip("/"),
        "app_id": settings.text("app_id", pattern=r"[0-9]{1,20}"),
        "mer_id": settings.text("mer_id", pattern=_NUMBER),
        "mer_prtcl_no": settings.text("mer_prtcl_no", pattern=_NUMBER),
        "sign_type": settings.choice("sign_type", (SIGN_TYPE_RSA2, SIGN_TYPE_RSA), default=SIGN_TYPE_RSA2),
        "notify_sign_path": settings.text(
            "notify_sign_path", pattern=_SIGNED_PATH, default=f"/callbacks/bank_icbc/{settings.name}"
        ),
        "shop_appid": settings.text("shop_appid", pattern=_NUMBER, default=""),
        "shop_name": settings.text("shop_name", pattern=r"[^\x00-\x1f\x7f-\x9f]{1,40}", default=""),
    }
    pay_time = timedelta(minutes=settings.number("pay_minutes", least=1, most=1440, default=30))
    content_key = settings.loaded("encrypt_key", load_content_key, default=None)
    bank_keys = _bank_keys(settings, private_key)
    settings.finish()
    if private_key is None:
        raise AssertionError("finish() let a missing key pass")
    return Config(
        **values,
        private_key=private_key,
        bank_keys=bank_keys,
        content_key=content_key,
        is_path_assumed=is_path_assumed,
        pay_time=pay_time,
    )


def _bank_keys(settings: AccountSettings, private_key: rsa.RSAPrivateKey | None) -> tuple[rsa.RSAPublicKey, ...]:
    keys = {
        "gateway_public_key": settings.loaded("gateway_public_key", load_bank_key),
        "gateway_public_key_previous": settings.loaded("gateway_public_key_previous", load_bank_key, default=None),
    }
    for name, key in keys.items():
        if key is not None and private_key is not None and key == private_key.public_key():
            settings.fault(name, "is the app's own public key; the platform's (网关公钥) is needed")
    return tuple(key for key in keys.values() if key is not None)
