"""Reads callbacks: proof first, then the sealed data. Refuses what is not proven."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from adapters.shared_account.canonical import canonical_object
from adapters.shared_account.config import Config
from adapters.shared_account.envelope import EnvelopeRefused, always
from adapters.shared_account.reports import read_notice
from adapters.shared_account.tables import CALL_PAID, CALL_REVOKED, NOTIFY
from adapters.shared_account.wire import text_of
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    RawCallback,
    Verdict,
)
from gateway.domain.report import ProviderReport

_REASONS: Final = MappingProxyType(
    {
        "format": "malformed",
        "app": "unknown_key",
        "algorithm": "malformed",
        "decrypt_or_signature": "decrypt",
        "signature": "signature",
        "stale": "stale",
    }
)
"""The sheet's words for a failed step in the gateway's words; the platform hears one answer for all of them."""

_CALL_TYPE: Final = re.compile(r"[0-9A-Za-z]{1,16}")
_JSON: Final = "application/json"
_STOP: Final = b'{"code":"0","message":"OK"}'
_NOT_PROVEN: Final = b'{"code":"FAIL","message":"invalid"}'
_SEND_AGAIN: Final = b'{"code":"FAIL","message":"later"}'


def acknowledgements(*, repeats_orphans: bool) -> Mapping[Verdict, Acknowledgement]:
    """Source: sheet section 4.6; the words for a repeat are ours."""
    stop = Acknowledgement(status=200, body=_STOP, content_type=_JSON)
    again = Acknowledgement(status=503, body=_SEND_AGAIN, content_type=_JSON)
    return MappingProxyType(
        {
            Verdict.ACCEPTED: stop,
            Verdict.IGNORED: stop,
            Verdict.QUARANTINED: stop,
            Verdict.ORPHAN: again if repeats_orphans else stop,
            Verdict.REFUSED: Acknowledgement(status=401, body=_NOT_PROVEN, content_type=_JSON),
            Verdict.UNSTORED: again,
        }
    )


def read_callback(config: Config, raw: RawCallback) -> Callback:
    """
    Open and read one callback.

    Source: sheet sections 3 and 4.6; vector `envelope.json`.

    Raises:
        CallbackRefused: Not proven, for another channel, or stale.
        CallbackUnreadable: Proven, but not what the sheet describes.
    """
    try:
        opened = config.envelope.open(raw.body, now=raw.received_at, needs_data=always)
    except EnvelopeRefused as exc:
        raise CallbackRefused(_REASONS[exc.reason], skew_seconds=exc.skew_seconds) from None
    if not opened.speaks_of(NOTIFY):
        raise CallbackUnreadable("transType or version")
    try:
        return _read_proven(config, opened.data)
    except ValueError as exc:
        raise CallbackUnreadable(str(exc)[:100]) from None


def _read_proven(config: Config, data: Mapping[str, Any]) -> Callback:
    call_type = text_of(data, "callType", _CALL_TYPE)
    event = f"{NOTIFY} {call_type}"
    if call_type not in (CALL_PAID, CALL_REVOKED):
        return Callback(dedup_key=f"other:{_digest(canonical_object(data))}", event=event, report=None)
    report = read_notice(config, data)
    return Callback(dedup_key=_dedup_key(report), event=event, report=report)


def _dedup_key(report: ProviderReport) -> str:
    """
    Names the fact, not the message: its notifyId is no part of it, and everything that is judged is.

    So a message that contradicts the right one under the same notifyId does not stand in for it.
    """
    kind = "payment" if report.refund is None else "refund"
    return f"{kind}:{_digest(repr(replace(report, occurred_at=None)))}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
