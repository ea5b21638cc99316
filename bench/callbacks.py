"""P1, P2, P3, P6, P17: first deliveries over HTTP, each for a payment of its own, durable when answered."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from bench.board import Goal, Row, at_least, at_most, median, median_ratio, milliseconds, per_second
from bench.effort import Effort
from bench.floors import create_floor_table
from bench.ground import Ground
from bench.load import Load, run_load
from bench.peer_view import PEER_ORDER_INSERT, create_peer_tables
from bench.seed import AMOUNT_FEN, Waiting, execute_many, store_rows, waiting_orders
from bench.serve import PEERS, Plan, served
from bench.wechat import paid_callback

CONNECTIONS: Final = 16
_ENGINE_NAMES: Final = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
_THROUGHPUT_GOALS: Final = {"sqlite": ("P1", at_least(0.75)), "postgres": ("P2", at_least(0.85))}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One server in the comparison, and the database that it alone writes."""

    name: str
    app: str
    port: int
    database_url: str

    def prepare(self, waiting: list[Waiting]) -> None:
        """Put on record what the callbacks are about; the floor needs nothing."""
        if self.app == "gateway":
            store_rows(self.database_url, waiting)
        elif self.app == "peer":
            rows = [(one.out_trade_no, AMOUNT_FEN) for one in waiting]
            execute_many(self.database_url, [(PEER_ORDER_INSERT, rows)])


_SIDES: Final = {
    "floor": ("floor", False, 1),
    "flask": ("gateway", False, 1),
    "bare": ("gateway", True, 1),
    "peer": ("peer", False, 1),
    "two": ("gateway", False, 2),
}
"""Name → application, bare front, processes."""


def _start(ground: Ground, stack: ExitStack, engine: str, name: str) -> _Side:
    app, bare, workers = _SIDES[name]
    database = f"{engine}-{name}"
    if app == "gateway":
        url = ground.gateway_database(engine, database)
    else:
        url = ground.sqlite(database) if engine == "sqlite" else ground.postgres(database)
        (create_floor_table if app == "floor" else create_peer_tables)(url)
    plan = Plan(
        app=app, keys=str(ground.keys.folder), database_url=url, workers=workers, threads=CONNECTIONS, bare=bare
    )
    return _Side(name=name, app=app, port=stack.enter_context(served(ground, plan)), database_url=url)


def _run(ground: Ground, effort: Effort, engine: str, names: tuple[str, ...]) -> dict[str, list[Load]]:
    """Rounds of A B C …: the same signed callbacks to each server, one server at a time."""
    loads: dict[str, list[Load]] = {name: [] for name in names}
    with ExitStack() as stack:
        sides = [_start(ground, stack, engine, name) for name in names]
        for turn in range(effort.pairs + 1):
            waiting = waiting_orders(effort.callbacks if turn else effort.warm_up)
            for side in sides:
                side.prepare(waiting)
            requests = [paid_callback(ground.keys.platform, one.out_trade_no, AMOUNT_FEN).request() for one in waiting]
            for side in sides:
                load = run_load(side.port, requests, connections=CONNECTIONS)
                if turn:  # the first round warms up: connections, caches, prepared statements
                    loads[side.name].append(load)
    return loads


def measure(ground: Ground, effort: Effort, wanted: frozenset[str]) -> Iterator[Row]:
    """The rows of both engines; without wechatpayv3 there is no view of today to stand beside."""
    if "P17" in wanted and not (PEERS / "wechatpayv3").is_dir():
        print(f"no P17: wechatpayv3 is not installed in {PEERS / 'wechatpayv3'}")
        wanted -= {"P17"}
    for engine in _ENGINE_NAMES:
        own, goal = _THROUGHPUT_GOALS[engine]
        if not wanted & {own, "P3", "P6", "P17"}:
            continue
        names = ["floor", "flask"]
        names += ["bare"] if "P3" in wanted else []
        names += ["peer"] if "P17" in wanted else []
        names += ["two"] if "P6" in wanted and engine == "sqlite" else []
        loads = _run(ground, effort, engine, tuple(names))
        for row in _rows(engine, own, goal, loads):
            if row.id in wanted:
                yield row


def _rows(engine: str, own: str, goal: Goal, loads: dict[str, list[Load]]) -> Iterator[Row]:
    where = _ENGINE_NAMES[engine]
    yield _throughput(own, f"durable callbacks, {where}, against F1", goal, loads["flask"], loads["floor"])
    if "bare" in loads:
        yield _throughput("P3", f"the same with the bare front, {where}", at_least(1.0), loads["bare"], loads["floor"])
    if engine == "sqlite":
        yield _tail("P6", f"p99 against p50 at saturation, {CONNECTIONS} connections, {where}", 2.5, loads["flask"])
        if "two" in loads:
            yield _tail("P6", f"the same, two processes on one {where} file", 3.0, loads["two"])
    if "peer" in loads:
        what = f"durable callbacks against the view of today, {where}"
        yield _throughput("P17", what, at_least(3.0), loads["flask"], loads["peer"])


def _throughput(id_: str, what: str, goal: Goal, ours: list[Load], floor: list[Load]) -> Row:
    our_rates, floor_rates = [load.rate for load in ours], [load.rate for load in floor]
    return Row(
        id=id_,
        what=what,
        goal=goal,
        ratio=median_ratio(our_rates, floor_rates),
        ours=per_second(median(our_rates)),
        floor=per_second(median(floor_rates)),
    )


def _tail(id_: str, what: str, limit: float, loads: list[Load]) -> Row:
    p99s, p50s = [load.p99 for load in loads], [load.p50 for load in loads]
    return Row(
        id=id_,
        what=what,
        goal=at_most(limit),
        ratio=median_ratio(p99s, p50s),
        ours=f"p99 {milliseconds(median(p99s))}",
        floor=f"p50 {milliseconds(median(p50s))}",
    )
