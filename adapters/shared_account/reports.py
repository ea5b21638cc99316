"""Reads the platform's payment objects, whichever way they came. Refuses doubtful numbers and amounts."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from adapters.shared_account.config import Config
from adapters.shared_account.tables import CALL_REVOKED, ORD_STAS_REFUNDED, refund_state_of
from adapters.shared_account.wire import (
    fen_of,
    optional_text_of,
    our_number,
    read_instant,
    text_of,
    wire_number,
)
from gateway.domain.provider import PaymentRef, PaymentRequest, RefundRequest
from gateway.domain.report import (
    CURRENCY,
    ProviderReport,
    RefundReport,
    ReportedRefundState,
    ReportedState,
    Source,
)

_OUT_TRADE_NO: Final = re.compile(r"[A-Z0-9]{8,32}")
_REVOKE_SN: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_THEIR_NUMBER: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_WORD: Final = re.compile(r"[0-9A-Za-z_-]{1,32}")

_LIVING: Final = frozenset({ReportedState.PAID, ReportedState.PENDING})


def read_charge(config: Config, data: Mapping[str, Any], request: PaymentRequest) -> ProviderReport:
    """
    Read the answer to a charge: pending at most, for a query confirms what it says. An amount is told only of a paid
    one, so that a part of the premium is found out at once.

    Source: sheet section 4.3.

    Raises:
        ValueError: With the name of the member that is missing, malformed or about another payment.
    """
    ord_stas = text_of(data, "ordStas", _WORD)
    state = config.state_by_ord_stas.get(ord_stas, ReportedState.UNKNOWN)
    _must_be_about(request.out_trade_no, data)
    return ProviderReport(
        source=Source.ANSWER,
        out_trade_no=request.out_trade_no,
        state=ReportedState.PENDING if state in _LIVING and ord_stas != ORD_STAS_REFUNDED else ReportedState.UNKNOWN,
        provider_status=ord_stas,
        amount_fen=fen_of(data, "psnAcctPay") if state is ReportedState.PAID else None,
        provider_trade_no=optional_text_of(data, "payOrdId", _THEIR_NUMBER),
    )


def read_query(config: Config, data: Mapping[str, Any], payment: PaymentRef) -> ProviderReport:
    """
    Read the answer to a query. A revoked payment is a paid one whose whole amount went back.

    Source: sheet section 4.4.

    Raises:
        ValueError: As `read_charge`.
    """
    _must_be_about(payment.out_trade_no, data)
    ord_stas = text_of(data, "ordStas", _WORD)
    state = config.state_by_ord_stas.get(ord_stas, ReportedState.UNKNOWN)
    amount_fen, revoked = fen_of(data, "amt"), ord_stas == ORD_STAS_REFUNDED
    if state is ReportedState.PAID and amount_fen is None:
        raise ValueError("amt")
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=payment.out_trade_no,
        state=state,
        provider_status=ord_stas,
        amount_fen=amount_fen,
        currency=None if amount_fen is None else CURRENCY,
        provider_trade_no=optional_text_of(data, "payOrdId", _THEIR_NUMBER),
        occurred_at=read_instant(data.get("payTime")),
        refund=_revoked(data, amount_fen) if revoked else None,
        refunded_total_fen=amount_fen if revoked else None,
        contradictions=_contradictions(data, ord_stas, state, payment),
    )


def read_notice(config: Config, data: Mapping[str, Any]) -> ProviderReport:
    """
    Read the data of a callback, paid (02) or revoked (03). What a paid notice says beside paid is for a query.

    Source: sheet section 4.6; vector `envelope.json`, callbacks.

    Raises:
        ValueError: As `read_charge`.
    """
    ord_stas = text_of(data, "ordStas", _WORD)
    state = config.state_by_ord_stas.get(ord_stas, ReportedState.UNKNOWN)
    amount_fen = fen_of(data, "psnAcctPay")
    revoked = data.get("callType") == CALL_REVOKED
    if amount_fen is None and (revoked or state is ReportedState.PAID):
        raise ValueError("psnAcctPay")
    if revoked:
        state = ReportedState.PAID
    elif state not in _LIVING or ord_stas == ORD_STAS_REFUNDED:
        state = ReportedState.UNKNOWN
    proven = revoked and ord_stas == ORD_STAS_REFUNDED
    return ProviderReport(
        source=Source.CALLBACK,
        out_trade_no=our_number(text_of(data, "outTradeNo", _OUT_TRADE_NO)),
        state=state,
        provider_status=ord_stas,
        amount_fen=amount_fen,
        currency=None if amount_fen is None else CURRENCY,
        provider_trade_no=text_of(data, "payOrdId", _THEIR_NUMBER),
        occurred_at=None if revoked else read_instant(data.get("tradeTime")),
        refund=_notice_refund(data, amount_fen, proven=proven) if revoked else None,
        refunded_total_fen=amount_fen if proven else None,
    )


def read_revoke(data: Mapping[str, Any], refund: RefundRequest) -> ProviderReport:
    """
    Read the answer to a revoke.

    Source: sheet section 4.5.

    Raises:
        ValueError: As `read_charge`.
    """
    ref_status = text_of(data, "refStatus", _WORD)
    if text_of(data, "revokeSn", _REVOKE_SN) != wire_number(refund.out_refund_no):
        raise ValueError("revokeSn")
    state = refund_state_of(ref_status)
    done = state is ReportedRefundState.SUCCEEDED
    occurred_at = read_instant(data.get("revTime")) if done else None
    told = RefundReport(out_refund_no=refund.out_refund_no, state=state, occurred_at=occurred_at)
    return refund_report(refund, Source.ANSWER, ref_status, told)


def read_refund_query(config: Config, data: Mapping[str, Any], refund: RefundRequest) -> ProviderReport:
    """
    Read a query's answer as news of one revoke of ours.

    A payment is revoked whole and once. So a revoked one under our number, or under none, is ours; one under another
    number proves that ours was not done; a paid one without any number has not heard of ours.
    Source: sheet sections 4.4, 4.5; the rule is ours.

    Raises:
        ValueError: As `read_charge`.
    """
    payment = PaymentRef(
        out_trade_no=refund.out_trade_no,
        amount_fen=refund.total_fen,
        method=refund.method,
        created_at=refund.requested_at,
        provider_trade_no=refund.provider_trade_no,
    )
    report = read_query(config, data, payment)
    revoke_sn = optional_text_of(data, "revokeSn", _REVOKE_SN)
    is_ours = revoke_sn in (None, wire_number(refund.out_refund_no))
    is_done = is_ours and report.refunded_total_fen is not None
    told = RefundReport(
        out_refund_no=refund.out_refund_no,
        state=_revoke_state(report, revoke_sn, is_ours=is_ours),
        amount_fen=report.refunded_total_fen if is_done else None,
        occurred_at=read_instant(data.get("revTime")) if is_done else None,
    )
    return replace(report, refund=told)


def refund_report(refund: RefundRequest, source: Source, provider_status: str, told: RefundReport) -> ProviderReport:
    """What is said of a revoke; a proven end of it, either way, says that the payment itself was paid."""
    ended = told.state in (ReportedRefundState.SUCCEEDED, ReportedRefundState.FAILED)
    return ProviderReport(
        source=source,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.PAID if ended else ReportedState.UNKNOWN,
        provider_status=provider_status,
        refund=told,
    )


def no_such_payment(out_trade_no: str, source: Source, code: str) -> ProviderReport:
    """The platform does not know this number."""
    return ProviderReport(source=source, out_trade_no=out_trade_no, state=ReportedState.NOT_FOUND, provider_status=code)


def _revoke_state(report: ProviderReport, revoke_sn: str | None, *, is_ours: bool) -> ReportedRefundState:
    if report.refunded_total_fen is not None:
        return ReportedRefundState.SUCCEEDED if is_ours else ReportedRefundState.FAILED
    unheard_of = report.state is ReportedState.PAID and revoke_sn is None
    return ReportedRefundState.NOT_FOUND if unheard_of else ReportedRefundState.UNKNOWN


def _revoked(data: Mapping[str, Any], amount_fen: int | None) -> RefundReport | None:
    revoke_sn = optional_text_of(data, "revokeSn", _REVOKE_SN)
    if revoke_sn is None:
        return None
    return RefundReport(
        out_refund_no=our_number(revoke_sn),
        state=ReportedRefundState.SUCCEEDED,
        amount_fen=amount_fen,
        occurred_at=read_instant(data.get("revTime")),
    )


def _notice_refund(data: Mapping[str, Any], amount_fen: int | None, *, proven: bool) -> RefundReport:
    revoke_sn = optional_text_of(data, "revokeSn", _REVOKE_SN)
    return RefundReport(
        out_refund_no=our_number(revoke_sn) if revoke_sn else None,
        state=ReportedRefundState.SUCCEEDED if proven else ReportedRefundState.UNKNOWN,
        amount_fen=amount_fen,
        occurred_at=read_instant(data.get("tradeTime")) if proven else None,
    )


def _contradictions(
    data: Mapping[str, Any], ord_stas: str, state: ReportedState, payment: PaymentRef
) -> tuple[str, ...]:
    """Whole amount or nothing, and the platform's number is the one that it told before."""
    wrong = []
    if (
        state is ReportedState.PAID
        and ord_stas != ORD_STAS_REFUNDED
        and fen_of(data, "psnAcctPay") != fen_of(data, "amt")
    ):
        wrong.append("psnAcctPay")
    told = optional_text_of(data, "payOrdId", _THEIR_NUMBER)
    if payment.provider_trade_no and told not in (None, payment.provider_trade_no):
        wrong.append("payOrdId")
    return tuple(wrong)


def _must_be_about(out_trade_no: str, data: Mapping[str, Any]) -> None:
    """A signature does not name the request: a proven answer about another number is not an answer to ours."""
    if text_of(data, "outTradeNo", _OUT_TRADE_NO) != wire_number(out_trade_no):
        raise ValueError("outTradeNo")
