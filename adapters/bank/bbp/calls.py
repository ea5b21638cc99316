"""Reads the body of a proven request as what the bank asks. Source: sheet sections 8.2 and 8.3."""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time
from hashlib import sha256
from types import MappingProxyType
from typing import Any, Final

from adapters.bank.bbp.dayfile import check_day_file, file_name_pattern
from adapters.bank.bbp.tables import CHANNELS, ID_TYPES, VERSION, Call
from gateway.domain.biller import (
    BillerAsk,
    BillerReason,
    BillerRefused,
    BillQuestion,
    DayFile,
    Institution,
    PaymentNotice,
    PaymentQuestion,
    ResultQuestion,
    ReversalNotice,
)
from gateway.domain.biller_front import DayFileRefused

CONTENT_CHARACTERS_MAX: Final = 5 << 20
"""content_base64. Source: section 8.3."""

_AMOUNT_MAX: Final = 99_999_999
_BILLS_MAX: Final = 50
_LIST_MAX: Final = 10_000
_SERIAL: Final = r"[0-9A-Za-z_\-]{1,64}"
_SHORT: Final = r"[^\x00-\x1f\x7f]{1,64}"
_TEXT: Final = r"[^\x00-\x1f\x7f]{1,128}"
_DATE: Final = r"[0-9]{8}"
_TIME: Final = r"[0-9]{6}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """A JSON object whose members are read one by one; null and an empty text count as left out."""

    values: Mapping[str, Any] = field(repr=False)

    def has(self, name: str) -> bool:
        return self.values.get(name) not in (None, "")

    def text(self, name: str, pattern: str) -> str:
        """A text that matches as a whole."""
        value = self._needed(name)
        if not isinstance(value, str) or re.fullmatch(pattern, value) is None:
            raise BillerRefused(BillerReason.FORMAT)
        return value

    def optional(self, name: str, pattern: str) -> str | None:
        return self.text(name, pattern) if self.has(name) else None

    def whole(self, name: str, least: int, most: int, *, default: int | None = None) -> int:
        """A JSON integer: no text, no true, no 1.0."""
        value = default if default is not None and not self.has(name) else self._needed(name)
        if type(value) is not int or not least <= value <= most:
            raise BillerRefused(BillerReason.FORMAT)
        return value

    def amount(self, name: str) -> int:
        """Fen. Source: section 8.2."""
        value = self._needed(name)
        if type(value) is not int or not 0 < value <= _AMOUNT_MAX:
            raise BillerRefused(BillerReason.AMOUNT_FORM)
        return value

    def date(self, name: str) -> date:
        digits = self.text(name, _DATE)
        try:
            return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
        except ValueError:
            raise BillerRefused(BillerReason.FORMAT) from None

    def time(self, name: str) -> time:
        digits = self.text(name, _TIME)
        try:
            return time(int(digits[:2]), int(digits[2:4]), int(digits[4:]))
        except ValueError:
            raise BillerRefused(BillerReason.FORMAT) from None

    def _needed(self, name: str) -> Any:
        if not self.has(name):
            raise BillerRefused(BillerReason.FIELD_MISSING)
        return self.values[name]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every reader is given beside the body."""

    institution: Institution
    received_at: datetime


def check_head(head: Members, call: Call) -> None:
    """
    Raises:
        BillerRefused: field_missing, format; call: the tran_code of another address.
    """
    if head.text("version", _SHORT) != VERSION:
        raise BillerRefused(BillerReason.FORMAT)
    if head.text("tran_code", _SHORT) != call.value:
        raise BillerRefused(BillerReason.CALL)
    head.date("tran_date")
    head.time("tran_time")
    head.text("tran_seq", _SERIAL)


def read_body(call: Call, body: Members, frame: Frame) -> BillerAsk:
    """
    Raises:
        BillerRefused: field_missing, format, amount_form.
    """
    return _READERS[call](body, frame)


def _biller(body: Members, frame: Frame) -> str:
    biller_id = body.text("biller_id", _SHORT)
    if biller_id not in frame.institution.billers:
        raise BillerRefused(BillerReason.FORMAT)
    return biller_id


def _day(body: Members, frame: Frame, name: str) -> date:
    """An accounting date; one that cannot have begun is a mistake."""
    day = body.date(name)
    if day > max(frame.institution.open_days(frame.received_at)):
        raise BillerRefused(BillerReason.FORMAT)
    return day


def _bills(body: Members, frame: Frame) -> BillerAsk:
    return BillQuestion(
        biller_id=_biller(body, frame),
        id_type=ID_TYPES[body.text("id_type", "|".join(ID_TYPES))],
        id_number=body.text("id_no", r"[0-9]{17}[0-9Xx]").upper(),
        insured_year=int(body.text("year", r"20[0-9]{2}")),
        region=body.optional("area_code", r"[0-9]{6}"),
        name=body.optional("name", _SHORT),
        first=body.whole("begin_num", 1, _LIST_MAX, default=1),
        count=body.whole("query_num", 1, _BILLS_MAX, default=_BILLS_MAX),
    )


def _payment(body: Members, frame: Frame) -> BillerAsk:
    bank_date = _day(body, frame, "bank_date")
    return PaymentNotice(
        biller_id=_biller(body, frame),
        bank_date=bank_date,
        bank_seq=body.text("bank_seq", _SERIAL),
        occurred_at=frame.institution.booked_at(bank_date, body.time("bank_time")),
        bill_no=body.text("bill_no", _SERIAL),
        amount_fen=body.amount("amount"),
        bill_version=body.optional("bill_version", _SHORT),
        channel=body.text("channel", "|".join(sorted(CHANNELS))).lower(),
    )


def _payment_question(body: Members, frame: Frame) -> BillerAsk:
    return PaymentQuestion(
        biller_id=_biller(body, frame), bank_date=body.date("bank_date"), bank_seq=body.text("bank_seq", _SERIAL)
    )


def _reversal(body: Members, frame: Frame) -> BillerAsk:
    return ReversalNotice(
        biller_id=_biller(body, frame),
        bank_date=_day(body, frame, "bank_date"),
        bank_seq=body.text("bank_seq", _SERIAL),
        original_date=_day(body, frame, "orig_bank_date"),
        original_seq=body.text("orig_bank_seq", _SERIAL),
        amount_fen=body.amount("amount"),
        note=body.text("reason", _TEXT),
    )


def _file(body: Members, frame: Frame) -> BillerAsk:
    biller_id, bank_date = _biller(body, frame), _day(body, frame, "bank_date")
    file_name = body.text("file_name", file_name_pattern(frame.institution.id, biller_id, bank_date).pattern)
    body.text("mode", "INLINE")
    content = _content(body)
    said = (body.whole("total_count", 0, 10**7), body.whole("net_amount", -(10**16), 10**16))
    digest = body.text("sha256", r"[0-9a-f]{64}")
    fault, lines = "", 0
    try:
        if sha256(content).hexdigest() != digest:
            raise DayFileRefused("sha256 does not agree with the content")
        totals = check_day_file(content, frame.institution, bank_date)
        lines = totals.count
        if said != (totals.count, totals.net_fen):
            raise DayFileRefused("total_count or net_amount does not agree with the content")
    except DayFileRefused as exc:
        fault = str(exc)
    return DayFile(
        biller_id=biller_id, bank_date=bank_date, file_name=file_name, content=content, lines=lines, fault=fault
    )


def _content(body: Members) -> bytes:
    text = body.text("content_base64", r"[0-9A-Za-z+/]*={0,2}")
    if len(text) > CONTENT_CHARACTERS_MAX:
        raise BillerRefused(BillerReason.FORMAT)
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise BillerRefused(BillerReason.FORMAT) from None


def _result_question(body: Members, frame: Frame) -> BillerAsk:
    return ResultQuestion(biller_id=_biller(body, frame), bank_date=body.date("bank_date"))


_READERS: Final[Mapping[Call, Callable[[Members, Frame], BillerAsk]]] = MappingProxyType(
    {
        Call.BILLS: _bills,
        Call.PAY: _payment,
        Call.PAYMENT: _payment_question,
        Call.REVERSE: _reversal,
        Call.FILE: _file,
        Call.RESULT: _result_question,
    }
)
