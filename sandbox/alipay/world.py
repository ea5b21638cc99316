"""What every Alipay operation works with beside the common things: keys, book, platform certificates, files."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox import frame
from sandbox.alipay.keys import AlipayKeys
from sandbox.alipay.signing import Signer
from sandbox.alipay.trades import Book
from sandbox.certificates import certificate_of, certificate_sn
from sandbox.keyfiles import new_rsa_key
from sandbox.wire import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayCertificate:
    """One platform certificate (支付宝公钥证书); the newest signs."""

    signer: Signer
    certificate: x509.Certificate = field(repr=False)


@dataclass(kw_only=True)
class World(frame.World):
    """The provider's side of the table."""

    keys: AlipayKeys
    book: Book
    certificates: list[AlipayCertificate]
    files: dict[str, tuple[datetime, bytes]] = field(default_factory=dict, repr=False)

    @cached_property
    def stranger(self) -> rsa.RSAPrivateKey:
        """A key nobody holds, for notifies signed with the wrong one."""
        return new_rsa_key()

    def signer(self, *, cert_mode: bool) -> Signer:
        """The key of the mode the request came in."""
        if cert_mode:
            return self.certificates[-1].signer
        return Signer(cert_sn="", private_key=self.keys.private_key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One admitted request: its public parameters and its biz_content, read."""

    method: str
    fields: dict[str, str] = field(repr=False)
    biz: Json = field(repr=False)
    charset: str

    @property
    def cert_mode(self) -> bool:
        """The request named its certificates."""
        return "app_cert_sn" in self.fields


Run = Callable[[World, Call], Any]


def first_certificate(keys: AlipayKeys) -> AlipayCertificate:
    """The keyring's own platform certificate."""
    return _certificate(keys.certificate, keys.certificate_private_key)


def next_certificate(keys: AlipayKeys) -> AlipayCertificate:
    """A new platform certificate of another key, from the same issuer."""
    key = new_rsa_key()
    return _certificate(certificate_of("Sandbox Alipay Platform", key.public_key(), keys.issuer), key)


def _certificate(certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> AlipayCertificate:
    return AlipayCertificate(
        signer=Signer(cert_sn=certificate_sn(certificate), private_key=key), certificate=certificate
    )
