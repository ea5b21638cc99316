"""Reads the members of proven messages. Refuses doubtful numbers and amounts."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.bank.icbc.config import Config
from adapters.bank.icbc.messages import code_of
from adapters.bank.icbc.tables import DONE, payment_state_of, refund_state_of
from gateway.domain.clock import CHINA
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.provider import PaymentRef, RefundRequest
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source

PAY_MARGIN: Final = timedelta(minutes=10)
"""How long after the last moment to pay a failure is still not believed; own choice."""

_FEN: Final = re.compile(r"[0-9]{1,12}")
_NUMBER: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_WORD: Final = re.compile(r"[0-9A-Za-z_-]{1,16}")
_TIME_FORMATS: Final = {14: "%Y%m%d%H%M%S", 19: "%Y-%m-%d %H:%M:%S"}

Members = Mapping[str, Any]


def notify_report(config: Config, members: Members, app_id: str) -> ProviderReport:
    """
    What a notify says of a payment: paid when its return_code is 0 and pay_status, if it is there, is 0, too.

    Anything else proves nothing: the payer may try again in the same cashier, and a query tells.
    Source: sheet section 4.4; vector icbc_notify.json, ok and ok-failed-status.

    Raises:
        ValueError: With the name of the member that is missing or malformed.
    """
    code = str(code_of(members))
    pay_status = _optional(members, "pay_status", _WORD)
    paid = code == DONE and pay_status in (None, DONE)
    return _payment_report(
        config,
        members,
        Source.CALLBACK,
        out_trade_no=_required(members, "out_trade_no", _NUMBER),
        state=ReportedState.PAID if paid else ReportedState.UNKNOWN,
        word=code if pay_status is None else f"{code}/{pay_status}",
        contradictions=_contradictions(config, {"app_id": app_id, "mer_id": members.get("mer_id")}),
    )


def query_report(config: Config, members: Members, payment: PaymentRef, *, at: datetime) -> ProviderReport:
    """
    What an answer to a query says of the payment; total_amt is the order's, payment_amt is less after a discount.

    Source: sheet section 4.3; vector icbc_response.json, ok-query-paid.

    Raises:
        ValueError: As `notify_report`; or it is about another payment.
    """
    if _required(members, "out_trade_no", _NUMBER) != payment.out_trade_no:
        raise ValueError("out_trade_no")
    word = _optional(members, "pay_status", _WORD) or ""
    return _payment_report(
        config,
        members,
        Source.QUERY,
        out_trade_no=payment.out_trade_no,
        state=payment_state_of(word, over=_is_over(config, payment, at)),
        word=word,
        contradictions=_contradictions(config, {"mer_id": members.get("mer_id", config.mer_id)}),
    )


def refund_accepted_report(config: Config, members: Members, refund: RefundRequest) -> ProviderReport:
    """
    A refund that was taken, which is not yet money back. Source: sheet section 4.3; public clients then ask refundqry.

    Raises:
        ValueError: As `notify_report`; or it is about another refund.
    """
    return _refund_report(config, members, Source.ANSWER, refund, state=ReportedRefundState.SUBMITTED, word=DONE)


def refund_query_report(config: Config, members: Members, refund: RefundRequest) -> ProviderReport:
    """
    What an answer to a query says of a refund.

    Raises:
        ValueError: As `refund_accepted_report`.
    """
    word = _optional(members, "pay_status", _WORD) or ""
    return _refund_report(config, members, Source.QUERY, refund, state=refund_state_of(word), word=word)


def no_such_payment(payment: PaymentRef, word: str) -> ProviderReport:
    """The bank does not know the number: the payer has not reached its cashier yet, or never will."""
    return ProviderReport(
        source=Source.QUERY, out_trade_no=payment.out_trade_no, state=ReportedState.NOT_FOUND, provider_status=word
    )


def no_such_refund(refund: RefundRequest, word: str) -> ProviderReport:
    """The bank does not know the refund; of the payment itself that says nothing."""
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.UNKNOWN,
        provider_status=word,
        refund=RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.NOT_FOUND),
    )


def _payment_report(
    config: Config,
    members: Members,
    source: Source,
    *,
    out_trade_no: str,
    state: ReportedState,
    word: str,
    contradictions: tuple[str, ...],
) -> ProviderReport:
    paid = state is ReportedState.PAID
    amount_fen = _fen(members, "total_amt")
    if paid and amount_fen is None:
        raise ValueError("total_amt")
    return ProviderReport(
        source=source,
        out_trade_no=out_trade_no,
        state=state,
        provider_status=word,
        amount_fen=amount_fen,
        provider_trade_no=_optional(members, "order_id", _NUMBER) if paid else None,
        occurred_at=_moment(members.get("pay_time")) if paid else None,
        contradictions=contradictions,
    )


def _refund_report(
    config: Config, members: Members, source: Source, refund: RefundRequest, *, state: ReportedRefundState, word: str
) -> ProviderReport:
    for name, number in (("outtrx_serial_no", refund.out_refund_no), ("out_trade_no", refund.out_trade_no)):
        if _optional(members, name, _NUMBER) not in (None, number):
            raise ValueError(name)
    done = state is ReportedRefundState.SUCCEEDED
    amount_fen = _fen(members, "reject_amt")
    if done and amount_fen is None:
        raise ValueError("reject_amt")
    return ProviderReport(
        source=source,
        out_trade_no=refund.out_trade_no,
        # Only paid money goes back; a refund under way or refused proves nothing of the payment.
        state=ReportedState.PAID if done else ReportedState.UNKNOWN,
        provider_status=word,
        refund=RefundReport(
            out_refund_no=refund.out_refund_no,
            state=state,
            amount_fen=amount_fen,
            provider_refund_no=_optional(members, "intrx_serial_no", _NUMBER),
            occurred_at=_moment(members.get("refund_time")) if done else None,
        ),
        contradictions=_contradictions(config, {"mer_id": members.get("mer_id", config.mer_id)}),
    )


def _contradictions(config: Config, said: Mapping[str, Any]) -> tuple[str, ...]:
    ours = {"app_id": config.app_id, "mer_id": config.mer_id}
    return tuple(name for name, value in said.items() if value != ours[name])


def _is_over(config: Config, payment: PaymentRef, at: datetime) -> bool:
    """The cashier's time runs from its opening, which can be as late as the instruction's own end."""
    return at > payment.created_at + 2 * config.pay_time + PAY_MARGIN


def _required(members: Members, name: str, pattern: re.Pattern[str]) -> str:
    value = members.get(name)
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError(name)
    return value


def _optional(members: Members, name: str, pattern: re.Pattern[str]) -> str | None:
    return None if members.get(name) in (None, "") else _required(members, name, pattern)


def _fen(members: Members, name: str) -> int | None:
    text = _optional(members, name, _FEN)
    if text is None:
        return None
    if int(text) > AMOUNT_FEN_MAX:
        raise ValueError(name)
    return int(text)


def _moment(text: Any) -> datetime | None:
    """A time we cannot read is a time unsaid: a query's pay_time is a bare date. Source: vector ok-query-paid."""
    if not isinstance(text, str) or not text.isascii() or len(text) not in _TIME_FORMATS:
        return None
    try:
        return datetime.strptime(text, _TIME_FORMATS[len(text)]).replace(tzinfo=CHINA)
    except ValueError:
        return None
