"""
UnionPay's and the merchant's keys as files.

    unionpay_identity.json               G  merId (no secret)
    unionpay_merchant_private_key.pem    G  signs requests
    unionpay_merchant_certificate.pem    G  its decimal serial is certId
    unionpay_merchant_sign.pfx           G  the same pair as PKCS#12; the password is 000000
    unionpay_root_certificate.pem        G  trust anchor
    unionpay_middle_certificate.pem      G  under the root; issues what messages carry as signPubKeyCert
    unionpay_encryption_certificate.pem  G  encrypts card data; its decimal serial is encryptCertId
    unionpay_sign_certificate.pem        S  goes along in every message; not for the configuration
    unionpay_sign_private_key.pem        S
    unionpay_middle_private_key.pem      S  issues the next sign certificate when keys are rotated
    unionpay_encryption_private_key.pem  S
    unionpay_stranger_certificate.pem    S  outside the chain: issuer of the middle's name, but another key
    unionpay_stranger_private_key.pem    S
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from sandbox.certificates import Authority, authority_under, certificate_of, pem_of, root_of
from sandbox.keyfiles import (
    identity_bytes,
    load_certificate,
    load_rsa_key,
    new_rsa_key,
    private_pem,
    read_identity,
)

PROVIDER: Final = "unionpay"
SIGN_NAME: Final = "041@8310000000083040@中国银联股份有限公司@00016495"
"""Common name of UnionPay's certificates; the third part is what a merchant must check. Source: sheet section 3."""

_PFX_PASSWORD: Final = b"000000"
_MIDDLE_NAME: Final = "Sandbox Test OCA1"
_ENCRYPTION_NAME: Final = "041@Z2020-01-01@00040000:SIGN@00000006"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionpayIdentity:
    """Who the merchant is. Invented: 15 digits, and no merchant has them."""

    mer_id: str = "777999900000001"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnionpayKeys:
    """Both sides' keys for UnionPay; `stranger` is outside the chain."""

    identity: UnionpayIdentity
    merchant_private_key: rsa.RSAPrivateKey = field(repr=False)
    merchant_certificate: x509.Certificate = field(repr=False)
    root_certificate: x509.Certificate = field(repr=False)
    middle: Authority = field(repr=False)
    sign_private_key: rsa.RSAPrivateKey = field(repr=False)
    sign_certificate: x509.Certificate = field(repr=False)
    encryption_private_key: rsa.RSAPrivateKey = field(repr=False)
    encryption_certificate: x509.Certificate = field(repr=False)
    stranger_private_key: rsa.RSAPrivateKey = field(repr=False)
    stranger_certificate: x509.Certificate = field(repr=False)


def new_files() -> dict[str, bytes]:
    """Fresh keys, as the module's table lists them."""
    identity = UnionpayIdentity()
    root = root_of("Sandbox Test CS CA", new_rsa_key())
    middle = authority_under(root, _MIDDLE_NAME, middle_key := new_rsa_key())
    namesake = root_of(_MIDDLE_NAME, new_rsa_key())
    pairs = {
        "merchant": (f"041@Z2020-01-01@{identity.mer_id}:SIGN@00000001", middle),
        "encryption": (_ENCRYPTION_NAME, middle),
        "sign": (SIGN_NAME, middle),
        "stranger": (SIGN_NAME, namesake),
    }
    keys = {name: new_rsa_key() for name in pairs}
    certificates = {
        name: certificate_of(common_name, keys[name].public_key(), issuer)
        for name, (common_name, issuer) in pairs.items()
    }
    return {
        "unionpay_merchant_sign.pfx": _pfx(keys["merchant"], certificates["merchant"]),
        "unionpay_root_certificate.pem": pem_of(root.certificate),
        "unionpay_middle_certificate.pem": pem_of(middle.certificate),
        "unionpay_middle_private_key.pem": private_pem(middle_key),
        **{f"unionpay_{name}_private_key.pem": private_pem(key) for name, key in keys.items()},
        **{f"unionpay_{name}_certificate.pem": pem_of(certificate) for name, certificate in certificates.items()},
        "unionpay_identity.json": identity_bytes(identity),
    }


def load_keys(folder: Path) -> UnionpayKeys:
    """
    Read what `new_files` made.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """

    def key(name: str) -> rsa.RSAPrivateKey:
        return load_rsa_key(folder / f"unionpay_{name}_private_key.pem")

    def certificate(name: str) -> x509.Certificate:
        return load_certificate(folder / f"unionpay_{name}_certificate.pem")

    return UnionpayKeys(
        identity=read_identity(folder, PROVIDER, UnionpayIdentity),
        merchant_private_key=key("merchant"),
        merchant_certificate=certificate("merchant"),
        root_certificate=certificate("root"),
        middle=Authority(certificate=certificate("middle"), private_key=key("middle")),
        sign_private_key=key("sign"),
        sign_certificate=certificate("sign"),
        encryption_private_key=key("encryption"),
        encryption_certificate=certificate("encryption"),
        stranger_private_key=key("stranger"),
        stranger_certificate=certificate("stranger"),
    )


def _pfx(key: rsa.RSAPrivateKey, certificate: x509.Certificate) -> bytes:
    encryption = serialization.BestAvailableEncryption(_PFX_PASSWORD)
    return pkcs12.serialize_key_and_certificates(b"merchant", key, certificate, None, encryption)
