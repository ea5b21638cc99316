"""Reads proven fields of queries, answers and notifies. Refuses doubtful numbers and amounts."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from adapters.unionpay.config import Config
from adapters.unionpay.tables import payment_state_of, refund_state_of
from adapters.unionpay.wire import CURRENCY_CODE, TXN_PAYMENT, TXN_REFUND, TXN_UNDO
from gateway.domain.clock import CHINA
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.provider import RefundRequest
from gateway.domain.report import (
    CURRENCY,
    ProviderReport,
    RefundReport,
    ReportedRefundState,
    ReportedState,
    Source,
)

PAY_MARGIN: Final = timedelta(minutes=10)
"""How long after the last moment to pay a failure is still not believed; own choice."""

REFUND_TYPES: Final = frozenset({TXN_REFUND, TXN_UNDO})

_QUERY_TYPE: Final = "00"
_NUMBER: Final = re.compile(r"[0-9A-Za-z]{1,40}")
_CODE: Final = re.compile(r"[0-9A-Z]{2}")
_FEN: Final = re.compile(r"[0-9]{1,12}")
_DIGITS: Final = re.compile(r"[0-9]{1,10}")
_TXN_TIME: Final = re.compile(r"20[0-9]{12}")
_TRACE_TIME: Final = re.compile(r"[0-9]{10}")
_HALF_A_YEAR: Final = timedelta(days=182)

Fields = Mapping[str, str]


def payment_report(config: Config, fields: Fields, source: Source, *, code: str, at: datetime) -> ProviderReport:
    """
    What a query's answer or a notify says of a payment.

    The amount is `txnAmt`: `settleAmt` may be less after a discount. UnionPay's number is taken when paid alone: a
    failed try has another one than the good try after it.
    Source: sheet sections 6 to 8; vectors responses.json, notifies.json.

    Args:
        code: Name of the field with the verdict: origRespCode of a query, respCode of a notify.
        at: When the message is judged.

    Raises:
        ValueError: With the name of the field that is missing or malformed.
    """
    word = required(fields, code, _CODE)
    state = payment_state_of(word, over=_is_over(config, fields, at))
    amount_fen = _fen(fields)
    if state is ReportedState.PAID and amount_fen is None:
        raise ValueError("txnAmt")
    paid = state is ReportedState.PAID
    return ProviderReport(
        source=source,
        out_trade_no=required(fields, "orderId", _NUMBER),
        state=state,
        provider_status=word,
        amount_fen=amount_fen,
        currency=_currency(fields),
        provider_trade_no=_optional(fields, "queryId", _NUMBER) if paid else None,
        occurred_at=_occurred_at(fields) if paid else None,
        contradictions=_contradictions(config, fields, {TXN_PAYMENT}),
    )


def refund_notify_report(config: Config, fields: Fields) -> ProviderReport:
    """
    What a notify says of a refund or an undo; unlike a payment's, it also comes for a failure.

    Our payment is named by `reqReserved`, which we sent. Without it (a refund made in the merchant's console) no
    payment can be named: the report then carries the refund's own number, which no payment has, and is an orphan.

    Raises:
        ValueError: As `payment_report`.
    """
    number = required(fields, "orderId", _NUMBER)
    payment_number = fields.get("reqReserved", "")
    named = payment_number if _NUMBER.fullmatch(payment_number) else number
    return _refund_report(config, fields, Source.CALLBACK, code="respCode", out_trade_no=named, number=number)


def refund_query_report(config: Config, fields: Fields, refund: RefundRequest) -> ProviderReport:
    """
    What a query's answer says of a refund.

    Raises:
        ValueError: As `payment_report`.
    """
    return _refund_report(
        config,
        fields,
        Source.QUERY,
        code="origRespCode",
        out_trade_no=refund.out_trade_no,
        number=refund.out_refund_no,
    )


def refund_accepted_report(config: Config, fields: Fields, refund: RefundRequest) -> ProviderReport:
    """
    A refund or an undo that was taken: the money moves later. Source: sheet section 7; vector responses.json.

    Raises:
        ValueError: As `payment_report`; or it names another payment of UnionPay's.
    """
    if fields.get("origQryId", refund.provider_trade_no) != refund.provider_trade_no:
        raise ValueError("origQryId")
    return ProviderReport(
        source=Source.ANSWER,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.UNKNOWN,
        provider_status=required(fields, "respCode", _CODE),
        refund=RefundReport(
            out_refund_no=refund.out_refund_no,
            state=ReportedRefundState.SUBMITTED,
            amount_fen=_fen(fields),
            provider_refund_no=_optional(fields, "queryId", _NUMBER),
        ),
        contradictions=_contradictions(config, fields, REFUND_TYPES),
    )


def no_such_payment(out_trade_no: str, word: str) -> ProviderReport:
    """UnionPay does not know the number: the payer has not reached its page yet, or never will."""
    return ProviderReport(
        source=Source.QUERY, out_trade_no=out_trade_no, state=ReportedState.NOT_FOUND, provider_status=word
    )


def no_such_refund(refund: RefundRequest, word: str) -> ProviderReport:
    """UnionPay does not know the refund; of the payment itself that says nothing."""
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.UNKNOWN,
        provider_status=word,
        refund=RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.NOT_FOUND),
    )


def required(fields: Fields, name: str, pattern: re.Pattern[str]) -> str:
    """
    The field's text.

    Raises:
        ValueError: With the field's name: it is missing, or does not match as a whole.
    """
    value = fields.get(name, "")
    if pattern.fullmatch(value) is None:
        raise ValueError(name)
    return value


def _refund_report(
    config: Config, fields: Fields, source: Source, *, code: str, out_trade_no: str, number: str
) -> ProviderReport:
    word = required(fields, code, _CODE)
    state = refund_state_of(word)
    done = state is ReportedRefundState.SUCCEEDED
    amount_fen = _fen(fields)
    if done and amount_fen is None:
        raise ValueError("txnAmt")
    return ProviderReport(
        source=source,
        out_trade_no=out_trade_no,
        # Only paid money goes back; a refund under way or refused proves nothing of the payment.
        state=ReportedState.PAID if done else ReportedState.UNKNOWN,
        provider_status=word,
        currency=_currency(fields),
        provider_trade_no=_optional(fields, "origQryId", _NUMBER),
        refund=RefundReport(
            out_refund_no=number,
            state=state,
            amount_fen=amount_fen,
            provider_refund_no=_optional(fields, "queryId", _NUMBER),
            occurred_at=_occurred_at(fields) if done else None,
        ),
        contradictions=_contradictions(config, fields, REFUND_TYPES),
    )


def _contradictions(config: Config, fields: Fields, txn_types: frozenset[str] | set[str]) -> tuple[str, ...]:
    """The merchant must be there and ours; a query may echo its own type. Source: sheet sections 7 and 8."""
    wrong = ["merId"] if fields.get("merId") != config.mer_id else []
    wrong += ["txnType"] if fields.get("txnType", _QUERY_TYPE) not in {*txn_types, _QUERY_TYPE} else []
    return tuple(wrong)


def _is_over(config: Config, fields: Fields, at: datetime) -> bool:
    """True when nobody can pay any more; `txnTime` is when we created the payment."""
    created_at = _beijing(required(fields, "txnTime", _TXN_TIME))
    if created_at is None:
        raise ValueError("txnTime")
    return at > created_at + config.pay_time + PAY_MARGIN


def _occurred_at(fields: Fields) -> datetime | None:
    """`traceTime` has no year: it is the one nearest to `txnTime`. A time we cannot read is a time unsaid."""
    trace_time, asked_at = fields.get("traceTime", ""), _beijing(fields.get("txnTime", ""))
    if asked_at is None or _TRACE_TIME.fullmatch(trace_time) is None:
        return None
    moments = (_beijing(f"{year}{trace_time}") for year in (asked_at.year - 1, asked_at.year, asked_at.year + 1))
    return next((moment for moment in moments if moment and abs(moment - asked_at) < _HALF_A_YEAR), None)


def _beijing(text: str) -> datetime | None:
    if _TXN_TIME.fullmatch(text) is None:
        return None
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=CHINA)
    except ValueError:
        return None


def _currency(fields: Fields) -> str | None:
    code = _optional(fields, "currencyCode", _DIGITS)
    return CURRENCY if code == CURRENCY_CODE else code


def _fen(fields: Fields) -> int | None:
    text = _optional(fields, "txnAmt", _FEN)
    if text is None:
        return None
    if int(text) > AMOUNT_FEN_MAX:
        raise ValueError("txnAmt")
    return int(text)


def _optional(fields: Fields, name: str, pattern: re.Pattern[str]) -> str | None:
    return required(fields, name, pattern) if fields.get(name) else None
