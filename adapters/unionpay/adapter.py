"""The UnionPay provider: one straight path per operation. It holds keys, but remembers nothing of any payment."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Final

from adapters.kit.base import AdapterTools
from adapters.unionpay.app_result import read_app_result
from adapters.unionpay.callbacks import ACKNOWLEDGEMENTS, open_callback, read_callback
from adapters.unionpay.client import Answer, Client
from adapters.unionpay.config import ACCESS_ACQUIRER, Config
from adapters.unionpay.methods import (
    BACK_PATH,
    PRODUCTS,
    QUERY_PATH,
    Product,
    handle_payload,
    offered_methods,
)
from adapters.unionpay.reports import (
    no_such_payment,
    no_such_refund,
    payment_report,
    refund_accepted_report,
    refund_query_report,
)
from adapters.unionpay.sensitive import card_number
from adapters.unionpay.statement import ANSWER_BYTES_MAX, Bill, empty_is_certain, read_file
from adapters.unionpay.tables import (
    ACCEPTED,
    ACT_BY_BACK_CODE,
    ACT_BY_FILE_CODE,
    ACT_BY_ORDER_CODE,
    ACT_BY_QUERY_CODE,
    NO_SUCH_FILE,
    NO_SUCH_PAYMENT,
)
from adapters.unionpay.wire import (
    TXN_REFUND,
    TXN_UNDO,
    back_fields,
    file_fields,
    order_fields,
    pay_deadline,
    query_fields,
)
from gateway.domain.clock import CHINA
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackUnreadable,
    Instruction,
    InstructionKind,
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
from gateway.domain.report import ProviderReport, ReportedState, Source
from gateway.domain.statement import StatementKind, StatementLine

_CLEARING_DAY_ENDS: Final = timedelta(hours=23)


class UnionpayProvider:
    """One merchant account at UnionPay; see `gateway.domain.provider.Provider`."""

    name = "unionpay"

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools
        self._client = Client(config, tools)
        self._methods = offered_methods(config)
        lacking = {Operation.CLOSE} | ({Operation.FETCH_STATEMENT} if config.access_type == ACCESS_ACQUIRER else set())
        self._capabilities = frozenset(Operation) - lacking

    @property
    def methods(self) -> Mapping[str, Method]:
        return self._methods

    @property
    def capabilities(self) -> frozenset[Operation]:
        """There is no close; an acquirer's settlement files come by another way. Source: sheet sections 5 and 11."""
        return self._capabilities

    # --- paying -----------------------------------------------------------------------------------------------------

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        """
        Sign what the payer's browser will post (wap, pc), or place the order (app, qr): taken is not paid.

        The first kind makes no call: `pending` then says that an instruction exists, and a query finds nothing until
        the payer has reached UnionPay's page.
        """
        if request.method not in self._methods:
            raise OperationUnsupported(f"unionpay has no method {request.method[:32]!r} here")
        if not 0 < request.amount_fen <= AMOUNT_FEN_MAX:
            raise RequestRefused(f"{request.out_trade_no}: the amount is outside the limits")
        product = PRODUCTS[request.method]
        fields = order_fields(self._config, product, request)
        if product.handle:
            return self._place(product, request, fields)
        payload = {"url": self._config.base_url + product.path, "fields": self._config.proof.sign(fields)}
        return PaymentAnswer(
            instruction=Instruction(
                kind=InstructionKind.FORM, payload=payload, expires_at=pay_deadline(self._config, request)
            ),
            report=_pending(request, ""),
        )

    def _place(self, product: Product, request: PaymentRequest, fields: Mapping[str, str]) -> PaymentAnswer:
        answer = self._client.exchange(self._config.base_url + product.path, fields, Operation.CREATE)
        if answer.code not in ACCEPTED:
            raise answer.refusal(ACT_BY_ORDER_CODE, Operation.CREATE)
        _must_be_about(answer, fields, Operation.CREATE)
        handle = answer.fields.get(product.handle, "").strip()
        if not handle or answer.fields.get("merId") != self._config.mer_id:
            raise answer.unreadable(product.handle, Operation.CREATE)
        return PaymentAnswer(
            instruction=Instruction(
                kind=product.instruction,
                payload=handle_payload(self._config, product, handle),
                expires_at=pay_deadline(self._config, request),
            ),
            report=_pending(request, answer.code),
            raw=answer.content,
        )

    # --- asking -----------------------------------------------------------------------------------------------------

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        """`00` says that the question was answered; the payment's own verdict is `origRespCode`."""
        fields = query_fields(self._config, _product(payment.method), payment.out_trade_no, payment.created_at)
        answer = self._ask(fields, Operation.QUERY)
        if answer.code == NO_SUCH_PAYMENT:
            return ProviderAnswer(report=no_such_payment(payment.out_trade_no, answer.code), raw=answer.content)
        at = self._tools.clock.now()
        return _read(
            answer,
            Operation.QUERY,
            lambda: payment_report(self._config, answer.fields, Source.QUERY, code="origRespCode", at=at),
        )

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        """UnionPay cannot close an order: it ends by its `payTimeout`. Source: sheet section 5."""
        raise OperationUnsupported(f"unionpay cannot close {payment.out_trade_no}; it ends by itself")

    def _ask(self, fields: Mapping[str, str], operation: Operation) -> Answer:
        """The answer to a query: about our number, and either found or `34`."""
        answer = self._client.exchange(self._config.base_url + QUERY_PATH, fields, operation)
        if answer.code not in (*ACCEPTED, NO_SUCH_PAYMENT):
            raise answer.refusal(ACT_BY_QUERY_CODE, operation)
        _must_be_about(answer, fields, operation)
        return answer

    # --- refunds ----------------------------------------------------------------------------------------------------

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        """Submit a refund under its own number; a good answer means taken, success comes by notify or query."""
        return self._send_back(refund, TXN_REFUND)

    def undo(self, refund: RefundRequest, *, paid_at: datetime) -> ProviderAnswer:
        """
        Undo (消费撤销) a payment whole, within its clearing day: the money is back at once. Followed as any refund.

        For an operator who wants exactly that; no other operation uses it. It excludes every refund of the payment,
        before and after. Source: sheet section 10.

        Raises:
            RequestRefused: A part only, or the clearing day (23:00 to 23:00) is over.
        """
        days = {_clearing_day(moment) for moment in (paid_at, refund.requested_at, self._tools.clock.now())}
        if refund.amount_fen != refund.total_fen or len(days) != 1:
            raise RequestRefused(f"{refund.out_refund_no}: only a whole payment of the same clearing day is undone")
        return self._send_back(refund, TXN_UNDO)

    def _send_back(self, refund: RefundRequest, txn_type: str) -> ProviderAnswer:
        if not refund.provider_trade_no:
            raise RequestRefused(f"{refund.out_refund_no}: UnionPay's number of the payment is not known")
        fields = back_fields(self._config, _product(refund.method), refund, txn_type, refund.provider_trade_no)
        answer = self._client.exchange(self._config.base_url + BACK_PATH, fields, Operation.REFUND)
        if answer.code not in ACCEPTED:
            raise answer.refusal(ACT_BY_BACK_CODE, Operation.REFUND)
        _must_be_about(answer, fields, Operation.REFUND)
        return _read(answer, Operation.REFUND, lambda: refund_accepted_report(self._config, answer.fields, refund))

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        fields = query_fields(self._config, _product(refund.method), refund.out_refund_no, refund.requested_at)
        answer = self._ask(fields, Operation.QUERY_REFUND)
        if answer.code == NO_SUCH_PAYMENT:
            return ProviderAnswer(report=no_such_refund(refund, answer.code), raw=answer.content)
        return _read(answer, Operation.QUERY_REFUND, lambda: refund_query_report(self._config, answer.fields, refund))

    # --- callbacks --------------------------------------------------------------------------------------------------

    def parse_callback(self, raw: RawCallback) -> Callback:
        return read_callback(self._config, raw)

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        return ACKNOWLEDGEMENTS[verdict]

    def read_card_number(self, raw: RawCallback) -> str:
        """
        The payer's card number in a notify, decrypted or as UnionPay masked it; "" if there is none. For disputes.

        Raises:
            CallbackRefused: Not proven.
            CallbackUnreadable: It is not encrypted to our certificate.
        """
        acc_no = open_callback(self._config, raw).fields.get("accNo", "")
        if not acc_no or self._config.identity is None:
            return acc_no
        try:
            return card_number(self._config.identity.private_key, acc_no)
        except ValueError:
            raise CallbackUnreadable("accNo") from None

    def read_app_result(self, text: str) -> tuple[str, str]:
        """
        The `tn` and the word that the app control told the app: a reason to query, and nothing more.

        Raises:
            ValueError: Not signed by UnionPay's control, or app_result_key is not configured.
        """
        if self._config.app_result_key is None:
            raise ValueError("app_result_key is not configured")
        return read_app_result(self._config.app_result_key, text)

    # --- statements and keys ----------------------------------------------------------------------------------------

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        """
        The settlement file of the clearing day that ends on `day` at 23:00; a payment after that is in the next one.

        Raises:
            OperationUnsupported: Funds, which UnionPay has no file of; or an acquirer's account.
        """
        if kind is not StatementKind.TRADES or Operation.FETCH_STATEMENT not in self._capabilities:
            raise OperationUnsupported(f"unionpay has no file of {kind} here")
        now = self._tools.clock.now()
        answer = self._client.exchange(
            self._config.file_url,
            file_fields(self._config, day, now),
            Operation.FETCH_STATEMENT,
            answer_bytes_max=ANSWER_BYTES_MAX,
        )
        if answer.code == NO_SUCH_FILE and empty_is_certain(day, now):
            return iter(())
        if answer.code not in ACCEPTED:
            raise answer.refusal(ACT_BY_FILE_CODE, Operation.FETCH_STATEMENT)
        if answer.fields.get("settleDate") != day.strftime("%m%d") or answer.fields.get("merId") != self._config.mer_id:
            raise answer.unreadable("settleDate or merId", Operation.FETCH_STATEMENT)
        return read_file(answer.fields.get("fileContent", ""), Bill(day=day, mer_id=self._config.mer_id))

    def key_expiries(self) -> Mapping[str, datetime]:
        return {**self._config.expiries, **self._config.proof.expiries()}


def _product(method: str) -> Product:
    """Also for payments by a method that the account no longer offers."""
    if method not in PRODUCTS:
        raise OperationUnsupported(f"unionpay has no method {method[:32]!r}")
    return PRODUCTS[method]


def _clearing_day(moment: datetime) -> date:
    """23:00 to 23:00, named by the day it ends in. Source: sheet section 10."""
    return (moment.astimezone(CHINA) + (timedelta(days=1) - _CLEARING_DAY_ENDS)).date()


def _must_be_about(answer: Answer, sent: Mapping[str, str], operation: Operation) -> None:
    """A signature does not name the question: an answer must say which order, of which time, it is about."""
    for name in ("orderId", "txnTime"):
        if answer.fields.get(name) != sent[name]:
            raise answer.unreadable(name, operation)


def _read(answer: Answer, operation: Operation, read: Callable[[], ProviderReport]) -> ProviderAnswer:
    try:
        return ProviderAnswer(report=read(), raw=answer.content)
    except ValueError as exc:
        raise answer.unreadable(exc, operation) from None


def _pending(request: PaymentRequest, word: str) -> ProviderReport:
    return ProviderReport(
        source=Source.ANSWER, out_trade_no=request.out_trade_no, state=ReportedState.PENDING, provider_status=word
    )
