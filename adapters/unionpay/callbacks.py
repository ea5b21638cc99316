"""Reads back-notifies (后台通知): proof first, then meaning. Refuses what is not proven."""

import hashlib
import re
from dataclasses import replace
from typing import Final

from adapters.unionpay.config import Config
from adapters.unionpay.form import Malformed, Message, read_notify
from adapters.unionpay.reports import REFUND_TYPES, payment_report, refund_notify_report, required
from adapters.unionpay.signing import NotAuthentic
from adapters.unionpay.wire import TXN_PAYMENT
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    RawCallback,
    Verdict,
)
from gateway.domain.report import ProviderReport, Source

_TXN_TYPE: Final = re.compile(r"[0-9]{2}")
_PLAIN: Final = "text/plain; charset=utf-8"
_STOPS: Final = Acknowledgement(status=200, body=b"ok", content_type=_PLAIN)
_SEND_AGAIN: Final = Acknowledgement(status=503, body=b"later", content_type=_PLAIN)

ACKNOWLEDGEMENTS: Final = {
    Verdict.ACCEPTED: _STOPS,
    Verdict.IGNORED: _STOPS,
    Verdict.QUARANTINED: _STOPS,
    Verdict.ORPHAN: _SEND_AGAIN,
    Verdict.REFUSED: Acknowledgement(status=400, body=b"refused", content_type=_PLAIN),
    Verdict.UNSTORED: _SEND_AGAIN,
}
"""Any 200 stops the five sends of seven minutes; the body is not read. Source: sheet section 8."""


def open_callback(config: Config, raw: RawCallback) -> Message:
    """
    Verify a notify over its raw body; parameters of the URL are no part of it.

    Source: sheet sections 3 and 8; vector notifies.json.

    Raises:
        CallbackRefused: malformed, signature or unknown_key.
    """
    try:
        message = read_notify(raw.body)
        config.proof.verify(message, raw.received_at)
    except Malformed:
        raise CallbackRefused("malformed") from None
    except NotAuthentic as exc:
        raise CallbackRefused(exc.reason) from None
    return message


def read_callback(config: Config, raw: RawCallback) -> Callback:
    """
    Verify and read one notify: of a payment, a refund or an undo. Others are authentic and change nothing.

    Raises:
        CallbackRefused: As `open_callback`.
        CallbackUnreadable: Proven, but not what the sheet describes.
    """
    message = open_callback(config, raw)
    try:
        txn_type = required(message.fields, "txnType", _TXN_TYPE)
        if txn_type == TXN_PAYMENT:
            report: ProviderReport | None = payment_report(
                config, message.fields, Source.CALLBACK, code="respCode", at=raw.received_at
            )
        elif txn_type in REFUND_TYPES:
            report = refund_notify_report(config, message.fields)
        else:
            report = None
    except ValueError as exc:
        raise CallbackUnreadable(str(exc)[:100]) from None
    return Callback(dedup_key=_dedup_key(txn_type, message, report), event=f"txnType {txn_type}", report=report)


def _dedup_key(txn_type: str, message: Message, report: ProviderReport | None) -> str:
    """
    Names the fact: everything that is judged is part of it, so that no message stands in for another.

    The times of the event are left out.
    """
    if report is None:
        return f"{txn_type}:{hashlib.sha256(message.canonical).hexdigest()}"
    refund = replace(report.refund, occurred_at=None) if report.refund is not None else None
    fact = replace(report, occurred_at=None, refund=refund)
    return f"{txn_type}:{hashlib.sha256(repr(fact).encode()).hexdigest()}"
