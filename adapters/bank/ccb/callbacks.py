"""Reads server notifies (服务器通知): proof first, then meaning. A page notify is no callback and is refused."""

import hashlib
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from adapters.bank.ccb.config import Config
from adapters.bank.ccb.numbers import out_trade_no_of
from adapters.bank.ccb.signing import MANDATORY, recipe_of
from adapters.bank.ccb.tables import STATE_BY_SUCCESS
from adapters.bank.ccb.wire import CURRENCY_CODE
from gateway.domain.money import AMOUNT_FEN_MAX, fen_from_yuan
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    RawCallback,
    Verdict,
)
from gateway.domain.report import CURRENCY, ProviderReport, ReportedState, Source

_BYTES_MAX: Final = 1 << 15
_FIELDS_MAX: Final = 60
_NAME: Final = re.compile(rb"[A-Za-z][0-9A-Za-z_]{0,39}")
_ESCAPED: Final = re.compile(rb"(?:[!-$'-*,-~]|[+]|%[0-9A-Fa-f]{2})*+")
_NUMBER: Final = re.compile(r"[0-9A-Za-z_.-]{1,30}")
_WORD: Final = re.compile(r"[0-9A-Za-z]{1,8}")

_PLAIN: Final = "text/plain; charset=utf-8"
_STOPS: Final = Acknowledgement(status=200, body=b"success", content_type=_PLAIN)
_SEND_AGAIN: Final = Acknowledgement(status=503, body=b"later", content_type=_PLAIN)

ACKNOWLEDGEMENTS: Final = {
    Verdict.ACCEPTED: _STOPS,
    Verdict.IGNORED: _STOPS,
    Verdict.QUARANTINED: _STOPS,
    Verdict.ORPHAN: _SEND_AGAIN,
    Verdict.REFUSED: Acknowledgement(status=400, body=b"refused", content_type=_PLAIN),
    Verdict.UNSTORED: _SEND_AGAIN,
}
"""Any 200 stops the bank; the body is not read. Source: sheet section 2.3, unverified."""


def read_callback(config: Config, raw: RawCallback) -> Callback:
    """
    Verify and read one server notify.

    Raises:
        CallbackRefused: malformed (a page notify among others) or signature.
        CallbackUnreadable: Proven, but not what the sheet describes.
    """
    fields = _posted(raw.body)
    if not set(MANDATORY) <= set(fields):
        raise CallbackRefused("malformed")
    keys = [key.public for key in (config.key, config.previous_key) if key is not None]
    recipe = recipe_of(keys, fields)
    if recipe is None:
        raise CallbackRefused("signature")
    try:
        report = _report(config, {name: fields[name].decode("ascii", "replace") for name in MANDATORY})
    except ValueError as exc:
        raise CallbackUnreadable(str(exc)[:100]) from None
    digest = hashlib.sha256(repr(report).encode()).hexdigest()
    return Callback(dedup_key=f"{report.provider_status}:{digest}", event=f"notify, signed {recipe}", report=report)


def _posted(body: bytes) -> dict[str, bytes]:
    """
    The form's fields in the order received, each value unescaped once and left in its bytes.

    A name that comes twice is refused, and so is an `&` within a value: the signed text escapes nothing, and would be
    that of several fields.
    """
    pieces = body.split(b"&", _FIELDS_MAX)
    if len(body) > _BYTES_MAX or len(pieces) > _FIELDS_MAX:
        raise CallbackRefused("malformed")
    fields: dict[str, bytes] = {}
    for piece in pieces:
        name, equals, escaped = piece.partition(b"=")
        value = unquote_to_bytes(escaped.replace(b"+", b" "))
        good = equals and _NAME.fullmatch(name) and _ESCAPED.fullmatch(escaped) and b"&" not in value
        if not good or name.decode("ascii") in fields:
            raise CallbackRefused("malformed")
        fields[name.decode("ascii")] = value
    return fields


def _report(config: Config, fields: Mapping[str, str]) -> ProviderReport:
    """
    What a proven notify says. It names neither a number of the bank's nor a time, and no MERCHANTID.

    Source: sheet section 2.3.

    Raises:
        ValueError: With the name of the field that is malformed.
    """
    word = _matching(fields, "SUCCESS", _WORD)
    state = STATE_BY_SUCCESS.get(word, ReportedState.UNKNOWN)
    code = fields["CURCODE"]
    ours = {"POSID": config.pos_id, "BRANCHID": config.branch_id}
    return ProviderReport(
        source=Source.CALLBACK,
        out_trade_no=out_trade_no_of(_matching(fields, "ORDERID", _NUMBER)),
        state=state,
        provider_status=word,
        amount_fen=_fen(fields),
        currency=CURRENCY if code == CURRENCY_CODE else _matching(fields, "CURCODE", _WORD),
        contradictions=tuple(name for name, value in ours.items() if fields[name] != value),
    )


def _matching(fields: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    if pattern.fullmatch(fields[name]) is None:
        raise ValueError(name)
    return fields[name]


def _fen(fields: Mapping[str, str]) -> int:
    try:
        amount_fen = fen_from_yuan(fields["PAYMENT"])
    except ValueError:
        raise ValueError("PAYMENT") from None
    if amount_fen > AMOUNT_FEN_MAX:
        raise ValueError("PAYMENT")
    return amount_fen
