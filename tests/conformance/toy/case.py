"""The toy's case. It signs with its own few lines, as every case should. All names and numbers are invented."""

import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from adapters.kit.http import Transport
from gateway.domain.clock import Clock
from gateway.domain.provider import (
    Acknowledgement,
    Instruction,
    InstructionKind,
    Operation,
    PaymentRef,
    PaymentRequest,
    ProviderUnavailable,
    RawCallback,
    RefundRequest,
    RequestRefused,
    Verdict,
)
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.secret import Secret
from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind
from tests.conformance.case import (
    AcceptedSample,
    AdapterCase,
    Callbacks,
    Exchange,
    Outgoing,
    OutgoingCase,
    RefusedSample,
    StatementRequest,
    UnreadableSample,
    WireAnswer,
    WireRequest,
)
from tests.conformance.toy.adapter import ToyProvider

NOW: Final = datetime(2026, 3, 1, 2, 20, 30, tzinfo=UTC)
BASE_URL: Final = "https://toy.invalid/api"
OWN_KEY: Final = "toy-merchant-key-canary"
KEYS: Final = {"old": "toy-old-key-canary", "new": "toy-new-key-canary"}
FOREIGN: Final = "toy-foreign-key"
OPENID: Final = "oCanary01"
NONCE: Final = "0123456789abcdefghijABCDEFGHIJxy"
NUMBER: Final = "0195500000007000800000000000000a"
REFUND_NUMBER: Final = "0195500000007000800000000000000b"
NOTIFY: Final = "https://gateway.invalid/callbacks/toy/main"
STATEMENT: Final = f"{NUMBER},380.01\n".encode()


def mac(key: str, moment: datetime | None, body: bytes) -> str:
    text = (str(int(moment.timestamp())) if moment else "").encode() + b"\n" + body
    return hmac.new(key.encode(), text, hashlib.sha256).hexdigest()


def compact(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def headers(body: bytes, signed_at: datetime, key: str) -> dict[str, str]:
    secret = KEYS.get(key, FOREIGN)
    return {"toy-time": str(int(signed_at.timestamp())), "toy-key": key, "toy-sign": mac(secret, signed_at, body)}


def callback(
    content: dict[str, Any] | bytes, *, signed_at: datetime = NOW, received_at: datetime = NOW, key: str = "new"
) -> RawCallback:
    body = content if isinstance(content, bytes) else compact(content)
    return RawCallback(headers=headers(body, signed_at, key), body=body, received_at=received_at)


def paid(**changes: Any) -> dict[str, Any]:
    at = int(NOW.timestamp()) - 5
    return {"id": "m1", "event": "payment", "no": NUMBER, "status": "PAID", "amount": "380.01", "at": at, **changes}


def report(source: Source, state: ReportedState, status: str, **more: Any) -> ProviderReport:
    return ProviderReport(source=source, out_trade_no=NUMBER, state=state, provider_status=status, **more)


def sign(*, signed_at: datetime, received_at: datetime, key: str) -> RawCallback:
    return callback(paid(), signed_at=signed_at, received_at=received_at, key=key)


PAID_REPORT: Final = report(
    Source.CALLBACK,
    ReportedState.PAID,
    "PAID",
    amount_fen=38001,
    currency="CNY",
    occurred_at=NOW - timedelta(seconds=5),
)

CALLBACKS: Final = Callbacks(
    accepted=(
        AcceptedSample(id="paid", raw=callback(paid()), report=PAID_REPORT, event="payment"),
        AcceptedSample(id="news", raw=callback({"id": "m2", "event": "news"}), report=None, event="news"),
    ),
    refused=(
        RefusedSample(id="foreign-key", raw=callback(paid(), key="foreign"), reason="unknown_key"),
        RefusedSample(id="hour-old", raw=callback(paid(), signed_at=NOW - timedelta(hours=1)), reason="stale"),
    ),
    unreadable=(
        UnreadableSample(id="not-json", raw=callback(b"paid!")),
        UnreadableSample(id="amount-is-number", raw=callback(paid(amount=380.01))),
        UnreadableSample(id="no-number", raw=callback({"id": "m3", "event": "payment", "status": "PAID"})),
    ),
    sign=sign,
    keys=("old", "new"),
    foreign_key="foreign",
    paid_with_amount=lambda amount_fen: callback(paid(amount=f"{amount_fen // 100}.{amount_fen % 100:02d}")),
    unknown_status=callback(paid(status="FLOATING")),
    signed_headers=("toy-time", "toy-key", "toy-sign"),
    window_seconds=300,
)


def request(method: str, path: str, body: bytes = b"") -> WireRequest:
    told = {"toy-time": str(int(NOW.timestamp())), "toy-nonce": NONCE, "toy-sign": mac(OWN_KEY, NOW, body)}
    return WireRequest(method=method, url=BASE_URL + path, headers=told, body=body)


def answer(content: dict[str, Any], status: int = 200) -> Callable[[datetime], WireAnswer]:
    body = compact(content)
    return lambda signed_at: WireAnswer(status=status, headers=headers(body, signed_at, "new"), body=body)


def exchange(method: str, path: str, sent: bytes, content: dict[str, Any], status: int = 200) -> Exchange:
    return Exchange(request=request(method, path, sent), answer=answer(content, status))


def payment(method: str) -> PaymentRequest:
    return PaymentRequest(
        out_trade_no=NUMBER,
        amount_fen=38001,
        method=method,
        description="2026年度城乡居民医保缴费",
        created_at=NOW - timedelta(seconds=1),
        expires_at=NOW + timedelta(hours=2),
        notify_url=NOTIFY,
        fields={"openid": OPENID} if method == "qr" else {},
    )


REF: Final = PaymentRef(out_trade_no=NUMBER, amount_fen=38001, method="qr", created_at=NOW)
REFUND: Final = RefundRequest(
    out_refund_no=REFUND_NUMBER,
    out_trade_no=NUMBER,
    amount_fen=12001,
    total_fen=38001,
    reason="多缴",
    method="qr",
    requested_at=NOW,
    notify_url=NOTIFY,
)
ORDER: Final[dict[str, Any]] = {
    "no": NUMBER,
    "amount": "380.01",
    "title": "2026年度城乡居民医保缴费",
    "until": int(NOW.timestamp()) + 7200,
    "notify": NOTIFY,
}
ORDER_QR: Final = compact({**ORDER, "openid": OPENID})
REFUND_BODY: Final = compact({"refund": REFUND_NUMBER, "no": NUMBER, "amount": "120.01"})
LINK: Final = f"{BASE_URL}/cashier?order={compact(ORDER).hex()}&sign={mac(OWN_KEY, None, compact(ORDER))}"
PENDING: Final = report(Source.ANSWER, ReportedState.PENDING, "")
DAY: Final = StatementRequest(day=date(2026, 2, 28), kind=StatementKind.TRADES)

CALLS: Final = (
    OutgoingCase(
        id="create-qr",
        operation=Operation.CREATE,
        argument=payment("qr"),
        exchanges=(exchange("POST", "/pay", ORDER_QR, {"qr": "toy://pay/1"}),),
        report=PENDING,
        instruction=Instruction(kind=InstructionKind.QR_TEXT, payload={"text": "toy://pay/1"}),
    ),
    OutgoingCase(
        id="create-link",
        operation=Operation.CREATE,
        argument=payment("link"),
        exchanges=(),
        report=PENDING,
        instruction=Instruction(kind=InstructionKind.REDIRECT, payload={"url": LINK}),
    ),
    OutgoingCase(
        id="create-too-large",
        operation=Operation.CREATE,
        argument=payment("qr"),
        exchanges=(exchange("POST", "/pay", ORDER_QR, {"code": "AMOUNT_TOO_LARGE"}, 400),),
        raises=RequestRefused,
    ),
    OutgoingCase(
        id="query-paid",
        operation=Operation.QUERY,
        argument=REF,
        exchanges=(exchange("GET", f"/pay/{NUMBER}", b"", {"no": NUMBER, "status": "PAID", "amount": "380.01"}),),
        report=report(Source.QUERY, ReportedState.PAID, "PAID", amount_fen=38001, currency="CNY"),
    ),
    OutgoingCase(
        id="query-unknown-there",
        operation=Operation.QUERY,
        argument=REF,
        exchanges=(exchange("GET", f"/pay/{NUMBER}", b"", {"no": NUMBER, "status": "NONE"}),),
        report=report(Source.QUERY, ReportedState.NOT_FOUND, "NONE"),
    ),
    OutgoingCase(
        id="query-too-often",
        operation=Operation.QUERY,
        argument=REF,
        exchanges=(exchange("GET", f"/pay/{NUMBER}", b"", {"code": "SLOW_DOWN"}, 429),),
        raises=ProviderUnavailable,
    ),
    OutgoingCase(
        id="refund-accepted",
        operation=Operation.REFUND,
        argument=REFUND,
        exchanges=(exchange("POST", "/refund", REFUND_BODY, {"status": "ACCEPTED"}),),
        report=report(
            Source.ANSWER,
            ReportedState.PAID,
            "ACCEPTED",
            refund=RefundReport(out_refund_no=REFUND_NUMBER, state=ReportedRefundState.SUBMITTED, amount_fen=12001),
        ),
    ),
    OutgoingCase(
        id="statement",
        operation=Operation.FETCH_STATEMENT,
        argument=DAY,
        exchanges=(
            exchange(
                "GET",
                "/statement/2026-02-28/trades",
                b"",
                {"file": "f1", "sha256": hashlib.sha256(STATEMENT).hexdigest()},
            ),
            Exchange(
                request=WireRequest(method="GET", url=f"{BASE_URL}/file/f1"),
                answer=lambda _signed_at: WireAnswer(status=200, headers={}, body=STATEMENT),
                answer_is_signed=False,
            ),
        ),
        lines=(
            StatementLine(
                line_no=1,
                kind=StatementLineKind.PAYMENT,
                occurred_at=None,
                out_trade_no=NUMBER,
                provider_trade_no="",
                amount_fen=38001,
            ),
        ),
    ),
)


def content_of(sent: WireRequest) -> dict[str, Any]:
    """The business content of a request, or of the address that we sign ourselves."""
    if "/cashier" in sent.url:
        return dict(json.loads(bytes.fromhex(parse_qs(urlsplit(sent.url).query)["order"][0])))
    return dict(json.loads(sent.body)) if sent.body else {}


def amount_fen(sent: WireRequest) -> int:
    whole, cents = content_of(sent)["amount"].split(".")
    assert len(cents) == 2
    return int(whole) * 100 + int(cents)


def unsigned(good: WireAnswer) -> WireAnswer:
    kept = {name: value for name, value in good.headers.items() if name != "toy-sign"}
    return WireAnswer(status=good.status, headers=kept, body=good.body)


def build(clock: Clock, provider_class: type[ToyProvider] = ToyProvider) -> ToyProvider:
    return provider_class(
        base_url=BASE_URL,
        own_key=Secret(OWN_KEY),
        provider_keys={name: Secret(key) for name, key in KEYS.items()},
        clock=clock,
        nonce=lambda: NONCE,
        transport=Transport(),
    )


def case() -> AdapterCase:
    return AdapterCase(
        name="toy",
        now=NOW,
        build=build,
        base_url=BASE_URL,
        callbacks=CALLBACKS,
        acknowledgements={
            verdict: Acknowledgement(
                status=200 if verdict in {Verdict.ACCEPTED, Verdict.IGNORED, Verdict.QUARANTINED} else 500,
                body=b"ok" if verdict in {Verdict.ACCEPTED, Verdict.IGNORED, Verdict.QUARANTINED} else b"again",
                content_type="text/plain",
            )
            for verdict in Verdict
        },
        outgoing=Outgoing(
            calls=CALLS,
            unsigned=unsigned,
            business=lambda sent: (sent.method, sent.url.split("?")[0], content_of(sent)),
            number=lambda sent: str(content_of(sent).get("refund") or content_of(sent)["no"]),
            amount_fen=amount_fen,
        ),
        canaries=(OWN_KEY, *KEYS.values(), OPENID),
    )
