"""Alipay (支付宝) OpenAPI v2, RSA2: the provider itself. It holds keys, but remembers nothing of any payment."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from adapters.alipay.cashier import PRODUCTS, Product, browser_instruction, order_content, printable
from adapters.alipay.client import Answer, Client, content_text, query_text
from adapters.alipay.config import AlipayAccount
from adapters.alipay.envelope import text_of
from adapters.alipay.notify import dedup_key_of, open_notice, open_return
from adapters.alipay.statement import Bill, fetch_bill
from adapters.alipay.tables import (
    API_CANCEL,
    API_CLOSE,
    API_CREATE,
    API_PRECREATE,
    API_QUERY,
    API_REFUND,
    API_REFUND_QUERY,
)
from adapters.alipay.wire import (
    MemberUnreadable,
    bare_report,
    contradictions_of,
    out_trade_no_of,
    refund_answer_report,
    refund_query_report,
    trade_report,
    word_of,
)
from adapters.kit.base import AdapterTools
from gateway.domain.money import AMOUNT_FEN_MAX, yuan_from_fen
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    Instruction,
    InstructionKind,
    Method,
    NoVerdict,
    Operation,
    OperationUnsupported,
    PaymentAnswer,
    PaymentRef,
    PaymentRequest,
    ProviderAnswer,
    RawCallback,
    RefundRequest,
    RequestRefused,
    Verdict,
)
from gateway.domain.report import (
    ProviderReport,
    RefundReport,
    ReportedRefundState,
    ReportedState,
    Source,
)
from gateway.domain.statement import StatementKind, StatementLine

_REFUND_SETTLES: Final = timedelta(seconds=10)
"""Source: vendor SDK java, refund query model: ask 10 seconds or more after the refund."""

_REASON_CHARACTERS_MAX: Final = 256
_PLAIN: Final = "text/plain; charset=utf-8"
_STOPS: Final = Acknowledgement(status=200, body=b"success", content_type=_PLAIN)
_AGAIN: Final = Acknowledgement(status=200, body=b"fail", content_type=_PLAIN)
_ACKNOWLEDGEMENTS: Final = {
    Verdict.ACCEPTED: _STOPS,
    Verdict.IGNORED: _STOPS,
    Verdict.UNSTORED: Acknowledgement(status=503, body=b"fail", content_type=_PLAIN),
}
"""Seven bytes stop the deliveries; anything else asks for the next of eight in 25 hours. Default: `fail`."""

_METHODS: Final = {name: product.method for name, product in PRODUCTS.items()}
_CASHIER_MEMBER: Final = {API_CREATE: "trade_no", API_PRECREATE: "qr_code"}


class Alipay:
    """One merchant account at Alipay."""

    name = "alipay"
    capabilities = frozenset(Operation)

    def __init__(self, account: AlipayAccount, tools: AdapterTools) -> None:
        self._account = account
        self._tools = tools
        self._client = Client(account, tools)

    @property
    def methods(self) -> Mapping[str, Method]:
        return _METHODS

    # --- paying -----------------------------------------------------------------------------------------------------

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        """
        Register the order (jsapi, qr), or sign what the payer's browser or app will present (page, wap, app).

        The second kind makes no call: `pending` then says that an instruction exists, and a query finds no trade until
        the payer has reached Alipay's cashier.
        """
        product = self._product(request.method)
        if not 0 < request.amount_fen <= AMOUNT_FEN_MAX:
            raise RequestRefused(f"{request.out_trade_no}: the amount is outside Alipay's limits")
        content = order_content(product, request, self._account)
        if product.api in _CASHIER_MEMBER:
            return self._register(product, request, content)
        return PaymentAnswer(
            instruction=self._signed_instruction(product, request, content),
            report=_pending(request, provider_status="", provider_trade_no=None),
        )

    @staticmethod
    def _product(method: str) -> Product:
        if method not in PRODUCTS:
            raise OperationUnsupported(f"Alipay has no method {method}")
        return PRODUCTS[method]

    def _register(self, product: Product, request: PaymentRequest, content: Mapping[str, Any]) -> PaymentAnswer:
        if product.api == API_CREATE and not (content.get("buyer_open_id") or content.get("buyer_id")):
            raise RequestRefused(f"{request.out_trade_no}: jsapi needs buyer_open_id or buyer_id")
        answer = self._client.call(product.api, content, about=request.out_trade_no, notify_url=request.notify_url)
        self._require_ours(answer, product.api, request.out_trade_no)
        opener = text_of(answer.fields, _CASHIER_MEMBER[product.api])
        if not opener:
            raise _unclear(answer, product.api, request.out_trade_no, "the answer does not say how to pay")
        payload = {"tradeNO": opener} if product.api == API_CREATE else {"text": opener}
        return PaymentAnswer(
            instruction=Instruction(kind=product.method.instruction, payload=payload, expires_at=request.expires_at),
            report=_pending(
                request, provider_status=answer.code, provider_trade_no=word_of(answer.fields, "trade_no") or None
            ),
            raw=answer.body,
        )

    def _signed_instruction(self, product: Product, request: PaymentRequest, content: Mapping[str, Any]) -> Instruction:
        biz_content = content_text(content)
        sent = self._client.signed(
            self._client.parameters(
                product.api,
                biz_content=biz_content,
                notify_url=request.notify_url,
                return_url=request.fields.get("return_url", ""),
            )
        )
        if product.method.instruction is InstructionKind.SDK_STRING:
            return Instruction(
                kind=InstructionKind.SDK_STRING, payload={"text": query_text(sent)}, expires_at=request.expires_at
            )
        public = {name: value for name, value in sent.items() if name != "biz_content"}
        return browser_instruction(
            f"{self._account.base_url}?{query_text(sent)}",
            form_url=f"{self._account.base_url}?{query_text(public)}",
            biz_content=biz_content,
            request=request,
        )

    # --- asking and closing -----------------------------------------------------------------------------------------

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        answer = self._client.call(API_QUERY, {"out_trade_no": payment.out_trade_no}, about=payment.out_trade_no)
        if not answer.found:
            return _not_found(payment, answer, Source.QUERY)
        self._require_ours(answer, API_QUERY, payment.out_trade_no)
        report = self._read(
            answer, API_QUERY, payment.out_trade_no, lambda: trade_report(answer.fields, source=Source.QUERY)
        )
        return ProviderAnswer(report=report, raw=answer.body)

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        """
        Close an unpaid trade. It never cancels (撤销), whatever the method: a cancel gives paid money back.

        NOT_FOUND is not closed: no trade was made yet, and the payer can still reach the cashier until time_expire.
        """
        answer = self._client.call(API_CLOSE, {"out_trade_no": payment.out_trade_no}, about=payment.out_trade_no)
        if not answer.found:
            return _not_found(payment, answer, Source.ANSWER)
        self._require_ours(answer, API_CLOSE, payment.out_trade_no)
        return ProviderAnswer(
            report=bare_report(payment, ReportedState.CLOSED, answer.code, answer.fields), raw=answer.body
        )

    def cancel(self, payment: PaymentRef) -> ProviderAnswer:
        """
        Cancel (撤销) a face-to-face payment: an unpaid trade is closed, a PAID one is REFUNDED whole.

        For an operator who wants exactly that; no other operation uses it.
        Source: vendor SDK java, AlipayTradeCancelResponse (retry_flag, action).

        Raises:
            NoVerdict: Also when Alipay asks for the same call again (retry_flag=Y).
            OperationUnsupported: Any method but qr (unverified for the others).
        """
        if payment.method != "qr":
            raise OperationUnsupported(f"Alipay cannot cancel a payment by {payment.method}")
        answer = self._client.call(API_CANCEL, {"out_trade_no": payment.out_trade_no}, about=payment.out_trade_no)
        if not answer.found:
            return _not_found(payment, answer, Source.ANSWER)
        self._require_ours(answer, API_CANCEL, payment.out_trade_no)
        if word_of(answer.fields, "retry_flag") == "Y":
            raise _unclear(answer, API_CANCEL, payment.out_trade_no, "Alipay asks for the same call again")
        return ProviderAnswer(report=_cancel_report(payment, answer), raw=answer.body)

    # --- refunds ----------------------------------------------------------------------------------------------------

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        """
        Submit a refund under its own number, always: without one Alipay takes it for the whole amount.

        Notices of it go to the payment's own notify_url; v2 takes none for a refund.
        """
        content = {
            "out_trade_no": refund.out_trade_no,
            "refund_amount": yuan_from_fen(refund.amount_fen),
            "out_request_no": refund.out_refund_no,
        }
        if printable(refund.reason):
            content["refund_reason"] = printable(refund.reason)[:_REASON_CHARACTERS_MAX]
        answer = self._client.call(API_REFUND, content, about=refund.out_refund_no)
        self._require_ours(answer, API_REFUND, refund.out_trade_no)
        report = self._read(
            answer, API_REFUND, refund.out_refund_no, lambda: refund_answer_report(refund, answer.fields)
        )
        return ProviderAnswer(report=report, raw=answer.body)

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        content = {
            "out_trade_no": refund.out_trade_no,
            "out_request_no": refund.out_refund_no,
            "query_options": ["gmt_refund_pay"],
        }
        answer = self._client.call(API_REFUND_QUERY, content, about=refund.out_refund_no)
        if answer.found and "refund_status" in answer.fields:
            self._require_ours(answer, API_REFUND_QUERY, refund.out_trade_no)
            if text_of(answer.fields, "out_request_no") != refund.out_refund_no:
                raise _unclear(answer, API_REFUND_QUERY, refund.out_refund_no, "the answer is about another refund")
        early = answer.found and self._tools.clock.now() - refund.requested_at < _REFUND_SETTLES
        report = self._read(
            answer,
            API_REFUND_QUERY,
            refund.out_refund_no,
            lambda: refund_query_report(refund, answer.fields, early=early),
        )
        return ProviderAnswer(report=report, raw=answer.body)

    # --- callbacks --------------------------------------------------------------------------------------------------

    def parse_callback(self, raw: RawCallback) -> Callback:
        notice = open_notice(raw.body, self._client.keys)
        if not notice.is_trade:
            event = word_of(notice.fields, "notify_type")
            if not event:
                raise CallbackUnreadable("notify_type is missing or malformed")
            return Callback(dedup_key=dedup_key_of(notice), event=event, report=None)
        try:
            report = trade_report(
                notice.fields,
                source=Source.CALLBACK,
                contradictions=contradictions_of(notice.fields, self._account),
            )
        except MemberUnreadable as exc:
            raise CallbackUnreadable(str(exc)) from None
        return Callback(dedup_key=dedup_key_of(notice), event=report.provider_status, report=report)

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        """
        `success` for what is stored and done with; `fail` for the rest, a quarantined notice included.

        Source: vendor's notification page: a notice that fails the business checks is not answered with success.
        """
        return _ACKNOWLEDGEMENTS.get(verdict, _AGAIN)

    def read_return(self, query: bytes) -> str:
        """
        The out_trade_no that a browser return (同步跳转) names: a payment to query, and nothing more.

        Args:
            query: The raw query string.

        Raises:
            CallbackRefused: Not Alipay's, or not for this account.
        """
        fields = open_return(query, self._client.keys)
        try:
            number = out_trade_no_of(fields)
        except MemberUnreadable:
            raise CallbackRefused("malformed") from None
        if contradictions_of(fields, self._account):
            raise CallbackRefused("malformed")
        return number

    # --- statements and keys ----------------------------------------------------------------------------------------

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        return fetch_bill(
            Bill(day=day, kind=kind, seller_id=self._account.seller_id), client=self._client, tools=self._tools
        )

    def key_expiries(self) -> Mapping[str, datetime]:
        return self._client.keys.expiries()

    # --- shared -----------------------------------------------------------------------------------------------------

    @staticmethod
    def _require_ours(answer: Answer, api: str, out_trade_no: str) -> None:
        """The signature covers the answer, not our question: an answer must name what it answers."""
        if text_of(answer.fields, "out_trade_no") != out_trade_no:
            raise _unclear(answer, api, out_trade_no, "the answer is about another payment")

    @staticmethod
    def _read(answer: Answer, api: str, about: str, read: Callable[[], ProviderReport]) -> ProviderReport:
        try:
            return read()
        except MemberUnreadable as exc:
            raise _unclear(answer, api, about, str(exc)) from None


def _unclear(answer: Answer, api: str, about: str, why: str) -> NoVerdict:
    return NoVerdict(f"{api} for {about}: {why}", code=answer.code, trace_id=answer.trace_id)


def _pending(request: PaymentRequest, *, provider_status: str, provider_trade_no: str | None) -> ProviderReport:
    return ProviderReport(
        source=Source.ANSWER,
        out_trade_no=request.out_trade_no,
        state=ReportedState.PENDING,
        provider_status=provider_status,
        provider_trade_no=provider_trade_no,
    )


def _not_found(payment: PaymentRef, answer: Answer, source: Source) -> ProviderAnswer:
    report = ProviderReport(
        source=source,
        out_trade_no=payment.out_trade_no,
        state=ReportedState.NOT_FOUND,
        provider_status=answer.sub_code,
    )
    return ProviderAnswer(report=report, raw=answer.body)


def _cancel_report(payment: PaymentRef, answer: Answer) -> ProviderReport:
    """`close`: it was unpaid. `refund`: it was paid, and all of it went back. Absent: there was no trade."""
    action = word_of(answer.fields, "action")
    if action == "refund":
        return ProviderReport(
            source=Source.ANSWER,
            out_trade_no=payment.out_trade_no,
            state=ReportedState.PAID,
            provider_status=action,
            provider_trade_no=word_of(answer.fields, "trade_no") or None,
            refund=RefundReport(out_refund_no=None, state=ReportedRefundState.SUCCEEDED),
        )
    states = {"close": ReportedState.CLOSED, "": ReportedState.NOT_FOUND}
    return bare_report(payment, states.get(action, ReportedState.UNKNOWN), action, answer.fields)
