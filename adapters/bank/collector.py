"""
An institution that collects for us: payments begin in the bank's own app, so nothing can be started, asked, closed or
refunded from here, and no callback of the ordinary kind comes. Base of the fronts of biller mode.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Final, NoReturn

from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    Method,
    Operation,
    OperationUnsupported,
    PaymentAnswer,
    PaymentRef,
    PaymentRequest,
    ProviderAnswer,
    RawCallback,
    RefundRequest,
    Verdict,
)
from gateway.domain.statement import StatementKind, StatementLine

_NOT_HERE: Final = Acknowledgement(status=404, body=b"", content_type="text/plain")


class Collector:
    """The half of `gateway.domain.provider.Provider` that every such institution has: nothing works."""

    name = ""
    methods: Mapping[str, Method] = MappingProxyType({})
    capabilities: frozenset[Operation] = frozenset()

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        self._unsupported(Operation.CREATE)

    def parse_callback(self, raw: RawCallback) -> Callback:
        """Nothing that is posted to the ordinary address is ever proven."""
        raise CallbackRefused("headers")

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        return _NOT_HERE

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        self._unsupported(Operation.QUERY)

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        self._unsupported(Operation.CLOSE)

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        self._unsupported(Operation.REFUND)

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        self._unsupported(Operation.QUERY_REFUND)

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        self._unsupported(Operation.FETCH_STATEMENT)

    def key_expiries(self) -> Mapping[str, datetime]:
        return {}

    def _unsupported(self, operation: Operation) -> NoReturn:
        raise OperationUnsupported(f"{self.name} has no {operation.value}: its payments begin in the bank's own app")
