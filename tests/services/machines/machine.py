"""The rules: whatever apps, payers, banks, workers, operators and power cuts may do, in any order."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, precondition, rule

from gateway.domain.order import Order, Payment
from gateway.domain.provider import RawCallback
from gateway.domain.refusal import Refusal
from gateway.domain.replay import ReplayKind
from gateway.domain.report import ReportedRefundState, ReportedState
from gateway.services.ask_provider import RefreshGate, read_payment
from gateway.services.audit import audit
from gateway.services.replay import FILTER_STATES, Filter, ReplayRequest, run_replay
from gateway.store import open_store
from tests.journeys.crashing import Crash, CrashingEngine, Fate
from tests.services.machines.bank import Bank, Weather, Witness
from tests.support.clock import START, ManualClock
from tests.support.databases import Database
from tests.support.engines import TouchesOnce
from tests.support.invariants import assert_invariants
from tests.support.world import AMOUNT_FEN, World, subject

T = TypeVar("T")

_PEOPLE: Final = (subject(), subject(), subject("34010019000101002X"), None)
_PAUSES: Final = (1, 12, 65, 130, 400, 1_900, 7_300, 90_000)
"""Seconds: about the leases, the pauses between looks, a payment's life and what is left to it after that."""

_CREATE: Final = st.sampled_from([Weather.FAIR, Weather.LOST_AFTER, Weather.LOST_BEFORE, Weather.REFUSED, *Weather])
_ASKED: Final = st.sampled_from([Weather.FAIR, Weather.FAIR, Weather.DEAF, Weather.LOST_BEFORE])
_ORDERED: Final = st.sampled_from([Weather.FAIR, Weather.FAIR, *Weather])
_OUTCOMES: Final = st.sampled_from(
    [
        ReportedRefundState.ABNORMAL,
        ReportedRefundState.SUCCEEDED,
        ReportedRefundState.FAILED,
        ReportedRefundState.UNKNOWN,
    ]
)
_WHICH: Final = st.integers(0, 11)
"""Picks one of those that there are."""

_LIES: Final = st.sampled_from(
    [
        {"amount_fen": AMOUNT_FEN + 1},
        {"amount_fen": AMOUNT_FEN - 1},
        {"contradictions": ("mchid",)},
        {"currency": "USD"},
        {"forged": True},
    ]
)
_SUMS: Final = st.sampled_from([None, 1, 12_667, AMOUNT_FEN - 1, AMOUNT_FEN, AMOUNT_FEN + 1])


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A callback that somebody may deliver at any time, and any number of times."""

    account: str
    raw: RawCallback
    lies: bool = False


class Machine(RuleBasedStateMachine):
    """
    One gateway on a database of its own, whose process may end at every commit.

    At the end the banks answer, the letters arrive, operators do what waits for them, and everything must be settled.
    """

    letters = Bundle("letters")

    def __init__(self, empty: bytes, folder: Path, reached: Counter[str]) -> None:
        """
        Args:
            empty: A migrated database file without a row.
            reached: Counts what the histories came to.
        """
        super().__init__()
        self._reached = reached
        self._path = folder / "orders.sqlite3"
        self._path.write_bytes(empty)
        self._database = Database("sqlite", f"sqlite:///{self._path}")
        clock = ManualClock()
        self.banks = {
            "alpha_main": Bank("alpha", clock, tells_total=False),
            "beta_main": Bank("beta", clock, tells_total=True),
        }
        self._town: Any = SimpleNamespace(clock=clock, alpha=self.banks["alpha_main"], beta=self.banks["beta_main"])
        self._fate = Fate()
        self._processes = self._names = self._closings = 0
        self._orders: list[str] = []
        self._lost: list[str] = []
        self._requests: dict[str, tuple[str, str, str]] = {}
        self._sound = False
        self.witness = Witness(self._database, self.banks)
        self._begin()

    def _begin(self) -> None:
        self._processes += 1
        self.store = open_store(self._database.url)
        self.store._engine = CrashingEngine(TouchesOnce(self.store._engine), self._fate)
        self.world = World(self.store, seed=self._processes, sister=self._town)

    def _try(self, act: Callable[[], T]) -> T | None:
        """None when it is refused, or when the power fails; then a new process begins."""
        try:
            return act()
        except Refusal as refusal:
            self._reached[f"refused {refusal.code}"] += 1
            return None
        except Crash as crash:
            self._reached[f"crashed {crash}"] += 1
            self._fate.spare()
            self.store.close()
            self._begin()
            return None

    def _name(self, letter: str) -> str:
        self._names += 1
        return f"{letter}-{self._names}"

    def _order(self, which: int) -> Order:
        return self.world.order(self._orders[which % len(self._orders)])

    def _payment(self, which: int, numbers: list[str] | None = None) -> tuple[Payment, Bank]:
        """One of all payments, or of those with these numbers."""
        ids = list(self._requests) if numbers is None else [f"pay_{number}" for number in numbers]
        payment = self.world.payment(ids[which % len(ids)])
        return payment, self.banks[payment.account]

    def _numbers(self, chosen: Callable[[Bank, str], object]) -> list[str]:
        """The payments that their bank knows, and that are chosen."""
        return [number for bank in self.banks.values() for number in bank.trades if chosen(bank, number)]

    # --- apps ---

    @initialize(
        target=letters,
        people=st.lists(st.sampled_from(_PEOPLE), min_size=1, max_size=3),
        started=st.integers(0, 3),
        paid=st.integers(0, 2),
    )
    def begin(self, people: list[Any], started: int, paid: int) -> Any:
        """Some are on their way already."""
        for who in people:
            self.open_order(who, "wallet", None)
        for which in range(started):
            self.start(which, ("alpha", "beta")[which % 2], Weather.FAIR)
        return multiple(*(self.pay(0, tells=True) for _ in range(min(started, paid))))

    @precondition(lambda self: len(self._orders) < 5)
    @rule(
        who=st.sampled_from(_PEOPLE),
        app=st.sampled_from(["wallet", "village"]),
        minutes=st.sampled_from([None, None, 3, 600]),
    )
    def open_order(self, who: Any, app: str, minutes: int | None) -> None:
        """Several apps want the same person's premium."""
        number = self._name("C")
        expires_at = None if minutes is None else self.world.clock.now() + timedelta(minutes=minutes)
        self._try(lambda: self.world.open_reply(number, subject=who, app=app, expires_at=expires_at))
        order = self.store.read().order_by_client_no(app, number)
        self._orders += [order.id] if order else []

    @precondition(lambda self: self._orders and len(self._requests) < 8)
    @rule(which=_WHICH, provider=st.sampled_from(["alpha", "beta"]), weather=_CREATE)
    def start(self, which: int, provider: str, weather: Weather) -> None:
        order, key = self._order(which), self._name("K")
        self._create(order.id, provider, key, weather)
        for payment in self.store.read().payments_of_order(order.id):
            if payment.id not in self._requests:
                self._requests[payment.id] = (order.id, provider, key)
                self._lost += [payment.id] if weather is Weather.LOST_BEFORE else []

    @precondition(lambda self: self._requests)
    @rule(which=_WHICH, weather=_CREATE)
    def ask_once_more(self, which: int, weather: Weather) -> None:
        """The same request under the same key."""
        self._create(*self._requests[self._payment(which)[0].id], weather)

    def _create(self, order_id: str, provider: str, key: str, weather: Weather) -> None:
        order = self.world.order(order_id)
        bank = self.banks[f"{provider}_main"]
        bank.weather["create"] = weather
        request = self.world.request(key, {"order": order_id, "provider": provider}, app=order.app)
        self._try(lambda: self.world.start_reply(order, provider, request=request))
        bank.weather.clear()

    @precondition(lambda self: self._requests)
    @rule(which=_WHICH, weather=_ASKED)
    def look_at_payment(self, which: int, weather: Weather) -> None:
        payment, bank = self._payment(which)
        app = self.world.order(payment.order_id).app
        bank.weather["query"] = weather
        gate = RefreshGate(self.world.clock.now)
        self._try(lambda: read_payment(self.world.deps, gate, app, payment.id, refresh=True))
        bank.weather.clear()

    @precondition(lambda self: self._orders and self._closings < 2)
    @rule(which=_WHICH)
    def close(self, which: int) -> None:
        order = self._order(which)
        self._closings += 1
        self._try(lambda: self.world.close(order, request=self.world.request(self._name("K"), app=order.app)))

    @precondition(lambda self: self._numbers(Bank.came))
    @rule(which=_WHICH, amount_fen=_SUMS, number=st.sampled_from(["R-1", "R-2", "R-3"]))
    def refund(self, which: int, amount_fen: int | None, number: str) -> None:
        """Whole, in part, or too much; the same number may come again."""
        order = self.world.order(self._payment(which, self._numbers(Bank.came))[0].order_id)
        request = self.world.request(self._name("K"), app=order.app)
        self._try(lambda: self.world.refund_reply(order, amount_fen, number, request=request))

    # --- payers and banks ---

    @precondition(lambda self: self._numbers(Bank.payable))
    @rule(target=letters, which=_WHICH, tells=st.booleans())
    def pay(self, which: int, tells: bool) -> Any:
        """Whoever can still pay may; the letter is sent now, or found later."""
        payment, bank = self._payment(which, self._numbers(Bank.payable))
        bank.pay(payment.out_trade_no)
        letter = Letter(account=payment.account, raw=bank.callback(payment.out_trade_no))
        if tells:
            self.deliver(letter)
        return letter

    @precondition(lambda self: self._lost)
    @rule(which=_WHICH)
    def create_arrives_late(self, which: int) -> None:
        """A bank takes no order after its last moment, and none that it has refused."""
        payment = self.world.payment(self._lost.pop(which % len(self._lost)))
        if payment.state == "unknown" and self.world.clock.now() < payment.expires_at:
            self.banks[payment.account].arrives_late(payment.out_trade_no, payment.amount_fen)

    @precondition(lambda self: self._numbers(_known))
    @rule(target=letters, which=_WHICH)
    def write(self, which: int) -> Any:
        """What the bank says now; it may be delivered when that is old news."""
        payment, bank = self._payment(which, self._numbers(_known))
        return Letter(account=payment.account, raw=bank.callback(payment.out_trade_no))

    @precondition(lambda self: self._numbers(_known))
    @rule(target=letters, which=_WHICH, lie=_LIES)
    def write_lie(self, which: int, lie: dict[str, Any]) -> Any:
        """Another sum, another merchant, another currency, or no bank at all."""
        payment, bank = self._payment(which, self._numbers(_known))
        forged = "forged" in lie
        raw = bank.callback(payment.out_trade_no, state=ReportedState.PAID, **({} if forged else lie))
        if forged:
            raw = RawCallback(headers={"x-signature": "forged"}, body=raw.body, received_at=raw.received_at)
        letter = Letter(account=payment.account, raw=raw, lies=True)
        self.deliver(letter)
        return letter

    @rule(letter=letters)
    def deliver(self, letter: Letter) -> None:
        before = self.witness.verdicts() if letter.lies else None
        accepted = self._try(lambda: self.world.deliver(self._addressee(letter), letter.raw))
        self._reached[f"callback {accepted.outcome}" if accepted else "callback crashed"] += 1
        if letter.lies:
            assert before == self.witness.verdicts(), "a lie was believed"

    @staticmethod
    def _addressee(letter: Letter) -> Any:
        return SimpleNamespace(account=letter.account)

    @precondition(lambda self: any(bank.undecided() for bank in self.banks.values()))
    @rule(target=letters, which=_WHICH, state=_OUTCOMES, tells=st.booleans())
    def refund_outcome(self, which: int, state: ReportedRefundState, tells: bool) -> Any:
        """A bank makes up its mind about a refund; an end is an end."""
        undecided = [(account, no) for account, bank in self.banks.items() for no in bank.undecided()]
        account, no = undecided[which % len(undecided)]
        bank = self.banks[account]
        bank.refunds[no].state = state
        letter = Letter(account=account, raw=bank.notice_of_refund(no))
        if tells:
            self.deliver(letter)
        return letter

    @precondition(lambda self: self._numbers(Bank.free))
    @rule(
        target=letters,
        which=_WHICH,
        amount_fen=st.sampled_from([1, 500, 12_667, AMOUNT_FEN]),
        too_many=st.booleans(),
        tells=st.booleans(),
    )
    def refund_in_console(self, which: int, amount_fen: int, *, too_many: bool, tells: bool) -> Any:
        """Of any payment, often of one too many, which goes back by itself as well."""
        numbers = self._numbers(Bank.free)
        surplus = [number for number in numbers if too_many and self._is_too_many(number)]
        payment, bank = self._payment(which, surplus or numbers)
        if amount_fen > bank.free(payment.out_trade_no):
            return multiple()
        letter = Letter(account=payment.account, raw=bank.refund_in_console(payment.out_trade_no, amount_fen))
        if tells:
            self.deliver(letter)
        return letter

    def _is_too_many(self, number: str) -> bool:
        payment = self.world.payment(f"pay_{number}")
        return payment.state == "paid" and not payment.kept

    # --- workers, operators, time ---

    @rule(query=_ASKED, close=_ORDERED, refund=_ORDERED, query_refund=_ASKED, rounds=st.sampled_from([1, 50]))
    def work(self, query: Weather, close: Weather, refund: Weather, query_refund: Weather, rounds: int) -> None:
        for bank in self.banks.values():
            bank.weather = {"query": query, "close": close, "refund": refund, "query_refund": query_refund}
        self._try(lambda: self.world.worker.run_due() if rounds == 1 else self.world.work(rounds_max=rounds))
        for bank in self.banks.values():
            bank.weather.clear()

    @rule()
    def all_due_is_done(self) -> None:
        self._try(self.world.work)

    @rule(seconds=st.sampled_from(_PAUSES))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds=seconds)

    @precondition(lambda self: not self._fate.is_sealed and self._processes < 5)
    @rule(point=st.integers(1, 25), at_claim=st.booleans())
    def power_will_fail(self, point: int, *, at_claim: bool) -> None:
        """Between a claim and its act, before a commit or after it."""
        self._fate.points.clear()
        if at_claim:
            self._fate.dies_of = "tasks_claimed"
        else:
            self._fate.dies_at = point

    @rule(
        chosen=st.sampled_from([(kind, state) for kind, states in FILTER_STATES.items() for state in sorted(states)]),
        limit=st.sampled_from([1, 100]),
    )
    def replay(self, chosen: tuple[ReplayKind, str], limit: int) -> None:
        self._replay(*chosen, limit=limit)

    def _replay(self, kind: ReplayKind, state: str, *, limit: int = 1_000) -> None:
        wanted = Filter(state=state, since=START, limit=limit)
        request = ReplayRequest(kind=kind, ids=(), chosen=wanted, who="operator-1", why="测试")
        self._try(lambda: list(run_replay(self.world.deps, request)[1]))

    # --- what must hold ---

    @invariant()
    def holds(self) -> None:
        self._sound = False
        assert_invariants(self.store)
        assert [] == [(found.name, found.offenders) for found in audit(self.store) if found.offenders]
        self.witness.look()
        self._sound = True

    def teardown(self) -> None:
        """Peace comes: everything must be settled, and both sides hold the same money."""
        try:
            if self._sound:
                self._make_peace()
                self.holds()
                self.witness.all_settled()
                self._count()
        finally:
            self.store.close()
            for file in self._path.parent.glob(f"{self._path.name}*"):
                file.unlink()

    def _make_peace(self) -> None:
        self._fate.spare()
        for days in (0, 0, 1, 2, 4):
            self.world.clock.advance(days=days)
            for account, bank in self.banks.items():
                for no in bank.undecided():
                    bank.refunds[no].state = ReportedRefundState.SUCCEEDED
                for raw in [bank.notice_of_refund(no) for no in bank.refunds]:
                    self.deliver(Letter(account=account, raw=raw))
            self._replay(ReplayKind.REFUND, "abnormal")
            self._replay(ReplayKind.NOTIFICATION, "quarantined")
            self.world.work()

    def _count(self) -> None:
        for table, column in (("payments", "state"), ("refunds", "reason"), ("refunds", "state"), ("orders", "state")):
            for (value,) in self.witness.rows(f"SELECT {column} FROM {table}"):
                self._reached[f"{table} {value}"] += 1
        for (kind,) in self.witness.rows("SELECT kind FROM events"):
            self._reached[f"event {kind}"] += 1


def _known(bank: Bank, out_trade_no: str) -> bool:
    return out_trade_no in bank.trades
