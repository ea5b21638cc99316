"""
The gate: parameters from URL and form, the signature over the path as it came, then the members of biz_content.

Source: sheet bank.md sections 4.1 to 4.3.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from sandbox.bank_icbc.orders import Refusal
from sandbox.bank_icbc.signing import genuine, signed_text, unseal
from sandbox.bank_icbc.world import Call, Route, World
from sandbox.clock import BEIJING

TIME_SKEW: Final = timedelta(minutes=15)
"""How far `timestamp` may lie from now; the live tolerance is unknown. A browser's form may wait longer."""

_COMMON: Final = ("app_id", "msg_id", "format", "charset", "sign_type", "timestamp", "biz_content", "sign")
_IN_URL: Final = frozenset(
    {"sign", "app_id", "sign_type", "charset", "format", "encrypt_type", "timestamp", "msg_id", "app_auth_token", "ca"}
)
_FIELDS_MAX: Final = 40
_SHAPES: Final = {
    "out_trade_no": re.compile(r"[0-9A-Za-z]{1,35}"),
    "outtrx_serial_no": re.compile(r"[0-9A-Za-z]{1,35}"),
    "order_amt": re.compile(r"[1-9][0-9]{0,11}"),
    "ret_total_amt": re.compile(r"[1-9][0-9]{0,11}"),
    "trnsc_ccy": re.compile("001"),
    "deal_flag": re.compile("0"),
    "expireTime": re.compile(r"[1-9][0-9]{1,5}"),
    "notify_type": re.compile("HS|AG"),
    "notify_url": re.compile(r"https?://\S{1,250}"),
    "return_url": re.compile(r"https?://\S{1,250}"),
    "body": re.compile(r"(?s).{1,128}"),
}
"""What these members may look like when they are there; deal_flag 1 and 2 (关单) are not simulated."""


def parameters(target: str, body: bytes, *, browser: bool) -> dict[str, str]:
    """
    All parameters of a request by name, from where they belong.

    Raises:
        Refusal: 400011 for a field given twice, one in the wrong place, or bytes that are not UTF-8.
    """
    url = urlsplit(target)
    try:
        in_url = parse_qsl(url.query, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
        in_form = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
    except ValueError as exc:
        raise Refusal(400011, "报文") from exc
    fields = dict(in_url) | dict(in_form)
    if len(fields) != len(in_url) + len(in_form):
        raise Refusal(400011, "同名参数重复")
    wanted = {name for name in fields if browser and name in _IN_URL}
    if {name for name, _ in in_url} != wanted:
        raise Refusal(400011, "参数位置")
    return fields


def admit(world: World, route: Route, target: str, body: bytes) -> Call:
    """
    Check common parameters and signature; nothing else is believed before.

    Raises:
        Refusal: 400011 or 400017, with a message that says what.
    """
    fields = parameters(target, body, browser=route.browser)
    _need(fields, _COMMON)
    if fields["app_id"] != world.keys.identity.app_id:
        raise Refusal(400011, "app_id")
    text = signed_text(urlsplit(target).path, fields).encode("utf-8")
    if not genuine(world.app_key, fields["sign_type"], fields["sign"], text):
        raise Refusal(400017)
    _check_common(world, route, fields)
    sealed = fields.get("encrypt_type") == "AES"
    content = _content(world, fields["biz_content"], sealed=sealed)
    _need(content, route.needs)
    _check_members(world, content)
    return Call(content=content, route=route, msg_id=fields["msg_id"], sealed=sealed)


def _check_common(world: World, route: Route, fields: Mapping[str, str]) -> None:
    try:
        written = datetime.strptime(fields["timestamp"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError as exc:
        raise Refusal(400011, "timestamp") from exc
    if fields["charset"].upper() != "UTF-8" or fields["format"] != "json" or not 1 <= len(fields["msg_id"]) <= 40:  # noqa: PLR2004
        raise Refusal(400011, "charset、format 或 msg_id")
    if route.browser:
        return
    if abs(world.clock.now() - written) > TIME_SKEW:
        raise Refusal(400011, "timestamp 不是当前时间")
    with world.lock:
        fresh = world.book.hear(fields["msg_id"])
    if not fresh:
        raise Refusal(400011, "msg_id 重复")


def _content(world: World, text: str, *, sealed: bool) -> dict[str, str]:
    try:
        content: Any = json.loads(unseal(world.keys.content_key, text) if sealed else text)
    except ValueError as exc:
        raise Refusal(400011, "biz_content") from exc
    if not isinstance(content, dict) or not all(isinstance(value, str) for value in content.values()):
        raise Refusal(400011, "biz_content")
    return {name: value for name, value in content.items() if value}


def _need(fields: Mapping[str, str], names: tuple[str, ...]) -> None:
    for name in names:
        if not fields.get(name):
            raise Refusal(400011, name)


def _check_members(world: World, content: Mapping[str, str]) -> None:
    identity = world.keys.identity
    ours = {"mer_id": identity.mer_id, "mer_prtcl_no": identity.mer_prtcl_no, "icbc_appid": identity.app_id}
    for name, value in content.items():
        shape = _SHAPES.get(name)
        if value != ours.get(name, value) or (shape is not None and shape.fullmatch(value) is None):
            raise Refusal(400011, name)
