"""A provider in memory: it keeps its own books, does what it is told to do once, and remembers what it was asked."""

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from gateway.domain.provider import (
    Acknowledgement,
    Callback,
    CallbackRefused,
    CallbackUnreadable,
    Instruction,
    InstructionKind,
    Method,
    MethodField,
    Operation,
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
    CURRENCY,
    ProviderReport,
    RefundReport,
    ReportedRefundState,
    ReportedState,
    Source,
)
from gateway.domain.statement import StatementKind, StatementLine
from tests.support.clock import ManualClock

OPENID = MethodField(required=False, pattern=r".{1,64}", description="who pays", personal=True)
NATIVE = Method(name="native", title="扫码", instruction=InstructionKind.QR_TEXT, fields={"openid": OPENID})

Step = BaseException | ProviderAnswer | PaymentAnswer | Callable[[Any], Any]


@dataclass
class Trade:
    """A payment in the provider's books."""

    state: ReportedState
    amount_fen: int
    trade_no: str


@dataclass
class RefundEntry:
    """A refund in the provider's books."""

    state: ReportedRefundState
    amount_fen: int
    out_trade_no: str


class FakeProvider:
    """
    One account at an invented provider.

    Attributes:
        calls: (operation, our number) of every outgoing call, in order.
        trades, refunds: Its own books, by our numbers; tests move them by hand.
        tells_total: Reports carry the cumulative refunded sum, as Alipay's do.
    """

    def __init__(self, name: str, clock: ManualClock, *, tells_total: bool = False) -> None:
        self._name = name
        self._clock = clock
        self._mutex = threading.RLock()
        self._steps: dict[str, deque[Step]] = defaultdict(deque)
        self._always: dict[str, Step] = {}
        self._deliveries = 0
        self.calls: list[tuple[str, str]] = []
        self.requests: list[Any] = []
        self.trades: dict[str, Trade] = {}
        self.refunds: dict[str, RefundEntry] = {}
        self.tells_total = tells_total
        self.capabilities = frozenset(Operation) - {Operation.FETCH_STATEMENT}
        self.methods: Mapping[str, Method] = {"native": NATIVE}

    @property
    def name(self) -> str:
        return self._name

    # --- what tests do ---

    def script(self, operation: str, *steps: Step) -> None:
        """What the next calls do: raise, answer, or call (None goes on as usual)."""
        self._steps[operation].extend(steps)

    def always(self, operation: str, step: Step | None) -> None:
        """What every call does that has no step of its own; None: as usual again."""
        if step is None:
            self._always.pop(operation, None)
        else:
            self._always[operation] = step

    def count(self, operation: str) -> int:
        return sum(called == operation for called, _ in self.calls)

    def numbers(self, operation: str) -> list[str]:
        return [number for called, number in self.calls if called == operation]

    def pay(self, out_trade_no: str) -> None:
        """The payer pays."""
        self.trades[out_trade_no].state = ReportedState.PAID

    def report(self, out_trade_no: str, source: Source, **changes: Any) -> ProviderReport:
        """What the books say of a payment, with some of it changed."""
        trade = self.trades[out_trade_no]
        members: dict[str, Any] = {
            "source": source,
            "out_trade_no": out_trade_no,
            "state": trade.state,
            "provider_status": trade.state.value.upper(),
            "amount_fen": trade.amount_fen,
            "currency": CURRENCY,
            "provider_trade_no": trade.trade_no,
            "occurred_at": self._clock.now(),
        }
        if self.tells_total:
            done = (
                entry.amount_fen
                for entry in self.refunds.values()
                if entry.out_trade_no == out_trade_no and entry.state is ReportedRefundState.SUCCEEDED
            )
            members["refunded_total_fen"] = sum(done)
        return ProviderReport(**members | changes)

    def callback(self, out_trade_no: str, *, dedup_key: str | None = None, **changes: Any) -> RawCallback:
        """A genuine callback with what the books say of a payment; the payer's name is in it."""
        return self.message(self.report(out_trade_no, Source.CALLBACK, **changes), dedup_key=dedup_key)

    def refund_callback(self, out_refund_no: str, **changes: Any) -> RawCallback:
        """A genuine callback with what the books say of a refund."""
        entry = self.refunds[out_refund_no]
        said = RefundReport(
            out_refund_no=out_refund_no,
            state=entry.state,
            amount_fen=entry.amount_fen,
            occurred_at=self._clock.now(),
        )
        return self.callback(entry.out_trade_no, **{"refund": said} | changes)

    def message(self, report: ProviderReport | None, *, dedup_key: str | None = None) -> RawCallback:
        """A genuine callback with this report."""
        with self._mutex:
            self._deliveries += 1
            members = {"dedup_key": dedup_key or f"{self._name}-{self._deliveries}", "event": "notice"}
        body = json.dumps(members | {"report": asdict(report) if report else None}, default=_as_text)
        return RawCallback(headers={"x-signature": "genuine"}, body=body.encode(), received_at=self._clock.now())

    # --- what adapters do ---

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        scripted = self._called("create", request.out_trade_no, request)
        if scripted is not None:
            return scripted
        with self._mutex:
            self.trades.setdefault(
                request.out_trade_no,
                Trade(ReportedState.PENDING, request.amount_fen, f"{self._name}{len(self.trades):08d}"),
            )
        return PaymentAnswer(
            instruction=Instruction(kind=InstructionKind.QR_TEXT, payload={"text": f"qr:{request.out_trade_no}"}),
            report=ProviderReport(
                source=Source.ANSWER,
                out_trade_no=request.out_trade_no,
                state=ReportedState.PENDING,
                provider_status="ACCEPTED",
            ),
            raw=b'{"accepted":true}',
        )

    def parse_callback(self, raw: RawCallback) -> Callback:
        if raw.headers.get("x-signature") != "genuine":
            raise CallbackRefused("signature")
        try:
            members = json.loads(raw.body)
            report = _report_of(members["report"]) if members["report"] else None
            return Callback(dedup_key=members["dedup_key"], event=members["event"], report=report)
        except (ValueError, KeyError, TypeError) as exc:
            raise CallbackUnreadable("not_json") from exc

    def acknowledge(self, verdict: Verdict, raw: RawCallback) -> Acknowledgement:
        accepted = verdict in (Verdict.ACCEPTED, Verdict.IGNORED, Verdict.QUARANTINED)
        return Acknowledgement(status=200 if accepted else 500, body=verdict.value.encode(), content_type="text/plain")

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        scripted = self._called("query", payment.out_trade_no, payment)
        return scripted if scripted is not None else self._answer(payment.out_trade_no, Source.QUERY)

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        scripted = self._called("close", payment.out_trade_no, payment)
        if scripted is not None:
            return scripted
        trade = self.trades.get(payment.out_trade_no)
        if trade is not None and trade.state is ReportedState.PENDING:
            trade.state = ReportedState.CLOSED
        return self._answer(payment.out_trade_no, Source.ANSWER)

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        scripted = self._called("refund", refund.out_refund_no, refund)
        if scripted is not None:
            return scripted
        trade = self.trades.get(refund.out_trade_no)
        if trade is None or trade.state is not ReportedState.PAID:
            raise RequestRefused("nothing to refund", code="NOT_PAID")
        with self._mutex:
            self.refunds.setdefault(
                refund.out_refund_no,
                RefundEntry(ReportedRefundState.SUBMITTED, refund.amount_fen, refund.out_trade_no),
            )
        return self.refund_answer(refund.out_refund_no, Source.ANSWER)

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        scripted = self._called("query_refund", refund.out_refund_no, refund)
        if scripted is not None:
            return scripted
        if refund.out_refund_no not in self.refunds:
            return refund_not_found(refund)
        return self.refund_answer(refund.out_refund_no, Source.QUERY)

    def refund_answer(self, out_refund_no: str, source: Source, **changes: Any) -> ProviderAnswer:
        entry = self.refunds[out_refund_no]
        said = RefundReport(out_refund_no=out_refund_no, state=entry.state, amount_fen=entry.amount_fen)
        report = self.report(entry.out_trade_no, source, **{"refund": said} | changes)
        return ProviderAnswer(report=report, raw=b'{"refund":true}')

    def fetch_statement(self, day: date, kind: StatementKind) -> Iterator[StatementLine]:
        raise NotImplementedError

    def key_expiries(self) -> Mapping[str, datetime]:
        return {}

    def _answer(self, out_trade_no: str, source: Source) -> ProviderAnswer:
        if out_trade_no not in self.trades:
            return not_found(out_trade_no, source)
        return ProviderAnswer(report=self.report(out_trade_no, source), raw=b'{"trade":true}')

    def _called(self, operation: str, number: str, request: Any) -> Any:
        with self._mutex:
            self.calls.append((operation, number))
            self.requests.append(request)
            steps = self._steps[operation]
            step = steps.popleft() if steps else self._always.get(operation)
        if isinstance(step, BaseException):
            raise step
        return step(request) if callable(step) else step


def not_found(out_trade_no: str, source: Source = Source.QUERY) -> ProviderAnswer:
    """An answer that there is no such payment."""
    report = ProviderReport(
        source=source, out_trade_no=out_trade_no, state=ReportedState.NOT_FOUND, provider_status="NOT_EXIST"
    )
    return ProviderAnswer(report=report, raw=b'{"trade":false}')


def refund_not_found(refund: RefundRequest) -> ProviderAnswer:
    """An answer that there is no such refund."""
    report = ProviderReport(
        source=Source.QUERY,
        out_trade_no=refund.out_trade_no,
        state=ReportedState.UNKNOWN,
        provider_status="NOT_EXIST",
        refund=RefundReport(out_refund_no=refund.out_refund_no, state=ReportedRefundState.NOT_FOUND),
    )
    return ProviderAnswer(report=report, raw=b'{"refund":false}')


def _as_text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _report_of(members: dict[str, Any]) -> ProviderReport:
    said = members["refund"]
    refund = (
        RefundReport(
            **said | {"state": ReportedRefundState(said["state"]), "occurred_at": _instant(said["occurred_at"])}
        )
        if said
        else None
    )
    return ProviderReport(
        **members
        | {
            "source": Source(members["source"]),
            "state": ReportedState(members["state"]),
            "occurred_at": _instant(members["occurred_at"]),
            "refund": refund,
            "contradictions": tuple(members["contradictions"]),
        }
    )
