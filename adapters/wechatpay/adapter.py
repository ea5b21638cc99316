"""The WeChat Pay provider: one straight path per operation."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from adapters.kit.base import AdapterTools
from adapters.wechatpay.callbacks import ACKNOWLEDGEMENTS, read_callback
from adapters.wechatpay.client import Answer, Client
from adapters.wechatpay.config import Config
from adapters.wechatpay.methods import METHODS, read_instruction
from adapters.wechatpay.reports import no_such_payment, no_such_refund, read_payment, read_refund
from adapters.wechatpay.statement import (
    FILE_BYTES_MAX,
    BillTicket,
    bill_path,
    day_is_over,
    empty_is_certain,
    read_lines,
    read_ticket,
)
from adapters.wechatpay.tables import NO_STATEMENT, NO_SUCH_ORDER, NO_SUCH_REFUND
from adapters.wechatpay.wire import (
    REFUNDS_PATH,
    close_body,
    close_path,
    create_body,
    create_path,
    query_by_id_path,
    query_path,
    refund_body,
    refund_query_path,
)
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    Method,
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
    Verdict,
)
from gateway.domain.report import ProviderReport, ReportedState, Source
from gateway.domain.statement import StatementKind, StatementLine
from gateway.domain.strict_json import parse_strict_json_object

_CAPABILITIES: Final = frozenset(Operation)


class WechatpayProvider:
    """One merchant account at WeChat Pay; see `gateway.domain.provider.Provider`."""

    def __init__(self, config: Config, tools: AdapterTools, client: Client) -> None:
        self._config = config
        self._tools = tools
        self._client = client
        origin = urlsplit(config.base_url)
        self._origin = f"{origin.scheme}://{origin.netloc}"

    @property
    def name(self) -> str:
        return "wechatpay"

    @property
    def methods(self) -> Mapping[str, Method]:
        return METHODS

    @property
    def capabilities(self) -> frozenset[Operation]:
        return _CAPABILITIES

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        """Order, then sign what the front end hands to the cashier. An answer without its handle is no verdict."""
        if request.method not in METHODS:
            raise OperationUnsupported(f"wechatpay has no method {request.method[:32]!r}")
        body = create_body(self._config, request)
        answer = self._client.exchange("POST", create_path(self._config, request.method), body)
        members = _members(answer, Operation.CREATE)
        try:
            instruction = read_instruction(
                self._config, request.method, members, now=self._tools.clock.now(), nonce=self._tools.nonce()
            )
        except ValueError as exc:
            raise _unreadable(answer, Operation.CREATE, exc) from None
        report = _bare_report(request.out_trade_no, ReportedState.PENDING, answer)
        return PaymentAnswer(instruction=instruction, report=report, raw=answer.content)

    def parse_callback(self, raw: RawCallback) -> Callback:
        return read_callback(self._config, raw, self._client.keys.find)

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        return ACKNOWLEDGEMENTS[verdict]

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        """Ask by our number; if WeChat does not know it, by WeChat's own number, where we have that."""
        answer = self._client.exchange("GET", query_path(self._config, payment))
        if answer.says(NO_SUCH_ORDER) and payment.provider_trade_no:
            answer = self._client.exchange("GET", query_by_id_path(self._config, payment.provider_trade_no))
        if answer.says(NO_SUCH_ORDER):
            report = no_such_payment(payment.out_trade_no, Source.QUERY, answer.code)
            return ProviderAnswer(report=report, raw=answer.content)
        members = _members(answer, Operation.QUERY)
        try:
            report = read_payment(self._config, members, Source.QUERY)
            _must_be_about(payment.out_trade_no, report.out_trade_no)
        except ValueError as exc:
            raise _unreadable(answer, Operation.QUERY, exc) from None
        return ProviderAnswer(report=report, raw=answer.content)

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        """
        Close; 204 proves only that WeChat took the call.

        It also answers so for numbers it does not know, and a payer at the password page may still pay.
        Source: sheet section 4.6.
        """
        answer = self._client.exchange("POST", close_path(self._config, payment), close_body(self._config))
        if answer.says(NO_SUCH_ORDER):
            report = no_such_payment(payment.out_trade_no, Source.ANSWER, answer.code)
        elif answer.is_good:
            report = _bare_report(payment.out_trade_no, ReportedState.UNKNOWN, answer)
        else:
            raise answer.refusal(Operation.CLOSE)
        return ProviderAnswer(report=report, raw=answer.content)

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        """A good answer means accepted; success comes by callback or query."""
        answer = self._client.exchange("POST", REFUNDS_PATH, refund_body(self._config, refund))
        return _refund_answer(answer, refund, Operation.REFUND, Source.ANSWER)

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        answer = self._client.exchange("GET", refund_query_path(self._config, refund))
        if answer.says(NO_SUCH_REFUND):
            report = no_such_refund(refund.out_trade_no, refund.out_refund_no, answer.code)
            return ProviderAnswer(report=report, raw=answer.content)
        return _refund_answer(answer, refund, Operation.QUERY_REFUND, Source.QUERY)

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        """Ask where the file lies, fetch it, check it whole; lines are read as the caller takes them."""
        if not day_is_over(day, self._tools.clock.now()):
            raise ProviderUnavailable(f"the bill of {day} is not made before the day is over")
        answer = self._client.exchange("GET", bill_path(self._config, day, kind))
        if answer.says(NO_STATEMENT) and empty_is_certain(day, self._tools.clock.now()):
            return iter(())
        ticket = _ticket(answer)
        # Only the path is taken from the answer: the file comes through the configured host, the key goes nowhere else.
        file = self._client.download(self._origin + ticket.target, FILE_BYTES_MAX)
        if not file.is_good:
            raise file.refusal(Operation.FETCH_STATEMENT)
        return read_lines(file.content, ticket.sha1_hex, kind)

    def key_expiries(self) -> Mapping[str, datetime]:
        return self._client.keys.expiries()


def _ticket(answer: Answer) -> BillTicket:
    members = _members(answer, Operation.FETCH_STATEMENT)
    try:
        return read_ticket(members)
    except ValueError as exc:
        raise _unreadable(answer, Operation.FETCH_STATEMENT, exc) from None


def _refund_answer(answer: Answer, refund: RefundRequest, operation: Operation, source: Source) -> ProviderAnswer:
    members = _members(answer, operation)
    try:
        report = read_refund(members, source)
        _must_be_about(refund.out_trade_no, report.out_trade_no)
        _must_be_about(refund.out_refund_no, report.refund.out_refund_no if report.refund else None)
    except ValueError as exc:
        raise _unreadable(answer, operation, exc) from None
    return ProviderAnswer(report=report, raw=answer.content)


def _members(answer: Answer, operation: Operation) -> dict[str, Any]:
    """The JSON object of a proven answer; raises the decision that any other answer asks for."""
    if not answer.is_good:
        raise answer.refusal(operation)
    try:
        return parse_strict_json_object(answer.content)
    except ValueError:
        raise _unreadable(answer, operation, "JSON") from None


def _unreadable(answer: Answer, operation: Operation, where: object) -> NoVerdict:
    return NoVerdict(f"wechatpay's answer to {operation} cannot be read: {where}", trace_id=answer.trace_id)


def _must_be_about(asked: str, answered: str | None) -> None:
    """A signature does not name the request: a proven answer about another number is not an answer to ours."""
    if asked != answered:
        raise ValueError("another number")


def _bare_report(out_trade_no: str, state: ReportedState, answer: Answer) -> ProviderReport:
    """What an answer without a payment object says."""
    return ProviderReport(
        source=Source.ANSWER, out_trade_no=out_trade_no, state=state, provider_status=f"HTTP {answer.status}"
    )
