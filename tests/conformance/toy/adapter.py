"""The toy's adapter: as short as an adapter can be that holds everything. The broken toys override one method each."""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final

from adapters.kit.http import HttpAnswer, Transport
from gateway.domain.clock import Clock
from gateway.domain.money import fen_from_yuan, yuan_from_fen
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    Instruction,
    InstructionKind,
    Method,
    MethodField,
    NoVerdict,
    Operation,
    OperationUnsupported,
    PaymentAnswer,
    PaymentRef,
    PaymentRequest,
    ProviderAnswer,
    ProviderUnavailable,
    RawCallback,
    RefundRequest,
    RequestRefused,
    Verdict,
)
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.secret import Secret
from gateway.domain.statement import StatementKind, StatementLine, StatementLineKind, StatementUnreadable
from gateway.domain.strict_json import parse_strict_json_object

WINDOW_SECONDS: Final = 300
STATE_BY_STATUS: Final = {
    "WAITING": ReportedState.PENDING,
    "PAID": ReportedState.PAID,
    "GONE": ReportedState.CLOSED,
    "NONE": ReportedState.NOT_FOUND,
}
REFUND_STATE_BY_STATUS: Final = {"ACCEPTED": ReportedRefundState.SUBMITTED, "DONE": ReportedRefundState.SUCCEEDED}
FINAL_REFUSALS: Final = frozenset({"AMOUNT_TOO_LARGE"})
METHODS: Final = {
    "qr": Method(
        name="qr",
        title="扫码",
        instruction=InstructionKind.QR_TEXT,
        fields={"openid": MethodField(required=True, pattern="o[0-9A-Za-z]{8}", description="payer", personal=True)},
    ),
    "link": Method(name="link", title="网页", instruction=InstructionKind.REDIRECT),
}
ACCEPTED: Final = frozenset({Verdict.ACCEPTED, Verdict.IGNORED, Verdict.QUARANTINED})


class ToyProvider:
    """One account at the toy provider."""

    name = "toy"
    methods: Mapping[str, Method] = METHODS
    capabilities = frozenset(
        {Operation.CREATE, Operation.PARSE_CALLBACK, Operation.QUERY, Operation.REFUND, Operation.FETCH_STATEMENT}
    )

    def __init__(
        self,
        *,
        base_url: str,
        own_key: Secret,
        provider_keys: Mapping[str, Secret],
        clock: Clock,
        nonce: Callable[[], str],
        transport: Transport,
    ) -> None:
        self._base_url = base_url
        self._own_key = own_key
        self._provider_keys = provider_keys
        self._clock = clock
        self._nonce = nonce
        self._transport = transport

    # --- outgoing -------------------------------------------------------------------------------------------------

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        content = {
            "no": request.out_trade_no,
            "amount": yuan_from_fen(request.amount_fen),
            "title": request.description[:60],
            "until": int(request.expires_at.timestamp()),
            "notify": request.notify_url,
        }
        if request.method == "link":
            body = _compact(content)
            url = f"{self._base_url}/cashier?order={body.hex()}&sign={self._sign('', body)}"
            return PaymentAnswer(
                instruction=Instruction(kind=InstructionKind.REDIRECT, payload={"url": url}),
                report=self._pending(request.out_trade_no),
            )
        if request.method != "qr":
            raise OperationUnsupported("the toy has no such method")
        answer = self._call("POST", "/pay", _compact({**content, "openid": request.fields["openid"]}))
        return PaymentAnswer(
            instruction=Instruction(kind=InstructionKind.QR_TEXT, payload={"text": answer["qr"]}),
            report=self._pending(request.out_trade_no),
        )

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        answer = self._call("GET", f"/pay/{payment.out_trade_no}", b"")
        return ProviderAnswer(report=self._payment_report(answer, Source.QUERY))

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        number = self._refund_number(refund)
        content = {"refund": number, "no": refund.out_trade_no, "amount": yuan_from_fen(refund.amount_fen)}
        answer = self._call("POST", "/refund", _compact(content))
        return ProviderAnswer(
            report=ProviderReport(
                source=Source.ANSWER,
                out_trade_no=refund.out_trade_no,
                state=ReportedState.PAID,
                provider_status=answer["status"],
                refund=RefundReport(
                    out_refund_no=refund.out_refund_no,
                    state=REFUND_STATE_BY_STATUS.get(answer["status"], ReportedRefundState.UNKNOWN),
                    amount_fen=refund.amount_fen,
                ),
            )
        )

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        told = self._call("GET", f"/statement/{day.isoformat()}/{kind}", b"")
        answer = self._transport.send("GET", f"{self._base_url}/file/{told['file']}", headers={})
        file = answer.content
        if answer.status != 200:
            raise NoVerdict("no file came")
        if hashlib.sha256(file).hexdigest() != told["sha256"]:
            raise StatementUnreadable("the statement's digest does not hold")
        for line_no, line in enumerate(file.decode().splitlines(), start=1):
            out_trade_no, amount = line.split(",")
            yield StatementLine(
                line_no=line_no,
                kind=StatementLineKind.PAYMENT,
                occurred_at=None,
                out_trade_no=out_trade_no,
                provider_trade_no="",
                amount_fen=fen_from_yuan(amount),
            )

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        raise OperationUnsupported("the toy cannot close")

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        raise OperationUnsupported("the toy cannot query refunds")

    def key_expiries(self) -> Mapping[str, datetime]:
        return {}

    # --- incoming -------------------------------------------------------------------------------------------------

    def parse_callback(self, raw: RawCallback) -> Callback:
        self._verify_callback(raw)
        try:
            message = parse_strict_json_object(raw.body)
            kind = message["event"]
            report = self._payment_report(message, Source.CALLBACK) if kind == "payment" else None
            return Callback(dedup_key=f"toy:{message['id']}", event=kind, report=report)
        except (KeyError, TypeError, ValueError):
            raise CallbackUnreadable("the message is not what the toy documents") from None

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        word, status = (b"ok", 200) if verdict in ACCEPTED else (b"again", 500)
        return Acknowledgement(status=status, body=word, content_type="text/plain")

    # --- the wire -------------------------------------------------------------------------------------------------

    def _verify_callback(self, raw: RawCallback) -> None:
        self._check_age(raw.headers, raw.received_at)
        reason = self._forgery(raw.headers, raw.body)
        if reason:
            raise CallbackRefused(reason)

    def _check_age(self, headers: Mapping[str, str], at: datetime) -> None:
        text = headers.get("toy-time", "")
        if not (text.isascii() and text.isdigit() and len(text) < 12):
            raise CallbackRefused("headers")
        skew = int(at.timestamp()) - int(text)
        if abs(skew) > WINDOW_SECONDS:
            raise CallbackRefused("stale", skew_seconds=skew)

    def _forgery(self, headers: Mapping[str, str], body: bytes) -> str:
        """Why this message is not proven; "" when it is."""
        if not {"toy-time", "toy-key", "toy-sign"} <= set(headers):
            return "headers"
        key = self._provider_keys.get(headers["toy-key"])
        if key is None:
            return "unknown_key"
        wanted = _mac(key, headers["toy-time"], body)
        return "" if hmac.compare_digest(wanted.encode(), headers["toy-sign"].encode(errors="replace")) else "signature"

    def _call(self, method: str, path: str, body: bytes) -> dict[str, Any]:
        moment = str(int(self._clock.now().timestamp()))
        headers = {"toy-time": moment, "toy-nonce": self._nonce(), "toy-sign": self._sign(moment, body)}
        answer = self._transport.send(method, self._base_url + path, headers=headers, body=body or None)
        self._require_verdict(answer)
        try:
            content = parse_strict_json_object(answer.content)
        except ValueError:
            raise NoVerdict("the answer cannot be read") from None
        if answer.status == 200:
            return content
        raise self._refusal(str(content.get("code")))

    def _require_verdict(self, answer: HttpAnswer) -> None:
        try:
            self._check_age(answer.headers, self._clock.now())
        except CallbackRefused:
            raise NoVerdict("the answer is old or has no time") from None
        if self._forgery(answer.headers, answer.content) or answer.status not in {200, 400, 429}:
            raise NoVerdict("the answer is not proven")

    def _refusal(self, code: str) -> Exception:
        if code == "SLOW_DOWN":
            return ProviderUnavailable("the toy asks to slow down", code=code)
        return RequestRefused("refused", code=code) if code in FINAL_REFUSALS else NoVerdict("refused?", code=code)

    def _sign(self, moment: str, body: bytes) -> str:
        return _mac(self._own_key, moment, body)

    # --- meaning --------------------------------------------------------------------------------------------------

    def _refund_number(self, refund: RefundRequest) -> str:
        return refund.out_refund_no

    def _amount(self, text: str) -> int:
        return fen_from_yuan(text)

    def _state(self, status: str) -> ReportedState:
        return STATE_BY_STATUS.get(status, ReportedState.UNKNOWN)

    def _pending(self, out_trade_no: str) -> ProviderReport:
        return ProviderReport(
            source=Source.ANSWER, out_trade_no=out_trade_no, state=ReportedState.PENDING, provider_status=""
        )

    def _payment_report(self, message: Mapping[str, Any], source: Source) -> ProviderReport:
        return ProviderReport(
            source=source,
            out_trade_no=message["no"],
            state=self._state(message["status"]),
            provider_status=message["status"],
            amount_fen=self._amount(message["amount"]) if "amount" in message else None,
            currency="CNY" if "amount" in message else None,
            occurred_at=datetime.fromtimestamp(message["at"], UTC) if "at" in message else None,
        )


def _mac(key: Secret, moment: str, body: bytes) -> str:
    text = moment.encode(errors="replace") + b"\n" + body
    return hmac.new(key.reveal().encode(), text, hashlib.sha256).hexdigest()


def _compact(content: Mapping[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
