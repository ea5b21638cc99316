"""
Signs requests and proves messages, by the method that is configured: never by the one that a message names.

Source: sheet sections 2 and 3; vectors requests.json, responses.json, notifies.json, real_messages.json.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.kit.sign import sign_sha256, verify_sha256
from adapters.unionpay.certificates import PlatformCertificates, Untrusted
from adapters.unionpay.form import Message, canonical_bytes, sent_fields
from gateway.domain.secret import Secret

VERSION: Final = "5.1.0"
SIGN_METHOD_RSA: Final = "01"
DIGEST_BY_SIGN_METHOD: Final = {"11": "sha256", "12": "sm3"}
"""The methods with a shared key. Source: sheet section 2, variants."""


class NotAuthentic(Exception):
    """
    A message is not proven to be UnionPay's.

    Attributes:
        reason: signature | unknown_key, as in CallbackRefused.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Proof(Protocol):
    """One way to sign and to verify."""

    def sign(self, fields: Mapping[str, str]) -> dict[str, str]:
        """The fields as they are sent: trimmed, blank ones left out, with `signMethod` and `signature`."""
        ...

    def verify(self, message: Message, at: datetime) -> None:
        """
        Judge a message at an instant.

        Raises:
            NotAuthentic: Nothing of it may be believed.
        """
        ...

    def expiries(self) -> Mapping[str, datetime]:
        """When each certificate met so far ends."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateProof:
    """
    signMethod 01: RSA over the hex text of the canonical bytes' SHA-256.

    Attributes:
        cert_id: Serial of our signing certificate, decimal; it may exceed 64 bits.
    """

    private_key: rsa.RSAPrivateKey = field(repr=False)
    cert_id: str
    platform: PlatformCertificates

    def sign(self, fields: Mapping[str, str]) -> dict[str, str]:
        sent = sent_fields({**fields, "signMethod": SIGN_METHOD_RSA, "certId": self.cert_id})
        return {**sent, "signature": sign_sha256(self.private_key, _hex_digest(canonical_bytes(sent)))}

    def verify(self, message: Message, at: datetime) -> None:
        _must_be_configured(message, SIGN_METHOD_RSA)
        signature, pem = message.fields.get("signature", ""), message.fields.get("signPubKeyCert", "")
        if not signature or not pem:
            raise NotAuthentic("signature")
        try:
            key = self.platform.key(pem, at)
        except Untrusted:
            raise NotAuthentic("unknown_key") from None
        if not verify_sha256(key, _hex_digest(message.canonical), signature):
            raise NotAuthentic("signature")

    def expiries(self) -> Mapping[str, datetime]:
        return self.platform.expiries()


class KeyProof:
    """signMethod 11 (SHA-256) and 12 (SM3): a key that UnionPay and we share."""

    def __init__(self, sign_method: str, secure_key: Secret) -> None:
        self._sign_method = sign_method
        self._algorithm = DIGEST_BY_SIGN_METHOD[sign_method]
        self._key_digest = self._digest(secure_key.reveal().encode())

    def sign(self, fields: Mapping[str, str]) -> dict[str, str]:
        sent = sent_fields({**fields, "signMethod": self._sign_method})
        return {**sent, "signature": self._signature(canonical_bytes(sent))}

    def verify(self, message: Message, at: datetime) -> None:
        _must_be_configured(message, self._sign_method)
        wanted, given = self._signature(message.canonical), message.fields.get("signature", "")
        if not hmac.compare_digest(wanted.encode(), given.encode()):
            raise NotAuthentic("signature")

    def expiries(self) -> Mapping[str, datetime]:
        return {}

    def _signature(self, canonical: bytes) -> str:
        return self._digest(canonical + b"&" + self._key_digest.encode("ascii"))

    def _digest(self, content: bytes) -> str:
        return hashlib.new(self._algorithm, content).hexdigest()


def _must_be_configured(message: Message, sign_method: str) -> None:
    """Else a forger chooses the method: the public test key signs for methods 11 and 12."""
    if (message.fields.get("version"), message.fields.get("signMethod")) != (VERSION, sign_method):
        raise NotAuthentic("signature")


def _hex_digest(canonical: bytes) -> bytes:
    return hashlib.sha256(canonical).hexdigest().encode("ascii")
