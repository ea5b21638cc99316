"""ICBC before the conformance suite: a merchant whose app signs RSA2. All names and numbers are invented."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode, urlsplit

from adapters.bank.icbc.adapter import IcbcProvider
from gateway.domain.clock import Clock
from gateway.domain.provider import (
    AccountMisconfigured,
    Acknowledgement,
    Instruction,
    InstructionKind,
    NoVerdict,
    Operation,
    PaymentRef,
    RawCallback,
    RefundRequest,
    Verdict,
)
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from tests.adapters.bank_icbc import peer
from tests.conformance.case import (
    AcceptedSample,
    AdapterCase,
    Callbacks,
    Exchange,
    Outgoing,
    OutgoingCase,
    RefusedSample,
    UnreadableSample,
    WireAnswer,
    WireRequest,
)

ONLINE: Final = "cardbusiness/aggregatepay/b2c/online"
SHOWPAY: Final = f"/ui/{ONLINE}/ui/consumepurchaseshowpay/V1"
QUERY, REFUND, REFUND_QUERY = (f"/api/{ONLINE}/{name}/V1" for name in ("orderqry", "merrefund", "refundqry"))
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded; charset=UTF-8"}
IN_URL: Final = ("sign", "app_id", "sign_type", "charset", "format", "timestamp", "msg_id")

ORDER: Final = {
    "mer_id": peer.MER_ID,
    "out_trade_no": peer.NUMBER,
    "mer_prtcl_no": peer.CONTRACT,
    "order_amt": "38001",
    "notify_url": peer.NOTIFY,
    "icbc_appid": peer.APP_ID,
    "openId": peer.OPEN_ID,
    "body": "2026年度医保缴费",
    "subject": "2026年度医保缴费",
    "notify_type": "HS",
    "result_type": "1",
    "expireTime": "1800",
    "return_url": peer.RETURN_URL,
    "shop_appid": "wx0000000000000001",
}
QUESTION: Final = {
    "mer_id": peer.MER_ID,
    "out_trade_no": peer.NUMBER,
    "deal_flag": "0",
    "icbc_appid": peer.APP_ID,
    "mer_prtcl_no": peer.CONTRACT,
}
BACK: Final = {
    "mer_id": peer.MER_ID,
    "outtrx_serial_no": peer.REFUND_NUMBER,
    "out_trade_no": peer.NUMBER,
    "ret_total_amt": "12001",
    "trnsc_ccy": "001",
    "icbc_appid": peer.APP_ID,
    "mer_prtcl_no": peer.CONTRACT,
}
BACK_QUESTION: Final = {
    "mer_id": peer.MER_ID,
    "out_trade_no": peer.NUMBER,
    "outtrx_serial_no": peer.REFUND_NUMBER,
    "mer_prtcl_no": peer.CONTRACT,
}


def payment_report(source: Source, state: ReportedState, word: str, **more: Any) -> ProviderReport:
    return ProviderReport(source=source, out_trade_no=peer.NUMBER, state=state, provider_status=word, **more)


def paid_report(source: Source, amount_fen: int = 38001) -> ProviderReport:
    return payment_report(
        source,
        ReportedState.PAID,
        "0",
        amount_fen=amount_fen,
        provider_trade_no=peer.ORDER_ID,
        occurred_at=peer.PAID_AT,
    )


def refund_report(source: Source, state: ReportedRefundState, word: str, **more: Any) -> ProviderReport:
    done = state is ReportedRefundState.SUCCEEDED
    return payment_report(
        source,
        ReportedState.PAID if done else ReportedState.UNKNOWN,
        word,
        refund=RefundReport(
            out_refund_no=peer.REFUND_NUMBER,
            state=state,
            amount_fen=12001,
            provider_refund_no=peer.REFUND_ID,
            occurred_at=peer.REFUNDED_AT if done else None,
            **more,
        ),
    )


# --- callbacks --------------------------------------------------------------------------------------------------------


def sign(*, signed_at: datetime, received_at: datetime, key: str) -> RawCallback:
    return peer.notify(peer.paid(), received_at, signer=key, timestamp=signed_at.strftime("%Y-%m-%d %H:%M:%S"))


CALLBACKS: Final = Callbacks(
    accepted=(
        AcceptedSample(id="paid", raw=peer.notify(peer.paid()), report=paid_report(Source.CALLBACK), event="notify"),
        AcceptedSample(
            id="paid-gbk",
            raw=peer.notify(peer.paid(total_amt="1", attach="城乡居民医保"), charset="GBK"),
            report=paid_report(Source.CALLBACK, 1),
            event="notify",
        ),
        AcceptedSample(
            id="failed",
            raw=peer.notify(peer.paid(return_code="90001", return_msg="支付失败")),
            report=payment_report(Source.CALLBACK, ReportedState.UNKNOWN, "90001", amount_fen=38001),
            event="notify",
        ),
    ),
    refused=(
        RefusedSample(id="prefix-stripped", raw=peer.notify(peer.paid(), path="/bank_icbc/main"), reason="signature"),
        RefusedSample(id="trailing-slash", raw=peer.notify(peer.paid(), path=f"{peer.SIGNED_PATH}/")),
        RefusedSample(id="signed-by-the-app", raw=peer.notify(peer.paid(), signer=peer.APP), reason="signature"),
        RefusedSample(id="sha256", raw=peer.notify(peer.paid(), digest="sha256"), reason="signature"),
        RefusedSample(
            id="field-twice",
            raw=peer.callback(urlencode(peer.notify_fields(peer.paid())).encode() + b"&app_id=1"),
            reason="malformed",
        ),
    ),
    unreadable=(
        UnreadableSample(id="amount-missing", raw=peer.notify(peer.paid(total_amt=None))),
        UnreadableSample(id="amount-in-yuan", raw=peer.notify(peer.paid(total_amt="380.01"))),
        UnreadableSample(id="no-number", raw=peer.notify(peer.paid(out_trade_no=None))),
        UnreadableSample(id="no-code", raw=peer.notify(peer.paid(return_code=None))),
        UnreadableSample(id="not-json", raw=peer.notify('{"return_code":"0"')),
        UnreadableSample(id="sealed-without-a-key", raw=peer.notify(peer.sealed("{}"), encrypt_type="AES")),
    ),
    sign=sign,
    keys=(peer.BANK, peer.BANK_PREVIOUS),
    foreign_key=peer.APP,
    paid_with_amount=lambda amount_fen: peer.notify(peer.paid(total_amt=str(amount_fen), payment_amt="1")),
    unknown_status=peer.notify(peer.paid(pay_status="7")),
    signed_form_fields=("api", "app_id", "biz_content", "charset", "format", "from", "sign", "sign_type", "timestamp"),
    signs_decoded_values=True,
)


# --- outgoing calls ---------------------------------------------------------------------------------------------------


def exchange(path: str, sent: Mapping[str, str], answered: Mapping[str, Any]) -> Exchange:
    request = WireRequest(
        method="POST",
        url=f"{peer.BASE_URL}{path}",
        headers=FORM,
        body=urlencode(peer.request_params(path, sent)).encode(),
    )
    return Exchange(request=request, answer=lambda _signed_at: peer.answer(answered))


def showpay_payload() -> dict[str, Any]:
    params = peer.request_params(SHOWPAY, ORDER)
    query = urlencode({name: params[name] for name in IN_URL})
    return {"url": f"{peer.BASE_URL}{SHOWPAY}?{query}", "fields": {"biz_content": params["biz_content"]}}


def query(name: str, answered: Mapping[str, Any], report: ProviderReport | None = None, **more: Any) -> OutgoingCase:
    argument: PaymentRef = more.pop("argument", peer.ref())
    return OutgoingCase(
        id=f"query-{name}",
        operation=Operation.QUERY,
        argument=argument,
        exchanges=(exchange(QUERY, QUESTION, answered),),
        report=report,
        **more,
    )


def back(
    name: str, answered: Mapping[str, Any], report: ProviderReport | None = None, *, asks: bool = False, **more: Any
) -> OutgoingCase:
    argument: RefundRequest = peer.refund_request()
    operation = Operation.QUERY_REFUND if asks else Operation.REFUND
    return OutgoingCase(
        id=f"{operation.value.replace('_', '-')}-{name}",
        operation=operation,
        argument=argument,
        exchanges=(exchange(REFUND_QUERY, BACK_QUESTION, answered) if asks else exchange(REFUND, BACK, answered),),
        report=report,
        **more,
    )


NOT_KNOWN: Final = {"return_code": 500020, "return_msg": "订单不存在", "msg_id": peer.NONCE}
IN_DOUBT: Final = {"return_code": -12345, "return_msg": "系统异常", "msg_id": peer.NONCE}
SUBMITTED, SUCCEEDED, FAILED = (
    ReportedRefundState.SUBMITTED,
    ReportedRefundState.SUCCEEDED,
    ReportedRefundState.FAILED,
)

CALLS: Final = (
    OutgoingCase(
        id="create-showpay",
        operation=Operation.CREATE,
        argument=peer.payment(),
        exchanges=(),
        report=payment_report(Source.ANSWER, ReportedState.PENDING, ""),
        instruction=Instruction(
            kind=InstructionKind.FORM,
            payload=showpay_payload(),
            expires_at=peer.CREATED_AT + timedelta(minutes=30),
        ),
    ),
    query("paid", peer.found(), paid_report(Source.QUERY)),
    query(
        "failed-too-early",
        peer.found(pay_status="1"),
        payment_report(Source.QUERY, ReportedState.PENDING, "1", amount_fen=38001),
    ),
    query(
        "under-way",
        peer.found(pay_status="2", total_amt=None),
        payment_report(Source.QUERY, ReportedState.PENDING, "2"),
    ),
    query(
        "unknown-word",
        peer.found(pay_status="9", total_amt=None),
        payment_report(Source.QUERY, ReportedState.UNKNOWN, "9"),
    ),
    query("not-found", NOT_KNOWN, payment_report(Source.QUERY, ReportedState.NOT_FOUND, "500020")),
    query("in-doubt", IN_DOUBT, raises=NoVerdict),
    query("unknown-code", {"return_code": 93008, "return_msg": "?"}, raises=NoVerdict),
    query("badly-signed", {"return_code": "400017", "return_msg": "?"}, raises=AccountMisconfigured),
    query("of-another", peer.found(out_trade_no=peer.REFUND_NUMBER), raises=NoVerdict),
    back("taken", peer.taken(), refund_report(Source.ANSWER, SUBMITTED, "0")),
    back("in-doubt", IN_DOUBT, raises=NoVerdict),
    back("under-way", {"return_code": "00070038", "return_msg": "?"}, raises=NoVerdict),
    back("badly-signed", {"return_code": 400017, "return_msg": "?"}, raises=AccountMisconfigured),
    back("done", peer.refunded(), refund_report(Source.QUERY, SUCCEEDED, "0"), asks=True),
    back("failed", peer.taken(pay_status="1"), refund_report(Source.QUERY, FAILED, "1"), asks=True),
    back("under-way", peer.taken(pay_status="2"), refund_report(Source.QUERY, SUBMITTED, "2"), asks=True),
    back(
        "not-found",
        NOT_KNOWN,
        ProviderReport(
            source=Source.QUERY,
            out_trade_no=peer.NUMBER,
            state=ReportedState.UNKNOWN,
            provider_status="500020",
            refund=RefundReport(out_refund_no=peer.REFUND_NUMBER, state=ReportedRefundState.NOT_FOUND),
        ),
        asks=True,
    ),
)


def content_of(sent: WireRequest) -> dict[str, str]:
    content: dict[str, str] = json.loads(dict(parse_qsl(sent.body.decode(), strict_parsing=True))["biz_content"])
    return content


def business(sent: WireRequest) -> object:
    return urlsplit(sent.url).path, content_of(sent)


def number(sent: WireRequest) -> str:
    content = content_of(sent)
    return content.get("outtrx_serial_no") or content["out_trade_no"]


def amount_fen(sent: WireRequest) -> int:
    content = content_of(sent)
    return int(content.get("ret_total_amt") or content["order_amt"])


def unsigned(good: WireAnswer) -> WireAnswer:
    content, _, _ = good.body.partition(b',"sign":"')
    assert content != good.body
    return WireAnswer(status=good.status, headers=good.headers, body=content + b"}")


# --- the case ---------------------------------------------------------------------------------------------------------


def build(clock: Clock) -> IcbcProvider:
    return peer.provider(clock)


def acknowledgement(status: int, content: str) -> Acknowledgement:
    return Acknowledgement(
        status=status, body=peer.acknowledgement_body(content), content_type="application/json; charset=utf-8"
    )


DONE: Final = acknowledgement(200, f'{{"return_code":0,"return_msg":"success.","msg_id":"{peer.MSG_ID}"}}')
LATER: Final = acknowledgement(503, '{"return_code":-12345,"return_msg":"not stored yet."}')
ACKNOWLEDGEMENTS: Final = {
    Verdict.ACCEPTED: DONE,
    Verdict.IGNORED: DONE,
    Verdict.QUARANTINED: DONE,
    Verdict.ORPHAN: LATER,
    Verdict.REFUSED: acknowledgement(400, '{"return_code":-12345,"return_msg":"icbc sign not pass."}'),
    Verdict.UNSTORED: LATER,
}


def case() -> AdapterCase:
    middle_of_the_key = peer.text("icbc_app_private.pem").splitlines()[12]
    assert base64.b64decode(middle_of_the_key)
    return AdapterCase(
        name="bank_icbc",
        now=peer.NOW.astimezone(UTC),
        build=build,
        base_url=peer.BASE_URL,
        callbacks=CALLBACKS,
        acknowledgements=ACKNOWLEDGEMENTS,
        outgoing=Outgoing(calls=CALLS, unsigned=unsigned, business=business, number=number, amount_fen=amount_fen),
        canaries=(middle_of_the_key, peer.CARD, peer.OPEN_ID, "2026年度医保缴费"),
    )
