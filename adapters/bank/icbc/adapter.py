"""The ICBC provider: one straight path per operation. It holds keys, but remembers nothing of any payment."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Final
from urllib.parse import urlencode, urlsplit

from adapters.bank.icbc.callbacks import Answers, read_callback
from adapters.bank.icbc.client import Answer, Client
from adapters.bank.icbc.config import RETURN_URL, Config
from adapters.bank.icbc.reports import (
    no_such_payment,
    no_such_refund,
    query_report,
    refund_accepted_report,
    refund_query_report,
)
from adapters.bank.icbc.tables import DONE, NO_SUCH_ORDER
from adapters.bank.icbc.wire import (
    QUERY_PATH,
    REFUND_PATH,
    REFUND_QUERY_PATH,
    SHOWPAY_PATH,
    URL_NAMES,
    cashier_seconds,
    query_content,
    refund_content,
    refund_query_content,
    showpay_content,
)
from adapters.kit.base import AdapterTools
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.provider import (
    AccountMisconfigured,
    Acknowledgement,
    Callback,
    Instruction,
    InstructionKind,
    Method,
    MethodField,
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

SHOWPAY: Final = "showpay"

_CAPABILITIES: Final = frozenset(
    {Operation.CREATE, Operation.PARSE_CALLBACK, Operation.QUERY, Operation.REFUND, Operation.QUERY_REFUND}
)


class IcbcProvider:
    """One merchant account at ICBC; see `gateway.domain.provider.Provider`."""

    name = "bank_icbc"
    capabilities = _CAPABILITIES

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools
        self._client = Client(config, tools)
        self._answers = Answers(config)
        self._methods = {SHOWPAY: _showpay(config)}

    @property
    def methods(self) -> Mapping[str, Method]:
        return self._methods

    # --- paying -----------------------------------------------------------------------------------------------------

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        """
        Sign what the payer's browser will post to the bank's cashier. It makes no call: `pending` then says that an
        instruction exists, and a query finds nothing until the payer has reached the cashier.
        """
        if request.method not in self._methods:
            raise OperationUnsupported(f"bank_icbc has no method {request.method[:32]!r}")
        if not 0 < request.amount_fen <= AMOUNT_FEN_MAX:
            raise RequestRefused(f"{request.out_trade_no}: the amount is outside the limits")
        if self._config.is_path_assumed and urlsplit(request.notify_url).path != self._config.notify_sign_path:
            # The bank signs the path of this URL: without knowing it no notify could ever be proven.
            raise AccountMisconfigured("notify_sign_path must be set: public_base_url has a path of its own")
        params = self._client.sign(SHOWPAY_PATH, showpay_content(self._config, request))
        in_url = {name: params[name] for name in URL_NAMES if name in params}
        payload = {
            "url": f"{self._config.base_url}{SHOWPAY_PATH}?{urlencode(in_url)}",
            "fields": {name: value for name, value in params.items() if name not in in_url},
        }
        deadline = request.created_at + timedelta(seconds=cashier_seconds(self._config, request))
        return PaymentAnswer(
            instruction=Instruction(kind=InstructionKind.FORM, payload=payload, expires_at=deadline),
            report=ProviderReport(
                source=Source.ANSWER,
                out_trade_no=request.out_trade_no,
                state=ReportedState.PENDING,
                provider_status="",
            ),
        )

    # --- asking -----------------------------------------------------------------------------------------------------

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        """`return_code` says that the question was answered; the payment's own verdict is `pay_status`."""
        answer = self._client.exchange(QUERY_PATH, query_content(self._config, payment), Operation.QUERY)
        if answer.code in NO_SUCH_ORDER:
            return ProviderAnswer(report=no_such_payment(payment, answer.code), raw=answer.content)
        at = self._tools.clock.now()
        return _read(answer, Operation.QUERY, lambda: query_report(self._config, answer.members, payment, at=at))

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        """The cashier ends by its expireTime. What orderqry's deal_flag 1 and 2 do is not known well enough."""
        raise OperationUnsupported(f"bank_icbc does not close {payment.out_trade_no}; it ends by itself")

    # --- refunds ----------------------------------------------------------------------------------------------------

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        """Submit a refund under its own number; a good answer means taken, success comes by query."""
        answer = self._client.exchange(REFUND_PATH, refund_content(self._config, refund), Operation.REFUND)
        return _read(answer, Operation.REFUND, lambda: refund_accepted_report(self._config, answer.members, refund))

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        content = refund_query_content(self._config, refund)
        answer = self._client.exchange(REFUND_QUERY_PATH, content, Operation.QUERY_REFUND)
        if answer.code in NO_SUCH_ORDER:
            return ProviderAnswer(report=no_such_refund(refund, answer.code), raw=answer.content)
        return _read(answer, Operation.QUERY_REFUND, lambda: refund_query_report(self._config, answer.members, refund))

    # --- callbacks --------------------------------------------------------------------------------------------------

    def parse_callback(self, raw: RawCallback) -> Callback:
        return read_callback(self._config, raw)

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        return self._answers.to(verdict, raw)

    # --- statements and keys ----------------------------------------------------------------------------------------

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        """The file's interface is not public. Source: sheet section 1, reconciliation (unverified)."""
        raise OperationUnsupported("bank_icbc has no statement here")

    def key_expiries(self) -> Mapping[str, datetime]:
        """Bare keys have no end."""
        return {}


def _showpay(config: Config) -> Method:
    fields = {
        "return_url": MethodField(
            required=False, pattern=RETURN_URL, description="Where the browser comes back to; it proves nothing"
        )
    }
    if config.shop_appid:
        fields["open_id"] = MethodField(
            required=False,
            pattern=r"[0-9A-Za-z_-]{1,128}",
            description="The payer's openid under shop_appid, when the cashier is opened inside WeChat",
            personal=True,
        )
    return Method(name=SHOWPAY, title="工行聚合支付", instruction=InstructionKind.FORM, fields=fields)


def _read(answer: Answer, operation: Operation, read: Callable[[], ProviderReport]) -> ProviderAnswer:
    """The report of an answer whose code is 0; any other code that was not asked for is an error."""
    if answer.code != DONE:
        raise answer.refusal(operation)
    try:
        return ProviderAnswer(report=read(), raw=answer.content)
    except ValueError as exc:
        raise answer.unreadable(exc, operation) from None
