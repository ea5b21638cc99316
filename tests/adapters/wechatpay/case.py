"""WeChat Pay before the conformance suite: the direct account of the vectors. All names and numbers are invented."""

import base64
import gzip
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from gateway.domain.clock import CHINA
from gateway.domain.provider import (
    AccountMisconfigured,
    Acknowledgement,
    Instruction,
    InstructionKind,
    NoVerdict,
    Operation,
    ProviderUnavailable,
    RequestRefused,
    Verdict,
)
from gateway.domain.report import ReportedRefundState, ReportedState, Source
from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind
from tests.adapters.wechatpay import peer
from tests.adapters.wechatpay.case_callbacks import (
    CALLBACKS,
    REFUND_ID,
    REFUNDED_AT,
    paid_report,
    refund_report,
    report,
)
from tests.conformance.case import (
    AdapterCase,
    Exchange,
    Outgoing,
    OutgoingCase,
    StatementRequest,
    WireAnswer,
    WireRequest,
)

PAY: Final = "/v3/pay/transactions"
REFUNDS: Final = "/v3/refund/domestic/refunds"
PREPAY_ID: Final = "wx201410272009395522657a690389285100"
H5_URL: Final = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx20161110163838f231619da20804912345"
CODE_URL: Final = "weixin://wxpay/bizpayurl?pr=p4lpSuKzz"
TIMESTAMP: Final = str(peer.CONFIG["now"])

# --- outgoing calls ---------------------------------------------------------------------------------------------------

_loaded = serialization.load_pem_private_key(peer.pem("merchant_private_key.pem").encode(), password=None)
assert isinstance(_loaded, rsa.RSAPrivateKey)
MERCHANT_KEY: Final = _loaded


def signature(text: str) -> str:
    raw = MERCHANT_KEY.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(raw).decode()


def request(method: str, path: str, body: str = "", accept: str = "application/json") -> WireRequest:
    told = signature(f"{method}\n{path}\n{TIMESTAMP}\n{peer.NONCE}\n{body}\n")
    headers = {
        "Authorization": f'WECHATPAY2-SHA256-RSA2048 mchid="1900000109",nonce_str="{peer.NONCE}",'
        f'timestamp="{TIMESTAMP}",serial_no="{peer.CONFIG["merchant_serial_no"]}",signature="{told}"',
        "Wechatpay-Serial": peer.CONFIG["public_key_id"],
        "Accept": accept,
        **({"Content-Type": "application/json"} if body else {}),
    }
    return WireRequest(method=method, url=peer.BASE_URL + path, headers=headers, body=body.encode())


def answer(members: Any, status: int = 200) -> Callable[[datetime], WireAnswer]:
    body = b"" if members is None else peer.compact(members)
    return lambda signed_at: WireAnswer(
        status=status, headers=peer.signature_headers(body, signed_at=signed_at, key="public_key"), body=body
    )


def refusal(status: int, code: str) -> Callable[[datetime], WireAnswer]:
    body = peer.compact({"code": code, "message": "详见错误码"})
    return lambda _signed_at: WireAnswer(status=status, headers={"Request-ID": "08F5B8C2-1"}, body=body)


def exchange(method: str, path: str, body: str, members: Any, status: int = 200) -> Exchange:
    return Exchange(request=request(method, path, body), answer=answer(members, status))


ORDER: Final = (
    '{"appid":"wx2421b1c4370ec43b","mchid":"1900000109","description":"2026年度城乡居民医保缴费",'
    f'"out_trade_no":"{peer.NUMBER}","time_expire":"2025-10-09T18:53:20+08:00","notify_url":"{peer.NOTIFY}",'
    '"amount":{"total":38001,"currency":"CNY"}'
)
WITH_OPENID: Final = f'{ORDER},"payer":{{"openid":"{peer.OPENID}"}}}}'
WITH_SCENE: Final = f'{ORDER},"scene_info":{{"payer_client_ip":"203.0.113.7","h5_info":{{"type":"Wap"}}}}}}'
REFUND_BODY: Final = (
    f'{{"out_trade_no":"{peer.NUMBER}","out_refund_no":"{peer.REFUND_NUMBER}","reason":"重复缴费退款",'
    f'"notify_url":"{peer.NOTIFY}","amount":{{"refund":12001,"total":38001,"currency":"CNY"}}}}'
)
JSAPI_SIGNATURE: Final = signature(f"wx2421b1c4370ec43b\n{TIMESTAMP}\n{peer.NONCE}\nprepay_id={PREPAY_ID}\n")
APP_SIGNATURE: Final = signature(f"wx2421b1c4370ec43b\n{TIMESTAMP}\n{peer.NONCE}\n{PREPAY_ID}\n")
MINI_PROGRAM_PAYLOAD: Final = {
    "timeStamp": TIMESTAMP,
    "nonceStr": peer.NONCE,
    "package": f"prepay_id={PREPAY_ID}",
    "signType": "RSA",
    "paySign": JSAPI_SIGNATURE,
}
APP_PAYLOAD: Final = {
    "appid": "wx2421b1c4370ec43b",
    "partnerid": "1900000109",
    "prepayid": PREPAY_ID,
    "package": "Sign=WXPay",
    "noncestr": peer.NONCE,
    "timestamp": TIMESTAMP,
    "sign": APP_SIGNATURE,
}


def create(
    method: str, body: str, members: dict[str, str], *, kind: InstructionKind, payload: dict[str, str]
) -> OutgoingCase:
    wire_method = "jsapi" if method == "mini_program" else method
    life = timedelta(minutes=5) if method == "h5" else timedelta(hours=2)
    return OutgoingCase(
        id=f"create-{method}",
        operation=Operation.CREATE,
        argument=peer.payment(method),
        exchanges=(exchange("POST", f"{PAY}/{wire_method}", body, members),),
        report=report(Source.ANSWER, ReportedState.PENDING, "HTTP 200"),
        instruction=Instruction(kind=kind, payload=payload, expires_at=peer.NOW + life),
    )


def refused(operation: Operation, status: int, code: str, *, raises: type[Any], sent: WireRequest) -> OutgoingCase:
    arguments: dict[Operation, Any] = {Operation.CREATE: peer.payment(), Operation.REFUND: peer.refund_request()}
    return OutgoingCase(
        id=f"{operation}-{code}",
        operation=operation,
        argument=arguments.get(operation, peer.payment_ref()),
        exchanges=(Exchange(request=sent, answer=refusal(status, code)),),
        raises=raises,
    )


FIXTURES: Final = Path(__file__).parent / "fixtures"
FILE_PATH: Final = "/v3/billdownload/file?token=Jf1iUjkJdiL1aIKnmZQZ4PDYnAwbLyaVrybZ04zL&tartype=gzip"


def statement(kind: StatementKind, path: str, lines: tuple[StatementLine, ...]) -> OutgoingCase:
    content = (FIXTURES / f"bill__{kind}.csv").read_bytes()
    ticket = {
        "hash_type": "SHA1",
        "hash_value": hashlib.sha1(content).hexdigest(),
        "download_url": peer.BASE_URL + FILE_PATH,
    }
    packed = gzip.compress(content, mtime=0)
    download = Exchange(
        request=request("GET", FILE_PATH, accept="*/*"),
        answer=lambda _signed_at: WireAnswer(status=200, headers={"Content-Type": "text/plain"}, body=packed),
        answer_is_signed=False,
    )
    return OutgoingCase(
        id=f"statement-{kind}",
        operation=Operation.FETCH_STATEMENT,
        argument=StatementRequest(day=date(2025, 10, 8), kind=kind),
        exchanges=(exchange("GET", path, "", ticket), download),
        lines=lines,
    )


LINE_AT: Final = datetime(2025, 10, 8, 9, 12, 3, tzinfo=CHINA)
PAYMENT_LINE: Final = StatementLine(
    line_no=2,
    kind=StatementLineKind.PAYMENT,
    occurred_at=LINE_AT,
    out_trade_no=peer.NUMBER,
    provider_trade_no=peer.TRADE_NUMBER,
    amount_fen=38001,
    fee_fen_e3=228006,
    provider_status="SUCCESS",
)
REFUND_LINE: Final = StatementLine(
    line_no=3,
    kind=StatementLineKind.REFUND,
    occurred_at=LINE_AT,
    out_trade_no=peer.NUMBER,
    provider_trade_no=peer.TRADE_NUMBER,
    amount_fen=12001,
    out_refund_no=peer.REFUND_NUMBER,
    provider_refund_no=REFUND_ID,
    fee_fen_e3=-72006,
    provider_status="PROCESSING",
)
FUND_LINE: Final = replace(PAYMENT_LINE, fee_fen_e3=None, provider_status="交易")

QUERY: Final = f"{PAY}/out-trade-no/{peer.NUMBER}?mchid=1900000109"
CLOSE: Final = f"{PAY}/out-trade-no/{peer.NUMBER}/close"
CLOSE_BODY: Final = '{"mchid":"1900000109"}'
CREATE_SENT: Final = request("POST", f"{PAY}/jsapi", WITH_OPENID)
CALLS: Final = (
    create(
        "jsapi",
        WITH_OPENID,
        {"prepay_id": PREPAY_ID},
        kind=InstructionKind.SDK_PARAMS,
        payload={"appId": "wx2421b1c4370ec43b", **MINI_PROGRAM_PAYLOAD},
    ),
    create(
        "mini_program",
        WITH_OPENID,
        {"prepay_id": PREPAY_ID},
        kind=InstructionKind.SDK_PARAMS,
        payload=MINI_PROGRAM_PAYLOAD,
    ),
    create("app", ORDER + "}", {"prepay_id": PREPAY_ID}, kind=InstructionKind.SDK_PARAMS, payload=APP_PAYLOAD),
    create("h5", WITH_SCENE, {"h5_url": H5_URL}, kind=InstructionKind.REDIRECT, payload={"url": H5_URL}),
    create("native", ORDER + "}", {"code_url": CODE_URL}, kind=InstructionKind.QR_TEXT, payload={"text": CODE_URL}),
    refused(Operation.CREATE, 429, "FREQUENCY_LIMITED", raises=ProviderUnavailable, sent=CREATE_SENT),
    refused(Operation.CREATE, 400, "ORDER_CLOSED", raises=RequestRefused, sent=CREATE_SENT),
    refused(Operation.CREATE, 401, "SIGN_ERROR", raises=AccountMisconfigured, sent=CREATE_SENT),
    refused(Operation.CLOSE, 400, "ORDERPAID", raises=NoVerdict, sent=request("POST", CLOSE, CLOSE_BODY)),
    refused(
        Operation.REFUND, 403, "NOT_ENOUGH", raises=ProviderUnavailable, sent=request("POST", REFUNDS, REFUND_BODY)
    ),
    OutgoingCase(
        id="query-paid",
        operation=Operation.QUERY,
        argument=peer.payment_ref(),
        exchanges=(exchange("GET", QUERY, "", peer.paid()),),
        report=paid_report(Source.QUERY),
    ),
    OutgoingCase(
        id="query-unpaid",
        operation=Operation.QUERY,
        argument=peer.payment_ref(),
        exchanges=(
            exchange("GET", QUERY, "", {"mchid": "1900000109", "out_trade_no": peer.NUMBER, "trade_state": "NOTPAY"}),
        ),
        report=report(Source.QUERY, ReportedState.PENDING, "NOTPAY"),
    ),
    OutgoingCase(
        id="query-unknown-there",
        operation=Operation.QUERY,
        argument=peer.payment_ref(),
        exchanges=(
            # Errors are unsigned, but no digest proves them either: what is asked of signed answers holds here, too.
            Exchange(request=request("GET", QUERY), answer=refusal(404, "ORDER_NOT_EXIST")),
        ),
        report=report(Source.QUERY, ReportedState.NOT_FOUND, "ORDER_NOT_EXIST"),
    ),
    OutgoingCase(
        id="close",
        operation=Operation.CLOSE,
        argument=peer.payment_ref(),
        exchanges=(exchange("POST", CLOSE, CLOSE_BODY, None, 204),),
        report=report(Source.ANSWER, ReportedState.UNKNOWN, "HTTP 204"),
    ),
    OutgoingCase(
        id="refund",
        operation=Operation.REFUND,
        argument=peer.refund_request(),
        exchanges=(exchange("POST", REFUNDS, REFUND_BODY, peer.refund_object()),),
        report=refund_report(Source.ANSWER, "PROCESSING", ReportedRefundState.SUBMITTED, currency="CNY"),
    ),
    OutgoingCase(
        id="query-refund",
        operation=Operation.QUERY_REFUND,
        argument=peer.refund_request(),
        exchanges=(
            exchange(
                "GET",
                f"{REFUNDS}/{peer.REFUND_NUMBER}",
                "",
                peer.refund_object(status="SUCCESS", success_time="2025-10-09T16:53:17+08:00"),
            ),
        ),
        report=refund_report(
            Source.QUERY, "SUCCESS", ReportedRefundState.SUCCEEDED, currency="CNY", occurred_at=REFUNDED_AT
        ),
    ),
    statement(
        StatementKind.TRADES,
        "/v3/bill/tradebill?bill_date=2025-10-08&bill_type=ALL&tar_type=GZIP",
        (PAYMENT_LINE, REFUND_LINE),
    ),
    statement(
        StatementKind.FUNDS,
        "/v3/bill/fundflowbill?bill_date=2025-10-08&account_type=BASIC&tar_type=GZIP",
        (FUND_LINE,),
    ),
)


def unsigned(good: WireAnswer) -> WireAnswer:
    kept = {name: value for name, value in good.headers.items() if not name.startswith("wechatpay-")}
    return replace(good, headers=kept)


def number(sent: WireRequest) -> str:
    members = json.loads(sent.body)
    return str(members.get("out_refund_no") or members["out_trade_no"])


def amount_fen(sent: WireRequest) -> int:
    amount = json.loads(sent.body)["amount"]
    value = amount["refund"] if "refund" in amount else amount["total"]
    assert type(value) is int
    return value


def pem_middle(name: str) -> str:
    """A line from the middle of a key."""
    lines = peer.pem(name).splitlines()
    return lines[len(lines) // 2]


STOP: Final = Acknowledgement(
    status=200, body='{"code":"SUCCESS","message":"成功"}'.encode(), content_type="application/json"
)
AGAIN: Final = Acknowledgement(
    status=503, body='{"code":"FAIL","message":"稍后重试"}'.encode(), content_type="application/json"
)


def case() -> AdapterCase:
    return AdapterCase(
        name="wechatpay",
        now=peer.NOW,
        build=peer.provider,
        base_url=peer.BASE_URL,
        callbacks=CALLBACKS,
        acknowledgements={
            Verdict.ACCEPTED: STOP,
            Verdict.IGNORED: STOP,
            Verdict.QUARANTINED: STOP,
            Verdict.ORPHAN: AGAIN,
            Verdict.UNSTORED: AGAIN,
            Verdict.REFUSED: Acknowledgement(
                status=401, body='{"code":"FAIL","message":"验签失败"}'.encode(), content_type="application/json"
            ),
        },
        outgoing=Outgoing(
            calls=CALLS,
            unsigned=unsigned,
            business=lambda sent: (sent.method, sent.url, sent.body),
            number=number,
            amount_fen=amount_fen,
        ),
        canaries=(
            peer.OPENID,
            peer.CONFIG["apiv3_key"],
            "招商银行信用卡0403",
            "203.0.113.7",
            pem_middle("merchant_private_key.pem"),
            pem_middle("platform_a_private_key.pem"),
        ),
    )
