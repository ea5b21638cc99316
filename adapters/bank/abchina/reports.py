"""Reads proven messages: a query's order, the answer to a refund, a notify. Refuses doubtful numbers and amounts."""

import base64
import binascii
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from adapters.bank.abchina.config import Config
from adapters.bank.abchina.tables import SUCCEEDED, payment_state_of, refund_state_of
from adapters.bank.trustpay import BANK_CHARSET, element
from gateway.domain.clock import CHINA
from gateway.domain.money import AMOUNT_FEN_MAX, fen_from_yuan
from gateway.domain.provider import PaymentRef, RefundRequest
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.strict_json import parse_strict_json_object

PAY_MARGIN: Final = timedelta(minutes=10)
"""How long after the last moment to pay "unpaid" and "failed" are still not believed; own choice."""

_NUMBER: Final = re.compile(r"[0-9A-Za-z_-]{1,60}")
_REFERENCE: Final = re.compile(r"[0-9A-Za-z_-]{1,64}")
_CODE: Final = re.compile(r"[0-9A-Za-z]{1,16}")

Fields = Mapping[str, Any]


def read_order(order: str, number: str, pay_type_id: str) -> Fields:
    """
    The order that a query's answer holds: JSON in GBK in base64, and about our number.

    Source: sheet section 3.3; vector abc_response.json, ok-query-order-base64.

    Raises:
        ValueError: With what is missing or wrong.
    """
    try:
        raw = base64.b64decode(order.encode("ascii"), validate=True)
        fields = parse_strict_json_object(raw.decode(BANK_CHARSET))
    except (binascii.Error, ValueError):
        raise ValueError("Order") from None
    if fields.get("OrderNo") != number:
        raise ValueError("OrderNo")
    if fields.get("PayTypeID", pay_type_id) != pay_type_id:
        raise ValueError("PayTypeID")
    return fields


def payment_report(config: Config, order: Fields, payment: PaymentRef, at: datetime) -> ProviderReport:
    """
    What a query says of a payment.

    Args:
        at: When the answer is judged.

    Raises:
        ValueError: With the name of the field that is missing or malformed.
    """
    status = _text(order, "Status", _CODE)
    state = payment_state_of(status, over=at > payment.created_at + config.pay_time + PAY_MARGIN)
    amount_fen = _fen(order, "OrderAmount")
    if state is ReportedState.PAID and amount_fen is None:
        raise ValueError("OrderAmount")
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=payment.out_trade_no,
        state=state,
        provider_status=status,
        amount_fen=amount_fen,
        provider_trade_no=_text(order, "iRspRef", _REFERENCE) if order.get("iRspRef") else None,
    )


def refund_report(order: Fields, refund: RefundRequest) -> ProviderReport:
    """
    What a query says of a refund. `OrderAmount` may be the payment's, so that `RefundAmount` alone is taken.

    Raises:
        ValueError: As `payment_report`.
    """
    status = _text(order, "Status", _CODE)
    state = refund_state_of(status)
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=refund.out_trade_no,
        # Only paid money goes back; a refund under way or refused proves nothing of the payment.
        state=ReportedState.PAID if state is ReportedRefundState.SUCCEEDED else ReportedState.UNKNOWN,
        provider_status=status,
        refund=RefundReport(
            out_refund_no=refund.out_refund_no,
            state=state,
            amount_fen=_fen(order, "RefundAmount"),
            provider_refund_no=_text(order, "iRspRef", _REFERENCE) if order.get("iRspRef") else None,
        ),
    )


def refund_accepted_report(answer: Fields, refund: RefundRequest) -> ProviderReport:
    """
    `0000` on a refund: accepted (受理), which is not done.

    Source: sheet section 3.3; vector abc_response.json, ok-refund.

    Raises:
        ValueError: It names other orders, or an amount that cannot be read.
    """
    if answer.get("NewOrderNo") != refund.out_refund_no:
        raise ValueError("NewOrderNo")
    if answer.get("OrderNo", refund.out_trade_no) != refund.out_trade_no:
        raise ValueError("OrderNo")
    return ProviderReport(
        source=Source.ANSWER,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.UNKNOWN,
        provider_status=SUCCEEDED,
        refund=RefundReport(
            out_refund_no=refund.out_refund_no,
            state=ReportedRefundState.SUBMITTED,
            amount_fen=_fen(answer, "TrxAmount"),
            provider_refund_no=_text(answer, "iRspRef", _REFERENCE) if answer.get("iRspRef") else None,
        ),
    )


def notify_report(config: Config, inner: str) -> ProviderReport:
    """
    What a proven notify says: paid on `0000`. Any other code may be one try of several, and is left to a query.

    The bank signs for all its merchants with one key, and an order's number is the merchant's own choice: a notify that
    does not name us may be about another one's order of the same number, and is left to a query as well. Whether the
    bank names the merchant in a notify of an order is unverified.
    Source: sheet section 3.4; vector abc_notify.json.

    Raises:
        ValueError: With the name of the field that is missing, there twice, or malformed.
    """
    fields = {name: element(inner, name, default="") for name in ("Amount", "MerchantID", "iRspRef")}
    code = _text({"ReturnCode": element(inner, "ReturnCode")}, "ReturnCode", _CODE)
    paid = code == SUCCEEDED and fields["MerchantID"] != ""
    amount_fen = _fen(fields, "Amount")
    if paid and amount_fen is None:
        raise ValueError("Amount")
    return ProviderReport(
        source=Source.CALLBACK,
        out_trade_no=_text({"OrderNo": element(inner, "OrderNo")}, "OrderNo", _NUMBER),
        state=ReportedState.PAID if paid else ReportedState.UNKNOWN,
        provider_status=code,
        amount_fen=amount_fen,
        provider_trade_no=_text(fields, "iRspRef", _REFERENCE) if paid and fields["iRspRef"] else None,
        occurred_at=_occurred_at(inner) if paid else None,
        contradictions=("MerchantID",) if fields["MerchantID"] not in ("", config.merchant_id) else (),
    )


def no_such_payment(out_trade_no: str) -> ProviderReport:
    """The query was answered and holds no order."""
    return ProviderReport(
        source=Source.QUERY, out_trade_no=out_trade_no, state=ReportedState.NOT_FOUND, provider_status=SUCCEEDED
    )


def no_such_refund(refund: RefundRequest) -> ProviderReport:
    """The query was answered and holds no such refund; of the payment itself that says nothing."""
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.UNKNOWN,
        provider_status=SUCCEEDED,
        refund=RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.NOT_FOUND),
    )


def _text(fields: Fields, name: str, pattern: re.Pattern[str]) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise ValueError(name)
    return value


def _fen(fields: Fields, name: str) -> int | None:
    """An amount in yuan; None where it is not said."""
    value = fields.get(name, "")
    if value == "":
        return None
    try:
        amount_fen = fen_from_yuan(value) if isinstance(value, str) else -1
    except ValueError:
        raise ValueError(name) from None
    if not 0 <= amount_fen <= AMOUNT_FEN_MAX:
        raise ValueError(name)
    return amount_fen


def _occurred_at(inner: str) -> datetime | None:
    """HostDate and HostTime, Beijing time. A time we cannot read is a time unsaid."""
    text = f"{element(inner, 'HostDate', default='')} {element(inner, 'HostTime', default='')}"
    try:
        return datetime.strptime(text, "%Y/%m/%d %H:%M:%S").replace(tzinfo=CHINA)
    except ValueError:
        return None
