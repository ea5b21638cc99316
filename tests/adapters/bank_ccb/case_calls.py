"""The outgoing calls of CCB's case, byte for byte."""

import hashlib
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

from gateway.domain.provider import (
    Instruction,
    InstructionKind,
    NoVerdict,
    Operation,
    RequestRefused,
)
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from tests.adapters.bank_ccb import peer
from tests.conformance.case import Exchange, OutgoingCase, WireAnswer, WireRequest

DEADLINE: Final = peer.CREATED_AT + timedelta(minutes=30)
TIMEOUT: Final = "20260301105029"
GOODS: Final = "2026%u5E74%u5EA6%u533B%u4FDD%u7F34%u8D39"
PAY_URL: Final = f"{peer.BANK}/CCBIS/B2CMainPlat?SERVLET_NAME=QR&NO=1"
QR_TEXT: Final = "https://ibsbjstar.ccb.com.cn/CCBIS/QR?QRCODE=CCB9980002095911551432"

ORDER: Final = (
    f"MERCHANTID={peer.MERCHANT_ID}&POSID={peer.POS_ID}&BRANCHID={peer.BRANCH_ID}&ORDERID={peer.ORDER_ID}"
    "&PAYMENT=380.01&CURCODE=01"
)
CASHIER: Final = f"{ORDER}&TXCODE=520100&REMARK1=&REMARK2=&TYPE=1"
QR: Final = f"{ORDER}&TXCODE=530550&REMARK1=&REMARK2=&RETURNTYPE=3&TIMEOUT={TIMEOUT}"
PUB: Final = f"&PUB={peer.PUB}"


def md5(text: str) -> str:
    return hashlib.md5(text.encode("ascii")).hexdigest()


def url_of(sent: str) -> str:
    pairs = [(piece.split("=", 1)[0], piece.split("=", 1)[1]) for piece in sent.split("&")]
    return f"{peer.BASE_URL}?CCB_IBSVersion=V6&{urlencode(pairs)}"


def cashier_tail(goods: str) -> str:
    return f"&GATEWAY=0&CLIENTIP={peer.CLIENT_IP}&REGINFO=&PROINFO={goods}&REFERER=pay.example.cn"


H5_TAIL: Final = cashier_tail(GOODS)
H5_URL: Final = url_of(f"{CASHIER}{H5_TAIL}&MAC={md5(CASHIER + PUB + H5_TAIL)}")
APP_TAIL: Final = f"{cashier_tail('')}&THIRDAPPINFO={peer.THIRD_APP}"
APP_TEXT: Final = f"{CASHIER}{APP_TAIL}&MAC={md5(CASHIER + PUB + APP_TAIL)}"
QR_URL: Final = url_of(f"{QR}&MAC={md5(QR + PUB)}")


def payment_report(source: Source, state: ReportedState, word: str, **more: Any) -> ProviderReport:
    return ProviderReport(source=source, out_trade_no=peer.NUMBER, state=state, provider_status=word, **more)


def refund_report(
    source: Source, state: ReportedRefundState, word: str, *, occurred_at: datetime | None = None
) -> ProviderReport:
    done = state is ReportedRefundState.SUCCEEDED
    known = state is not ReportedRefundState.NOT_FOUND
    return payment_report(
        source,
        ReportedState.PAID if done else ReportedState.UNKNOWN,
        word,
        amount_fen=38001 if done else None,
        refund=RefundReport(
            out_refund_no=peer.REFUND_NUMBER,
            state=state,
            amount_fen=12001 if known else None,
            occurred_at=occurred_at,
        ),
    )


def exchange(request: WireRequest, answer: WireAnswer) -> Exchange:
    return Exchange(request=request, answer=lambda _signed_at: answer, answer_is_signed=False)


def got(url: str) -> WireRequest:
    return WireRequest(method="GET", url=url)


def asked(xml: bytes) -> WireRequest:
    headers = {"Content-Type": "application/x-www-form-urlencoded; charset=GB18030"}
    return WireRequest(method="POST", url=peer.EBS_URL, headers=headers, body=peer.posted(xml))


def question(tx_code: str, kind: str) -> WireRequest:
    empty = dict.fromkeys(("START", "STARTHOUR", "STARTMIN", "END", "ENDHOUR", "ENDMIN"), "")
    info = {
        **empty,
        "KIND": kind,
        "ORDER": peer.ORDER_ID,
        "ACCOUNT": "",
        "DEXCEL": "1",
        "MONEY": "",
        "NORDERBY": "2",
        "PAGE": "1",
        "POS_CODE": "",
        "STATUS": "3",
    }
    return asked(peer.question(tx_code, info))


def call(
    name: str, operation: Operation, argument: Any, exchanges: tuple[Exchange, ...], **outcome: Any
) -> OutgoingCase:
    return OutgoingCase(id=name, operation=operation, argument=argument, exchanges=exchanges, **outcome)


def create(method: str, instruction: Instruction, *exchanges: Exchange) -> OutgoingCase:
    report = payment_report(Source.ANSWER, ReportedState.PENDING, "")
    return call(
        f"create-{method}",
        Operation.CREATE,
        peer.payment(method),
        exchanges,
        instruction=instruction,
        report=report,
    )


def json_answer(text: str) -> WireAnswer:
    return WireAnswer(status=200, headers={"Content-Type": "application/json"}, body=text.encode("gb18030"))


PLACED: Final = json_answer(f'{{"SUCCESS":"true","PAYURL":"{PAY_URL}"}}')
SHOWN: Final = json_answer(f'{{"SUCCESS":"true","QRURL":"{quote(QR_TEXT, safe="")}"}}')
NOT_PLACED: Final = json_answer('{"SUCCESS":"false","ERRCODE":"0130Z110C014","ERRMSG":"交易失败"}')

CREATES: Final = (
    create("h5", Instruction(kind=InstructionKind.REDIRECT, payload={"url": H5_URL})),
    create("app", Instruction(kind=InstructionKind.SDK_STRING, payload={"text": APP_TEXT})),
    create(
        "qr",
        Instruction(kind=InstructionKind.QR_TEXT, payload={"text": QR_TEXT}, expires_at=DEADLINE),
        exchange(got(QR_URL), PLACED),
        exchange(got(PAY_URL), SHOWN),
    ),
    call(
        "create-qr-not-placed",
        Operation.CREATE,
        peer.payment("qr"),
        (exchange(got(QR_URL), NOT_PLACED),),
        raises=NoVerdict,
    ),
)


def query(name: str, *answers: WireAnswer, **outcome: Any) -> OutgoingCase:
    kinds = zip("01", answers, strict=False)
    exchanges = tuple(exchange(question("5W1002", kind), answer) for kind, answer in kinds)
    return call(f"query-{name}", Operation.QUERY, peer.ref(), exchanges, **outcome)


def found(state: ReportedState, word: str, **more: Any) -> ProviderReport:
    return payment_report(Source.QUERY, state, word, **more)


PAID: Final = found(ReportedState.PAID, "1", amount_fen=38001, occurred_at=peer.PAID_AT, refunded_total_fen=0)

QUERIES: Final = (
    query("paid-today", peer.payments(peer.record()), report=PAID),
    query("paid-before", peer.no_record(), peer.payments(peer.record()), report=PAID),
    query(
        "failed-try",
        peer.payments(peer.record(ORDER_STATUS="0")),
        peer.no_record(),
        report=found(ReportedState.PENDING, "0"),
    ),
    query(
        "pending",
        peer.payments(peer.record(ORDER_STATUS="2")),
        peer.no_record(),
        report=found(ReportedState.PENDING, "2"),
    ),
    query("not-found", peer.no_record(), peer.no_record(), report=found(ReportedState.NOT_FOUND, "")),
    query("not-found-empty", peer.payments(), peer.payments(), report=found(ReportedState.NOT_FOUND, "")),
    query("refused", peer.payments(code="YDCA0291X"), raises=NoVerdict),
)

KNOWN_TO_NOBODY: Final = tuple(exchange(question("5W1003", kind), peer.no_record()) for kind in "01")
REFUND: Final = asked(
    peer.question(
        "5W1004",
        {"MONEY": "120.01", "ORDER": peer.ORDER_ID, "REFUND_CODE": peer.REFUND_CODE},
        "<SIGN_INFO></SIGN_INFO><SIGNCERT></SIGNCERT>",
    )
)


def refund(name: str, answer: WireAnswer, **outcome: Any) -> OutgoingCase:
    exchanges = (*KNOWN_TO_NOBODY, exchange(REFUND, answer))
    return call(name, Operation.REFUND, peer.refund(), exchanges, questions=2, **outcome)


def refund_query(name: str, *answers: WireAnswer, **outcome: Any) -> OutgoingCase:
    kinds = zip("01", answers, strict=False)
    exchanges = tuple(exchange(question("5W1003", kind), answer) for kind, answer in kinds)
    return call(f"query-refund-{name}", Operation.QUERY_REFUND, peer.refund(), exchanges, **outcome)


DONE: Final = refund_report(Source.QUERY, ReportedRefundState.SUCCEEDED, "1", occurred_at=peer.REFUNDED_AT)

REFUNDS: Final = (
    refund(
        "refund",
        peer.refund_taken(),
        report=refund_report(Source.ANSWER, ReportedRefundState.SUBMITTED, "000000"),
    ),
    refund("refund-refused", peer.refund_taken("YDCA0291REFUSED"), raises=RequestRefused),
    refund("refund-without-verdict", peer.refund_taken("YDCA0291X"), raises=NoVerdict),
    refund_query("done", peer.refunds(peer.refund_record()), report=DONE),
    refund_query("done-before", peer.no_record(), peer.refunds(peer.refund_record()), report=DONE),
    refund_query(
        "waiting",
        peer.refunds(peer.refund_record(STATUS="5")),
        peer.no_record(),
        report=refund_report(Source.QUERY, ReportedRefundState.SUBMITTED, "5"),
    ),
    refund_query(
        "failed",
        peer.no_record(),
        peer.refunds(peer.refund_record(STATUS="0")),
        report=refund_report(Source.QUERY, ReportedRefundState.FAILED, "0"),
    ),
    refund_query(
        "not-found",
        peer.no_record(),
        peer.no_record(),
        report=refund_report(Source.QUERY, ReportedRefundState.NOT_FOUND, ""),
    ),
)

CALLS: Final = (*CREATES, *QUERIES, *REFUNDS)
