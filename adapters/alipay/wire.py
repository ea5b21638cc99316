"""
Reads verified members into reports. Amounts are compared by nobody here: the caller holds what we stored.

It never takes `refund_fee` for one refund (it is the sum so far) and never takes TRADE_CLOSED at its word.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.alipay.config import AlipayAccount
from adapters.alipay.envelope import text_of
from adapters.alipay.tables import REFUND_STATE_BY_REFUND_STATUS, STATE_BY_TRADE_STATUS
from gateway.domain.clock import CHINA
from gateway.domain.money import fen_from_yuan
from gateway.domain.provider import PaymentRef, RefundRequest
from gateway.domain.report import (
    ProviderReport,
    RefundReport,
    ReportedRefundState,
    ReportedState,
    Source,
)

_WORD: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_TIME: Final = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]{1,6})?")
_OUT_TRADE_NO: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CHANNELS_ALL_DONE: Final = frozenset({"", "SUCCESS"})


class MemberUnreadable(ValueError):
    """A member that decides about money is missing or malformed. Names the member, never its value."""


def word_of(fields: Mapping[str, Any], name: str) -> str:
    """A member that is one plain word of ASCII; "" for anything else."""
    text = text_of(fields, name)
    return text if _WORD.fullmatch(text) else ""


def out_trade_no_of(fields: Mapping[str, Any]) -> str:
    """
    Our number for the payment.

    Raises:
        MemberUnreadable: Missing, or no such number could be ours.
    """
    text = text_of(fields, "out_trade_no")
    if not _OUT_TRADE_NO.fullmatch(text):
        raise MemberUnreadable("out_trade_no is missing or malformed")
    return text


def amount_of(fields: Mapping[str, Any], name: str) -> int | None:
    """
    An amount in fen; None when the member is absent or empty.

    Raises:
        MemberUnreadable: There, but no amount in yuan.
    """
    if fields.get(name) in (None, ""):
        return None
    try:
        return fen_from_yuan(text_of(fields, name))
    except ValueError:
        raise MemberUnreadable(f"{name} is malformed") from None


def time_of(fields: Mapping[str, Any], *names: str) -> datetime | None:
    """The first of these members that is a time (Beijing, no zone on the wire); a malformed one costs no payment."""
    for name in names:
        match = _TIME.fullmatch(text_of(fields, name))
        if match is None:
            continue
        try:
            return datetime.strptime(match[1], "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA)
        except ValueError:
            continue
    return None


def contradictions_of(fields: Mapping[str, Any], account: AlipayAccount) -> tuple[str, ...]:
    """
    The identity members of a notification that are not ours; a missing one is not ours either.

    An app that calls for itself may leave `auth_app_id` out.
    Source: vendor's notification page, mandatory checks (mirror).
    """
    ours = {"app_id": account.app_id, "auth_app_id": account.auth_app_id, "seller_id": account.seller_id}
    if "auth_app_id" not in fields and account.auth_app_id == account.app_id:
        del ours["auth_app_id"]
    return tuple(name for name, expected in ours.items() if fields.get(name) != expected)


def trade_report(fields: Mapping[str, Any], *, source: Source, contradictions: tuple[str, ...] = ()) -> ProviderReport:
    """
    Read a trade: the members of a notification (trade_status_sync) or of an answer to alipay.trade.query.

    Raises:
        MemberUnreadable: The number, the status or an amount is malformed, or a paid trade tells no amount.
    """
    trade_status = word_of(fields, "trade_status")
    if not trade_status:
        raise MemberUnreadable("trade_status is missing or malformed")
    amount_fen = amount_of(fields, "total_amount")
    refunded_fen = amount_of(fields, "refund_fee")
    paid_at = time_of(fields, "gmt_payment", "send_pay_date")
    state = _state(trade_status, source=source, paid=paid_at is not None, refunded=bool(refunded_fen))
    if state is ReportedState.PAID and amount_fen is None:
        raise MemberUnreadable("total_amount is missing")
    if state is ReportedState.PAID and trade_status == "TRADE_CLOSED" and not refunded_fen:
        refunded_fen = amount_fen
    if refunded_fen and amount_fen is not None and refunded_fen > amount_fen:
        contradictions = (*contradictions, "refund_fee")
    occurred_at = paid_at if state is ReportedState.PAID else time_of(fields, "gmt_close", "gmt_create")
    return ProviderReport(
        source=source,
        out_trade_no=out_trade_no_of(fields),
        state=state,
        provider_status=trade_status,
        amount_fen=amount_fen,
        provider_trade_no=word_of(fields, "trade_no") or None,
        occurred_at=occurred_at,
        refund=_refund_of_notice(fields) if refunded_fen and state is ReportedState.PAID else None,
        refunded_total_fen=refunded_fen,
        contradictions=contradictions,
    )


def _state(trade_status: str, *, source: Source, paid: bool, refunded: bool) -> ReportedState:
    """
    A status we do not know is UNKNOWN. TRADE_CLOSED is unpaid, or paid and wholly refunded, by its other members.

    A closed trade with a payment time but no refunded sum: a query's answer never tells the sum, so there it is a
    payment wholly refunded; in a notification it contradicts itself, and only a query can tell.
    Source: vendor's trade_status table and notification page (mirrors).
    """
    state = STATE_BY_TRADE_STATUS.get(trade_status, ReportedState.UNKNOWN)
    if state is not ReportedState.CLOSED:
        return state
    if refunded or (paid and source is Source.QUERY):
        return ReportedState.PAID
    return ReportedState.UNKNOWN if paid else ReportedState.CLOSED


def _refund_of_notice(fields: Mapping[str, Any]) -> RefundReport | None:
    """One refund's part of a notification: Alipay tells its number and time, but only the sum of all amounts."""
    number = word_of(fields, "out_biz_no") or None
    refunded_at = time_of(fields, "gmt_refund")
    if number is None and refunded_at is None:
        return None
    refund_status = word_of(fields, "refund_status") or "REFUND_SUCCESS"
    return RefundReport(
        out_refund_no=number,
        state=REFUND_STATE_BY_REFUND_STATUS.get(refund_status, ReportedRefundState.UNKNOWN),
        occurred_at=refunded_at,
    )


def bare_report(payment: PaymentRef, state: ReportedState, word: str, fields: Mapping[str, Any]) -> ProviderReport:
    """A report of an answer that tells a state and hardly anything else."""
    return ProviderReport(
        source=Source.ANSWER,
        out_trade_no=payment.out_trade_no,
        state=state,
        provider_status=word,
        provider_trade_no=word_of(fields, "trade_no") or None,
    )


def refund_answer_report(refund: RefundRequest, fields: Mapping[str, Any]) -> ProviderReport:
    """
    Read the answer to a refund. Only fund_change=Y says that THIS call moved money; everything else must be asked.

    A refunded sum below this very refund contradicts fund_change=Y, so it must be asked, too.
    Source: vendor's refund page (mirror); vectors res-refund-ok and res-refund-replay.

    Raises:
        MemberUnreadable: refund_fee is malformed.
    """
    refunded_fen = amount_of(fields, "refund_fee")
    fund_change = word_of(fields, "fund_change")
    moved = fund_change == "Y" and (refunded_fen is None or refunded_fen >= refund.amount_fen)
    return ProviderReport(
        source=Source.ANSWER,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.PAID if moved or refunded_fen else ReportedState.UNKNOWN,
        provider_status=f"fund_change={fund_change}",
        provider_trade_no=word_of(fields, "trade_no") or None,
        refund=RefundReport(
            out_refund_no=refund.out_refund_no,
            state=ReportedRefundState.SUCCEEDED if moved else ReportedRefundState.UNKNOWN,
            amount_fen=refund.amount_fen if moved else None,
            occurred_at=time_of(fields, "gmt_refund_pay") if moved else None,
        ),
        refunded_total_fen=refunded_fen,
    )


def refund_query_report(refund: RefundRequest, fields: Mapping[str, Any], *, early: bool) -> ProviderReport:
    """
    Read the answer to a refund query. An absent refund_status means not received or failed, but not while it is early.

    A payment from several funds may be refunded in part of them: that is no success, and waits for an operator.
    Source: vendor SDK java, AlipayTradeFastpayRefundQueryResponse (field comments, 2024).

    Raises:
        MemberUnreadable: An amount is malformed.
    """
    refund_status = word_of(fields, "refund_status")
    if refund_status:
        state = REFUND_STATE_BY_REFUND_STATUS.get(refund_status, ReportedRefundState.UNKNOWN)
    else:
        state = ReportedRefundState.UNKNOWN if early else ReportedRefundState.NOT_FOUND
    done = state is ReportedRefundState.SUCCEEDED
    if done and text_of(fields, "refund_channel_status") not in _CHANNELS_ALL_DONE:
        state = ReportedRefundState.ABNORMAL
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.PAID if done else ReportedState.UNKNOWN,
        provider_status=refund_status or word_of(fields, "sub_code"),
        amount_fen=amount_of(fields, "total_amount"),
        provider_trade_no=word_of(fields, "trade_no") or None,
        refund=RefundReport(
            out_refund_no=refund.out_refund_no,
            state=state,
            amount_fen=amount_of(fields, "refund_amount"),
            occurred_at=time_of(fields, "gmt_refund_pay"),
        ),
    )
