"""
The gate: open the envelope, judge its time and place, then the members of its data.

Source: sheet shared_account.md sections 3 (reading order) and 4.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sandbox.clock import BEIJING
from sandbox.money import fen_of
from sandbox.shared_account.envelope import EnvelopeRefused
from sandbox.shared_account.orders import Refusal
from sandbox.shared_account.world import Data, Route, World

TIME_SKEW: Final = timedelta(seconds=600)

_CODE_BY_REASON: Final = {"format": "SA1001", "app": "SA1005", "algorithm": "SA1001"}
_UNREADABLE: Final = "SA1002"
"""One answer for whatever cannot be decrypted or verified."""

_MILLISECONDS: Final = re.compile(r"[0-9]{13}")
_SHAPES: Final = {
    "ownerIdType": re.compile(r"[0-9A-Z]{2}"),
    "memberIdType": re.compile(r"[0-9A-Z]{2}"),
    "ownerIdNo": re.compile(r"[0-9A-Z]{1,32}"),
    "memberIdNo": re.compile(r"[0-9A-Z]{1,32}"),
    "ownerName": re.compile(r".{1,64}"),
    "memberName": re.compile(r".{1,64}"),
    "insuplcAdmdvs": re.compile(r"[0-9]{6}"),
    "insuYear": re.compile(r"[0-9]{4}"),
    "insutype": re.compile(r"[0-9]{3}"),
    "relCode": re.compile(r"[0-9]{2}"),
    "phone": re.compile(r"1[0-9]{10}"),
    "outTradeNo": re.compile(r"[A-Z0-9]{8,32}"),
    "payOrdId": re.compile(r"[0-9A-Za-z]{1,40}"),
    "bindId": re.compile(r"[0-9A-Za-z]{1,40}"),
    "reqSn": re.compile(r"[0-9A-Za-z]{1,40}"),
    "revokeSn": re.compile(r"[0-9A-Za-z]{1,40}"),
    "payAuthNo": re.compile(r"[!-~]{1,128}"),
    "notifyUrl": re.compile(r"https?://\S{1,250}"),
    "expireTime": re.compile(r"[0-9]{14}"),
    "stmtDate": re.compile(r"[0-9]{8}"),
    "amt": re.compile(r"(?:0|[1-9][0-9]{0,8})\.[0-9]{2}"),
}
_PROOF_SHAPES: Final = {
    "proofType": re.compile("01|02|99"),
    "fileSn": re.compile(r"[0-9A-Za-z]{1,64}"),
    "sm3": re.compile(r"[0-9A-Fa-f]{64}"),
}
_IDENTITY_CARD: Final = "01"
_CARD: Final = re.compile(r"[0-9]{17}[0-9X]")
_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS: Final = "10X98765432"


def admit(world: World, body: bytes, route: Route) -> Data:
    """
    The members of data, blank ones left out.

    Raises:
        Refusal: SA1001, SA1002, SA1004 or SA1005.
    """
    try:
        message = world.envelope.opened(body)
    except EnvelopeRefused as exc:
        raise Refusal(_CODE_BY_REASON.get(exc.reason, _UNREADABLE)) from exc
    _check_time(world, str(message.get("timestamp", "")))
    if message.get("transType") != route.trans_type:
        raise Refusal("SA1001", "transType")
    members = {name: value for name, value in message.get("data", {}).items() if value not in (None, "", [])}
    for name in route.needs:
        if name not in members:
            raise Refusal("SA1001", name)
    _check_shapes(members)
    return members


def amount_of(data: Data) -> int:
    """
    The amt in fen.

    Raises:
        Refusal: SA1001, nothing to pay.
    """
    amount_fen = fen_of(data["amt"])
    if amount_fen <= 0:
        raise Refusal("SA1001", "amt")
    return amount_fen


def beijing_time(text: str, form: str, name: str) -> datetime:
    """
    Read a time or a date.

    Raises:
        Refusal: SA1001, no such moment.
    """
    try:
        return datetime.strptime(text, form).replace(tzinfo=BEIJING)
    except ValueError as exc:
        raise Refusal("SA1001", name) from exc


def _check_time(world: World, text: str) -> None:
    if _MILLISECONDS.fullmatch(text) is None:
        raise Refusal("SA1001", "timestamp")
    written = datetime.fromtimestamp(int(text) / 1000, BEIJING)
    if abs(world.clock.now() - written) > TIME_SKEW:
        raise Refusal("SA1004")


def _check_shapes(members: Mapping[str, Any]) -> None:
    _match(_SHAPES, members)
    proofs = members.get("proofs", [])
    if not isinstance(proofs, list) or not all(isinstance(proof, dict) for proof in proofs):
        raise Refusal("SA1001", "proofs")
    for proof in proofs:
        if not proof.keys() >= _PROOF_SHAPES.keys():
            raise Refusal("SA2014")
        _match(_PROOF_SHAPES, proof)
    for side in ("owner", "member"):
        card = members.get(f"{side}IdType") == _IDENTITY_CARD
        if card and not _is_card_number(str(members.get(f"{side}IdNo", ""))):
            raise Refusal("SA1001", f"{side}IdNo")


def _match(shapes: Mapping[str, re.Pattern[str]], members: Mapping[str, Any]) -> None:
    for name, shape in shapes.items():
        value = members.get(name)
        if value is not None and not (isinstance(value, str) and shape.fullmatch(value)):
            raise Refusal("SA1001", name)


def _is_card_number(text: str) -> bool:
    """18 characters and the right check digit."""
    if _CARD.fullmatch(text) is None:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, text[:17], strict=True))
    return text[17] == _CHECK_DIGITS[total % 11]
