"""One Alipay account's settings: checked once, all faults at once, every key parsed here and nowhere later."""

from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.alipay.certificates import (
    CertificateSet,
    chains_to,
    is_authority,
    is_rsa_signed,
    read_certificates,
    rsa_key_of,
)
from adapters.kit.aes import load_content_key
from adapters.kit.config import AccountSettings
from adapters.kit.keys import load_rsa_private_key, load_rsa_public_key
from gateway.domain.secret import Secret

GATEWAY_URL: Final = "https://openapi.alipay.com/gateway.do"
"""Source: vendor SDKs nodejs 4.14.0 and python 3.7.1411."""

_URL: Final = r"https?://[^\s?#]+"
_APP_ID: Final = r"[0-9]{16}"
_PID: Final = r"2088[0-9]{12}"
_KEY: Final = "key"
_CERTIFICATE: Final = "certificate"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayAccount:
    """
    One collecting account.

    Attributes:
        base_url: The gateway's address, without a query.
        seller_id: The account that receives the money, 16 digits from 2088.
        auth_app_id: The app that authorised us; our own `app_id` unless we act for a merchant (ISV).
        platform_keys: Key mode: 支付宝公钥, newest first; empty in certificate mode.
        certificates: Certificate mode's files; None in key mode.
        content_key: AES key of content encryption; None when it is off.
    """

    base_url: str
    app_id: str
    seller_id: str
    auth_app_id: str
    private_key: rsa.RSAPrivateKey = field(repr=False)
    platform_keys: tuple[rsa.RSAPublicKey, ...] = field(repr=False)
    certificates: CertificateSet | None = field(repr=False)
    app_auth_token: Secret | None
    content_key: bytes | None = field(repr=False)
    sys_service_provider_id: str


def read_account(settings: AccountSettings) -> AlipayAccount:
    """
    Read and check an account's settings.

    Raises:
        SettingsInvalid: With every fault.
    """
    app_id = settings.text("app_id", pattern=_APP_ID)
    private_key = settings.loaded("app_private_key", load_rsa_private_key)
    app_auth_token = settings.secret("app_auth_token", default=None)
    auth_app_id = settings.text("auth_app_id", pattern=_APP_ID, default=app_id)
    if app_auth_token is not None and not settings.has("auth_app_id"):
        settings.fault("auth_app_id", "is missing: it is needed with app_auth_token")
    mode = settings.choice("mode", (_KEY, _CERTIFICATE))
    base_url = settings.text("base_url", pattern=_URL, default=GATEWAY_URL)
    seller_id = settings.text("seller_id", pattern=_PID)
    content_key = settings.loaded("encrypt_key", load_content_key, default=None)
    sys_service_provider_id = settings.text("sys_service_provider_id", pattern=_PID, default="")
    platform_keys = _platform_keys(settings, private_key) if mode == _KEY else ()
    certificates = _certificates(settings, private_key) if mode == _CERTIFICATE else None
    settings.finish()
    if private_key is None:
        raise AssertionError("finish() let a missing key pass")
    return AlipayAccount(
        base_url=base_url,
        app_id=app_id,
        seller_id=seller_id,
        auth_app_id=auth_app_id,
        private_key=private_key,
        platform_keys=platform_keys,
        certificates=certificates,
        app_auth_token=app_auth_token,
        content_key=content_key,
        sys_service_provider_id=sys_service_provider_id,
    )


def _platform_keys(settings: AccountSettings, private_key: rsa.RSAPrivateKey | None) -> tuple[rsa.RSAPublicKey, ...]:
    keys = {
        "alipay_public_key": settings.loaded("alipay_public_key", load_rsa_public_key),
        "alipay_public_key_previous": settings.loaded("alipay_public_key_previous", load_rsa_public_key, default=None),
    }
    for name, key in keys.items():
        if key is not None and private_key is not None and key == private_key.public_key():
            settings.fault(name, "is the app's own public key (应用公钥); Alipay's (支付宝公钥) is needed")
    return tuple(key for key in keys.values() if key is not None)


def _load_roots(text: str) -> tuple[x509.Certificate, ...]:
    roots = tuple(certificate for certificate in read_certificates(text) if is_rsa_signed(certificate))
    if not roots:
        raise ValueError("holds no RSA root certificate")
    return roots


def _load_leaves_and_issuers(text: str) -> tuple[tuple[x509.Certificate, ...], tuple[x509.Certificate, ...]]:
    certificates = read_certificates(text)
    leaves = tuple(one for one in certificates if not is_authority(one) and rsa_key_of(one) is not None)
    if not leaves:
        raise ValueError("holds no RSA certificate in PEM")
    return leaves, tuple(one for one in certificates if is_authority(one))


def _certificates(settings: AccountSettings, private_key: rsa.RSAPrivateKey | None) -> CertificateSet | None:
    roots = settings.loaded("alipay_root_cert", _load_roots)
    app = settings.loaded("app_cert", _load_leaves_and_issuers)
    platform = settings.loaded("alipay_cert", _load_leaves_and_issuers)
    if app is not None and private_key is not None and rsa_key_of(app[0][0]) != private_key.public_key():
        settings.fault("app_cert", "does not belong to app_private_key")
    if platform is not None and roots is not None:
        leaves, issuers = platform
        if issuers and not all(chains_to(leaf, issuers, roots, now=None) for leaf in leaves):
            settings.fault("alipay_cert", "is not issued under alipay_root_cert")
    if roots is None or app is None or platform is None:
        return None
    return CertificateSet(app=app[0][0], platform=platform[0], roots=roots)
