"""
The gate: read the form in its encoding, find the route, check the signature, then the fields every message has.

Source: sheet unionpay.md sections 1, 2, 4, 5 and 7.
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sandbox.clock import BEIJING
from sandbox.unionpay.orders import CURRENCY, Refusal
from sandbox.unionpay.signing import CODECS, SIGN_METHOD, VERSION, form_pairs, genuine
from sandbox.unionpay.world import Call, Route, World

TIME_SKEW: Final = timedelta(hours=1)
"""txnTime must be "now"; the live tolerance is unknown. A query carries the original's and is not checked."""

_REQUIRED: Final = (
    "version", "encoding", "signMethod", "certId", "signature", "merId", "accessType",
    "txnType", "txnSubType", "bizType", "txnTime",
)  # fmt: skip
_SHAPES: Final = {
    "orderId": re.compile(r"[0-9A-Za-z]{8,40}"),
    "txnTime": re.compile(r"[0-9]{14}"),
    "txnAmt": re.compile(r"[1-9][0-9]{0,11}"),
    "currencyCode": re.compile(CURRENCY),
    "channelType": re.compile(r"0[578]|16"),
    "accessType": re.compile("0"),
    "backUrl": re.compile(r"https?://\S{1,250}"),
    "frontUrl": re.compile(r"https?://\S{1,250}"),
    "origTxnTime": re.compile(r"[0-9]{14}"),
    "payTimeout": re.compile(r"[0-9]{14}"),
    "settleDate": re.compile(r"(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])"),
    "fileType": re.compile("00"),
    "certType": re.compile("01"),
}
"""What these fields may look like when they are there; accessType 1 and 2 are not simulated."""

_RESERVED_BYTES_MAX: Final = 1024
_QUERY: Final = ("00", "00")


def request_fields(body: bytes) -> dict[str, str]:
    """
    The form's fields without the blank ones, read in the encoding they name.

    Raises:
        Refusal: 10 for an unknown encoding, undecodable bytes, a field given twice, or a value that was not trimmed.
    """
    try:
        named = [value for name, value in form_pairs(body, "latin-1") if name == "encoding"]
        pairs = form_pairs(body, CODECS[named[0].lower()] if len(named) == 1 else "utf-8")
    except (ValueError, KeyError) as exc:
        raise Refusal("10", "encoding") from exc
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Refusal("10", "同名字段重复")
    kept = {name: value for name, value in fields.items() if value.strip()}
    if any(value != value.strip() for value in kept.values()):
        raise Refusal("10", "字段首尾有空格")
    return kept


def admit(world: World, fields: dict[str, str], place: str, routes: Iterable[Route]) -> Call:
    """
    Check the public fields and the signature; nothing else is believed before.

    Raises:
        Refusal: 10, 11, 13 or 31, with a message that says which field.
    """
    _need(fields, _REQUIRED)
    if fields["version"] != VERSION or fields["signMethod"] != SIGN_METHOD:
        raise Refusal("10", "version 或 signMethod")
    if fields["merId"] != world.keys.identity.mer_id:
        raise Refusal("31")
    keys = world.keys
    if fields["certId"] != str(keys.merchant_certificate.serial_number):
        raise Refusal("11", "certId")
    if not genuine(fields, keys.merchant_private_key.public_key(), CODECS[fields["encoding"].lower()]):
        raise Refusal("11")
    route = _route(fields, place, routes)
    _need(fields, route.needs)
    _check_shapes(fields)
    written = beijing_time(fields["txnTime"], "txnTime")
    if route.kind != _QUERY and abs(world.clock.now() - written) > TIME_SKEW:
        raise Refusal("10", "txnTime 不是当前时间")
    return Call(fields=fields, route=route)


def beijing_time(text: str, name: str) -> datetime:
    """
    Read YYYYMMDDhhmmss.

    Raises:
        Refusal: 10, no such moment.
    """
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=BEIJING)
    except ValueError as exc:
        raise Refusal("10", name) from exc


def _route(fields: dict[str, str], place: str, routes: Iterable[Route]) -> Route:
    kind = (fields["txnType"], fields["txnSubType"])
    for route in routes:
        if (route.place, route.kind) == (place, kind):
            if fields["bizType"] not in route.biz_types:
                raise Refusal("10", "bizType")
            return route
    raise Refusal("10", "txnType 或 txnSubType")


def _need(fields: dict[str, str], names: Iterable[str]) -> None:
    for name in names:
        if name not in fields:
            raise Refusal("13", name)


def _check_shapes(fields: dict[str, str]) -> None:
    for name, shape in _SHAPES.items():
        if name in fields and shape.fullmatch(fields[name]) is None:
            raise Refusal("10", name)
    if len(fields.get("reqReserved", "").encode("utf-8")) > _RESERVED_BYTES_MAX:
        raise Refusal("10", "reqReserved")
