"""
WeChat Pay's and the merchant's keys as files.

    wechatpay_identity.json               G  merchant numbers, appids, serials (no secret)
    wechatpay_merchant_private_key.pem    G  signs requests and client pay parameters
    wechatpay_merchant_certificate.pem    G  its serial goes into Authorization
    wechatpay_apiv3_key.txt               G  32 ASCII characters
    wechatpay_platform_certificate.pem    G  certificate mode
    wechatpay_public_key.pem              G  public-key mode; its id is in the identity file
    wechatpay_platform_private_key.pem    S
    wechatpay_public_key_private_key.pem  S
"""

import secrets
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.certificates import certificate_of, key_serial_text, pem_of, root_of
from sandbox.keyfiles import (
    identity_bytes,
    load_certificate,
    load_rsa_key,
    new_rsa_key,
    private_pem,
    public_pem,
    read_identity,
)

PROVIDER: Final = "wechatpay"

_APIV3_KEY_LENGTH: Final = 32
_ALPHABET: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatpayIdentity:
    """
    Who the two sides are. Invented: the numbers have the documented length, and no merchant has them.

    Attributes:
        mchid: The merchant number; in partner mode the same number is `sp_mchid`.
        sub_mchids: Sub merchants that the service provider may collect for.
        merchant_serial: Serial of the merchant API certificate, 40 hex digits.
    """

    mchid: str = "1999900001"
    appid: str = "wx0000000000000a01"
    sub_mchids: tuple[str, ...] = ("1999900071", "1999900072")
    sub_appid: str = "wx0000000000000b02"
    merchant_serial: str
    platform_serial: str
    public_key_id: str = "PUB_KEY_ID_0119999000012026010100000000000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class WechatpayKeys:
    """Both sides' keys for WeChat Pay."""

    identity: WechatpayIdentity
    apiv3_key: bytes = field(repr=False)
    merchant_private_key: rsa.RSAPrivateKey = field(repr=False)
    merchant_certificate: x509.Certificate = field(repr=False)
    platform_private_key: rsa.RSAPrivateKey = field(repr=False)
    platform_certificate: x509.Certificate = field(repr=False)
    public_key_private_key: rsa.RSAPrivateKey = field(repr=False)


def new_files() -> dict[str, bytes]:
    """Fresh keys, as the module's table lists them."""
    merchant_key, platform_key, public_key = new_rsa_key(), new_rsa_key(), new_rsa_key()
    root = root_of("Sandbox Test Tenpay Root", new_rsa_key())
    merchant_certificate = certificate_of("Sandbox Merchant", merchant_key.public_key(), root)
    platform_certificate = certificate_of("Sandbox Tenpay Platform", platform_key.public_key(), root)
    identity = WechatpayIdentity(
        merchant_serial=key_serial_text(merchant_certificate), platform_serial=key_serial_text(platform_certificate)
    )
    apiv3_key = "".join(secrets.choice(_ALPHABET) for _ in range(_APIV3_KEY_LENGTH))
    return {
        "wechatpay_merchant_private_key.pem": private_pem(merchant_key),
        "wechatpay_merchant_certificate.pem": pem_of(merchant_certificate),
        "wechatpay_apiv3_key.txt": apiv3_key.encode("ascii"),
        "wechatpay_platform_certificate.pem": pem_of(platform_certificate),
        "wechatpay_public_key.pem": public_pem(public_key),
        "wechatpay_platform_private_key.pem": private_pem(platform_key),
        "wechatpay_public_key_private_key.pem": private_pem(public_key),
        "wechatpay_identity.json": identity_bytes(identity),
    }


def load_keys(folder: Path) -> WechatpayKeys:
    """
    Read what `new_files` made.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """
    return WechatpayKeys(
        identity=read_identity(folder, PROVIDER, WechatpayIdentity),
        apiv3_key=(folder / "wechatpay_apiv3_key.txt").read_bytes(),
        merchant_private_key=load_rsa_key(folder / "wechatpay_merchant_private_key.pem"),
        merchant_certificate=load_certificate(folder / "wechatpay_merchant_certificate.pem"),
        platform_private_key=load_rsa_key(folder / "wechatpay_platform_private_key.pem"),
        platform_certificate=load_certificate(folder / "wechatpay_platform_certificate.pem"),
        public_key_private_key=load_rsa_key(folder / "wechatpay_public_key_private_key.pem"),
    )
