"""The model: banks that keep true books and are only as reliable as the weather, and what must agree with them."""

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, TypeVar

from gateway.domain.provider import (
    NoVerdict,
    PaymentAnswer,
    PaymentRef,
    PaymentRequest,
    ProviderAnswer,
    ProviderUnavailable,
    RawCallback,
    RefundRequest,
    RequestRefused,
)
from gateway.domain.report import ReportedRefundState, ReportedState
from tests.support.clock import ManualClock
from tests.support.databases import Database
from tests.support.provider import FakeProvider, RefundEntry, Trade

T = TypeVar("T")


class Weather(Enum):
    """What becomes of calls for a while."""

    FAIR = "fair"
    DEAF = "nobody answers"
    LOST_BEFORE = "the call is lost on its way"
    LOST_AFTER = "it is done, and the answer is lost"
    REFUSED = "an error is answered"


_UNDECIDED: Final = (ReportedRefundState.SUBMITTED, ReportedRefundState.UNKNOWN, ReportedRefundState.ABNORMAL)


class Bank(FakeProvider):
    """
    A fake that never gives back more than it took, and never changes its mind.

    Attributes:
        weather: What becomes of the calls of each operation; fair where nothing is said.
        wrongs: What the gateway asked for and must never have.
        told_outside: Payments of which money went back by the bank's own console.
    """

    def __init__(self, name: str, clock: ManualClock, *, tells_total: bool) -> None:
        super().__init__(name, clock, tells_total=tells_total)
        self.weather: dict[str, Weather] = {}
        self.wrongs: list[str] = []
        self.told_outside: set[str] = set()

    # --- the books ---

    def payable(self, out_trade_no: str) -> bool:
        trade = self.trades.get(out_trade_no)
        return trade is not None and trade.state is ReportedState.PENDING

    def came(self, out_trade_no: str) -> int:
        """What the payer has given for a payment."""
        trade = self.trades.get(out_trade_no)
        return trade.amount_fen if trade is not None and trade.state is ReportedState.PAID else 0

    def gone(self, out_trade_no: str) -> int:
        """What the payer has got back."""
        return self._sum(out_trade_no, lambda entry: entry.state is ReportedRefundState.SUCCEEDED)

    def free(self, out_trade_no: str) -> int:
        """What is neither back nor on its way."""
        promised = self._sum(out_trade_no, lambda entry: entry.state is not ReportedRefundState.FAILED)
        return self.came(out_trade_no) - promised

    def undecided(self) -> list[str]:
        """The refunds that have no end yet."""
        return [no for no, entry in self.refunds.items() if entry.state in _UNDECIDED]

    def arrives_late(self, out_trade_no: str, amount_fen: int) -> None:
        """A create that was thought lost arrives after all."""
        self.trades.setdefault(
            out_trade_no, Trade(ReportedState.PENDING, amount_fen, f"{self.name}{len(self.trades):08d}")
        )

    def refund_in_console(self, out_trade_no: str, amount_fen: int) -> RawCallback:
        """Somebody gives money back by the bank's own console; the notice of it."""
        no = f"console-{len(self.refunds)}"
        self.refunds[no] = RefundEntry(ReportedRefundState.SUCCEEDED, amount_fen, out_trade_no)
        self.told_outside.add(out_trade_no)
        return self.notice_of_refund(no)

    def notice_of_refund(self, out_refund_no: str) -> RawCallback:
        """A bank that tells sums does not tell of a single refund that was not ours."""
        if self.tells_total and out_refund_no.startswith("console"):
            return self.callback(self.refunds[out_refund_no].out_trade_no)
        return self.refund_callback(out_refund_no)

    def _sum(self, out_trade_no: str, counts: Callable[[RefundEntry], bool]) -> int:
        entries = (entry for entry in self.refunds.values() if entry.out_trade_no == out_trade_no)
        return sum(entry.amount_fen for entry in entries if counts(entry))

    # --- the wire ---

    def create(self, request: PaymentRequest) -> PaymentAnswer:
        return self._through("create", lambda: super(Bank, self).create(request))

    def query(self, payment: PaymentRef) -> ProviderAnswer:
        return self._through("query", lambda: super(Bank, self).query(payment))

    def close(self, payment: PaymentRef) -> ProviderAnswer:
        return self._through("close", lambda: super(Bank, self).close(payment))

    def refund(self, refund: RefundRequest) -> ProviderAnswer:
        return self._through("refund", lambda: self._refund(refund))

    def query_refund(self, refund: RefundRequest) -> ProviderAnswer:
        return self._through("query_refund", lambda: super(Bank, self).query_refund(refund))

    def _refund(self, refund: RefundRequest) -> ProviderAnswer:
        entry = self.refunds.get(refund.out_refund_no)
        if entry is None and refund.amount_fen > self.free(refund.out_trade_no):
            if refund.out_trade_no not in self.told_outside:
                self.wrongs.append(f"{refund.out_refund_no} asks for more than {refund.out_trade_no} has left")
            raise RequestRefused("not that much is left", code="NOT_ENOUGH")
        if entry is not None and entry.amount_fen != refund.amount_fen:
            self.wrongs.append(f"{refund.out_refund_no} came with two amounts")
        if entry is not None and entry.state is ReportedRefundState.ABNORMAL:
            entry.state = ReportedRefundState.SUBMITTED
        return super().refund(refund)

    def _through(self, operation: str, act: Callable[[], T]) -> T:
        weather = self.weather.get(operation, Weather.FAIR)
        if weather is Weather.DEAF:
            raise ProviderUnavailable("nobody answers")
        if weather is Weather.LOST_BEFORE:
            raise NoVerdict("no answer")
        if weather is Weather.REFUSED:
            raise RequestRefused("no", code="NO")
        answer = act()
        if weather is Weather.LOST_AFTER:
            raise NoVerdict("no answer")
        return answer


# --- what must agree with the banks -----------------------------------------------------------------------------------

_DECIDED: Final[dict[str, set[str]]] = {"paid": set(), "closed": set(), "failed": set()}
_AFTER: Final[dict[str, dict[str, set[str]]]] = {
    # With banks that keep true books no verdict on a payment is ever taken back, not even by a later proof.
    "payments": _DECIDED
    | {
        "created": {"pending", "unknown", *_DECIDED},
        "pending": {"unknown", *_DECIDED},
        "unknown": {"pending", *_DECIDED},
    },
    "orders": {"open": {"closing", "closed", "paid"}, "closing": {"closed", "paid"}, "closed": {"paid"}, "paid": set()},
    "refunds": {"succeeded": set(), "failed": set()}
    | {
        state: {"submitted", "unknown", "abnormal", "succeeded", "failed"} - {state}
        for state in ("requested", "submitted", "unknown", "abnormal")
    },
}
"""What may be found later where a state was seen before; several arrows may lie between two looks."""

_VERDICTS: Final = {
    "payments": "id, state, kept, amount_refunding_fen, amount_refunded_fen, evidence_id, provider_trade_no, paid_at",
    "orders": "id, state, paid_payment_id, amount_paid_fen, amount_refunded_fen",
    "refunds": "id, state, amount_fen, evidence_id",
}


class Witness:
    """Looks at the database after every step, by SQL of its own, and compares it with the banks."""

    def __init__(self, database: Database, banks: dict[str, Bank]) -> None:
        self._database = database
        self._banks = banks
        self._seen: dict[tuple[str, str], str] = {}

    def look(self) -> None:
        """Fail when the gateway believes what its bank's books deny, or takes a step that is no arrow."""
        assert [] == [wrong for bank in self._banks.values() for wrong in bank.wrongs]
        self._arrows()
        self._payments()
        self._refunds()
        self._orders()
        self._errands()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._database.rows(sql)

    def verdicts(self) -> list[tuple[Any, ...]]:
        """All that a message may change, but for the history, which tells of lies, too."""
        return [row for table, columns in _VERDICTS.items() for row in self.rows(f"SELECT {columns} FROM {table}")]

    def _arrows(self) -> None:
        for table, after in _AFTER.items():
            for row_id, state in self.rows(f"SELECT id, state FROM {table}"):
                before = self._seen.get((table, row_id), state)
                assert state == before or state in after[before], f"{row_id} went from {before} to {state}"
                self._seen[table, row_id] = state

    def _payments(self) -> None:
        sql = "SELECT account, out_trade_no, state, amount_fen, amount_refunded_fen FROM payments"
        for account, no, state, amount_fen, refunded_fen in self.rows(sql):
            bank = self._banks[account]
            came, payable = bank.came(no), bank.payable(no)
            if state == "paid":
                assert came == amount_fen, f"{no} is paid here, and the bank took {came}"
            if state in ("closed", "failed"):
                assert (came, payable) == (0, False), f"{no} is {state} here, and not at the bank"
            assert refunded_fen <= bank.gone(no), f"more of {no} is back here than at the bank"

    def _refunds(self) -> None:
        sql = "SELECT account, out_refund_no, state FROM refunds WHERE reason <> 'outside'"
        for account, no, state in self.rows(sql):
            entry = self._banks[account].refunds.get(no)
            held = entry.state.value if entry else None
            if state == "succeeded":
                assert held == "succeeded", f"{no} is back here, and {held} at the bank"
            if state == "failed":
                assert held in (None, "failed"), f"{no} has failed here, and is {held} at the bank"

    def _orders(self) -> None:
        still_open = self.rows(
            "SELECT p.id FROM payments p JOIN orders o ON o.id = p.order_id"
            " WHERE o.state = 'closed' AND p.state IN ('created', 'pending', 'unknown')"
        )
        assert [] == still_open, "an order was closed before its payments were"

    def _errands(self) -> None:
        """The worker survives every error; here only those that a provider may answer are in order."""
        good = {"", "NoVerdict", "ProviderUnavailable", "RequestRefused"}
        errors = {error.partition(" ")[0] for (error,) in self.rows("SELECT last_error FROM tasks")}
        assert errors <= good, f"a task ended by {errors - good}"

    def all_settled(self) -> None:
        """Fail when anything is still open, or a fen lies elsewhere than the bank says."""
        for table, done in (("orders", "'paid', 'closed'"), ("refunds", "'succeeded', 'failed'")):
            assert [] == self.rows(f"SELECT id, state FROM {table} WHERE state NOT IN ({done})")
        sql = "SELECT account, out_trade_no, kept, amount_fen * (state = 'paid'), amount_refunded_fen FROM payments"
        for account, no, kept, came, gone in self.rows(sql):
            bank = self._banks[account]
            assert (bank.came(no), bank.gone(no)) == (came, gone), f"{no}: {came} - {gone} here, not so at the bank"
            assert kept or came == gone, f"{no} is not kept, and {came - gone} stayed"
