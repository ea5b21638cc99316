"""The outgoing calls of Alipay's case, byte for byte."""

from datetime import date, datetime, timedelta
from typing import Any, Final

from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    AccountMisconfigured,
    Instruction,
    InstructionKind,
    Operation,
    PaymentRequest,
    ProviderUnavailable,
    RequestRefused,
)
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind
from tests.adapters.alipay import peer
from tests.adapters.alipay.case_wire import encoded, exchange, signed
from tests.conformance.case import (
    Exchange,
    OutgoingCase,
    StatementRequest,
    WireAnswer,
    WireRequest,
)

NOW: Final = datetime(2026, 3, 2, 11, 20, 30, tzinfo=CHINA)
CODE_URL: Final = "https://qr.alipay.com/bax03431ljhokirwl38f00a7"
BILL_URL: Final = "https://dwbillcenter.alipay.com/downloadBillFile.resource?bizType=trade&userId=2088"
BILL: Final = (peer.VECTORS / "bill_trade_20260301.csv.zip").read_bytes()
RETURN_URL: Final = "https://pay.example.cn/back?o=1"


def report(source: Source, state: ReportedState, word: str, **more: Any) -> ProviderReport:
    return ProviderReport(source=source, out_trade_no=peer.NUMBER, state=state, provider_status=word, **more)


PAID_AT: Final = datetime(2026, 3, 1, 10, 20, 41, tzinfo=CHINA)


# --- outgoing calls ---------------------------------------------------------------------------------------------------


EXPIRES: Final = NOW + timedelta(hours=2)


def payment(method: str, **fields: str) -> PaymentRequest:
    return peer.payment(method, created_at=NOW - timedelta(seconds=1), expires_at=EXPIRES, fields=fields)


def order(product_code: str, **more: str) -> dict[str, Any]:
    return {
        "out_trade_no": peer.NUMBER,
        "total_amount": "380.01",
        "subject": "2026年度城乡居民医保缴费",
        "product_code": product_code,
        "time_expire": "2026-03-02 13:20:30",
        **more,
    }


def local(method: str, api: str, content: dict[str, Any], kind: InstructionKind, **fields: str) -> OutgoingCase:
    """A payment that the payer's own side presents: no call."""
    public = {"notify_url": peer.NOTIFY} | ({"return_url": fields["return_url"]} if "return_url" in fields else {})
    query = encoded(signed(api, content, public))
    payload = {"text": query} if kind is InstructionKind.SDK_STRING else {"url": f"{peer.BASE_URL}?{query}"}
    return OutgoingCase(
        id=f"create-{method}",
        operation=Operation.CREATE,
        argument=payment(method, **fields),
        exchanges=(),
        report=report(Source.ANSWER, ReportedState.PENDING, ""),
        instruction=Instruction(kind=kind, payload=payload, expires_at=EXPIRES),
    )


def call(
    name: str, operation: Operation, argument: Any, exchanges: tuple[Exchange, ...], **outcome: Any
) -> OutgoingCase:
    return OutgoingCase(id=name, operation=operation, argument=argument, exchanges=exchanges, **outcome)


REF: Final = peer.ref()
REFUND: Final = peer.refund()
BY_NUMBER: Final = {"out_trade_no": peer.NUMBER}
REFUND_CONTENT: Final = {
    "out_trade_no": peer.NUMBER,
    "refund_amount": "120.01",
    "out_request_no": peer.REFUND_NUMBER,
    "refund_reason": "重复缴费退款",
}
REFUND_QUESTION: Final = {
    "out_trade_no": peer.NUMBER,
    "out_request_no": peer.REFUND_NUMBER,
    "query_options": ["gmt_refund_pay"],
}
CREATE, PRECREATE = "alipay.trade.create", "alipay.trade.precreate"
QUERY, CLOSE = "alipay.trade.query", "alipay.trade.close"
REFUND_API, REFUND_QUERY = "alipay.trade.refund", "alipay.trade.fastpay.refund.query"
BILL_API: Final = "alipay.data.dataservice.bill.downloadurl.query"


def refund_report(source: Source, word: str, state: ReportedRefundState, **more: Any) -> ProviderReport:
    moved = state is ReportedRefundState.SUCCEEDED
    return report(
        source,
        ReportedState.PAID if moved else ReportedState.UNKNOWN,
        word,
        refund=RefundReport(
            out_refund_no=peer.REFUND_NUMBER,
            state=state,
            amount_fen=12001 if moved else None,
            occurred_at=datetime(2026, 3, 1, 11, 0, tzinfo=CHINA) if moved else None,
        ),
        **more,
    )


def line(number: int, kind: StatementLineKind, moment: str, **members: Any) -> StatementLine:
    return StatementLine(
        line_no=number,
        kind=kind,
        occurred_at=datetime.strptime(moment, "%H:%M:%S").replace(year=2026, month=3, day=1, tzinfo=CHINA),
        **members,
    )


LINES: Final = (
    line(
        6,
        StatementLineKind.PAYMENT,
        "10:20:41",
        out_trade_no="FY20260301000001",
        provider_trade_no="2026030122001400001400000001",
        amount_fen=40000,
        fee_fen_e3=240_000,
        provider_status="交易",
    ),
    line(
        7,
        StatementLineKind.REFUND,
        "11:00:00",
        out_trade_no="FY20260301000001",
        provider_trade_no="2026030122001400001400000001",
        amount_fen=10000,
        out_refund_no="FY20260301000001-R1",
        fee_fen_e3=-60_000,
        provider_status="退款",
    ),
    line(
        8,
        StatementLineKind.PAYMENT,
        "13:00:09",
        out_trade_no="HF20260301000003",
        provider_trade_no="2026030122001400001400000009",
        amount_fen=38050,
        fee_fen_e3=228_000,
        provider_status="交易",
    ),
)
TRADES: Final = StatementRequest(day=date(2026, 3, 1), kind=StatementKind.TRADES)

CREATES: Final = (
    call(
        "create-qr",
        Operation.CREATE,
        payment("qr"),
        (
            exchange(
                PRECREATE,
                order("FACE_TO_FACE_PAYMENT"),
                peer.ok(out_trade_no=peer.NUMBER, qr_code=CODE_URL),
                notify_url=peer.NOTIFY,
            ),
        ),
        report=report(Source.ANSWER, ReportedState.PENDING, "10000"),
        instruction=Instruction(kind=InstructionKind.QR_TEXT, payload={"text": CODE_URL}, expires_at=EXPIRES),
    ),
    call(
        "create-jsapi",
        Operation.CREATE,
        payment("jsapi", buyer_open_id=peer.OPEN_ID),
        (
            exchange(
                CREATE,
                order("JSAPI_PAY", buyer_open_id=peer.OPEN_ID),
                peer.ok(out_trade_no=peer.NUMBER, trade_no=peer.TRADE_NUMBER),
                notify_url=peer.NOTIFY,
            ),
        ),
        report=report(Source.ANSWER, ReportedState.PENDING, "10000", provider_trade_no=peer.TRADE_NUMBER),
        instruction=Instruction(
            kind=InstructionKind.SDK_PARAMS, payload={"tradeNO": peer.TRADE_NUMBER}, expires_at=EXPIRES
        ),
    ),
    local(
        "page",
        "alipay.trade.page.pay",
        order("FAST_INSTANT_TRADE_PAY"),
        InstructionKind.REDIRECT,
        return_url=RETURN_URL,
    ),
    local("wap", "alipay.trade.wap.pay", order("QUICK_WAP_WAY"), InstructionKind.REDIRECT),
    local("app", "alipay.trade.app.pay", order("QUICK_MSECURITY_PAY"), InstructionKind.SDK_STRING),
    call(
        "create-forbidden-word",
        Operation.CREATE,
        payment("qr"),
        (
            exchange(
                PRECREATE,
                order("FACE_TO_FACE_PAYMENT"),
                peer.failed("40004", "ACQ.EXIST_FORBIDDEN_WORD"),
                notify_url=peer.NOTIFY,
            ),
        ),
        raises=RequestRefused,
    ),
    call(
        "create-without-contract",
        Operation.CREATE,
        payment("qr"),
        (
            exchange(
                PRECREATE,
                order("FACE_TO_FACE_PAYMENT"),
                peer.failed("40006", "isv.insufficient-isv-permissions"),
                notify_url=peer.NOTIFY,
            ),
        ),
        raises=AccountMisconfigured,
    ),
)

OTHERS: Final = (
    call(
        "query-paid",
        Operation.QUERY,
        REF,
        (exchange(QUERY, BY_NUMBER, peer.trade()),),
        report=report(
            Source.QUERY,
            ReportedState.PAID,
            "TRADE_SUCCESS",
            amount_fen=38001,
            provider_trade_no=peer.TRADE_NUMBER,
            occurred_at=PAID_AT,
        ),
    ),
    call(
        "query-unknown-there",
        Operation.QUERY,
        REF,
        (exchange(QUERY, BY_NUMBER, peer.failed("40004", "ACQ.TRADE_NOT_EXIST")),),
        report=report(Source.QUERY, ReportedState.NOT_FOUND, "ACQ.TRADE_NOT_EXIST"),
    ),
    call(
        "query-too-often",
        Operation.QUERY,
        REF,
        (exchange(QUERY, BY_NUMBER, peer.failed("40005", "")),),
        raises=ProviderUnavailable,
    ),
    call(
        "close",
        Operation.CLOSE,
        REF,
        (exchange(CLOSE, BY_NUMBER, peer.ok(out_trade_no=peer.NUMBER, trade_no=peer.TRADE_NUMBER)),),
        report=report(Source.ANSWER, ReportedState.CLOSED, "10000", provider_trade_no=peer.TRADE_NUMBER),
    ),
    call(
        "close-unknown-there",
        Operation.CLOSE,
        REF,
        (exchange(CLOSE, BY_NUMBER, peer.failed("40004", "ACQ.TRADE_NOT_EXIST")),),
        report=report(Source.ANSWER, ReportedState.NOT_FOUND, "ACQ.TRADE_NOT_EXIST"),
    ),
    call(
        "refund",
        Operation.REFUND,
        REFUND,
        (
            exchange(
                REFUND_API,
                REFUND_CONTENT,
                peer.ok(
                    out_trade_no=peer.NUMBER,
                    fund_change="Y",
                    refund_fee="240.02",
                    gmt_refund_pay="2026-03-01 11:00:00",
                    buyer_open_id=peer.OPEN_ID,
                ),
            ),
        ),
        report=refund_report(Source.ANSWER, "fund_change=Y", ReportedRefundState.SUCCEEDED, refunded_total_fen=24002),
    ),
    call(
        "refund-without-balance",
        Operation.REFUND,
        REFUND,
        (exchange(REFUND_API, REFUND_CONTENT, peer.failed("40004", "ACQ.SELLER_BALANCE_NOT_ENOUGH")),),
        raises=ProviderUnavailable,
    ),
    call(
        "query-refund",
        Operation.QUERY_REFUND,
        REFUND,
        (
            exchange(
                REFUND_QUERY,
                REFUND_QUESTION,
                peer.ok(
                    out_trade_no=peer.NUMBER,
                    out_request_no=peer.REFUND_NUMBER,
                    refund_amount="120.01",
                    refund_status="REFUND_SUCCESS",
                    gmt_refund_pay="2026-03-01 11:00:00",
                    total_amount="380.01",
                ),
            ),
        ),
        report=refund_report(Source.QUERY, "REFUND_SUCCESS", ReportedRefundState.SUCCEEDED, amount_fen=38001),
    ),
    call(
        "query-refund-not-there",
        Operation.QUERY_REFUND,
        REFUND,
        (exchange(REFUND_QUERY, REFUND_QUESTION, peer.ok()),),
        report=refund_report(Source.QUERY, "", ReportedRefundState.NOT_FOUND),
    ),
    call(
        "statement",
        Operation.FETCH_STATEMENT,
        TRADES,
        (
            exchange(
                BILL_API,
                {"bill_type": "trade", "bill_date": "2026-03-01"},
                peer.ok(bill_download_url=BILL_URL.replace("https:", "http:")),
            ),
            Exchange(
                request=WireRequest(method="GET", url=BILL_URL),
                answer=lambda _signed_at: WireAnswer(status=200, headers={}, body=BILL),
                answer_is_signed=False,
            ),
        ),
        lines=LINES,
    ),
    call(
        "statement-not-ready",
        Operation.FETCH_STATEMENT,
        TRADES,
        (
            exchange(
                BILL_API,
                {"bill_type": "trade", "bill_date": "2026-03-01"},
                peer.failed("40004", "isp.bill_not_exist"),
            ),
        ),
        raises=ProviderUnavailable,
    ),
)
