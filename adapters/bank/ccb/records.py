"""Questions to the bank's client program about one order, and the records (流水) that it answers with."""

from collections.abc import Sequence
from typing import Final

from adapters.bank.ccb.config import Config
from adapters.bank.ccb.ebs import Answer
from adapters.bank.ccb.ebs_xml import Element
from adapters.bank.ccb.numbers import order_id_of, refund_code_of
from adapters.bank.ccb.tables import SUCCEEDED
from gateway.domain.money import yuan_from_fen
from gateway.domain.provider import RefundRequest

PAYMENTS: Final = "5W1002"
REFUNDS: Final = "5W1003"
REFUND: Final = "5W1004"

UNSIGNED: Final = {"SIGN_INFO": "", "SIGNCERT": ""}
"""Beside a refund's TX_INFO: the program adds its certificate itself. Source: sheet section 2.4."""

_ORDER_FIELD: Final = {PAYMENTS: "ORDER", REFUNDS: "ORDER_NUMBER"}
_PAGES_FIELD: Final = {PAYMENTS: "PAGE_COUNT", REFUNDS: "TPAGE"}
_ONE_PAGE: Final = frozenset({"", "0", "1"})


def question(order_id: str, kind: str) -> dict[str, str]:
    """
    TX_INFO of 5W1002 and 5W1003: all records of one order, whatever became of them, of all counters.

    With an order's number the time span has no effect. Source: sheet section 2.4; values: two public clients.
    """
    return {
        **dict.fromkeys(("START", "STARTHOUR", "STARTMIN", "END", "ENDHOUR", "ENDMIN"), ""),
        "KIND": kind,
        "ORDER": order_id,
        "ACCOUNT": "",
        "DEXCEL": "1",
        "MONEY": "",
        "NORDERBY": "2",
        "PAGE": "1",
        "POS_CODE": "",
        "STATUS": "3",
    }


def refund_order(refund: RefundRequest) -> dict[str, str]:
    """TX_INFO of 5W1004. Source: sheet section 2.4."""
    return {
        "MONEY": yuan_from_fen(refund.amount_fen),
        "ORDER": order_id_of(refund.out_trade_no),
        "REFUND_CODE": refund_code_of(refund.out_refund_no),
    }


def records_of(config: Config, answer: Answer, tx_code: str, order_id: str) -> Sequence[Element]:
    """
    The records of an answer, all of them about this order; none where the bank knows none.

    Raises:
        ValueError: With the name of what does not fit: another order's record, or a second page.
        LookupError: The code says neither "answered" nor "no such record".
    """
    if answer.code in config.no_record_codes:
        return ()
    if answer.code != SUCCEEDED:
        raise LookupError(answer.code)
    if answer.body.get(_PAGES_FIELD[tx_code]) not in _ONE_PAGE:
        raise ValueError(_PAGES_FIELD[tx_code])
    records = answer.body.all("LIST")
    if any(record.get(_ORDER_FIELD[tx_code]) != order_id for record in records):
        raise ValueError(_ORDER_FIELD[tx_code])
    return records
