"""Holds the keys that verify WeChat: the public key and the platform certificates, all live at once."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from adapters.wechatpay.serials import certificate_key, certificate_serial, may_be_certificate, normal_serial
from gateway.domain.clock import Clock

REFRESH_INTERVAL: Final = timedelta(minutes=1)
_REFRESH_WAIT_SECONDS: Final = 3.0

FindKey = Callable[[str], rsa.RSAPublicKey | None]
Download = Callable[[FindKey], Sequence[x509.Certificate]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformKey:
    """
    One key that WeChat signs with.

    Attributes:
        expires_at: None for a public key, which has no end.
    """

    public_key: rsa.RSAPublicKey = field(repr=False)
    expires_at: datetime | None = None


class PlatformKeys:
    """
    The keys of one account, found by the message's own serial; safe to use from many threads.

    A known key is found without a lock or a call. An unknown serial, which anybody can make up, costs at most one
    download per minute and account; a thread that meets one during a download waits three seconds for it at most.
    Source: sheet section 3, step 3, and 3.1.
    """

    def __init__(self, *, clock: Clock, download: Download | None) -> None:
        self._clock = clock
        self._download = download
        self._keys: Mapping[str, PlatformKey] = {}
        self._refreshing = threading.Lock()
        self._tried_at: datetime | None = None

    def add_public_key(self, public_key_id: str, public_key: rsa.RSAPublicKey) -> None:
        """Hold a 微信支付公钥 under its id."""
        self._keys = {**self._keys, normal_serial(public_key_id): PlatformKey(public_key=public_key)}

    def add_certificates(self, certificates: Sequence[x509.Certificate]) -> None:
        """Hold more certificates, then let expired ones go; readers see the old or the new set, never less."""
        added = {
            certificate_serial(certificate): PlatformKey(
                public_key=certificate_key(certificate), expires_at=certificate.not_valid_after_utc
            )
            for certificate in certificates
        }
        now = self._clock.now()
        together = {**self._keys, **added}
        self._keys = {serial: key for serial, key in together.items() if _is_live(key, now)}

    def find(self, serial: str) -> rsa.RSAPublicKey | None:
        """The live key of this serial or public key id; None if there is none, also after a refresh."""
        return self._held(serial) or self._refreshed(serial)

    def expiries(self) -> dict[str, datetime]:
        """When each held certificate ends, by a printable name."""
        return {
            f"platform certificate {serial}": key.expires_at
            for serial, key in self._keys.items()
            if key.expires_at is not None
        }

    def _held(self, serial: str) -> rsa.RSAPublicKey | None:
        key = self._keys.get(normal_serial(serial))
        return key.public_key if key is not None and _is_live(key, self._clock.now()) else None

    def _refreshed(self, serial: str) -> rsa.RSAPublicKey | None:
        # No download ever brings a PUB_KEY_ID_… or something that is not hex.
        if self._download is None or not may_be_certificate(serial):
            return None
        if not self._refreshing.acquire(timeout=_REFRESH_WAIT_SECONDS):
            return None
        try:
            if self._held(serial) is None and self._refresh_is_due():
                self._tried_at = self._clock.now()
                self.add_certificates(self._download(self._held))
        finally:
            self._refreshing.release()
        return self._held(serial)

    def _refresh_is_due(self) -> bool:
        return self._tried_at is None or abs(self._clock.now() - self._tried_at) >= REFRESH_INTERVAL


def _is_live(key: PlatformKey, now: datetime) -> bool:
    return key.expires_at is None or key.expires_at > now
