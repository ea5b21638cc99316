"""What every Alipay operation works with: identities, clock, book, keys of the platform, and the courier."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.alipay.signing import Signer
from sandbox.alipay.trades import Book
from sandbox.callbacks import Courier
from sandbox.certificates import certificate_of, certificate_sn
from sandbox.clock import SandboxClock
from sandbox.faults import Fault, FaultBoard
from sandbox.keyring import Keyring, new_rsa_key
from sandbox.wire import Json

PROVIDER: Final = "alipay"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlipayCertificate:
    """One platform certificate (支付宝公钥证书); the newest signs."""

    signer: Signer
    certificate: x509.Certificate = field(repr=False)


@dataclass(kw_only=True)
class World:
    """The provider's side of the table. Operations change `book` under the simulator's lock."""

    keyring: Keyring
    clock: SandboxClock
    faults: FaultBoard
    courier: Courier
    book: Book
    root_url: str
    refund_seconds: float
    certificates: list[AlipayCertificate]
    files: dict[str, tuple[datetime, bytes]] = field(default_factory=dict, repr=False)
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @cached_property
    def stranger(self) -> rsa.RSAPrivateKey:
        """A key nobody holds, for notifies signed with the wrong one."""
        return new_rsa_key()

    def signer(self, *, cert_mode: bool) -> Signer:
        """The key of the mode the request came in."""
        if cert_mode:
            return self.certificates[-1].signer
        return Signer(cert_sn="", private_key=self.keyring.alipay_private_key)

    def fault(self, fault: Fault, *, operation: str, out_trade_no: str) -> bool:
        """True when this fault is to happen now."""
        rule = self.faults.take({fault}, provider=PROVIDER, operation=operation, out_trade_no=out_trade_no)
        return rule is not None


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


def first_certificate(keyring: Keyring) -> AlipayCertificate:
    """The keyring's own platform certificate."""
    return _certificate(keyring.alipay_certificate, keyring.alipay_certificate_private_key)


def next_certificate(keyring: Keyring) -> AlipayCertificate:
    """A new platform certificate of another key, from the same issuer."""
    key = new_rsa_key()
    return _certificate(certificate_of("Sandbox Alipay Platform", key.public_key(), keyring.alipay_issuer), key)


def _certificate(certificate: x509.Certificate, key: rsa.RSAPrivateKey) -> AlipayCertificate:
    return AlipayCertificate(
        signer=Signer(cert_sn=certificate_sn(certificate), private_key=key), certificate=certificate
    )
