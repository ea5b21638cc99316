"""The outgoing calls of UnionPay's case, byte for byte."""

from collections.abc import Mapping
from datetime import datetime, timedelta
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
from tests.adapters.unionpay import peer
from tests.conformance.case import Exchange, OutgoingCase, StatementRequest, WireAnswer, WireRequest

API: Final = f"{peer.BASE_URL}/gateway/api"
FRONT, APP, BACK, QUERY = (
    f"{API}/{name}.do" for name in ("frontTransReq", "appTransReq", "backTransReq", "queryTrans")
)
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
DEADLINE: Final = peer.CREATED_AT + timedelta(minutes=15)
ORDER: Final = {
    "backUrl": peer.NOTIFY,
    "bizType": "000201",
    "currencyCode": "156",
    "orderId": peer.NUMBER,
    "payTimeout": "20260301103529",
    "reqReserved": peer.NUMBER,
    "txnAmt": "38001",
    "txnSubType": "01",
    "txnTime": peer.TXN_TIME,
    "txnType": "01",
}
FRONT_ORDER: Final = {
    **ORDER,
    "frontUrl": peer.RETURN_URL,
    "orderDesc": "2026年度医保缴费",
    "riskRateInfo": "{commodityName=2026年度医保缴费}",
}
APP_ORDER: Final = {**ORDER, "channelType": "08", "orderDesc": "2026年度医保缴费"}
QR_ORDER: Final = {**ORDER, "bizType": "000000", "channelType": "08", "termId": "49000002", "txnSubType": "07"}
QUESTION: Final = {
    "bizType": "000201",
    "orderId": peer.NUMBER,
    "txnSubType": "00",
    "txnTime": peer.TXN_TIME,
    "txnType": "00",
}
REFUND_QUESTION: Final = {**QUESTION, "orderId": peer.REFUND_NUMBER, "txnTime": peer.REFUND_TXN_TIME}
REFUND: Final = {
    "backUrl": peer.NOTIFY,
    "bizType": "000201",
    "channelType": "08",
    "orderId": peer.REFUND_NUMBER,
    "origQryId": peer.QUERY_ID,
    "reqReserved": peer.NUMBER,
    "txnAmt": "12001",
    "txnSubType": "00",
    "txnTime": peer.REFUND_TXN_TIME,
    "txnType": "04",
}
FILE: Final = {
    "bizType": "000000",
    "fileType": "00",
    "settleDate": "0228",
    "txnSubType": "01",
    "txnTime": "20260301102030",
    "txnType": "76",
}
QR_TEXT: Final = "https://qr.95516.com/00010000/62731603842730112"


def payment_report(source: Source, state: ReportedState, word: str, **more: Any) -> ProviderReport:
    return ProviderReport(source=source, out_trade_no=peer.NUMBER, state=state, provider_status=word, **more)


def refund_report(
    source: Source,
    state: ReportedRefundState,
    word: str,
    *,
    occurred_at: datetime | None = None,
    currency: str | None = None,
) -> ProviderReport:
    done = state is ReportedRefundState.SUCCEEDED
    return payment_report(
        source,
        ReportedState.PAID if done else ReportedState.UNKNOWN,
        word,
        currency=currency,
        provider_trade_no=peer.QUERY_ID if source is not Source.ANSWER else None,
        refund=RefundReport(
            out_refund_no=peer.REFUND_NUMBER,
            state=state,
            amount_fen=12001,
            provider_refund_no=peer.REFUND_QUERY_ID,
            occurred_at=occurred_at,
        ),
    )


def posted(url: str, fields: Mapping[str, str]) -> WireRequest:
    return WireRequest(method="POST", url=url, headers=FORM, body=peer.request_body(fields))


def exchange(url: str, sent: Mapping[str, str], answered: Mapping[str, str | None]) -> Exchange:
    def answer(_signed_at: datetime) -> WireAnswer:
        return peer.answer(answered)

    return Exchange(request=posted(url, sent), answer=answer)


def signed_fields(fields: Mapping[str, str]) -> dict[str, str]:
    whole = {
        "version": "5.1.0",
        "encoding": "UTF-8",
        "signMethod": "01",
        "certId": peer.CERT_ID,
        "merId": peer.MER_ID,
        "accessType": "0",
        **fields,
    }
    return {**whole, "signature": peer.signature(whole, "merchant_sign")}


def front(method: str, channel: str) -> OutgoingCase:
    payload = {"url": FRONT, "fields": signed_fields({**FRONT_ORDER, "channelType": channel})}
    return OutgoingCase(
        id=f"create-{method}",
        operation=Operation.CREATE,
        argument=peer.payment(method),
        exchanges=(),
        report=payment_report(Source.ANSWER, ReportedState.PENDING, ""),
        instruction=Instruction(kind=InstructionKind.FORM, payload=payload, expires_at=DEADLINE),
    )


def placed(
    method: str, url: str, sent: Mapping[str, str], answered: Mapping[str, str | None], instruction: Instruction
) -> OutgoingCase:
    return OutgoingCase(
        id=f"create-{method}",
        operation=Operation.CREATE,
        argument=peer.payment(method),
        exchanges=(exchange(url, sent, answered),),
        report=payment_report(Source.ANSWER, ReportedState.PENDING, "00"),
        instruction=instruction,
    )


CREATES: Final = (
    front("wap", "08"),
    front("pc", "07"),
    placed(
        "app",
        APP,
        APP_ORDER,
        peer.taken(tn=peer.TN),
        Instruction(kind=InstructionKind.SDK_PARAMS, payload={"tn": peer.TN, "mode": "01"}, expires_at=DEADLINE),
    ),
    placed(
        "qr",
        BACK,
        QR_ORDER,
        peer.taken(txnSubType="07", bizType="000000", qrCode=QR_TEXT),
        Instruction(kind=InstructionKind.QR_TEXT, payload={"text": QR_TEXT}, expires_at=DEADLINE),
    ),
)


def call(
    name: str, operation: Operation, argument: Any, exchanges: tuple[Exchange, ...], **outcome: Any
) -> OutgoingCase:
    return OutgoingCase(id=name, operation=operation, argument=argument, exchanges=exchanges, **outcome)


def refused_create(name: str, code: str, error: type[Exception]) -> OutgoingCase:
    answered = peer.taken(respCode=code, respMsg="交易失败[0100000]")
    return call(name, Operation.CREATE, peer.payment("app"), (exchange(APP, APP_ORDER, answered),), raises=error)


def asked(name: str, answered: Mapping[str, str | None], report: ProviderReport) -> OutgoingCase:
    return call(name, Operation.QUERY, peer.ref(), (exchange(QUERY, QUESTION, answered),), report=report)


QUERIES: Final = (
    asked(
        "query-paid",
        peer.found(peer.paid(accNo="622609******0048")),
        payment_report(
            Source.QUERY,
            ReportedState.PAID,
            "00",
            amount_fen=38001,
            currency="CNY",
            provider_trade_no=peer.QUERY_ID,
            occurred_at=peer.PAID_AT,
        ),
    ),
    asked(
        "query-failed-try",
        peer.found(peer.paid(), "66"),
        payment_report(Source.QUERY, ReportedState.PENDING, "66", amount_fen=38001, currency="CNY"),
    ),
    asked("query-not-found", peer.absent(), payment_report(Source.QUERY, ReportedState.NOT_FOUND, "34")),
)


def refund_call(name: str, answered: Mapping[str, str | None], **outcome: Any) -> OutgoingCase:
    return call(name, Operation.REFUND, peer.refund(), (exchange(BACK, REFUND, answered),), **outcome)


def refund_asked(name: str, answered: Mapping[str, str | None], report: ProviderReport) -> OutgoingCase:
    exchanges = (exchange(QUERY, REFUND_QUESTION, answered),)
    return call(name, Operation.QUERY_REFUND, peer.refund(), exchanges, report=report)


REFUNDS: Final = (
    refund_call(
        "refund", peer.refund_taken(), report=refund_report(Source.ANSWER, ReportedRefundState.SUBMITTED, "00")
    ),
    refund_call("refund-not-refundable", peer.refund_taken(respCode="35"), raises=RequestRefused),
    refund_call("refund-sent-twice", peer.refund_taken(respCode="12"), raises=NoVerdict),
    refund_asked(
        "query-refund",
        peer.found(peer.refunded()),
        refund_report(Source.QUERY, ReportedRefundState.SUCCEEDED, "00", occurred_at=peer.REFUNDED_AT, currency="CNY"),
    ),
    refund_asked(
        "query-refund-waiting",
        peer.found(peer.refunded(), "05"),
        refund_report(Source.QUERY, ReportedRefundState.SUBMITTED, "05", currency="CNY"),
    ),
    refund_asked(
        "query-refund-not-found",
        peer.absent(peer.REFUND_NUMBER, peer.REFUND_TXN_TIME),
        payment_report(
            Source.QUERY,
            ReportedState.UNKNOWN,
            "34",
            refund=RefundReport(out_refund_no=peer.REFUND_NUMBER, state=ReportedRefundState.NOT_FOUND),
        ),
    ),
)


def line(line_no: int, kind: StatementLineKind, moment: str, **members: Any) -> StatementLine:
    occurred_at = datetime.strptime(f"20260228{moment}", "%Y%m%d%H:%M:%S").replace(tzinfo=CHINA)
    return StatementLine(line_no=line_no, kind=kind, occurred_at=occurred_at, **members)


LINES: Final = (
    line(
        1,
        StatementLineKind.PAYMENT,
        "10:21:45",
        out_trade_no=peer.NUMBER,
        provider_trade_no=peer.QUERY_ID,
        amount_fen=38001,
        fee_fen_e3=228_000,
        provider_status="S56",
    ),
    line(
        2,
        StatementLineKind.REFUND,
        "11:22:01",
        out_trade_no=peer.NUMBER,
        provider_trade_no=peer.QUERY_ID,
        amount_fen=12001,
        out_refund_no=peer.REFUND_NUMBER,
        provider_refund_no=peer.REFUND_QUERY_ID,
        fee_fen_e3=-72_000,
        provider_status="S30",
    ),
)
CONTENT: Final = peer.file_content(peer.row(peer.ZM_PAYMENT), peer.row(peer.ZM_REFUND))


def statement(name: str, answered: Mapping[str, str | None], **outcome: Any) -> OutgoingCase:
    argument = StatementRequest(day=peer.DAY, kind=StatementKind.TRADES)
    return call(name, Operation.FETCH_STATEMENT, argument, (exchange(peer.FILE_URL, FILE, answered),), **outcome)


STATEMENTS: Final = (
    statement("statement", peer.file_answer(CONTENT), lines=LINES),
    statement(
        "statement-not-ready",
        peer.file_answer("", fileContent=None, fileName=None, respCode="98"),
        raises=ProviderUnavailable,
    ),
)

CALLS: Final = (
    *CREATES,
    refused_create("create-risk-control", "38", RequestRefused),
    refused_create("create-no-permission", "32", AccountMisconfigured),
    refused_create("create-system-closed", "02", ProviderUnavailable),
    refused_create("create-sent-twice", "12", NoVerdict),
    *QUERIES,
    *REFUNDS,
    *STATEMENTS,
)
