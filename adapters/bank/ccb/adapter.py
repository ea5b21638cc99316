"""The CCB provider: one straight path per operation. It holds keys, but remembers nothing of any payment."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from adapters.bank.ccb.callbacks import ACKNOWLEDGEMENTS, read_callback
from adapters.bank.ccb.config import Config
from adapters.bank.ccb.ebs import Ebs
from adapters.bank.ccb.ebs_xml import Element
from adapters.bank.ccb.methods import PRODUCTS, Product, offered_methods
from adapters.bank.ccb.numbers import order_id_of
from adapters.bank.ccb.qr import fetch_qr_text
from adapters.bank.ccb.records import PAYMENTS, REFUND, REFUNDS, UNSIGNED, question, records_of, refund_order
from adapters.bank.ccb.reports import payment_report, refund_report, refund_taken_report
from adapters.bank.ccb.tables import SETTLED, SUCCEEDED, UNSETTLED
from adapters.bank.ccb.wire import has_timeout, order_fields, order_text, order_url, pay_deadline
from adapters.kit.base import AdapterTools
from gateway.domain.money import AMOUNT_FEN_MAX
from gateway.domain.provider import (
    Acknowledgement,
    Callback,
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
    ProviderUnavailable,
    RawCallback,
    RefundRequest,
    RequestRefused,
    Verdict,
)
from gateway.domain.report import ProviderReport, ReportedRefundState, ReportedState, Source
from gateway.domain.statement import StatementKind, StatementLine

_UNDER_WAY_MAX: Final = timedelta(seconds=30)
"""So long a refund that has left us may still be on its way to the bank's books."""


class CcbProvider:
    """One counter at CCB; see `gateway.domain.provider.Provider`."""

    name = "bank_ccb"

    def __init__(self, config: Config, tools: AdapterTools) -> None:
        self._config = config
        self._tools = tools
        self._ebs = Ebs(config, tools)
        self._methods = offered_methods(config)

    @property
    def methods(self) -> Mapping[str, Method]:
        return self._methods

    @property
    def capabilities(self) -> frozenset[Operation]:
        """No close is known, and the flow file lands on the client program's own disk. Source: sheet section 2.4."""
        return frozenset(Operation) - {Operation.CLOSE, Operation.FETCH_STATEMENT}

    # --- paying -----------------------------------------------------------------------------------------------------

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        """
        Make the address or the parameter string that the payer's device opens, or fetch a QR code.

        The first two make no call: `pending` then says that an instruction exists, and a query finds nothing until the
        payer has reached the bank.
        """
        if request.method not in self._methods:
            raise OperationUnsupported(f"bank_ccb has no method {request.method[:32]!r} here")
        if not 0 < request.amount_fen <= AMOUNT_FEN_MAX:
            raise RequestRefused(f"{request.out_trade_no}: the amount is outside the limits")
        product = PRODUCTS[request.method]
        fields = order_fields(self._config, product, request)
        payload, raw = self._payload(product, fields)
        limited = has_timeout(self._config, product)
        return PaymentAnswer(
            instruction=Instruction(
                kind=product.instruction,
                payload=payload,
                expires_at=pay_deadline(self._config, request) if limited else None,
            ),
            report=ProviderReport(
                source=Source.ANSWER,
                out_trade_no=request.out_trade_no,
                state=ReportedState.PENDING,
                provider_status="",
            ),
            raw=raw,
        )

    def _payload(self, product: Product, fields: dict[str, str]) -> tuple[dict[str, str], bytes]:
        if product.instruction is InstructionKind.SDK_STRING:
            return {"text": order_text(fields)}, b""
        url = order_url(self._config, fields)
        if product.instruction is InstructionKind.REDIRECT:
            return {"url": url}, b""
        text, raw = fetch_qr_text(self._tools, url)
        return {"text": text}, raw

    # --- asking -----------------------------------------------------------------------------------------------------

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        """Ask for the unsettled records, then for the settled ones: a record moves in that direction alone."""
        now = self._tools.clock.now()
        return self._look_up(
            PAYMENTS,
            payment.out_trade_no,
            Operation.QUERY,
            lambda records: payment_report(self._config, payment, records, now=now),
        )

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        """No close is known: an order for a QR code ends by its TIMEOUT. Source: sheet section 2."""
        raise OperationUnsupported(f"bank_ccb cannot close {payment.out_trade_no}")

    def _look_up(
        self,
        tx_code: str,
        out_trade_no: str,
        operation: Operation,
        read: Callable[[Sequence[Element]], ProviderReport],
    ) -> ProviderAnswer:
        """
        What an order's unsettled records say; unless that is proof, what they and the settled ones say together.

        A record that is being settled may be listed as both, so that a proof ends the search.
        """
        order_id = order_id_of(out_trade_no)
        records: list[Element] = []
        contents: list[bytes] = []
        for kind in (UNSETTLED, SETTLED):
            answer = self._ebs.ask(tx_code, question(order_id, kind), operation)
            contents.append(answer.content)
            try:
                records += records_of(self._config, answer, tx_code, order_id)
                report = read(records)
            except LookupError:
                raise NoVerdict(f"ccb answered {operation}: {answer.code}", code=answer.code) from None
            except ValueError as exc:
                raise _unreadable(operation, exc) from None
            if report.state is ReportedState.PAID:
                break
        return ProviderAnswer(report=report, raw=b"\n".join(contents))

    # --- refunds ----------------------------------------------------------------------------------------------------

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        """
        Ask first whether the bank knows this refund; only if it does not, submit it under its code.

        That a code sent twice moves money once is unverified, so that it is not relied on alone.
        Source: sheet section 2.4.

        Raises:
            ProviderUnavailable: Too late to submit it: another worker may be about to, without knowing of this one.
        """
        asked = self._ask_refund(refund, Operation.REFUND)
        said = asked.report.refund
        if said is None or said.state is not ReportedRefundState.NOT_FOUND:
            return asked
        if refund.submit_until is not None and self._tools.clock.now() + _UNDER_WAY_MAX >= refund.submit_until:
            raise ProviderUnavailable(f"{refund.out_refund_no}: too late to submit it in this turn")
        answer = self._ebs.ask(REFUND, refund_order(refund), Operation.REFUND, after=UNSIGNED)
        if answer.code in self._config.refund_refusal_codes:
            raise RequestRefused(f"ccb answered refund: {answer.code}", code=answer.code)
        if answer.code != SUCCEEDED:
            raise NoVerdict(f"ccb answered refund: {answer.code}", code=answer.code)
        try:
            return ProviderAnswer(report=refund_taken_report(refund, answer), raw=answer.content)
        except ValueError as exc:
            raise _unreadable(Operation.REFUND, exc) from None

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        return self._ask_refund(refund, Operation.QUERY_REFUND)

    def _ask_refund(self, refund: RefundRequest, operation: Operation) -> ProviderAnswer:
        return self._look_up(REFUNDS, refund.out_trade_no, operation, lambda records: refund_report(refund, records))

    # --- callbacks --------------------------------------------------------------------------------------------------

    def parse_callback(self, raw: RawCallback) -> Callback:
        return read_callback(self._config, raw)

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        return ACKNOWLEDGEMENTS[verdict]

    # --- statements and keys ----------------------------------------------------------------------------------------

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        """5W1005 and 6W0111 write a file on the client program's host, and nothing brings it here."""
        raise OperationUnsupported(f"bank_ccb has no file of {kind} here")

    def key_expiries(self) -> Mapping[str, datetime]:
        """The counter's key has no end of its own."""
        return {}


def _unreadable(operation: Operation, where: object) -> NoVerdict:
    return NoVerdict(f"ccb's answer to {operation} cannot be read: {where}")
