"""
Opens notifications (异步通知) and browser returns (同步跳转): raw bytes in, verified members out.

Values are decoded once, to bytes; a field that comes twice, a stray byte or a broken escape is refused. There is no
freshness rule: a notification carries no time that Alipay promises to renew, and a replay meets its own dedup key.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_to_bytes

from adapters.alipay.certificates import PlatformKeys
from adapters.alipay.signing import SIGN_TYPE, notify_text, signed_by_any
from gateway.domain.provider import CallbackRefused

NOTIFY_BYTES_MAX: Final = 1 << 16
TRADE_NOTICE: Final = "trade_status_sync"

_FIELDS_MAX: Final = 200
_ENCODED: Final = re.compile(rb"(?:[!-$&-~]++|%[0-9A-Fa-f]{2})*+")
_NAME: Final = re.compile(r"[!-~]{1,64}")
_NOTIFY_ID: Final = re.compile(r"[0-9A-Za-z_-]{1,60}")
_CERT_SN: Final = re.compile(rb"[0-9a-fA-F]{32}")
_NO_SIGN: Final = ("sign", "sign_type")
_CODEC_BY_CHARSET: Final = {
    "": "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "gb18030": "gb18030",
}

_FACTS: Final = (
    "notify_type",
    "app_id",
    "seller_id",
    "out_trade_no",
    "trade_no",
    "trade_status",
    "total_amount",
    "refund_fee",
    "out_biz_no",
    "gmt_refund",
)

RETURN_FIELDS: Final = frozenset(
    {
        "app_id",
        "auth_app_id",
        "charset",
        "method",
        "out_trade_no",
        "seller_id",
        "timestamp",
        "total_amount",
        "trade_no",
        "version",
        "sign",
        "sign_type",
    }
)
"""What Alipay adds to a return_url. Source: vendor's sample of a page.pay return (mirror)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """
    A verified notification.

    Attributes:
        fields: Every field but sign and sign_type, decoded.
        is_trade: True for a trade notification signed as such; anything else is of no use here.
    """

    fields: Mapping[str, str] = field(repr=False)
    is_trade: bool


def open_notice(body: bytes, keys: PlatformKeys) -> Notice:
    """
    Verify a notification over its raw body.

    Trade notifications drop sign_type from the signed text, message-service notifications keep it. The second rule is
    tried only for the second kind, so that it can never lend a signature to a trade.
    Source: vendor SDK nodejs 4.14.0 (checkNotifySignV2); vector genuine.json.

    Raises:
        CallbackRefused: malformed, signature, or unknown_key when it names a certificate that is not known here.
    """
    raw = _form(body)
    fields = _texts(raw)
    is_trade = fields.get("notify_type") == TRADE_NOTICE
    rules = [_NO_SIGN] if is_trade else [_NO_SIGN, ("sign",)]
    _verify(raw, keys, rules)
    return Notice(fields=fields, is_trade=is_trade)


def open_return(query: bytes, keys: PlatformKeys) -> Mapping[str, str]:
    """
    Verify a browser return. It proves that Alipay once sent this browser back, never that anything was paid.

    The merchant's own parameters in return_url are not signed (unverified): the text is tried with every parameter
    first, then with those that Alipay documents.

    Raises:
        CallbackRefused: As `open_notice`.
    """
    raw = _form(query)
    own = tuple(raw.keys() - RETURN_FIELDS)
    _verify(raw, keys, [_NO_SIGN, (*_NO_SIGN, *own)])
    return _texts({name: value for name, value in raw.items() if name in RETURN_FIELDS})


def _verify(raw: Mapping[str, bytes], keys: PlatformKeys, rules: Iterable[tuple[str, ...]]) -> None:
    signature = raw.get("sign", b"").decode("ascii", "replace")
    if raw.get("sign_type") != SIGN_TYPE.encode("ascii") or not signature:
        raise CallbackRefused("signature")
    named = raw.get("alipay_cert_sn", b"")
    sn = named.decode("ascii").lower() if _CERT_SN.fullmatch(named) else ""
    candidates = keys.for_callback(sn)
    if not candidates:
        raise CallbackRefused("unknown_key")
    # Two third-party libraries leave alipay_cert_sn out of the text, the vendor's were not seen to: plain rule first.
    texts = [notify_text(raw, without=rule) for rule in rules]
    if named:
        texts += [notify_text(raw, without=(*rule, "alipay_cert_sn")) for rule in rules]
    if not any(signed_by_any(candidates, text, signature) for text in texts):
        raise CallbackRefused("signature")


def _form(body: bytes) -> dict[str, bytes]:
    """Split a form and decode each value once; the content type is not consulted, Alipay's varies."""
    pairs = body.split(b"&")
    if len(body) > NOTIFY_BYTES_MAX or len(pairs) > _FIELDS_MAX or not _ENCODED.fullmatch(body):
        raise CallbackRefused("malformed")
    raw: dict[str, bytes] = {}
    for pair in pairs:
        name, equals, value = pair.partition(b"=")
        decoded = _once_decoded(name).decode("ascii", "replace")
        if not equals or decoded in raw or not _NAME.fullmatch(decoded):
            raise CallbackRefused("malformed")
        raw[decoded] = _once_decoded(value)
    return raw


def _once_decoded(encoded: bytes) -> bytes:
    spaced = encoded.replace(b"+", b" ")
    return unquote_to_bytes(spaced) if b"%" in spaced else spaced  # most need nothing


def _texts(raw: Mapping[str, bytes]) -> dict[str, str]:
    codec = _CODEC_BY_CHARSET.get(raw.get("charset", b"").decode("ascii", "replace").lower())
    if codec is None:
        raise CallbackRefused("malformed")
    try:
        return {name: value.decode(codec) for name, value in raw.items() if name not in _NO_SIGN}
    except UnicodeDecodeError:
        raise CallbackRefused("malformed") from None


def dedup_key_of(notice: Notice) -> str:
    """
    A key equal for deliveries of one fact: notify_id and a digest of what the notification says.

    notify_id alone will not do: it stays the same over deliveries, but was seen on notifications of different states.
    Anything but a trade is told apart by all its fields, save the time of delivery.
    """
    fields = notice.fields
    names = _FACTS if notice.is_trade else sorted(fields.keys() - {"notify_time"})
    facts = json.dumps([(name, fields.get(name, "")) for name in names])
    digest = hashlib.sha256(facts.encode("ascii")).hexdigest()
    notify_id = fields.get("notify_id", "")
    return f"{notify_id if _NOTIFY_ID.fullmatch(notify_id) else '-'}:{digest}"
