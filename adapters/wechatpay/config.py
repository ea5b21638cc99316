"""The settings of one merchant account. Refuses an account that has no way to verify WeChat's signatures."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from adapters.kit.config import AccountSettings
from adapters.kit.keys import load_certificate, load_rsa_private_key, load_rsa_public_key
from adapters.wechatpay.serials import certificate_serial, normal_serial

MODE_DIRECT: Final = "direct"
MODE_PARTNER: Final = "partner"
CASHIER_SP: Final = "sp"
CASHIER_SUB: Final = "sub"

_BASE_URL: Final = r"https://[^\s/?#@]+(/[^\s?#]*)?|http://(127\.0\.0\.1|localhost|\[::1\])(:[0-9]{1,5})?(/[^\s?#]*)?"
_MCHID: Final = r"[0-9]{1,32}"
_APPID: Final = r"[0-9A-Za-z_-]{1,32}"
_SERIAL: Final = r"[0-9A-Fa-f]{8,40}"
_PUBLIC_KEY_ID: Final = r"PUB_KEY_ID_[0-9]{1,64}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    One account, keys already parsed.

    Attributes:
        mchid: Our own merchant number; the service provider's (sp_mchid) in partner mode. It signs.
        appid: The app that belongs to `mchid`; sp_appid in partner mode.
        cashier: Whose page or app opens the cashier in partner mode: "sp" or "sub".
        apiv3_keys: The current key first, then the previous one, if any.
        downloads_certificates: Whether GET /v3/certificates may be asked at all.
    """

    base_url: str
    mode: str
    mchid: str
    appid: str
    sub_mchid: str
    sub_appid: str
    cashier: str
    merchant_serial_no: str
    merchant_private_key: rsa.RSAPrivateKey = field(repr=False)
    apiv3_keys: tuple[AESGCM, ...] = field(repr=False)
    public_key_id: str
    public_key: rsa.RSAPublicKey | None = field(repr=False)
    platform_certificates: tuple[x509.Certificate, ...] = field(repr=False)
    downloads_certificates: bool

    @property
    def partner(self) -> bool:
        return self.mode == MODE_PARTNER

    @property
    def cashier_appid(self) -> str:
        """The appid that client pay parameters are signed for."""
        return self.sub_appid if self.cashier == CASHIER_SUB else self.appid


def read_config(settings: AccountSettings, now: datetime) -> Config:
    """
    Read one `[accounts.<name>]` table.

    Raises:
        SettingsInvalid: With every fault at once.
    """
    mode = settings.choice("mode", (MODE_DIRECT, MODE_PARTNER), default=MODE_DIRECT)
    mchid = settings.text("mchid", pattern=_MCHID)
    sub_mchid, sub_appid, cashier = _read_sub_merchant(settings, mode, mchid)
    merchant_serial_no = settings.text("merchant_serial_no", pattern=_SERIAL).upper()
    private_key = settings.loaded("merchant_private_key", load_rsa_private_key)
    apiv3_key = settings.loaded("apiv3_key", load_apiv3_key)
    apiv3_key_previous = settings.loaded("apiv3_key_previous", load_apiv3_key, default=None)
    public_key_id, public_key = _read_public_key(settings)
    certificates = _read_certificates(settings, merchant_serial_no)
    download_wanted = settings.choice("certificate_download", ("auto", "off"), default="auto") == "auto"
    downloads = download_wanted and (bool(certificates) or not public_key_id)
    live = [certificate for certificate in certificates if certificate.not_valid_after_utc > now]
    if not (public_key_id or live or downloads):
        settings.fault("public_key", "or an unexpired platform certificate is needed: certificate_download is off")
    base_url = settings.text("base_url", pattern=_BASE_URL, default="https://api.mch.weixin.qq.com")
    appid = settings.text("appid", pattern=_APPID)
    settings.finish()
    return Config(
        base_url=base_url.rstrip("/"),
        mode=mode,
        mchid=mchid,
        appid=appid,
        sub_mchid=sub_mchid,
        sub_appid=sub_appid,
        cashier=cashier,
        merchant_serial_no=merchant_serial_no,
        merchant_private_key=cast("rsa.RSAPrivateKey", private_key),  # `finish` raised if it is missing
        apiv3_keys=tuple(key for key in (apiv3_key, apiv3_key_previous) if key is not None),
        public_key_id=public_key_id,
        public_key=public_key,
        platform_certificates=certificates,
        downloads_certificates=downloads,
    )


def load_apiv3_key(text: str) -> AESGCM:
    """
    Take the APIv3 key as its 32 ASCII bytes; it is neither hex nor base64.

    Source: sheet section 6.2; vector `callbacks.json`.

    Raises:
        ValueError: Not 32 printable ASCII characters.
    """
    plain = text.strip()
    if re.fullmatch(r"[!-~]{32}", plain) is None:
        raise ValueError("is not 32 printable ASCII characters")
    return AESGCM(plain.encode("ascii"))


def _read_sub_merchant(settings: AccountSettings, mode: str, mchid: str) -> tuple[str, str, str]:
    sub_mchid = settings.text("sub_mchid", pattern=_MCHID, default="")
    sub_appid = settings.text("sub_appid", pattern=_APPID, default="")
    cashier = settings.choice("cashier", (CASHIER_SP, CASHIER_SUB), default=CASHIER_SP)
    if mode == MODE_DIRECT:
        for key in ("sub_mchid", "sub_appid", "cashier"):
            if settings.has(key):
                settings.fault(key, 'belongs to mode = "partner"')
        return sub_mchid, sub_appid, cashier
    if not settings.has("sub_mchid"):
        settings.fault("sub_mchid", "is missing")
    elif sub_mchid == mchid:
        settings.fault("sub_mchid", "must differ from mchid")
    if cashier == CASHIER_SUB and not settings.has("sub_appid"):
        settings.fault("sub_appid", 'is missing: cashier = "sub" signs with it')
    return sub_mchid, sub_appid, cashier


def _read_public_key(settings: AccountSettings) -> tuple[str, rsa.RSAPublicKey | None]:
    if settings.has("public_key") != settings.has("public_key_id"):
        settings.fault("public_key", "and public_key_id go together")
    public_key_id = settings.text("public_key_id", pattern=_PUBLIC_KEY_ID, default="")
    return public_key_id, settings.loaded("public_key", load_rsa_public_key, default=None)


def _read_certificates(settings: AccountSettings, merchant_serial_no: str) -> tuple[x509.Certificate, ...]:
    certificates = []
    for position, text in enumerate(settings.texts("platform_certificates", default=())):
        try:
            certificate = load_certificate(text)
            serial = certificate_serial(certificate)
        except ValueError as exc:
            settings.fault("platform_certificates", f"no. {position + 1} {exc}")
            continue
        # The commonest mix-up of the two kinds of certificate: it would verify nothing. Source: sheet section 3.1.
        if serial == normal_serial(merchant_serial_no):
            settings.fault("platform_certificates", f"no. {position + 1} is the merchant's own certificate")
        certificates.append(certificate)
    return tuple(certificates)
