"""
Alipay's and the app's keys as files.

    alipay_identity.json                         G  app_id, seller_id (no secret)
    alipay_app_private_key.pem                   G  signs requests (应用私钥)
    alipay_app_public_key.pem                    G  never for verifying (应用公钥)
    alipay_public_key.pem                        G  key mode (支付宝公钥)
    alipay_app_certificate.pem                   G  certificate mode: appCertPublicKey
    alipay_platform_certificate.pem              G  certificate mode: alipayCertPublicKey_RSA2, leaf then issuer
    alipay_root_certificates.pem                 G  certificate mode: alipayRootCert, one RSA and one EC root
    alipay_private_key.pem                       S  key mode
    alipay_platform_certificate_private_key.pem  S  certificate mode
    alipay_issuer_private_key.pem                S  issues the next platform certificate when keys are rotated
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sandbox.certificates import Authority, authority_under, certificate_of, pem_of, root_of
from sandbox.keyfiles import (
    identity_bytes,
    load_certificate,
    load_rsa_key,
    new_rsa_key,
    private_pem,
    public_pem,
    read_identity,
)

PROVIDER: Final = "alipay"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayIdentity:
    """Who the two sides are. Invented: the numbers have the documented length, and no merchant has them."""

    app_id: str = "2099000000000001"
    seller_id: str = "2088999900000001"
    seller_email: str = "seller@sandbox.example"
    app_auth_token: str = "209901BBsandbox0000000000000000000000X01"  # noqa: S105 an invented token of the sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayKeys:
    """Both sides' keys for Alipay, of both modes."""

    identity: AlipayIdentity = field(repr=False)
    app_private_key: rsa.RSAPrivateKey = field(repr=False)
    app_certificate: x509.Certificate = field(repr=False)
    private_key: rsa.RSAPrivateKey = field(repr=False)
    certificate_private_key: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate = field(repr=False)
    issuer: Authority = field(repr=False)
    roots: tuple[x509.Certificate, ...] = field(repr=False)


def new_files() -> dict[str, bytes]:
    """Fresh keys, as the module's table lists them."""
    app_key, key_mode_key, leaf_key, issuer_key = (new_rsa_key() for _ in range(4))
    root = root_of("Sandbox Test Root R1", new_rsa_key())
    elliptic_root = root_of("Sandbox Test Root E1", ec.generate_private_key(ec.SECP256R1()))
    issuer = authority_under(root, "Sandbox Test Certification Authority Class 2 R1", issuer_key)
    certificate = certificate_of("Sandbox Alipay Platform", leaf_key.public_key(), issuer)
    return {
        "alipay_app_private_key.pem": private_pem(app_key),
        "alipay_app_public_key.pem": public_pem(app_key),
        "alipay_public_key.pem": public_pem(key_mode_key),
        "alipay_app_certificate.pem": pem_of(certificate_of("Sandbox App", app_key.public_key(), issuer)),
        "alipay_platform_certificate.pem": pem_of(certificate, issuer.certificate),
        "alipay_root_certificates.pem": pem_of(root.certificate, elliptic_root.certificate),
        "alipay_private_key.pem": private_pem(key_mode_key),
        "alipay_platform_certificate_private_key.pem": private_pem(leaf_key),
        "alipay_issuer_private_key.pem": private_pem(issuer_key),
        "alipay_identity.json": identity_bytes(AlipayIdentity()),
    }


def load_keys(folder: Path) -> AlipayKeys:
    """
    Read what `new_files` made.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: A file does not hold what its name says.
    """
    chain = x509.load_pem_x509_certificates((folder / "alipay_platform_certificate.pem").read_bytes())
    return AlipayKeys(
        identity=read_identity(folder, PROVIDER, AlipayIdentity),
        app_private_key=load_rsa_key(folder / "alipay_app_private_key.pem"),
        app_certificate=load_certificate(folder / "alipay_app_certificate.pem"),
        private_key=load_rsa_key(folder / "alipay_private_key.pem"),
        certificate_private_key=load_rsa_key(folder / "alipay_platform_certificate_private_key.pem"),
        certificate=chain[0],
        issuer=Authority(certificate=chain[1], private_key=load_rsa_key(folder / "alipay_issuer_private_key.pem")),
        roots=tuple(x509.load_pem_x509_certificates((folder / "alipay_root_certificates.pem").read_bytes())),
    )
