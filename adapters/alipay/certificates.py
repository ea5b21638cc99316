"""
Certificate mode (公钥证书模式): serials of certificates, and which platform key may have signed a message.

A downloaded certificate is trusted only when its chain ends, by signature, at a configured RSA root and is in date;
never by the issuer's name. Callbacks never cause a download: anybody can post one.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from gateway.domain.clock import Clock

_PEM_BLOCK: Final = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_RSA_SIGNATURES: Final = "1.2.840.113549.1.1."
_SHA2_RSA_SIGNATURES: Final = frozenset(f"{_RSA_SIGNATURES}{arc}" for arc in (11, 12, 13))
_CHAIN_MAX: Final = 4
_REFRESH_INTERVAL: Final = timedelta(minutes=1)


def read_certificates(text: str) -> tuple[x509.Certificate, ...]:
    """
    Every certificate of a PEM text that can be read, in file order; text between the blocks is ignored.

    Each block is read alone: one block of the vendor's root file does not parse and must not cost the others.
    Source: run against the vendor's alipayRootCert.crt; vector cert_sn.json, vendor-root and cert-root-comments.
    """
    certificates = []
    for block in _PEM_BLOCK.findall(text):
        try:
            certificate = x509.load_pem_x509_certificate(block.encode("ascii"))
            _ = certificate.issuer, certificate.subject, certificate.signature_algorithm_oid
        except (ValueError, UnsupportedAlgorithm):
            continue
        certificates.append(certificate)
    return tuple(certificates)


def certificate_sn(certificate: x509.Certificate) -> str:
    """
    Alipay's name for a certificate: MD5 of its issuer (RFC 2253 form) and decimal serial number, 32 hex digits.

    Source: vendor SDK java AntCertificationUtil; vector cert_sn.json. MD5 is a name here, not a protection.
    """
    named = certificate.issuer.rfc4514_string() + str(certificate.serial_number)
    return hashlib.md5(named.encode("utf-8"), usedforsecurity=False).hexdigest()


def is_rsa_signed(certificate: x509.Certificate) -> bool:
    """True when the certificate's own signature is of the RSA family: only such roots count for RSA2 accounts."""
    return certificate.signature_algorithm_oid.dotted_string.startswith(_RSA_SIGNATURES)


def root_sn(roots: tuple[x509.Certificate, ...]) -> str:
    """alipay_root_cert_sn: the serials of the RSA roots, in file order, joined by `_`."""
    return "_".join(certificate_sn(root) for root in roots if is_rsa_signed(root))


def rsa_key_of(certificate: x509.Certificate) -> rsa.RSAPublicKey | None:
    """The certificate's RSA key; None for any other kind of key, known to the library or not."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) else None


def is_authority(certificate: x509.Certificate) -> bool:
    """True when the certificate may issue others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if certificate.signature_algorithm_oid.dotted_string not in _SHA2_RSA_SIGNATURES or not is_authority(issuer):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return True


def _in_date(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


def chains_to(
    leaf: x509.Certificate,
    others: tuple[x509.Certificate, ...],
    roots: tuple[x509.Certificate, ...],
    *,
    now: datetime | None,
) -> bool:
    """
    True when the leaf is issued, signature by signature, under one of the roots.

    Args:
        others: Issuing certificates that came with the leaf; they need no trust of their own.
        now: Every certificate of the chain must be in date then; None leaves dates out.
    """
    current = leaf
    for _ in range(_CHAIN_MAX):
        if now is not None and not _in_date(current, now):
            return False
        root = next((root for root in roots if _issued(current, root)), None)
        if root is not None:
            return now is None or _in_date(root, now)
        issuer = next((other for other in others if other != current and _issued(current, other)), None)
        if issuer is None:
            return False
        current = issuer
    return False


def _organisations(certificate: x509.Certificate) -> tuple[object, ...]:
    return tuple(attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateSet:
    """
    The three files of certificate mode, read and checked.

    Attributes:
        platform: Alipay's own certificates, several during a change; the first is the one in use.
        roots: The RSA roots alone.
    """

    app: x509.Certificate
    platform: tuple[x509.Certificate, ...]
    roots: tuple[x509.Certificate, ...]


class PlatformKeys(Protocol):
    """Tells which of Alipay's keys may have signed a message."""

    def for_answer(self, sn: str) -> tuple[rsa.RSAPublicKey, ...]:
        """Keys for an answer that names this certificate ("" if it names none); may download the certificate."""
        ...

    def for_callback(self, sn: str) -> tuple[rsa.RSAPublicKey, ...]:
        """Keys for a callback or a browser return; never uses the network."""
        ...

    def expiries(self) -> Mapping[str, datetime]:
        """When each certificate ends, by a printable name."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedKeys:
    """Key mode: the configured 支付宝公钥, and the one before it during a change; they do not expire."""

    keys: tuple[rsa.RSAPublicKey, ...] = field(repr=False)

    def for_answer(self, sn: str) -> tuple[rsa.RSAPublicKey, ...]:
        return self.keys

    def for_callback(self, sn: str) -> tuple[rsa.RSAPublicKey, ...]:
        return self.keys

    def expiries(self) -> Mapping[str, datetime]:
        return {}


class CertifiedKeys:
    """
    Certificate mode: the configured certificates and those downloaded since, by serial. Safe to use from many threads.

    An unknown serial causes at most one download per minute, whatever its outcome.
    """

    def __init__(self, certificates: CertificateSet, *, clock: Clock, download: Callable[[str], str]) -> None:
        """
        Args:
            download: Gives the PEM text that Alipay offers for a serial, "" when it could not be had; never raises.
        """
        self._certificates = certificates
        self._clock = clock
        self._download = download
        self._lock = threading.Lock()
        self._refreshed_at: datetime | None = None
        self._leaves = {certificate_sn(leaf): leaf for leaf in certificates.platform}
        self._keys = self._parsed(self._leaves)

    def for_answer(self, sn: str) -> tuple[rsa.RSAPublicKey, ...]:
        if not sn:
            return tuple(self._keys.values())
        if sn not in self._keys:
            self._refresh(sn)
        key = self._keys.get(sn)
        return () if key is None else (key,)

    def for_callback(self, sn: str) -> tuple[rsa.RSAPublicKey, ...]:
        """A callback need not name its certificate, so every known key may have signed it."""
        keys = self._keys
        if not sn:
            return tuple(keys.values())
        return (keys[sn],) if sn in keys else ()

    def expiries(self) -> Mapping[str, datetime]:
        certificates = self._certificates
        named = {"app_cert": certificates.app}
        named |= {f"alipay_cert {sn}": leaf for sn, leaf in self._leaves.items()}
        named |= {f"alipay_root_cert {certificate_sn(root)}": root for root in certificates.roots}
        return {name: certificate.not_valid_after_utc for name, certificate in named.items()}

    @staticmethod
    def _parsed(leaves: Mapping[str, x509.Certificate]) -> dict[str, rsa.RSAPublicKey]:
        parsed = {sn: rsa_key_of(leaf) for sn, leaf in leaves.items()}
        return {sn: key for sn, key in parsed.items() if key is not None}

    def _refresh(self, sn: str) -> None:
        with self._lock:
            now = self._clock.now()
            if sn in self._keys or (self._refreshed_at is not None and now - self._refreshed_at < _REFRESH_INTERVAL):
                return
            self._refreshed_at = now
            offered = read_certificates(self._download(sn))
            if not offered or certificate_sn(offered[0]) != sn or not self._trusts(offered, now):
                return
            # New dictionaries, so that readers without the lock see all of the old or all of the new.
            self._leaves = self._leaves | {sn: offered[0]}
            self._keys = self._parsed(self._leaves)

    def _trusts(self, offered: tuple[x509.Certificate, ...], now: datetime) -> bool:
        """The roots also issue merchants' certificates: the new one must name the same organisation as ours do."""
        leaf = offered[0]
        configured = {_organisations(known) for known in self._certificates.platform}
        return (
            not is_authority(leaf)
            and _organisations(leaf) in configured
            and chains_to(leaf, offered[1:], self._certificates.roots, now=now)
        )
