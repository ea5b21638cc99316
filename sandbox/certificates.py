"""Certificates of the sandbox's own authorities, and the two ways the providers name a certificate by number."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

VALID_FROM: Final = datetime(2020, 1, 1, tzinfo=UTC)
VALID_TO: Final = datetime(2045, 1, 1, tzinfo=UTC)
"""Wide, so that a clock frozen in the past or driven years ahead meets no expired certificate by accident."""

_RSA_SIGNATURES: Final = "1.2.840.113549.1.1."

AuthorityKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A certificate that signs others, with its key; an EC root is only there to be skipped in the root number."""

    certificate: x509.Certificate
    private_key: AuthorityKey = field(repr=False)


def root_of(name: str, key: AuthorityKey) -> Authority:
    """A self-signed root."""
    subject = _name(name)
    builder = _builder(subject, subject, key.public_key(), authority=True)
    return Authority(certificate=builder.sign(key, hashes.SHA256()), private_key=key)


def authority_under(parent: Authority, name: str, key: rsa.RSAPrivateKey) -> Authority:
    """An issuing authority below a root."""
    return Authority(certificate=_signed(name, key.public_key(), parent, authority=True), private_key=key)


def certificate_of(name: str, key: rsa.RSAPublicKey, issuer: Authority) -> x509.Certificate:
    """An end certificate for this key."""
    return _signed(name, key, issuer, authority=False)


def pem_of(*certificates: x509.Certificate) -> bytes:
    """The certificates as PEM, one after the other."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def key_serial_text(certificate: x509.Certificate) -> str:
    """
    WeChat's number of a certificate: its serial as 40 upper-case hex digits.

    Source: sheet wechatpay.md section 2 (`serial_no`); vector `platform_b_serial_no` for the leading zero.
    """
    return format(certificate.serial_number, "040X")


def certificate_sn(certificate: x509.Certificate) -> str:
    """
    Alipay's number of a certificate: lower-hex MD5 of the issuer in RFC 2253 form and the decimal serial.

    Source: sheet alipay.md section 3; vector `cert-app`.
    """
    text = certificate.issuer.rfc4514_string() + str(certificate.serial_number)
    return hashlib.md5(text.encode("utf-8"), usedforsecurity=False).hexdigest()


def root_certificate_sn(certificates: tuple[x509.Certificate, ...]) -> str:
    """
    Alipay's number of a root file: the numbers of its RSA-signed certificates, in file order, joined by `_`.

    Source: sheet alipay.md section 3; vector `cert_sn.json`.
    """
    counted = (item for item in certificates if item.signature_algorithm_oid.dotted_string.startswith(_RSA_SIGNATURES))
    return "_".join(certificate_sn(item) for item in counted)


def _signed(name: str, key: rsa.RSAPublicKey, issuer: Authority, *, authority: bool) -> x509.Certificate:
    builder = _builder(_name(name), issuer.certificate.subject, key, authority=authority)
    return builder.sign(issuer.private_key, hashes.SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey,
    *,
    authority: bool,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_TO)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )


def _name(common_name: str) -> x509.Name:
    """The usual order C, O, OU, CN of the vendors' certificates."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Jiaofei Sandbox"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Invented for tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
