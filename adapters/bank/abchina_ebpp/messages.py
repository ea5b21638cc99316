"""
The bank's questions and payments as values. Source: sheet of the bank apps, sections 3.4, 7 and 8.7; vector
abc_ebpp.json. The members of a payment (ProductID, PayType) are read in the vendor's demo; no live bank was asked.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import date, time
from typing import Final

from adapters.bank.abchina_ebpp.config import Config
from adapters.bank.trustpay import BANK_CHARSET, Malformed, element
from gateway.domain.biller import BillerAsk, BillerReason, BillerRefused, BillQuestion, BillState, PaymentNotice
from gateway.domain.money import fen_from_yuan

QUESTION: Final = "QRequest"
PAID: Final = "0000"

_ID_NUMBER: Final = re.compile(r"[0-9]{17}[0-9Xx]")
_YEAR: Final = re.compile(r"20[0-9]{2}")
_SERIAL: Final = re.compile(r"[0-9A-Za-z_\-]{1,60}")
_DATE: Final = re.compile(r"([0-9]{4})/([0-9]{2})/([0-9]{2})")
_TIME: Final = re.compile(r"([0-9]{2}):([0-9]{2}):([0-9]{2})")
_AMOUNT_FEN_MAX: Final = 99_999_999
_STATES_BY_PAY_STATUS: Final = {"1": frozenset({BillState.UNPAID}), "2": frozenset({BillState.PAID})}
_BOTH: Final = frozenset({BillState.UNPAID, BillState.PAID})


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """
    What a question says, and the answer repeats.

    Attributes:
        states: Which bills are wanted, by PayStatus.
    """

    number: str
    name: str
    year: str
    states: frozenset[BillState]


def is_question(inner: str) -> bool:
    """True for a question about bills, which has no result; everything else that the bank signs tells of a payment."""
    return "<MessageType>" in inner and "<ReturnCode>" not in inner


def read_conditions(config: Config, inner: str) -> Conditions:
    """
    Raises:
        BillerRefused: Another message, another biller, or a form that is not described.
    """
    try:
        if element(inner, "MessageType") != QUESTION:
            raise BillerRefused(BillerReason.CALL)
        asked = base64.b64decode(element(inner, "EBPPData"), validate=True).decode(BANK_CHARSET)
        if element(asked, "BillerNo") != config.biller_id:
            raise BillerRefused(BillerReason.FORMAT)
        return Conditions(
            number=element(asked, "PayerValue1"),
            name=element(asked, "PayerValue2", default=""),
            year=element(asked, "VerifyName1"),
            states=_STATES_BY_PAY_STATUS.get(element(asked, "PayStatus", default=""), _BOTH),
        )
    except (Malformed, binascii.Error, UnicodeDecodeError):
        raise BillerRefused(BillerReason.FORMAT) from None


def question(config: Config, conditions: Conditions) -> BillerAsk:
    """Section 8.7: the number is PayerValue1, the name PayerValue2, the year VerifyName1."""
    if _ID_NUMBER.fullmatch(conditions.number) is None or _YEAR.fullmatch(conditions.year) is None:
        raise BillerRefused(BillerReason.FORMAT)
    return BillQuestion(
        biller_id=config.biller_id,
        id_type="resident_id",
        id_number=conditions.number.upper(),
        insured_year=int(conditions.year),
        name=conditions.name or None,
    )


def read_payment(config: Config, inner: str) -> BillerAsk:
    """
    Section 8.7: the serial is OrderNo, the bank's own bill id; the bill is ProductID; the day is HostDate.

    Raises:
        BillerRefused: call: an attempt that failed. format, amount_form: another merchant's, or not as described.
    """
    try:
        if element(inner, "ReturnCode") != PAID:
            raise BillerRefused(BillerReason.CALL)  # an attempt that failed: no money has moved
        if element(inner, "MerchantID") != config.biller_id:
            raise BillerRefused(BillerReason.FORMAT)
        bank_date, clock_time = _date(element(inner, "HostDate")), _time(element(inner, "HostTime"))
        bank_seq, bill_no = element(inner, "OrderNo"), element(inner, "ProductID")
        amount_fen = fen_from_yuan(element(inner, "Amount"))
    except ValueError:  # Malformed is one
        raise BillerRefused(BillerReason.FORMAT) from None
    if _SERIAL.fullmatch(bank_seq) is None or _SERIAL.fullmatch(bill_no) is None:
        raise BillerRefused(BillerReason.FORMAT)
    if not 0 < amount_fen <= _AMOUNT_FEN_MAX:
        raise BillerRefused(BillerReason.AMOUNT_FORM)
    return PaymentNotice(
        biller_id=config.biller_id,
        bank_date=bank_date,
        bank_seq=bank_seq,
        occurred_at=config.institution.booked_at(bank_date, clock_time),
        bill_no=bill_no,
        amount_fen=amount_fen,
        channel="app",
    )


def _date(text: str) -> date:
    match = _DATE.fullmatch(text)
    if match is None:
        raise Malformed("HostDate")
    year, month, day = (int(part) for part in match.groups())
    return date(year, month, day)


def _time(text: str) -> time:
    match = _TIME.fullmatch(text)
    if match is None:
        raise Malformed("HostTime")
    hour, minute, second = (int(part) for part in match.groups())
    return time(hour, minute, second)
