"""The newbank provider: one straight path per operation. It remembers nothing of any payment."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Final

from adapters.kit.base import AdapterTools
from adapters.newbank.client import Answer, Client
from adapters.newbank.config import Config
from adapters.newbank.signing import verify
from adapters.newbank.tables import ACT_BY_CODE, ACT_BY_QUESTION_CODE, DONE, NO_SUCH_ORDER, NO_SUCH_REFUND
from adapters.newbank.wire import (
    CLOSE_PATH,
    METHODS,
    ORDER_PATH,
    PAYLOAD_MEMBER,
    QUERY_PATH,
    REFUND_PATH,
    REFUND_QUERY_PATH,
    contradictions,
    no_such_payment,
    no_such_refund,
    order_content,
    payment_content,
    payment_report,
    pending_report,
    refund_content,
    refund_query_content,
    refund_report,
    text_of,
)
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackUnreadable,
    Instruction,
    Method,
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
from gateway.domain.report import ProviderReport, Source
from gateway.domain.statement import StatementKind, StatementLine
from gateway.domain.strict_json import parse_strict_json_object

_REPORT_BY_EVENT: Final = {"payment": payment_report, "refund": refund_report}
"""Fact to replace: the events that change something; any other is acknowledged (source: section on notices)."""

_TAKEN: Final = Acknowledgement(status=200, body=b'{"code":"SUCCESS"}', content_type="application/json")
_REFUSED: Final = Acknowledgement(status=400, body=b'{"code":"FAIL"}', content_type="application/json")
_AGAIN: Final = Acknowledgement(status=503, body=b'{"code":"FAIL"}', content_type="application/json")
"""Fact to replace: the words that stop, and that ask for, the bank's retries (source: section on notices, answer)."""

_ACKNOWLEDGEMENTS: Final[Mapping[Verdict, Acknowledgement]] = {
    Verdict.ACCEPTED: _TAKEN,
    Verdict.IGNORED: _TAKEN,
    Verdict.QUARANTINED: _TAKEN,
    Verdict.REFUSED: _REFUSED,
    Verdict.ORPHAN: _AGAIN,
    Verdict.UNSTORED: _AGAIN,
}


class NewbankProvider:
    """One merchant account at newbank; see `gateway.domain.provider.Provider`."""

    name = "newbank"
    methods: Mapping[str, Method] = METHODS
    capabilities = frozenset(Operation) - {Operation.FETCH_STATEMENT}

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._client = Client(config, tools)

    # --- paying -----------------------------------------------------------------------------------------------------

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        """
        Place the order: taken is not paid.

        Fact to replace: that an equal order under a number used before is answered as the first time
        (source: section on the order, repetition).
        """
        if request.method not in METHODS:
            raise OperationUnsupported(f"newbank has no method {request.method[:32]!r}")
        if not 0 < request.amount_fen <= AMOUNT_FEN_MAX:
            raise RequestRefused(f"{request.out_trade_no}: the amount is outside the limits")
        answer = self._client.exchange(ORDER_PATH, order_content(self._config, request), Operation.CREATE)
        if answer.code != DONE:
            raise answer.refusal(ACT_BY_CODE, Operation.CREATE)
        self._must_be_about(answer, {"out_trade_no": request.out_trade_no}, Operation.CREATE)
        try:
            handle = text_of(answer.members, "pay_url")
        except ValueError as exc:
            raise answer.unreadable(exc, Operation.CREATE) from None
        instruction = Instruction(
            kind=METHODS[request.method].instruction,
            payload={PAYLOAD_MEMBER[request.method]: handle},
            expires_at=request.expires_at,
        )
        report = pending_report(request.out_trade_no, answer.code)
        return PaymentAnswer(instruction=instruction, report=report, raw=answer.content)

    # --- asking -----------------------------------------------------------------------------------------------------

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        """`code` says that the question was answered; the payment's own verdict is `trade_state`."""
        return self._ask(QUERY_PATH, payment, Operation.QUERY, Source.QUERY)

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        """Fact to replace: what is answered while a payer is paying (source: section on closing)."""
        return self._ask(CLOSE_PATH, payment, Operation.CLOSE, Source.ANSWER)

    def _ask(self, path: str, payment: PaymentRef, operation: Operation, source: Source) -> ProviderAnswer:
        answer = self._client.exchange(path, payment_content(self._config, payment), operation)
        if answer.code == NO_SUCH_ORDER:
            return ProviderAnswer(report=no_such_payment(payment, answer.code, source), raw=answer.content)
        if answer.code != DONE:
            raise answer.refusal(ACT_BY_QUESTION_CODE, operation)
        self._must_be_about(answer, {"out_trade_no": payment.out_trade_no}, operation)
        return _read(answer, operation, lambda: payment_report(self._config, answer.members, source))

    # --- refunds ----------------------------------------------------------------------------------------------------

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        """Submit a refund under its own number; taken is not success."""
        answer = self._client.exchange(REFUND_PATH, refund_content(self._config, refund), Operation.REFUND)
        if answer.code != DONE:
            raise answer.refusal(ACT_BY_CODE, Operation.REFUND)
        self._must_be_about(answer, _numbers(refund), Operation.REFUND)
        return _read(answer, Operation.REFUND, lambda: refund_report(self._config, answer.members, Source.ANSWER))

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        content = refund_query_content(self._config, refund)
        answer = self._client.exchange(REFUND_QUERY_PATH, content, Operation.QUERY_REFUND)
        if answer.code == NO_SUCH_REFUND:
            return ProviderAnswer(report=no_such_refund(refund, answer.code), raw=answer.content)
        if answer.code != DONE:
            raise answer.refusal(ACT_BY_QUESTION_CODE, Operation.QUERY_REFUND)
        self._must_be_about(answer, _numbers(refund), Operation.QUERY_REFUND)
        return _read(answer, Operation.QUERY_REFUND, lambda: refund_report(self._config, answer.members, Source.QUERY))

    def _must_be_about(self, answer: Answer, numbers: Mapping[str, str], operation: Operation) -> None:
        """A signature does not name the question: an answer must say what it is about, and that it is ours."""
        try:
            foreign = contradictions(self._config, answer.members)
        except ValueError as exc:
            raise answer.unreadable(exc, operation) from None
        others = [name for name, number in numbers.items() if answer.members.get(name) != number]
        if foreign or others:
            raise answer.unreadable(", ".join((*foreign, *others)), operation)

    # --- callbacks --------------------------------------------------------------------------------------------------

    def parse_callback(self, raw: RawCallback) -> Callback:
        """
        Verify, then read.

        Fact to replace: what names a notice over all its deliveries (source: section on notices, retries).
        """
        verify(self._config, raw.headers, raw.body, at=raw.received_at)
        try:
            members = parse_strict_json_object(raw.body)
            event, notice_id = text_of(members, "event"), text_of(members, "notice_id", characters_max=64)
            read = _REPORT_BY_EVENT.get(event)
            report = read(self._config, members, Source.CALLBACK) if read else None
        except UnicodeError:
            raise CallbackUnreadable("not UTF-8") from None
        except ValueError as exc:
            raise CallbackUnreadable(str(exc)[:80]) from None
        return Callback(dedup_key=f"newbank:{notice_id}", event=event, report=report)

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        return _ACKNOWLEDGEMENTS[verdict]

    # --- statements and keys ----------------------------------------------------------------------------------------

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        """
        Not offered, until the bank's file is described.

        Fact to replace: how a day's file is asked for, when it is ready, its columns (source: section on statements).
        Then `statement.py` reads it line by line; adapters/bank/abchina/statement.py is a short example.
        """
        raise OperationUnsupported("newbank has no statement here")

    def key_expiries(self) -> Mapping[str, datetime]:
        """Bare keys have no end. Fact to replace: for certificates, their last day (source: section on access)."""
        return {}


def _numbers(refund: RefundRequest) -> dict[str, str]:
    return {"out_trade_no": refund.out_trade_no, "out_refund_no": refund.out_refund_no}


def _read(answer: Answer, operation: Operation, read: Callable[[], ProviderReport]) -> ProviderAnswer:
    try:
        return ProviderAnswer(report=read(), raw=answer.content)
    except ValueError as exc:
        raise answer.unreadable(exc, operation) from None
