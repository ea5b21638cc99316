"""Builds the business object of each request from the request and the settings alone, without empty members."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from adapters.shared_account.config import Config
from adapters.shared_account.methods import owner_of
from adapters.shared_account.people import person_members
from gateway.domain.clock import CHINA
from gateway.domain.money import AMOUNT_FEN_MAX, fen_from_yuan, yuan_from_fen
from gateway.domain.order import Person, PremiumSubject
from gateway.domain.provider import PaymentRef, PaymentRequest, RefundRequest

_OUR_NUMBER: Final = re.compile(r"[A-Z0-9]{8,32}")
_OUR_HEX: Final = re.compile(r"[0-9A-F]{32}")
_YUAN: Final = re.compile(r"[0-9]{1,9}\.[0-9]{2}")
_INSTANT: Final = re.compile(r"20[0-9]{12}")
_REASON_CHARACTERS_MAX: Final = 80
_REASON_WITHOUT_TEXT: Final = "退费"
_NOT_TEXT: Final = frozenset({"Cc", "Cs"})


def owner_question(config: Config, owner: Person) -> dict[str, Any]:
    """Source: sheet section 4.1, list."""
    return dict(person_members(config.id_types, "owner", owner))


def balance_question(config: Config, owner: Person, region: str) -> dict[str, Any]:
    """Source: sheet section 4.2."""
    return {**owner_question(config, owner), "insuplcAdmdvs": region}


def binding_question(config: Config, owner: Person, member: Person, region: str) -> dict[str, Any]:
    """Source: sheet section 4.1, check."""
    return {
        **person_members(config.id_types, "owner", owner),
        **person_members(config.id_types, "member", member),
        "insuplcAdmdvs": region,
    }


def charge_data(config: Config, request: PaymentRequest, req_sn: str) -> dict[str, Any]:
    """
    The charge, whole amount, for the insured person, region, year and kind of the order. Equal requests differ in
    `reqSn` alone, which traces one call.

    Source: sheet section 4.3; vector `envelope.json`, charge request.

    Raises:
        ValueError: With the name of the member that cannot be sent.
    """
    fields, subject = request.fields, subject_of(request)
    if not 0 < request.amount_fen <= AMOUNT_FEN_MAX:
        raise ValueError("amt")
    if subject.region not in config.regions:
        raise ValueError("insuplcAdmdvs")
    if subject.insurance_kind not in config.insutypes:
        raise ValueError("insutype")
    return {
        "outTradeNo": wire_number(request.out_trade_no),
        "bindId": fields["bind_id"],
        **binding_question(config, owner_of(fields), subject.insured, subject.region),
        "insuYear": f"{subject.insured_year:04d}",
        "insutype": config.insutypes[subject.insurance_kind],
        "amt": yuan_from_fen(request.amount_fen),
        "payAuthNo": fields["pay_auth_no"],
        "notifyUrl": request.notify_url,
        "expireTime": wire_instant(request.expires_at),
        "reqSn": req_sn,
    }


def subject_of(request: PaymentRequest) -> PremiumSubject:
    """
    The premium that is paid.

    Raises:
        ValueError: The order names none.
    """
    if request.subject is None:
        raise ValueError("memberIdNo")
    return request.subject


def query_data(out_trade_no: str, provider_trade_no: str | None) -> dict[str, Any]:
    """Source: sheet section 4.4; both numbers are sent where both are known, and must agree there."""
    return {"outTradeNo": wire_number(out_trade_no)} | ({"payOrdId": provider_trade_no} if provider_trade_no else {})


def refund_data(refund: RefundRequest) -> dict[str, Any]:
    """
    The revoke (撤销) of a whole paid payment.

    Source: sheet section 4.5.

    Raises:
        ValueError: A part only, or a number that cannot be sent.
    """
    if refund.amount_fen != refund.total_fen or not 0 < refund.amount_fen <= AMOUNT_FEN_MAX:
        raise ValueError("amt")
    return {
        **query_data(refund.out_trade_no, refund.provider_trade_no),
        "revokeSn": wire_number(refund.out_refund_no),
        "amt": yuan_from_fen(refund.amount_fen),
        "reason": clean_text(refund.reason) or _REASON_WITHOUT_TEXT,
    }


def reversal_data(payment: PaymentRef) -> dict[str, Any]:
    """
    The reversal (冲正) of a payment whose outcome is unknown: its own number serves as revokeSn, the same on every try.

    Source: sheet section 4.5, last paragraph.
    """
    return {
        **query_data(payment.out_trade_no, payment.provider_trade_no),
        "revokeSn": wire_number(payment.out_trade_no),
        "amt": yuan_from_fen(payment.amount_fen),
        "reason": "冲正",
    }


def statement_data(day: date, region: str) -> dict[str, Any]:
    """Source: sheet section 4.8."""
    return {"stmtDate": wire_day(day), "insuplcAdmdvs": region}


# --- numbers, times and amounts, both ways ----------------------------------------------------------------------------


def wire_number(number: str) -> str:
    """
    Our lower-case number in the platform's alphabet, [A-Z0-9]{8,32}. Source: sheet section 4.3.

    Raises:
        ValueError: It does not fit.
    """
    upper = number.upper()
    if _OUR_NUMBER.fullmatch(upper) is None:
        raise ValueError("number")
    return upper


def our_number(wire: str) -> str:
    """A number from the wire as we keep ours; one that we cannot have made stays as it is."""
    return wire.lower() if _OUR_HEX.fullmatch(wire) else wire


def wire_instant(instant: datetime) -> str:
    return instant.astimezone(CHINA).strftime("%Y%m%d%H%M%S")


def wire_day(day: date) -> str:
    return day.strftime("%Y%m%d")


def read_instant(text: object) -> datetime | None:
    """A time we cannot read is a time unsaid: no payment is given up for it."""
    if not isinstance(text, str) or _INSTANT.fullmatch(text) is None:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=CHINA)
    except ValueError:
        return None


def read_yuan(text: object) -> int:
    """
    Fen of a yuan text with exactly two decimals.

    Raises:
        ValueError: Anything else, or above our limit.
    """
    if not isinstance(text, str) or _YUAN.fullmatch(text) is None:
        raise ValueError("amount")
    amount_fen = fen_from_yuan(text)
    if amount_fen > AMOUNT_FEN_MAX:
        raise ValueError("amount")
    return amount_fen


def clean_text(text: str) -> str:
    """Without control characters and halves of characters, cut to a length (the limit is ours)."""
    return "".join(sign for sign in text if unicodedata.category(sign) not in _NOT_TEXT)[:_REASON_CHARACTERS_MAX]


def text_of(members: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    """
    A member that must be there.

    Raises:
        ValueError: With its name.
    """
    value = optional_text_of(members, name, pattern)
    if value is None:
        raise ValueError(name)
    return value


def optional_text_of(members: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str | None:
    """
    A member that may be missing, null or "".

    Raises:
        ValueError: With its name: it is there and malformed.
    """
    value = members.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError(name)
    return value


def fen_of(members: Mapping[str, Any], name: str) -> int | None:
    """
    An amount that may be missing.

    Raises:
        ValueError: With its name: it is there and malformed.
    """
    value = members.get(name)
    if value is None or value == "":
        return None
    try:
        return read_yuan(value)
    except ValueError:
        raise ValueError(name) from None
