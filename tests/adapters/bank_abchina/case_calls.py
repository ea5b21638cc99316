"""The outgoing calls of the Agricultural Bank's case, byte for byte."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    AccountMisconfigured,
    Instruction,
    InstructionKind,
    NoVerdict,
    Operation,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind
from tests.adapters.bank_abchina import peer
from tests.conformance.case import Exchange, OutgoingCase, StatementRequest, WireAnswer, WireRequest


def order(link_type: str) -> dict[str, Any]:
    return {
        "TrxType": "PayReq",
        "PaymentType": "A",
        "PaymentLinkType": link_type,
        "ReceiveAccount": "",
        "ReceiveAccName": "",
        "NotifyType": "1",
        "ResultNotifyURL": peer.NOTIFY,
        "MerchantRemarks": "",
        "IsBreakAccount": "0",
        "SplitAccTemplate": "",
        "Order": {
            "PayTypeID": "ImmediatePay",
            "OrderDate": "2026/03/01",
            "OrderTime": "10:20:29",
            "orderTimeoutDate": "20260301105029",
            "OrderNo": peer.NUMBER,
            "CurrencyCode": "156",
            "OrderAmount": "380.01",
            "Fee": "",
            "AccountNo": "",
            "OrderDesc": peer.DESCRIPTION,
            "OrderURL": "",
            "ReceiverAddress": "",
            "InstallmentMark": "0",
            "CommodityType": "0499",
            "BuyIP": peer.PAYER_IP,
            "ExpiredDate": "30",
            "OrderItems": [{"ProductName": peer.DESCRIPTION, "Qty": "1", "UnitPrice": "380.01"}],
        },
    }


QUESTION: Final = {
    "TrxType": "Query",
    "PayTypeID": "ImmediatePay",
    "OrderNo": peer.NUMBER,
    "QueryDetail": "true",
}
REFUND_QUESTION: Final = {
    "TrxType": "Query",
    "PayTypeID": "Refund",
    "OrderNo": peer.REFUND_NUMBER,
    "QueryDetail": "true",
}
REFUND: Final = {
    "TrxType": "Refund",
    "OrderDate": "2026/03/01",
    "OrderTime": "10:20:28",
    "MerRefundAccountNo": "",
    "MerRefundAccountName": "",
    "OrderNo": peer.NUMBER,
    "NewOrderNo": peer.REFUND_NUMBER,
    "CurrencyCode": "156",
    "TrxAmount": "120.01",
    "RefundType": "",
    "MerchantRemarks": "",
}
SETTLE: Final = {"TrxType": "Settle", "SettleDate": "2026/02/28", "ZIP": "1"}


def payment_report(source: Source, state: ReportedState, word: str, **more: Any) -> ProviderReport:
    return ProviderReport(source=source, out_trade_no=peer.NUMBER, state=state, provider_status=word, **more)


def refund_report(source: Source, state: ReportedRefundState, word: str) -> ProviderReport:
    done = state is ReportedRefundState.SUCCEEDED
    return payment_report(
        source,
        ReportedState.PAID if done else ReportedState.UNKNOWN,
        word,
        refund=RefundReport(
            out_refund_no=peer.REFUND_NUMBER,
            state=state,
            amount_fen=12001,
            provider_refund_no=peer.REFUND_REFERENCE,
        ),
    )


def exchange(sent: Mapping[str, Any], answered: Mapping[str, Any]) -> Exchange:
    def answer(_signed_at: datetime) -> WireAnswer:
        return peer.answer(answered)

    headers = {"Content-Type": "text/xml; charset=UTF-8"}
    request = WireRequest(method="POST", url=peer.REQUEST_URL, headers=headers, body=peer.request_body(sent))
    return Exchange(request=request, answer=answer)


def call(
    name: str,
    operation: Operation,
    argument: Any,
    sent: Mapping[str, Any],
    answered: Mapping[str, Any],
    **outcome: Any,
) -> OutgoingCase:
    return OutgoingCase(
        id=name, operation=operation, argument=argument, exchanges=(exchange(sent, answered),), **outcome
    )


def created(method: str, link_type: str) -> OutgoingCase:
    return call(
        f"create-{method}",
        Operation.CREATE,
        peer.payment(method),
        order(link_type),
        peer.placed(),
        report=payment_report(Source.ANSWER, ReportedState.PENDING, "0000"),
        instruction=Instruction(
            kind=InstructionKind.REDIRECT, payload={"url": peer.CASHIER_URL}, expires_at=peer.EXPIRES_AT
        ),
    )


def refused_create(name: str, code: str, error: type[Exception]) -> OutgoingCase:
    answered = {"TrxType": "PayReq", "ReturnCode": code, "ErrorMessage": "交易失败"}
    return call(name, Operation.CREATE, peer.payment(), order("2"), answered, raises=error)


def asked(name: str, answered: Mapping[str, Any], **outcome: Any) -> OutgoingCase:
    return call(name, Operation.QUERY, peer.ref(), QUESTION, answered, **outcome)


def refund_call(name: str, answered: Mapping[str, Any], **outcome: Any) -> OutgoingCase:
    return call(name, Operation.REFUND, peer.refund(), REFUND, answered, **outcome)


def refund_asked(name: str, answered: Mapping[str, Any], **outcome: Any) -> OutgoingCase:
    return call(name, Operation.QUERY_REFUND, peer.refund(), REFUND_QUESTION, answered, **outcome)


def line(line_no: int, kind: StatementLineKind, moment: str, **members: Any) -> StatementLine:
    occurred_at = datetime.strptime(f"20260228{moment}", "%Y%m%d%H:%M:%S").replace(tzinfo=CHINA)
    return StatementLine(line_no=line_no, kind=kind, occurred_at=occurred_at, fee_fen_e3=38_000, **members)


LINES: Final = (
    line(
        1,
        StatementLineKind.PAYMENT,
        "10:21:45",
        out_trade_no=peer.NUMBER,
        provider_trade_no="BQECEP01105259325994",
        amount_fen=38001,
        provider_status="Sale",
    ),
    line(
        2,
        StatementLineKind.REFUND,
        "11:22:01",
        out_trade_no=peer.NUMBER,
        provider_trade_no="",
        amount_fen=12001,
        out_refund_no=peer.REFUND_NUMBER,
        provider_refund_no="BQECEP01105259325994",
        provider_status="Refund",
    ),
)
RECORDS: Final = (
    peer.record("Sale", peer.NUMBER, "380.01"),
    peer.record("Refund", peer.REFUND_NUMBER, "-120.01", original=peer.NUMBER, moment="20260228112201"),
)


def statement(name: str, answered: Mapping[str, Any], **outcome: Any) -> OutgoingCase:
    argument = StatementRequest(day=peer.DAY, kind=StatementKind.TRADES)
    return call(name, Operation.FETCH_STATEMENT, argument, SETTLE, answered, **outcome)


CALLS: Final = (
    created("h5", "2"),
    created("pc", "1"),
    refused_create("create-refused", "3001", RequestRefused),
    refused_create("create-no-permission", "2302", AccountMisconfigured),
    refused_create("create-outcome-unknown", "EUNKWN", NoVerdict),
    asked(
        "query-paid",
        peer.found(),
        report=payment_report(Source.QUERY, ReportedState.PAID, "04", amount_fen=38001),
    ),
    asked(
        "query-captured",
        peer.found("03", iRspRef=peer.REFERENCE),
        report=payment_report(
            Source.QUERY, ReportedState.PAID, "03", amount_fen=38001, provider_trade_no=peer.REFERENCE
        ),
    ),
    asked(
        "query-unpaid",
        peer.found("01"),
        report=payment_report(Source.QUERY, ReportedState.PENDING, "01", amount_fen=38001),
    ),
    asked("query-not-found", peer.absent(), report=payment_report(Source.QUERY, ReportedState.NOT_FOUND, "0000")),
    asked("query-refused", {"TrxType": "Query", "ReturnCode": "3002"}, raises=NoVerdict),
    refund_call(
        "refund", peer.refund_taken(), report=refund_report(Source.ANSWER, ReportedRefundState.SUBMITTED, "0000")
    ),
    refund_call("refund-refused", {"TrxType": "Refund", "ReturnCode": "3003"}, raises=RequestRefused),
    refund_call("refund-outcome-unknown", {"TrxType": "Refund", "ReturnCode": "EUNKWN"}, raises=NoVerdict),
    refund_asked(
        "query-refund",
        peer.refund_found(),
        report=refund_report(Source.QUERY, ReportedRefundState.SUCCEEDED, "04"),
    ),
    refund_asked(
        "query-refund-failed",
        peer.refund_found("99"),
        report=refund_report(Source.QUERY, ReportedRefundState.FAILED, "99"),
    ),
    refund_asked(
        "query-refund-not-found",
        peer.absent(),
        report=payment_report(
            Source.QUERY,
            ReportedState.UNKNOWN,
            "0000",
            refund=RefundReport(out_refund_no=peer.REFUND_NUMBER, state=ReportedRefundState.NOT_FOUND),
        ),
    ),
    statement("statement", peer.settled(*RECORDS), lines=LINES),
    statement(
        "statement-not-ready",
        {"TrxType": "Settle", "ZIPDetailRecords": "", "DetailRecords": ""},
        raises=ProviderUnavailable,
    ),
)
