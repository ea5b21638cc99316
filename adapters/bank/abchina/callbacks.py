"""Reads the bank's payment notify (支付结果通知): proof first, then meaning. Refuses what is not proven."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from adapters.bank.abchina.config import Config
from adapters.bank.abchina.reports import notify_report
from adapters.bank.trustpay import Malformed, NotAuthentic, decode_msg, element, form_msg, open_xml
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    RawCallback,
    Verdict,
)

_TRX_TYPE: Final = re.compile(r"[0-9A-Za-z]{0,32}")
_OF_A_REFUND: Final = re.compile(r"refund", re.IGNORECASE)
_HTML: Final = "text/html; charset=utf-8"


def acknowledgements(config: Config) -> Mapping[Verdict, Acknowledgement]:
    """
    The page that names the payer's next address to the bank; anything else asks for another delivery.

    Source: sheet section 3.4, the demo's ReceiveServerPage; what the bank makes of other answers is unverified.
    """
    page = (
        f"<URL>{config.result_url}</URL>\n"
        f'<HTML><HEAD><META http-equiv="refresh" content="0; url={config.result_url}"></HEAD></HTML>\n'
    )
    taken = Acknowledgement(status=200, body=page.encode("ascii"), content_type=_HTML)
    later = Acknowledgement(status=503, body=b"later", content_type=_HTML)
    return {
        Verdict.ACCEPTED: taken,
        Verdict.IGNORED: taken,
        Verdict.QUARANTINED: taken,
        Verdict.ORPHAN: later,
        Verdict.REFUSED: Acknowledgement(status=400, body=b"refused", content_type=_HTML),
        Verdict.UNSTORED: later,
    }


def open_callback(config: Config, raw: RawCallback) -> str:
    """
    Verify a notify over the bytes that were signed, and give the text between its `Message` tags.

    Raises:
        CallbackRefused: malformed or signature.
    """
    try:
        return open_xml(decode_msg(form_msg(raw.body)), config.bank_keys)
    except Malformed:
        raise CallbackRefused("malformed") from None
    except NotAuthentic:
        raise CallbackRefused("signature") from None


def read_callback(config: Config, raw: RawCallback) -> Callback:
    """
    Verify and read one notify. The values of TrxType are unverified: what speaks of a refund changes nothing here.

    Raises:
        CallbackRefused: As `open_callback`.
        CallbackUnreadable: Proven, but not what the sheet describes.
    """
    inner = open_callback(config, raw)
    try:
        trx_type = element(inner, "TrxType", default="")
        if _TRX_TYPE.fullmatch(trx_type) is None:
            raise Malformed("TrxType")
        report = None if _OF_A_REFUND.search(trx_type) else notify_report(config, inner)
    except ValueError as exc:
        raise CallbackUnreadable(str(exc)[:100]) from None
    # Everything that is judged names the fact, so that the page's copy and the server's are one, and no message stands
    # in for another.
    fact = repr(replace(report, occurred_at=None)) if report is not None else inner
    digest = hashlib.sha256(fact.encode("utf-8", "replace")).hexdigest()
    return Callback(dedup_key=f"notify:{digest}", event=trx_type or "notify", report=report)
