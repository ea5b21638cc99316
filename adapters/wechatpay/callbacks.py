"""Reads callbacks: proof first, then JSON, then the sealed resource. Refuses what is not proven."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from adapters.wechatpay.config import Config
from adapters.wechatpay.keys import FindKey
from adapters.wechatpay.reports import read_payment, read_refund_callback
from adapters.wechatpay.sealing import CannotOpen, open_sealed
from adapters.wechatpay.signing import NotAuthentic, verify_message
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    RawCallback,
    Verdict,
)
from gateway.domain.report import ProviderReport, Source
from gateway.domain.strict_json import parse_strict_json_object

_PAYMENT: Final = "transaction"
_REFUND: Final = "refund"
_ORIGINAL_TYPE_BY_EVENT: Final = {
    "TRANSACTION.SUCCESS": _PAYMENT,
    "REFUND.SUCCESS": _REFUND,
    "REFUND.ABNORMAL": _REFUND,
    "REFUND.CLOSED": _REFUND,
}
"""Events that we use; others are authentic and change nothing. Source: sheet section 6.1."""

_EVENT: Final = re.compile(r"[!-~]{1,64}")
_JSON: Final = "application/json"
_STOP: Final = '{"code":"SUCCESS","message":"成功"}'.encode()
_SEND_AGAIN: Final = '{"code":"FAIL","message":"稍后重试"}'.encode()
_NOT_PROVEN: Final = '{"code":"FAIL","message":"验签失败"}'.encode()

ACKNOWLEDGEMENTS: Final = {
    Verdict.ACCEPTED: Acknowledgement(status=200, body=_STOP, content_type=_JSON),
    Verdict.IGNORED: Acknowledgement(status=200, body=_STOP, content_type=_JSON),
    Verdict.QUARANTINED: Acknowledgement(status=200, body=_STOP, content_type=_JSON),
    Verdict.ORPHAN: Acknowledgement(status=503, body=_SEND_AGAIN, content_type=_JSON),
    Verdict.REFUSED: Acknowledgement(status=401, body=_NOT_PROVEN, content_type=_JSON),
    Verdict.UNSTORED: Acknowledgement(status=503, body=_SEND_AGAIN, content_type=_JSON),
}
"""Source: sheet section 6.4."""


def read_callback(config: Config, raw: RawCallback, find_key: FindKey) -> Callback:
    """
    Verify, open and read one callback. Signature probes (签名探测) need no case of their own: they do not verify.

    Source: sheet sections 3 and 6; vector `callbacks.json`.

    Raises:
        CallbackRefused: Headers, time, key or signature do not prove it, or no APIv3 key opens it.
        CallbackUnreadable: Proven, but not what the sheet describes.
    """
    try:
        verify_message(raw.headers, raw.body, now=raw.received_at, find_key=find_key)
    except NotAuthentic as exc:
        raise CallbackRefused(exc.reason, skew_seconds=exc.skew_seconds) from None
    try:
        return _read_proven(config, raw.body)
    except CannotOpen:
        raise CallbackRefused("decrypt") from None
    except ValueError as exc:
        raise CallbackUnreadable(str(exc)[:100]) from None


def _read_proven(config: Config, body: bytes) -> Callback:
    envelope = parse_strict_json_object(body)
    event = envelope.get("event_type")
    if not isinstance(event, str) or _EVENT.fullmatch(event) is None:
        raise ValueError("event_type")
    original_type = _ORIGINAL_TYPE_BY_EVENT.get(event)
    if original_type is None:
        return Callback(dedup_key=f"event:{_digest(envelope.get('id') or body)}", event=event, report=None)
    resource = envelope.get("resource")
    if not isinstance(resource, Mapping) or resource.get("original_type", original_type) != original_type:
        raise ValueError("resource")
    members = parse_strict_json_object(open_sealed(config.apiv3_keys, resource))
    if original_type == _REFUND:
        report = read_refund_callback(config, members)
    else:
        report = read_payment(config, members, Source.CALLBACK)
    return Callback(dedup_key=_dedup_key(report), event=event, report=report)


def _dedup_key(report: ProviderReport) -> str:
    """
    Names the fact, not the message: notification ids differ between deliveries of one fact by different routes.

    Everything that is judged is part of it, so that a contradictory message does not stand in for the right one.
    Source: sheet section 4.8, last paragraph.
    """
    fact = replace(report, occurred_at=None)
    kind = _REFUND if report.refund is not None else _PAYMENT
    return f"{kind}:{_digest(repr(fact).encode())}"


def _digest(value: Any) -> str:
    raw = value if isinstance(value, bytes) else repr(value).encode("utf-8", "backslashreplace")
    return hashlib.sha256(raw).hexdigest()
