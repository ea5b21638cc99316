"""Values to request bytes, verified members to reports. Equal requests give equal bytes; nothing is guessed."""

import json
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from adapters.newbank.config import Config
from adapters.newbank.tables import refund_state_of, state_of
from gateway.domain.clock import CHINA
from gateway.domain.money import fen_from_yuan, yuan_from_fen
from gateway.domain.provider import InstructionKind, Method, MethodField, PaymentRef, PaymentRequest, RefundRequest
from gateway.domain.report import CURRENCY, ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source

ORDER_PATH: Final = "/pay/orders"
QUERY_PATH: Final = "/pay/orders/query"
CLOSE_PATH: Final = "/pay/orders/close"
REFUND_PATH: Final = "/pay/refunds"
REFUND_QUERY_PATH: Final = "/pay/refunds/query"
"""Fact to replace: where each call goes, below base_url (source: section of each interface)."""

METHODS: Final[Mapping[str, Method]] = {
    "qr": Method(name="qr", title="扫码支付", instruction=InstructionKind.QR_TEXT),
    "h5": Method(
        name="h5",
        title="手机网页支付",
        instruction=InstructionKind.REDIRECT,
        fields={
            "return_url": MethodField(
                required=False,
                pattern=r"https?://[!-~]{1,240}",
                description="Where the browser comes back to; it proves nothing",
            )
        },
    ),
}
"""
Fact to replace: the products of the contract, the bank's own words as names, and what the front end must send for each
(source: section on products). Where each can be opened is said in gateway/domain/entry.py, METHOD_SURFACES.
"""

PAY_TYPE_BY_METHOD: Final[Mapping[str, str]] = {"qr": "QR", "h5": "H5"}
PAYLOAD_MEMBER: Final[Mapping[str, str]] = {"qr": "text", "h5": "url"}
"""What the instruction calls the bank's `pay_url` (see `gateway.domain.provider.Instruction`)."""

_SUBJECT_CHARACTERS_MAX: Final = 64
_REASON_CHARACTERS_MAX: Final = 32
_WITHOUT_TEXT: Final = "缴费"
"""Fact to replace: how long these texts may be, in characters or in bytes (source: section on the order, fields)."""

_NOT_TEXT: Final = frozenset({"Cc", "Cs", "Co", "Cn"})
_BMP_LAST: Final = "\uffff"


# --- requests ---------------------------------------------------------------------------------------------------------


def body_of(content: Mapping[str, str]) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(dict(content), ensure_ascii=False, separators=(",", ":")).encode()


def order_content(config: Config, request: PaymentRequest) -> dict[str, str]:
    """
    An order.

    Fact to replace: the fields of an order (source: section on the order, table of fields; vector order).
    """
    content = {
        "merchant_no": config.merchant_no,
        "out_trade_no": request.out_trade_no,
        "amount": yuan_from_fen(request.amount_fen),
        "subject": clean_text(request.description, _SUBJECT_CHARACTERS_MAX),
        "pay_type": PAY_TYPE_BY_METHOD[request.method],
        "expire_time": time_text(request.expires_at),
        "notify_url": request.notify_url,
    }
    return content | {name: request.fields[name] for name in ("return_url",) if name in request.fields}


def payment_content(config: Config, payment: PaymentRef) -> dict[str, str]:
    """
    A question about a payment, or the wish to close it.

    Fact to replace: the fields (source: sections on the order query and on closing).
    """
    return {"merchant_no": config.merchant_no, "out_trade_no": payment.out_trade_no}


def refund_content(config: Config, refund: RefundRequest) -> dict[str, str]:
    """
    A refund, under its own number.

    Fact to replace: the fields, and that the bank takes a number twice for one refund (source: section on refunds).
    """
    return {
        "merchant_no": config.merchant_no,
        "out_trade_no": refund.out_trade_no,
        "out_refund_no": refund.out_refund_no,
        "amount": yuan_from_fen(refund.amount_fen),
        "reason": clean_text(refund.reason, _REASON_CHARACTERS_MAX),
        "notify_url": refund.notify_url,
    }


def refund_query_content(config: Config, refund: RefundRequest) -> dict[str, str]:
    """
    A question about a refund.

    Fact to replace: the fields (source: section on the refund query).
    """
    return {
        "merchant_no": config.merchant_no,
        "out_trade_no": refund.out_trade_no,
        "out_refund_no": refund.out_refund_no,
    }


def time_text(moment: datetime) -> str:
    """Beijing time in 14 digits. Fact to replace: how the bank writes a time (source: section on public fields)."""
    return moment.astimezone(CHINA).strftime("%Y%m%d%H%M%S")


def clean_text(text: str, characters_max: int) -> str:
    """Text without control characters and without four-byte characters, cut; never empty."""
    kept = (" " if unicodedata.category(sign) in _NOT_TEXT else sign for sign in text if sign <= _BMP_LAST)
    return " ".join("".join(kept).split())[:characters_max].strip() or _WITHOUT_TEXT


# --- reports ----------------------------------------------------------------------------------------------------------


def pending_report(out_trade_no: str, word: str) -> ProviderReport:
    """An order was taken: an instruction exists, and no more."""
    return ProviderReport(
        source=Source.ANSWER, out_trade_no=out_trade_no, state=ReportedState.PENDING, provider_status=word
    )


def payment_report(config: Config, members: Mapping[str, Any], source: Source) -> ProviderReport:
    """
    What verified members say of a payment.

    Fact to replace: the members of a queried order and of its notice (source: sections on the order query and on
    notices; vector notice). Take the order's whole amount, not what is left of it after coupons.

    Raises:
        ValueError: A member is missing, or is not what the document says; its name is the text.
    """
    state = state_of(text_of(members, "trade_state"))
    return ProviderReport(
        source=source,
        out_trade_no=text_of(members, "out_trade_no"),
        state=state,
        provider_status=text_of(members, "trade_state"),
        amount_fen=_amount_fen(members, "amount"),
        currency=CURRENCY,
        provider_trade_no=text_of(members, "trade_no") if "trade_no" in members else None,
        occurred_at=_moment(members, "pay_time") if state is ReportedState.PAID else None,
        contradictions=contradictions(config, members),
    )


def refund_report(config: Config, members: Mapping[str, Any], source: Source) -> ProviderReport:
    """
    What verified members say of a refund; the payment itself stays paid.

    Fact to replace: the members of a refund (source: sections on refunds, on the refund query and on notices).

    Raises:
        ValueError: A member is missing, or is not what the document says; its name is the text.
    """
    state = refund_state_of(text_of(members, "refund_state"))
    return ProviderReport(
        source=source,
        out_trade_no=text_of(members, "out_trade_no"),
        state=ReportedState.PAID,
        provider_status=text_of(members, "refund_state"),
        refund=RefundReport(
            out_refund_no=text_of(members, "out_refund_no"),
            state=state,
            amount_fen=_amount_fen(members, "amount"),
            provider_refund_no=text_of(members, "refund_no"),
            occurred_at=_moment(members, "refund_time") if state is ReportedRefundState.SUCCEEDED else None,
        ),
        contradictions=contradictions(config, members),
    )


def no_such_payment(payment: PaymentRef, code: str, source: Source) -> ProviderReport:
    """The bank does not know the number: also true of an order that never reached it."""
    return ProviderReport(
        source=source, out_trade_no=payment.out_trade_no, state=ReportedState.NOT_FOUND, provider_status=code
    )


def no_such_refund(refund: RefundRequest, code: str) -> ProviderReport:
    """The bank does not know the refund's number; only paid money was to go back."""
    return ProviderReport(
        source=Source.QUERY,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.PAID,
        provider_status=code,
        refund=RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.NOT_FOUND),
    )


def contradictions(config: Config, members: Mapping[str, Any]) -> tuple[str, ...]:
    """
    Names of members that are authentic but not ours.

    Fact to replace: every member that names the merchant (source: section on public fields).
    """
    return () if text_of(members, "merchant_no") == config.merchant_no else ("merchant_no",)


def text_of(members: Mapping[str, Any], name: str, *, characters_max: int = 512) -> str:
    """
    A member that must be there as a text of printable ASCII, not empty.

    Raises:
        ValueError: It is not; the text is the member's name.
    """
    value = members.get(name)
    if not (isinstance(value, str) and 0 < len(value) <= characters_max and value.isascii() and value.isprintable()):
        raise ValueError(name)
    return value


def _amount_fen(members: Mapping[str, Any], name: str) -> int:
    """Fact to replace: yuan with two decimals, or fen (source: section on public fields, amounts)."""
    try:
        return fen_from_yuan(text_of(members, name))
    except ValueError:
        raise ValueError(name) from None


def _moment(members: Mapping[str, Any], name: str) -> datetime:
    text = text_of(members, name)
    if len(text) != len("20260301102030") or not text.isdigit():
        raise ValueError(name)
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=CHINA)
    except ValueError:
        raise ValueError(name) from None
