"""The shared-account provider: one straight path per operation. It remembers nothing of any payment or person."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any, Final, TypeVar

from adapters.kit.base import AdapterTools
from adapters.shared_account.bindings import (
    add_data,
    read_balance,
    read_binding,
    read_bindings,
    remove_data,
)
from adapters.shared_account.callbacks import acknowledgements, read_callback
from adapters.shared_account.client import Answer, Client
from adapters.shared_account.config import Config
from adapters.shared_account.methods import METHODS, owner_of
from adapters.shared_account.reports import (
    no_such_payment,
    read_charge,
    read_query,
    read_refund_query,
    read_revoke,
    refund_report,
)
from adapters.shared_account.statement import ANSWER_BYTES_MAX, FileName, is_ready, read_file
from adapters.shared_account.tables import (
    ALREADY_REVOKED,
    NOT_BOUND,
    ORDER_NOT_FOUND,
    WAITS_FOR_REVIEW,
    TransType,
)
from adapters.shared_account.wire import (
    balance_question,
    binding_question,
    charge_data,
    owner_question,
    query_data,
    refund_data,
    reversal_data,
    statement_data,
    subject_of,
)
from gateway.domain.bindings import Balance, Binding, BindingRequest, BindingState, Unbinding
from gateway.domain.order import Person
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
from gateway.domain.report import ProviderReport, RefundReport, ReportedRefundState, ReportedState, Source
from gateway.domain.statement import StatementKind, StatementLine

T = TypeVar("T")

_NOT_ACTIVE: Final = {BindingState.IN_REVIEW: WAITS_FOR_REVIEW}


class SharedAccountProvider:
    """
    One channel at one platform; see `gateway.domain.provider.Provider`, and for its binding desk
    `gateway.domain.bindings.BindingDesk`.
    """

    name = "shared_account"

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools
        self._client = Client(config, tools)
        self._acknowledgements = acknowledgements(repeats_orphans=config.repeats_orphans)
        self._capabilities = frozenset(Operation) - (frozenset() if config.reverses_blindly else {Operation.CLOSE})

    @property
    def methods(self) -> Mapping[str, Method]:
        return METHODS

    @property
    def capabilities(self) -> frozenset[Operation]:
        """Without blind reversal nothing can be closed: an unpaid charge ends at its expireTime."""
        return self._capabilities

    # --- paying -----------------------------------------------------------------------------------------------------

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        """
        Ask whether the binding is active, then charge the whole amount. Charged is not yet believed: a query confirms.

        A question without a proven answer is no verdict although it moved nothing, for on a resume the charge of an
        earlier try may have arrived.
        """
        if request.method not in METHODS:
            raise OperationUnsupported(f"shared_account has no method {request.method[:32]!r}")
        charge = _sendable(lambda: charge_data(self._config, request, self._tools.nonce()))
        self._must_be_bound(request)
        answer = self._client.exchange(TransType.CHARGE, charge)
        report = _read(answer, lambda data: read_charge(self._config, data, request))
        return PaymentAnswer(
            instruction=Instruction(kind=InstructionKind.NONE, payload={}), report=report, raw=answer.content
        )

    def _must_be_bound(self, request: PaymentRequest) -> None:
        """Source: sheet section 4.1: right before the charge, not from memory."""
        subject = subject_of(request)
        binding = self.check_binding(owner_of(request.fields), subject.insured, subject.region)
        if binding.state is not BindingState.ACTIVE:
            code = _NOT_ACTIVE.get(binding.state, NOT_BOUND)
            raise RequestRefused(f"{request.out_trade_no}: the binding is {binding.state}", code=code)
        if binding.bind_id not in ("", request.fields["bind_id"]):
            raise RequestRefused(f"{request.out_trade_no}: another binding is active", code=NOT_BOUND)

    def parse_callback(self, raw: RawCallback) -> Callback:
        return read_callback(self._config, raw)

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        return self._acknowledgements[verdict]

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        answer = self._ask(payment.out_trade_no, payment.provider_trade_no)
        if answer.code == ORDER_NOT_FOUND:
            return _absent(answer, payment.out_trade_no, Source.QUERY)
        report = _read(answer, lambda data: read_query(self._config, data, payment))
        return ProviderAnswer(report=report, raw=answer.content)

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        """
        Reverse (冲正) what is not known to be paid, where the region's platform takes that; ask again before believing.

        Source: sheet section 4.5, last paragraph.
        """
        if not self._config.reverses_blindly:
            raise OperationUnsupported(f"shared_account cannot close {payment.out_trade_no}; it ends by itself")
        answer = self._client.exchange(TransType.REVOKE, _sendable(lambda: reversal_data(payment)))
        if answer.code == ORDER_NOT_FOUND:
            return _absent(answer, payment.out_trade_no, Source.ANSWER)
        if not answer.is_good and answer.code != ALREADY_REVOKED:
            raise answer.refusal()
        report = ProviderReport(
            source=Source.ANSWER,
            out_trade_no=payment.out_trade_no,
            state=ReportedState.UNKNOWN,
            provider_status=answer.code,
        )
        return ProviderAnswer(report=report, raw=answer.content)

    # --- refunds ----------------------------------------------------------------------------------------------------

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        """Revoke a paid payment, whole. "Already revoked" does not say by which number: a query does."""
        answer = self._client.exchange(TransType.REVOKE, _sendable(lambda: refund_data(refund)))
        if answer.code == ALREADY_REVOKED:
            told = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.UNKNOWN)
            report = refund_report(refund, Source.ANSWER, answer.code, told)
        else:
            report = _read(answer, lambda data: read_revoke(data, refund))
        return ProviderAnswer(report=report, raw=answer.content)

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        """There is no query of a revoke: the payment's own tells whether, and under which number, it was revoked."""
        answer = self._ask(refund.out_trade_no, refund.provider_trade_no)
        if answer.code == ORDER_NOT_FOUND:
            told = RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.NOT_FOUND)
            report = refund_report(refund, Source.QUERY, answer.code, told)
        else:
            report = _read(answer, lambda data: read_refund_query(self._config, data, refund))
        return ProviderAnswer(report=report, raw=answer.content)

    def _ask(self, out_trade_no: str, provider_trade_no: str | None) -> Answer:
        return self._client.exchange(TransType.QUERY, _sendable(lambda: query_data(out_trade_no, provider_trade_no)))

    # --- statements and keys ----------------------------------------------------------------------------------------

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        """
        One file for each region, all of them checked before the first line is given.

        Raises:
            OperationUnsupported: Funds, of which the platform has no file.
        """
        if kind is not StatementKind.TRADES:
            raise OperationUnsupported(f"shared_account has no file of {kind}")
        if not is_ready(day, self._config.statement_hour, self._tools.clock.now()):
            raise ProviderUnavailable(f"the statement of {day} is not made before the next day's morning")
        lines: list[StatementLine] = []
        lines_before = 0
        for region in self._config.regions:
            answer = self._client.exchange(
                TransType.STATEMENT, statement_data(day, region), answer_bytes_max=ANSWER_BYTES_MAX
            )
            if not answer.is_good:
                raise answer.refusal()
            wanted = FileName(app_id=self._config.envelope.app_id, day=day, region=region)
            found = read_file(answer.data, wanted, lines_before=lines_before)
            lines += found
            lines_before += len(found) + 2
        return iter(lines)

    def key_expiries(self) -> Mapping[str, datetime]:
        return self._config.expiries

    # --- the binding desk -------------------------------------------------------------------------------------------

    def check_binding(self, owner: Person, member: Person, region: str) -> Binding:
        """Ask whether this account may pay for this person."""
        question = _sendable(lambda: binding_question(self._config, owner, member, region))
        return self._binding(self._client.exchange(TransType.BIND_CHECK, question))

    def list_bindings(self, owner: Person) -> tuple[Binding, ...]:
        """Everybody whom this account may pay for, or has asked to."""
        answer = self._client.exchange(TransType.BIND_LIST, _sendable(lambda: owner_question(self._config, owner)))
        return _read(answer, lambda data: read_bindings(self._config, data))

    def add_binding(self, request: BindingRequest) -> Binding:
        """Bind, or ask for it: the state may be `in_review`. After NoVerdict the same request may be sent again."""
        data = _sendable(lambda: add_data(self._config, request))
        return self._binding(self._client.exchange(TransType.BIND_ADD, data))

    def remove_binding(self, request: Unbinding) -> Binding:
        """Unbind (解绑). After NoVerdict the same request may be sent again."""
        data = _sendable(lambda: remove_data(self._config, request))
        return self._binding(self._client.exchange(TransType.BIND_REMOVE, data))

    def read_balance(self, owner: Person, region: str) -> Balance:
        """What the account holds: advice for a page. Only the platform decides whether a charge is covered."""
        question = _sendable(lambda: balance_question(self._config, owner, region))
        return _read(self._client.exchange(TransType.BALANCE, question), read_balance)

    def _binding(self, answer: Answer) -> Binding:
        return _read(answer, lambda data: read_binding(self._config, data))


def _sendable(make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was asked for cannot be put on the wire: final, and nothing was sent."""
    try:
        return make()
    except ValueError as exc:
        raise RequestRefused(f"shared_account cannot be sent this: {exc}") from None


def _read(answer: Answer, read: Callable[[Mapping[str, Any]], T]) -> T:
    if not answer.is_good:
        raise answer.refusal()
    try:
        return read(answer.data)
    except ValueError as exc:
        raise answer.unreadable(exc) from None


def _absent(answer: Answer, out_trade_no: str, source: Source) -> ProviderAnswer:
    return ProviderAnswer(report=no_such_payment(out_trade_no, source, answer.code), raw=answer.content)
