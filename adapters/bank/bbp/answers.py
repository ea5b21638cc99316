"""Writes what the core decided as the body of an answer. Source: sheet section 8.3; names of people are masked."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from adapters.bank.bbp.config import Config
from adapters.bank.bbp.tables import (
    BILL_STATUS,
    CODE_BY_REASON,
    DIFFERENCE_TYPE,
    FILE_STATUS,
    STANDING_STATUS,
)
from gateway.domain.biller import (
    Bill,
    BillerOutcome,
    BillPage,
    DayResult,
    FileReceipt,
    PaymentReceipt,
    PaymentStanding,
    ReversalReceipt,
)
from gateway.domain.clock import CHINA

_MASK: Final = "*"


def answer_body(config: Config, outcome: BillerOutcome) -> dict[str, Any]:
    """The answer's `body`; a refusal has none."""
    write = _WRITERS.get(type(outcome))
    return write(config, outcome) if write is not None else {}


def masked(name: str) -> str:
    """A name of which only the last character can be read: 张三 is *三."""
    return _MASK * (len(name) - 1) + name[-1:] if len(name) > 1 else _MASK * len(name)


def _date(instant: datetime | None) -> str:
    return instant.astimezone(CHINA).strftime("%Y%m%d") if instant is not None else ""


def _bills(config: Config, page: BillPage) -> dict[str, Any]:
    return {"total_num": page.total, "bills": [_bill(config, bill) for bill in page.bills]}


def _bill(config: Config, bill: Bill) -> dict[str, Any]:
    return {
        "bill_no": bill.bill_no,
        "name_masked": masked(bill.name),
        "area_code": bill.region,
        "area_name": config.area_names.get(bill.region, ""),
        "year": str(bill.insured_year),
        "insutype": config.insurance_types.get(bill.insurance_kind, ""),
        "amount": bill.amount_fen,
        "status": BILL_STATUS[bill.state],
        "start_date": _date(bill.opened_at),
        "due_date": _date(bill.expires_at),
        "can_pay": bill.reason is None,
        "reason_code": CODE_BY_REASON[bill.reason][0] if bill.reason is not None else "",
        "version": bill.version,
    }


def _receipt(_config: Config, receipt: PaymentReceipt) -> dict[str, Any]:
    return {
        "order_no": receipt.order_id,
        "bill_no": receipt.bill_no,
        "receipt_no": receipt.receipt_no,
        "accept_date": _date(receipt.accepted_at),
        "duplicate": receipt.is_duplicate,
    }


def _standing(_config: Config, found: PaymentStanding) -> dict[str, Any]:
    return {
        "status": STANDING_STATUS[found.standing],
        "order_no": found.order_id or "",
        "receipt_no": found.receipt_no or "",
        "amount": found.amount_fen,
        "accept_date": _date(found.accepted_at),
    }


def _reversal(_config: Config, receipt: ReversalReceipt) -> dict[str, Any]:
    return {"order_no": receipt.order_id or "", "reversed": True, "status": STANDING_STATUS[receipt.standing]}


def _file(_config: Config, receipt: FileReceipt) -> dict[str, Any]:
    return {"recon_no": receipt.file_id, "status": FILE_STATUS[receipt.state]}


def _result(_config: Config, result: DayResult) -> dict[str, Any]:
    differences = [
        {
            "bank_seq": each.bank_seq,
            "type": DIFFERENCE_TYPE[each.kind],
            "bank_amount": each.bank_amount_fen,
            "our_amount": each.our_amount_fen,
        }
        for each in result.differences
    ]
    return {"status": FILE_STATUS[result.state], "matched_count": result.matched, "diffs": differences}


_WRITERS: Final[Mapping[type, Callable[[Config, Any], dict[str, Any]]]] = MappingProxyType(
    {
        BillPage: _bills,
        PaymentReceipt: _receipt,
        PaymentStanding: _standing,
        ReversalReceipt: _reversal,
        FileReceipt: _file,
        DayResult: _result,
    }
)
