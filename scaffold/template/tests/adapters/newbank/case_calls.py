"""
The calls of newbank's case: what must go out, byte for byte, and what each answer must come to.

Fact to replace: requests and answers of each interface (source: section of each interface, examples).
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from gateway.domain.provider import (
    AccountMisconfigured,
    Instruction,
    InstructionKind,
    NoVerdict,
    Operation,
    PaymentRef,
    PaymentRequest,
    ProviderError,
    ProviderUnavailable,
    RefundRequest,
    RequestRefused,
)
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from tests.adapters.newbank.peer import (
    BASE_URL,
    MERCHANT_NO,
    NONCE,
    NOW,
    NUMBER,
    PAID_AT,
    PAYMENT,
    REFUND,
    REFUND_NUMBER,
    bank_headers,
    compact,
    payment_report,
    refund_report,
    signature,
)
from tests.conformance.case import Exchange, OutgoingCase, WireAnswer, WireRequest

NOTIFY: Final = "https://gateway.invalid/callbacks/newbank/main"
RETURN: Final = "https://front.invalid/paid"
PAY_URL: Final = "https://newbank.invalid/cashier?visit=1"
EXPIRES_AT: Final = NOW + timedelta(hours=2)
TEXT: Final = "2026年度城乡居民医保缴费"

REF: Final = PaymentRef(out_trade_no=NUMBER, amount_fen=38001, method="qr", created_at=NOW)
ASKED_REFUND: Final = RefundRequest(
    out_refund_no=REFUND_NUMBER,
    out_trade_no=NUMBER,
    amount_fen=12001,
    total_fen=38001,
    reason="多缴",
    method="qr",
    requested_at=NOW,
    notify_url=f"{NOTIFY}/refunds",
)
NAMED: Final = {"merchant_no": MERCHANT_NO, "out_trade_no": NUMBER}
REFUND_NAMED: Final = {**NAMED, "out_refund_no": REFUND_NUMBER}
REFUND_SENT: Final = {**REFUND_NAMED, "amount": "120.01", "reason": "多缴", "notify_url": f"{NOTIFY}/refunds"}


def payment(method: str) -> PaymentRequest:
    return PaymentRequest(
        out_trade_no=NUMBER,
        amount_fen=38001,
        method=method,
        description=TEXT,
        created_at=NOW - timedelta(seconds=1),
        expires_at=EXPIRES_AT,
        notify_url=NOTIFY,
        fields={"return_url": RETURN} if method == "h5" else {},
    )


def order(pay_type: str, **more: str) -> dict[str, str]:
    return {
        **NAMED,
        "amount": "380.01",
        "subject": TEXT,
        "pay_type": pay_type,
        "expire_time": "20260301122030",
        "notify_url": NOTIFY,
        **more,
    }


def request(path: str, content: Mapping[str, str]) -> WireRequest:
    body, timestamp = compact(content), str(int(NOW.timestamp()))
    signed = f"POST\n/api{path}\n{timestamp}\n{NONCE}\n".encode() + body + b"\n"
    headers = {
        "content-type": "application/json; charset=utf-8",
        "bank-timestamp": timestamp,
        "bank-nonce": NONCE,
        "bank-key-id": "newbank-merchant-1",
        "bank-signature": signature("merchant", signed),
    }
    return WireRequest(method="POST", url=BASE_URL + path, headers=headers, body=body)


def answer(content: Mapping[str, Any]) -> Callable[[datetime], WireAnswer]:
    body = compact(content)
    return lambda signed_at: WireAnswer(status=200, headers=bank_headers(body, signed_at, "newbank-2026"), body=body)


def exchange(path: str, sent: Mapping[str, str], content: Mapping[str, Any]) -> tuple[Exchange]:
    return (Exchange(request=request(path, sent), answer=answer({"code": "0000", **content})),)


def create(identity: str, method: str, sent: Mapping[str, str], payload: Mapping[str, str]) -> OutgoingCase:
    kind = {"qr": InstructionKind.QR_TEXT, "h5": InstructionKind.REDIRECT}[method]
    return OutgoingCase(
        id=identity,
        operation=Operation.CREATE,
        argument=payment(method),
        exchanges=exchange("/pay/orders", sent, {**NAMED, "pay_url": PAY_URL}),
        report=ProviderReport(
            source=Source.ANSWER, out_trade_no=NUMBER, state=ReportedState.PENDING, provider_status="0000"
        ),
        instruction=Instruction(kind=kind, payload=payload, expires_at=EXPIRES_AT),
    )


def refused_create(code: str, raises: type[ProviderError]) -> OutgoingCase:
    return OutgoingCase(
        id=f"create-{code}",
        operation=Operation.CREATE,
        argument=payment("qr"),
        exchanges=exchange("/pay/orders", order("QR"), {"code": code}),
        raises=raises,
    )


def asked(identity: str, operation: Operation, content: Mapping[str, Any], **result: Any) -> OutgoingCase:
    path = {Operation.QUERY: "/pay/orders/query", Operation.CLOSE: "/pay/orders/close"}[operation]
    return OutgoingCase(
        id=identity, operation=operation, argument=REF, exchanges=exchange(path, NAMED, content), **result
    )


def of_refund(identity: str, operation: Operation, content: Mapping[str, Any], **result: Any) -> OutgoingCase:
    path, sent = {
        Operation.REFUND: ("/pay/refunds", REFUND_SENT),
        Operation.QUERY_REFUND: ("/pay/refunds/query", REFUND_NAMED),
    }[operation]
    return OutgoingCase(
        id=identity, operation=operation, argument=ASKED_REFUND, exchanges=exchange(path, sent, content), **result
    )


def absent(source: Source, code: str) -> ProviderReport:
    return ProviderReport(source=source, out_trade_no=NUMBER, state=ReportedState.NOT_FOUND, provider_status=code)


def unpaid(source: Source, state: ReportedState, word: str) -> ProviderReport:
    return payment_report(source, state=state, provider_status=word, provider_trade_no=None, occurred_at=None)


def calls() -> tuple[OutgoingCase, ...]:
    waiting = {**NAMED, "trade_state": "WAIT", "amount": "380.01"}
    under_way = {name: value for name, value in REFUND.items() if name != "refund_time"} | {"refund_state": "DOING"}
    return (
        create("create-qr", "qr", order("QR"), {"text": PAY_URL}),
        create("create-h5", "h5", order("H5", return_url=RETURN), {"url": PAY_URL}),
        refused_create("1001", ProviderUnavailable),
        refused_create("1003", AccountMisconfigured),
        refused_create("2003", RequestRefused),
        refused_create("2004", NoVerdict),
        refused_create("9999", NoVerdict),
        asked("query-paid", Operation.QUERY, PAYMENT, report=payment_report(Source.QUERY)),
        asked("query-waiting", Operation.QUERY, waiting, report=unpaid(Source.QUERY, ReportedState.PENDING, "WAIT")),
        asked("query-absent", Operation.QUERY, {"code": "2001"}, report=absent(Source.QUERY, "2001")),
        asked("query-too-often", Operation.QUERY, {"code": "1001"}, raises=ProviderUnavailable),
        asked("query-of-another", Operation.QUERY, {**PAYMENT, "out_trade_no": "f" * 32}, raises=NoVerdict),
        asked(
            "close",
            Operation.CLOSE,
            {**waiting, "trade_state": "CLOSED"},
            report=unpaid(Source.ANSWER, ReportedState.CLOSED, "CLOSED"),
        ),
        asked("close-of-paid", Operation.CLOSE, {"code": "2004"}, raises=NoVerdict),
        of_refund(
            "refund",
            Operation.REFUND,
            under_way,
            report=refund_report(Source.ANSWER, ReportedRefundState.SUBMITTED, "DOING"),
        ),
        of_refund("refund-too-much", Operation.REFUND, {"code": "2006"}, raises=RequestRefused),
        of_refund(
            "refund-query-done",
            Operation.QUERY_REFUND,
            REFUND,
            report=refund_report(Source.QUERY, ReportedRefundState.SUCCEEDED, "DONE", occurred_at=PAID_AT),
        ),
        of_refund(
            "refund-query-absent",
            Operation.QUERY_REFUND,
            {"code": "2002"},
            report=ProviderReport(
                source=Source.QUERY,
                out_trade_no=NUMBER,
                state=ReportedState.PAID,
                provider_status="2002",
                refund=RefundReport(out_refund_no=REFUND_NUMBER, state=ReportedRefundState.NOT_FOUND),
            ),
        ),
    )
