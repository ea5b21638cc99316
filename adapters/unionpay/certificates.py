"""
Judges the certificate that comes inside a message: chained by signature to a configured root, in date, UnionPay's own.

The library's chain helpers cannot be used: they refuse the SHA-1 that CFCA's certificates are signed with, and leaves
without subjectAltName. Every merchant's certificate comes from the same authority, so the subject is what decides.
Source: sheet section 3.
"""

import base64
import binascii
import hashlib
import re
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

PLATFORM_NAME: Final = "中国银联股份有限公司"
TEST_NAME: Final = "00040000:SIGN"
"""What the test gateway's certificates of before 2020 say instead. Source: sheet section 3, check 6."""

KNOWN_MAX: Final = 16
"""Verified certificates kept; the platform changes its own every two or three years."""

_PEM_CHARACTERS_MAX: Final = 8192
_ONE_PEM: Final = re.compile(r"\s*-----BEGIN CERTIFICATE-----([0-9A-Za-z+/=\s]+)-----END CERTIFICATE-----\s*")
_PEM_BLOCK: Final = re.compile(r"-----BEGIN CERTIFICATE-----[0-9A-Za-z+/=\s]+-----END CERTIFICATE-----")
_BLANK: Final = re.compile(r"\s+")
_RSA_BITS_MIN: Final = 2048
_HASHES: Final = frozenset({"sha1", "sha256", "sha384", "sha512"})
_NAME_PARTS_MIN: Final = 3


class Untrusted(ValueError):
    """The certificate does not speak for UnionPay at that time."""


def load_certificates(text: str) -> tuple[x509.Certificate, ...]:
    """
    Every certificate of a PEM text, in order.

    Raises:
        ValueError: None, or one that cannot be read, or whose key is not RSA.
    """
    blocks = _PEM_BLOCK.findall(text)
    try:
        certificates = tuple(x509.load_pem_x509_certificate(block.encode("ascii")) for block in blocks)
    except ValueError:
        raise ValueError("holds a certificate that cannot be read") from None
    if not certificates:
        raise ValueError("holds no certificate in PEM")
    if any(rsa_key_of(certificate) is None for certificate in certificates):
        raise ValueError("holds a certificate without an RSA key")
    return certificates


def rsa_key_of(certificate: x509.Certificate) -> rsa.RSAPublicKey | None:
    """The certificate's RSA key of at least 2048 bits; None for any other key."""
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, rsa.RSAPublicKey) and key.key_size >= _RSA_BITS_MIN else None


def digest_of(certificate: x509.Certificate) -> str:
    """SHA-256, hex, of the DER bytes."""
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """True when the issuer's name AND signature are on it; dates aside."""
    key = rsa_key_of(issuer)
    try:
        algorithm = certificate.signature_hash_algorithm
        if key is None or algorithm is None or algorithm.name not in _HASHES or certificate.issuer != issuer.subject:
            return False
        key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """
    What a platform certificate must hang on.

    Attributes:
        middles: Issuing certificates, each proven to be signed by a configured root.
        names: Accepted texts of the third part of the subject's common name.
        own_digests: Our own certificates: they never speak for UnionPay.
    """

    middles: Sequence[x509.Certificate]
    names: frozenset[str]
    own_digests: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A certificate whose chain and name were checked; only its dates are still to be judged."""

    serial: str
    key: rsa.RSAPublicKey = field(repr=False)
    not_before: datetime
    not_after: datetime


class PlatformCertificates:
    """
    Verified certificates by the digest of their bytes, so that no chain is checked twice; from many threads, too.

    Only trusted ones are kept: nobody can push them out with others.
    """

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def add(self, certificate: x509.Certificate) -> None:
        """
        Check a certificate known beforehand, so that the first message costs nothing.

        Raises:
            Untrusted: It is not UnionPay's; dates are judged with each message.
        """
        self._keep(digest_of(certificate), self._judged(certificate))

    def key(self, pem: str, at: datetime) -> rsa.RSAPublicKey:
        """
        The key of the one certificate in a message, judged at an instant.

        Raises:
            Untrusted: More or less than one certificate, outside the chain, out of date, or another's.
        """
        der = _der_of_one(pem)
        digest = hashlib.sha256(der).hexdigest()
        with self._lock:
            known = self._known.get(digest)
            if known is not None:
                self._known.move_to_end(digest)
        if known is None:
            try:
                known = self._judged(x509.load_der_x509_certificate(der))
            except ValueError as exc:
                raise Untrusted(str(exc) if isinstance(exc, Untrusted) else "no certificate") from None
            self._keep(digest, known)
        if not known.not_before <= at <= known.not_after:
            raise Untrusted("out of date")
        return known.key

    def expiries(self) -> Mapping[str, datetime]:
        """When each verified certificate ends."""
        with self._lock:
            return {f"platform certificate {known.serial}": known.not_after for known in self._known.values()}

    def _keep(self, digest: str, known: _Known) -> None:
        with self._lock:
            self._known[digest] = known
            if len(self._known) > KNOWN_MAX:
                self._known.popitem(last=False)

    def _judged(self, leaf: x509.Certificate) -> _Known:
        middle = next((middle for middle in self._chain.middles if is_issued_by(leaf, middle)), None)
        key = rsa_key_of(leaf)
        if middle is None or key is None:
            raise Untrusted("not issued under the configured roots")
        if _name_of(leaf) not in self._chain.names or digest_of(leaf) in self._chain.own_digests:
            raise Untrusted("not UnionPay's")
        return _Known(
            serial=str(leaf.serial_number),
            key=key,
            not_before=max(leaf.not_valid_before_utc, middle.not_valid_before_utc),
            not_after=min(leaf.not_valid_after_utc, middle.not_valid_after_utc),
        )


def _name_of(certificate: x509.Certificate) -> str:
    """The third part of the one common name: `041@…@中国银联股份有限公司@…`. Source: sheet section 3, check 6."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    parts = str(names[0].value).split("@") if len(names) == 1 else []
    return parts[2] if len(parts) >= _NAME_PARTS_MIN else ""


def _der_of_one(pem: str) -> bytes:
    one = _ONE_PEM.fullmatch(pem) if len(pem) <= _PEM_CHARACTERS_MAX else None
    if one is None:
        raise Untrusted("not exactly one certificate")
    try:
        return base64.b64decode(_BLANK.sub("", one[1]), validate=True)
    except binascii.Error:
        raise Untrusted("no certificate") from None
