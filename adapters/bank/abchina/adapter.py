"""The provider of one account at the Agricultural Bank: one straight path per operation; remembers nothing."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Final

from adapters.bank.abchina.callbacks import acknowledgements, read_callback
from adapters.bank.abchina.client import Answer, Client
from adapters.bank.abchina.config import Config
from adapters.bank.abchina.methods import METHODS, PRODUCTS
from adapters.bank.abchina.reports import (
    no_such_payment,
    no_such_refund,
    payment_report,
    read_order,
    refund_accepted_report,
    refund_report,
)
from adapters.bank.abchina.statement import ANSWER_BYTES_MAX, empty_is_certain, read_records, unzipped
from adapters.bank.abchina.tables import ACT_BY_ORDER_CODE, ACT_BY_QUESTION_CODE, Act
from adapters.bank.abchina.wire import (
    PAYMENT,
    REFUND,
    order_fields,
    pay_deadline,
    query_fields,
    refund_fields,
    settle_fields,
)
from adapters.kit.base import AdapterTools
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    Instruction,
    InstructionKind,
    Method,
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
from gateway.domain.report import ProviderReport, ReportedState, Source
from gateway.domain.statement import StatementKind, StatementLine

_CASHIER_URL: Final = re.compile(r"(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[!-~]{1,2000}")


class AbchinaProvider:
    """One merchant account at the Agricultural Bank; see `gateway.domain.provider.Provider`."""

    name = "bank_abchina"

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools
        self._client = Client(config, tools)
        self._acknowledgements = acknowledgements(config)

    @property
    def methods(self) -> Mapping[str, Method]:
        return METHODS

    @property
    def capabilities(self) -> frozenset[Operation]:
        """There is no close: an order ends by its orderTimeoutDate."""
        return frozenset(Operation) - {Operation.CLOSE}

    # --- paying -----------------------------------------------------------------------------------------------------

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        """Place the order (PayReq) and send the payer to the bank's cashier."""
        if request.method not in METHODS:
            raise OperationUnsupported(f"bank_abchina has no method {request.method[:32]!r}")
        if not 0 < request.amount_fen <= AMOUNT_FEN_MAX:
            raise RequestRefused(f"{request.out_trade_no}: the amount is outside the limits")
        fields = order_fields(self._config, PRODUCTS[request.method], request)
        answer = self._client.exchange(fields, Operation.CREATE)
        if not answer.is_good:
            raise answer.refusal(ACT_BY_ORDER_CODE, Act.FAIL, Operation.CREATE)
        if answer.fields.get("OrderNo", request.out_trade_no) != request.out_trade_no:
            raise answer.unreadable("OrderNo", Operation.CREATE)
        url = answer.text("PaymentURL")
        if _CASHIER_URL.fullmatch(url) is None:
            raise answer.unreadable("PaymentURL", Operation.CREATE)
        return PaymentAnswer(
            instruction=Instruction(
                kind=InstructionKind.REDIRECT, payload={"url": url}, expires_at=pay_deadline(self._config, request)
            ),
            report=ProviderReport(
                source=Source.ANSWER,
                out_trade_no=request.out_trade_no,
                state=ReportedState.PENDING,
                provider_status=answer.code,
            ),
            raw=answer.content,
        )

    # --- asking -----------------------------------------------------------------------------------------------------

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        """`0000` says that the question was answered; the payment's own verdict is the order's Status."""
        answer = self._ask(PAYMENT, payment.out_trade_no, Operation.QUERY)
        if not answer.text("Order"):
            return ProviderAnswer(report=no_such_payment(payment.out_trade_no), raw=answer.content)
        at = self._tools.clock.now()

        def read() -> ProviderReport:
            order = read_order(answer.text("Order"), payment.out_trade_no, PAYMENT)
            return payment_report(self._config, order, payment, at)

        return _read(answer, Operation.QUERY, read)

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        """The protocol has no message that closes an order."""
        raise OperationUnsupported(f"bank_abchina cannot close {payment.out_trade_no}; it ends by itself")

    def _ask(self, pay_type_id: str, number: str, operation: Operation) -> Answer:
        """
        The answer to a query. One without an order: nothing is known under this number.

        The latter by the bank's demo (TrustPayClient-V3.1.4, MerchantQueryOrder.jsp): "查询结果为空".
        """
        answer = self._client.exchange(query_fields(pay_type_id, number), operation)
        if not answer.is_good:
            raise answer.refusal(ACT_BY_QUESTION_CODE, Act.ASK, operation)
        if not isinstance(answer.fields.get("Order"), str):
            raise answer.unreadable("Order", operation)
        return answer

    # --- refunds ----------------------------------------------------------------------------------------------------

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        """Submit a refund under its own number; a good answer means accepted, success is found by query."""
        answer = self._client.exchange(refund_fields(refund), Operation.REFUND)
        if not answer.is_good:
            raise answer.refusal(ACT_BY_ORDER_CODE, Act.FAIL, Operation.REFUND)
        return _read(answer, Operation.REFUND, lambda: refund_accepted_report(answer.fields, refund))

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        answer = self._ask(REFUND, refund.out_refund_no, Operation.QUERY_REFUND)
        if not answer.text("Order"):
            return ProviderAnswer(report=no_such_refund(refund), raw=answer.content)
        return _read(
            answer,
            Operation.QUERY_REFUND,
            lambda: refund_report(read_order(answer.text("Order"), refund.out_refund_no, REFUND), refund),
        )

    # --- callbacks --------------------------------------------------------------------------------------------------

    def parse_callback(self, raw: RawCallback) -> Callback:
        return read_callback(self._config, raw)

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        return self._acknowledgements[verdict]

    # --- statements and keys ----------------------------------------------------------------------------------------

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        """
        The statement of one settlement date.

        Raises:
            OperationUnsupported: Funds, which the bank has no statement of.
        """
        if kind is not StatementKind.TRADES:
            raise OperationUnsupported(f"bank_abchina has no statement of {kind}")
        answer = self._client.exchange(
            settle_fields(day, zipped=self._config.zipped_statements),
            Operation.FETCH_STATEMENT,
            answer_bytes_max=ANSWER_BYTES_MAX,
        )
        if not answer.is_good:
            raise answer.refusal(ACT_BY_QUESTION_CODE, Act.ASK, Operation.FETCH_STATEMENT)
        wanted = f"{day:%Y/%m/%d}"
        if answer.fields.get("SettleDate", wanted) != wanted:
            raise answer.unreadable("SettleDate", Operation.FETCH_STATEMENT)
        packed = answer.text("ZIPDetailRecords")
        text = unzipped(packed) if packed else answer.text("DetailRecords")
        if text.strip():
            return read_records(text, self._config.merchant_id)
        if not empty_is_certain(day, self._tools.clock.now()):
            raise ProviderUnavailable("bank_abchina has no statement of that day yet", code=answer.code)
        return iter(())

    def key_expiries(self) -> Mapping[str, datetime]:
        return self._config.expiries


def _read(answer: Answer, operation: Operation, read: Callable[[], ProviderReport]) -> ProviderAnswer:
    try:
        return ProviderAnswer(report=read(), raw=answer.content)
    except ValueError as exc:
        raise answer.unreadable(exc, operation) from None
