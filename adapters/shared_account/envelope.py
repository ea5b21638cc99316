"""Seals what we send and opens what arrives, in profile SA1 of the national envelope. Refuses everything unproven."""

import base64
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.kit.sm import SIGNATURE_BYTES, sm4_decrypt, sm4_encrypt
from adapters.kit.sm_der import signature_from_der, signature_to_der
from adapters.shared_account.canonical import canonical_text, compact, read_members
from gateway.domain.clock import micros, moment
from gateway.domain.secret import Secret

VERSION: Final = "2.0.1"
ENC_TYPE: Final = "SM4"
SIGN_TYPE: Final = "SM2"
CODE_OK: Final = "0"
SIG_RAW: Final = "raw"
SIG_DER: Final = "der"
BODY_BYTES_MAX: Final = 65_536

_KEY_CHARACTERS: Final = 16
# Not both cases in one text: then one message has two spellings at most. Source: sheet section 1.2, hex case.
_ENC_DATA: Final = re.compile(r"(?:[0-9A-F]{32})+|(?:[0-9a-f]{32})+")
_TIMESTAMP: Final = re.compile(r"[0-9]{13}")
_MILLISECOND: Final = timedelta(milliseconds=1)


class EnvelopeRefused(Exception):
    """
    A body that proves nothing.

    Attributes:
        reason: The sheet's word: format | app | algorithm | decrypt_or_signature | signature | stale.
        skew_seconds: How far its time lies from ours, for `stale`; positive is in our past.
    """

    def __init__(self, reason: str, *, skew_seconds: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.skew_seconds = skew_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """
    A proven message.

    Attributes:
        members: The envelope's own members, `data` not among them.
        signed_at: The time it was signed with.
    """

    members: Mapping[str, Any]
    data: Mapping[str, Any] = field(repr=False)
    signed_at: datetime

    @property
    def code(self) -> str:
        """The response's code as text; "" in a callback."""
        code = self.members.get("code")
        return code if isinstance(code, str) else ""

    def speaks_of(self, trans_type: str) -> bool:
        return self.members.get("transType") == trans_type and self.members.get("version") == VERSION


def derive_key(app_id: str, app_secret: str) -> bytes:
    """
    The SM4 key of a channel: 16 characters of hex, which carry 64 bits at most.

    Source: sheet section 1.3, read in six clients; vector `key_derivation.json`.
    """
    sealed = sm4_encrypt(app_id[:_KEY_CHARACTERS].encode(), app_secret.encode())
    return sealed.hex().upper()[:_KEY_CHARACTERS].encode()


def read_signature(text: object, sig_format: str) -> bytes:
    """
    Raw r‖s of a signData: base64 of 64 bytes, or of their DER where that is configured.

    Source: sheet section 1.4; vector `sm2_sign.json`.

    Raises:
        ValueError: Another text; also one that says the same in another way.
    """
    if not isinstance(text, str):
        raise ValueError("is not a text")
    raw = base64.b64decode(text.encode("ascii"), validate=True)
    # The last digit's unused bits would let other texts through.
    if base64.b64encode(raw).decode("ascii") != text:
        raise ValueError("is not the one base64 text of its bytes")
    signature = signature_from_der(raw) if sig_format == SIG_DER else raw
    if len(signature) != SIGNATURE_BYTES:
        raise ValueError("is not 64 bytes")
    return signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """
    How one channel seals and opens.

    Attributes:
        key: What `derive_key` made of the two before it.
        sign: Makes our raw r‖s over the given bytes; a cryptographic machine (密码机) may stand behind it.
        verify: Whether a raw r‖s over the given bytes is by one of the platform's keys.
        order: How names are sorted.
        sig_format: How signatures are written.
    """

    app_id: str
    app_secret: Secret
    key: bytes = field(repr=False)
    sign: Callable[[bytes], bytes] = field(repr=False)
    verify: Callable[[bytes, bytes], bool] = field(repr=False)
    order: str
    sig_format: str
    window: timedelta

    def seal(self, trans_type: str, data: Mapping[str, Any], at: datetime) -> bytes:
        """The body of a request. Source: sheet section 3; vector `envelope.json`."""
        message = {
            "appId": self.app_id,
            "encType": ENC_TYPE,
            "signType": SIGN_TYPE,
            "timestamp": str(micros(at) // 1000),
            "version": VERSION,
            "transType": trans_type,
        }
        signature = self.sign(self._signed_bytes({**message, "data": data}))
        if self.sig_format == SIG_DER:
            signature = signature_to_der(signature)
        sealed = sm4_encrypt(self.key, compact(data).encode())
        proof = base64.b64encode(signature).decode("ascii")
        return compact({**message, "encData": sealed.hex().upper(), "signData": proof}).encode()

    def open(
        self,
        raw: bytes,
        *,
        now: datetime | None,
        needs_data: Callable[[Mapping[str, Any]], bool],
        bytes_max: int = BODY_BYTES_MAX,
    ) -> Opened:
        """
        Prove a body, then read it, in the sheet's order of steps; the first failure ends it.

        Args:
            now: Our time for the freshness check; None leaves that out (a stored sample).
            needs_data: Whether these members must come with `encData`.

        Source: sheet section 3, steps 1 to 9; vector `envelope.json`.

        Raises:
            EnvelopeRefused: With the sheet's word for the step.
        """
        members = self._outer_members(raw, bytes_max)
        data = self._plain_data(members, required=needs_data(members))
        message = members if data is None else {**members, "data": data}
        if not self._is_signed(message):
            raise EnvelopeRefused("signature")
        return Opened(members=members, data=data or {}, signed_at=self._fresh_time(members, now))

    def _outer_members(self, raw: bytes, bytes_max: int) -> dict[str, Any]:
        try:
            members = read_members(raw) if 0 < len(raw) <= bytes_max else {}
        except ValueError:
            raise EnvelopeRefused("format") from None
        if not members or "data" in members:
            raise EnvelopeRefused("format")
        if members.get("appId") != self.app_id:
            raise EnvelopeRefused("app")
        if (members.get("encType"), members.get("signType")) != (ENC_TYPE, SIGN_TYPE):
            raise EnvelopeRefused("algorithm")
        return members

    def _plain_data(self, members: Mapping[str, Any], *, required: bool) -> dict[str, Any] | None:
        sealed = members.get("encData")
        if sealed is None and not required:
            return None
        if not isinstance(sealed, str) or _ENC_DATA.fullmatch(sealed) is None:
            raise EnvelopeRefused("format")
        try:
            return read_members(sm4_decrypt(self.key, bytes.fromhex(sealed)))
        except ValueError:
            raise EnvelopeRefused("decrypt_or_signature") from None

    def _is_signed(self, message: Mapping[str, Any]) -> bool:
        try:
            signature = read_signature(message.get("signData"), self.sig_format)
        except ValueError:
            return False
        return self.verify(self._signed_bytes(message), signature)

    def _fresh_time(self, members: Mapping[str, Any], now: datetime | None) -> datetime:
        told = members.get("timestamp")
        text = str(told) if isinstance(told, (str, int)) else ""
        if _TIMESTAMP.fullmatch(text) is None:
            raise EnvelopeRefused("format")
        signed_at = moment(int(text) * 1000)
        if now is not None and abs(now - signed_at) > self.window:
            skew = (abs(now - signed_at) // timedelta(seconds=1)) * (1 if now > signed_at else -1)
            raise EnvelopeRefused("stale", skew_seconds=skew)
        return signed_at

    def _signed_bytes(self, message: Mapping[str, Any]) -> bytes:
        return canonical_text(message, self.app_secret.reveal(), order=self.order).encode()


def always(_members: Mapping[str, Any]) -> bool:
    """Callbacks always carry data."""
    return True


def when_accepted(members: Mapping[str, Any]) -> bool:
    """A response carries data when its code says so; a refusal need not."""
    return members.get("code") == CODE_OK
