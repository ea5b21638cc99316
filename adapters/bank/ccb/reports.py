"""Reads the records that the bank's client program gave. Takes no refund for another."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from adapters.bank.ccb.config import Config
from adapters.bank.ccb.ebs import Answer
from adapters.bank.ccb.ebs_xml import Element
from adapters.bank.ccb.numbers import order_id_of, refund_code_of
from adapters.bank.ccb.tables import STATE_BY_ORDER_STATUS, payment_state_of, refund_state_of
from gateway.domain.clock import CHINA
from gateway.domain.money import AMOUNT_FEN_MAX, fen_from_yuan
from gateway.domain.provider import PaymentRef, RefundRequest
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source

PAY_MARGIN: Final = timedelta(minutes=10)
"""How long after the last moment to pay a failed try is still not believed to be the last; own choice."""

_WORD: Final = re.compile(r"[0-9A-Za-z]{1,8}")
_NOT_DIGITS: Final = re.compile(r"[^0-9]+")
_SECOND: Final = re.compile(r"20[0-9]{12}")


def payment_report(config: Config, payment: PaymentRef, records: Sequence[Element], *, now: datetime) -> ProviderReport:
    """
    What the records of one order say of the payment. Each try of the payer may have left one.

    Source: sheet section 2.4; vector ccb_ebs_xml.json.

    Raises:
        ValueError: With the name of the field that is missing or malformed.
    """
    words = [_word(record, "ORDER_STATUS") for record in records]
    state = payment_state_of(words) if records else ReportedState.NOT_FOUND
    if state is ReportedState.FAILED and now <= payment.created_at + config.pay_time + PAY_MARGIN:
        state = ReportedState.PENDING
    paid = [
        record
        for record, word in zip(records, words, strict=True)
        if STATE_BY_ORDER_STATUS.get(word) is ReportedState.PAID
    ]
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=payment.out_trade_no,
        state=state,
        provider_status=",".join(sorted(set(words))),
        amount_fen=_required_fen(paid[0], "PAYMENT_MONEY") if paid else None,
        occurred_at=_moment(paid[0].get("TRAN_DATE")) if paid else None,
        refunded_total_fen=_fen(paid[0], "REFUND_MONEY") if paid else None,
        contradictions=_contradictions(config, records, paid),
    )


def refund_report(refund: RefundRequest, records: Sequence[Element]) -> ProviderReport:
    """
    What the refund records of one order say of one refund.

    A record without a code that could be this refund or another of the same amount says "unknown".

    Raises:
        ValueError: As `payment_report`.
    """
    own = [record for record in records if _is_own(refund, record)]
    if not own:
        doubtful = any(_may_be_own(refund, record) for record in records)
        return _refund_said(refund, ReportedRefundState.UNKNOWN if doubtful else ReportedRefundState.NOT_FOUND, "")
    words = [_word(record, "STATUS") for record in own]
    state = refund_state_of(words)
    if state is not ReportedRefundState.SUCCEEDED:
        return _refund_said(refund, state, ",".join(sorted(set(words))))
    done = [record for record, word in zip(own, words, strict=True) if refund_state_of([word]) is state]
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.PAID,  # only paid money goes back
        provider_status=",".join(sorted(set(words))),
        amount_fen=_fen(done[0], "PAY_AMOUNT"),
        refund=RefundReport(
            out_refund_no=refund.out_refund_no,
            state=state,
            amount_fen=sum(_refunded_fen(record) for record in done),
            occurred_at=_moment(done[0].get("REFUND_DATE")),
        ),
    )


def refund_taken_report(refund: RefundRequest, answer: Answer) -> ProviderReport:
    """
    A refund that the bank took: 5W1003 tells whether the money is back.

    Source: sheet section 2.4; vector refund-ok. That "taken" may still wait for the bank: two public clients.

    Raises:
        ValueError: As `payment_report`; or it is about another order or amount.
    """
    expected = {"ORDER_NUM": order_id_of(refund.out_trade_no)}
    if any(answer.body.get(name) != value for name, value in expected.items()):
        raise ValueError("ORDER_NUM")
    if _required_fen(answer.body, "AMOUNT") != refund.amount_fen:
        raise ValueError("AMOUNT")
    return _refund_said(refund, ReportedRefundState.SUBMITTED, answer.code, source=Source.ANSWER)


def _refund_said(
    refund: RefundRequest, state: ReportedRefundState, word: str, *, source: Source = Source.QUERY
) -> ProviderReport:
    known = state is not ReportedRefundState.NOT_FOUND
    return ProviderReport(
        source=source,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.UNKNOWN,
        provider_status=word,
        refund=RefundReport(
            out_refund_no=refund.out_refund_no, state=state, amount_fen=refund.amount_fen if known else None
        ),
    )


def _is_own(refund: RefundRequest, record: Element) -> bool:
    """By its code; without one only the whole payment's refund, of which there can be but one."""
    code = record.get("REFUND_CODE")
    if code:
        return code == refund_code_of(refund.out_refund_no)
    return refund.amount_fen == refund.total_fen and _may_be_own(refund, record)


def _may_be_own(refund: RefundRequest, record: Element) -> bool:
    """Without a code, of our amount, and not failed."""
    if record.get("REFUND_CODE") or refund_state_of([_word(record, "STATUS")]) is ReportedRefundState.FAILED:
        return False
    return _refunded_fen(record) == refund.amount_fen


def _contradictions(config: Config, records: Sequence[Element], paid: Sequence[Element]) -> tuple[str, ...]:
    """The counter must be ours where it is named; an order is paid once."""
    foreign = any(record.get("POS_ID") not in {"", config.pos_id} for record in records)
    return (("POS_ID",) if foreign else ()) + (("ORDER",) if len(paid) > 1 else ())


def _word(record: Element, name: str) -> str:
    word = record.get(name)
    if _WORD.fullmatch(word) is None:
        raise ValueError(name)
    return word


def _refunded_fen(record: Element) -> int:
    """The field has two names. Source: sheet section 2.4."""
    return _required_fen(record, "REFUNDEMENT_AMOUNT" if record.get("REFUNDEMENT_AMOUNT") else "REFUND_MONEY")


def _required_fen(record: Element, name: str) -> int:
    amount_fen = _fen(record, name)
    if amount_fen is None:
        raise ValueError(name)
    return amount_fen


def _fen(record: Element, name: str) -> int | None:
    text = record.get(name)
    if not text:
        return None
    try:
        amount_fen = fen_from_yuan(text)
    except ValueError:
        raise ValueError(name) from None
    if amount_fen > AMOUNT_FEN_MAX:
        raise ValueError(name)
    return amount_fen


def _moment(text: str) -> datetime | None:
    """Beijing time, however it is punctuated; a time that we cannot read is a time unsaid."""
    digits = _NOT_DIGITS.sub("", text)
    if _SECOND.fullmatch(digits) is None:
        return None
    try:
        return datetime.strptime(digits, "%Y%m%d%H%M%S").replace(tzinfo=CHINA)
    except ValueError:
        return None
