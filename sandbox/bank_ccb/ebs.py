"""
The bank's client program (外联平台): the form and its XML, records of payments and refunds, and the refund itself.

Source: sheet bank.md section 2.4. Worse than the bank perhaps is: a REFUND_CODE sent again moves money again.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Final
from urllib.parse import parse_qsl
from xml.etree import ElementTree as Xml
from xml.sax.saxutils import escape

from sandbox.bank_ccb.faults import BankCcbFault
from sandbox.bank_ccb.notices import PAYER_NAME
from sandbox.bank_ccb.orders import (
    ANSWERED,
    MESSAGES,
    NO_RECORD,
    REFUSES_REFUND,
    TOO_LATE,
    TOO_MUCH,
    Order,
    Refund,
    Refusal,
    day_of,
    merchants_number,
)
from sandbox.bank_ccb.world import World
from sandbox.clock import BEIJING
from sandbox.money import fen_of, yuan_of

ACCOUNT: Final = "621700****9999"
UNSETTLED: Final = "0"

REFUND_WINDOW: Final = timedelta(days=365)
"""The bank's own is unknown."""

_FORM_FIELD: Final = "requestXml"
_NUMBER: Final = re.compile(r"[0-9]{1,16}")
_MONEY: Final = re.compile(r"[0-9]{1,9}\.[0-9]{2}")
_REFUND_CODE: Final = re.compile(r"[0-9A-Za-z]{0,15}")

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EbsCall:
    """One admitted question."""

    number: str
    tx_code: str
    info: Fields = field(repr=False)

    @property
    def order_id(self) -> str:
        return self.info.get("ORDER", "")


def read_call(world: World, body: bytes) -> EbsCall:
    """
    Read the form and its XML, and check who asks.

    Raises:
        Refusal: With what does not fit.
    """
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True, encoding="gb18030", errors="replace")
    if [name for name, _ in pairs] != [_FORM_FIELD] or "<!" in pairs[0][1]:
        raise Refusal("SANDBOX0001", _FORM_FIELD)
    try:
        root = Xml.fromstring(re.sub(r"^<\?xml[^>]*\?>", "", pairs[0][1]))  # noqa: S314  no declaration passed
    except Xml.ParseError as exc:
        raise Refusal("SANDBOX0001", "XML") from exc
    head = {child.tag: (child.text or "").strip() for child in root}
    identity = world.keys.identity
    who = (identity.merchant_id, identity.operator, world.keys.password)
    if (head.get("CUST_ID"), head.get("USER_ID"), head.get("PASSWORD")) != who:
        raise Refusal("SANDBOX0002")
    number, tx_code = head.get("REQUEST_SN", ""), head.get("TX_CODE", "")
    if root.tag != "TX" or head.get("LANGUAGE") != "CN" or not _NUMBER.fullmatch(number) or tx_code not in OPERATIONS:
        raise Refusal("SANDBOX0001", "TX")
    info = {child.tag: (child.text or "").strip() for child in root.iterfind("TX_INFO/*")}
    return EbsCall(number=number, tx_code=tx_code, info=info)


def run(world: World, call: EbsCall) -> str:
    """
    Do it; returns TX_INFO's inside.

    Raises:
        Refusal: It cannot be done, or this REQUEST_SN was used.
    """
    if call.number in world.book.request_numbers:
        raise Refusal("SANDBOX0003")
    world.book.request_numbers.add(call.number)
    return _RUNS[call.tx_code](world, call)


def written(world: World, call: EbsCall | None, outcome: str | Refusal, *, encoding: str = "GB18030") -> bytes:
    """An answer's XML; that of a refusal has neither CUST_ID nor TX_CODE nor TX_INFO, as was seen of the bank."""
    number = call.number if call else ""
    if isinstance(outcome, Refusal):
        inner = _elements({"REQUEST_SN": number, "RETURN_CODE": outcome.code, "RETURN_MSG": outcome.message})
    else:
        head = {
            "REQUEST_SN": number,
            "CUST_ID": world.keys.identity.merchant_id,
            "TX_CODE": call.tx_code if call else "",
            "RETURN_CODE": ANSWERED,
            "RETURN_MSG": MESSAGES[ANSWERED],
            "LANGUAGE": "CN",
        }
        inner = f"{_elements(head)}<TX_INFO>{outcome}</TX_INFO>"
    return f'<?xml version="1.0" encoding="{encoding}" standalone="yes" ?>\n<TX>{inner}</TX>'.encode(encoding)


def _payments(world: World, call: EbsCall) -> str:
    """5W1002: each try of the payer is a record; an order that nobody tried to pay has none."""
    order = _known(world, call)
    number = merchants_number(order.order_id)
    shown = [
        {
            "TRAN_DATE": _moment(one.at),
            "ACC_DATE": f"{day_of(one.at):%Y%m%d}",
            "ORDER": order.order_id,
            "ACCOUNT": ACCOUNT,
            "ACC_NAME": PAYER_NAME,
            "PAYMENT_MONEY": yuan_of(order.amount_fen),
            "REFUND_MONEY": yuan_of(order.refunded_fen),
            "POS_ID": world.keys.identity.pos_id,
            "REM1": order.request["REMARK1"],
            "REM2": order.request["REMARK2"],
            "ORDER_STATUS": order.record_status(one),
        }
        for one in order.tries
        if _is_listed(world, call, one.at, operation="query", number=number)
    ]
    return _page(shown, "PAGE_COUNT")


def _refunds(world: World, call: EbsCall) -> str:
    """5W1003."""
    order = _known(world, call)
    number = merchants_number(order.order_id)
    hidden = world.fault(BankCcbFault.REFUND_CODE_HIDDEN, operation="refund_query", out_trade_no=number)
    shown = [
        {
            "TRAN_DATE": _moment(order.created_at),
            "REFUND_DATE": _moment(refund.at),
            "ORDER_NUMBER": order.order_id,
            "REFUND_ACCOUNT": ACCOUNT,
            "PAY_AMOUNT": yuan_of(order.amount_fen),
            "REFUNDEMENT_AMOUNT": yuan_of(refund.amount_fen),
            "POS_CODE": world.keys.identity.pos_id,
            "USERID": world.keys.identity.operator,
            "STATUS": refund.status,
            "REFUND_CODE": "" if hidden else refund.code,
        }
        for refund in order.refunds
        if _is_listed(world, call, refund.at, operation="refund_query", number=number)
    ]
    return _page(shown, "TPAGE")


def _refund(world: World, call: EbsCall) -> str:
    """5W1004."""
    order = _known(world, call)
    money, code = call.info.get("MONEY", ""), call.info.get("REFUND_CODE", "")
    if _MONEY.fullmatch(money) is None or _REFUND_CODE.fullmatch(code) is None or not fen_of(money):
        raise Refusal("SANDBOX0004")
    if order.paid is None:
        raise Refusal(NO_RECORD)
    if order.reserved_fen + fen_of(money) > order.amount_fen:
        raise Refusal(TOO_MUCH)
    if world.clock.now() - order.paid.at > REFUND_WINDOW:
        raise Refusal(TOO_LATE)
    number = merchants_number(order.order_id)
    if world.fault(BankCcbFault.REFUND_REFUSED, operation="refund", out_trade_no=number):
        raise Refusal(REFUSES_REFUND)
    taken = Refund(code=code, amount_fen=fen_of(money), at=world.clock.now())
    order.refunds.append(taken)
    world.clock.call_later(world.refund_seconds, partial(_complete, world, taken))
    return _elements(
        {
            "ORDER_NUM": order.order_id,
            "PAY_AMOUNT": yuan_of(order.amount_fen),
            "AMOUNT": yuan_of(taken.amount_fen),
            "REM1": "",
            "REM2": "",
        }
    )


_RUNS: Final[Mapping[str, Callable[[World, EbsCall], str]]] = {
    "5W1002": _payments,
    "5W1003": _refunds,
    "5W1004": _refund,
}
OPERATIONS: Final = {"5W1002": "query", "5W1003": "refund_query", "5W1004": "refund"}
"""The names that fault rules use."""


def _complete(world: World, taken: Refund) -> None:
    """The money is back. Runs as a job of the clock."""
    with world.lock:
        taken.done = True


def _known(world: World, call: EbsCall) -> Order:
    order = world.book.orders.get(call.order_id)
    if order is None:
        raise Refusal(NO_RECORD)
    return order


def _is_listed(world: World, call: EbsCall, at: datetime, *, operation: str, number: str) -> bool:
    """Today's under KIND 0, earlier ones under KIND 1; the other way round when they are mixed up."""
    unsettled = day_of(at) == day_of(world.clock.now())
    if world.fault(BankCcbFault.KIND_MIXED_UP, operation=operation, out_trade_no=number):
        unsettled = not unsettled
    return unsettled == (call.info.get("KIND") == UNSETTLED)


def _page(records: list[dict[str, str]], pages: str) -> str:
    """
    One page of records.

    Raises:
        Refusal: There is none.
    """
    if not records:
        raise Refusal(NO_RECORD)
    listed = "".join(f"<LIST>{_elements(record)}</LIST>" for record in records)
    return f"<CUR_PAGE>1</CUR_PAGE><{pages}>1</{pages}>{listed}<NOTICE></NOTICE>"


def _elements(values: Fields) -> str:
    return "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())


def _moment(at: datetime) -> str:
    return at.astimezone(BEIJING).strftime("%Y%m%d %H%M%S")
