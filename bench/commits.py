"""P5: what group commit is worth where a commit costs two milliseconds more, with 32 threads on SQLite."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from bench.board import Goal, Row, at_least, median, median_ratio, per_second
from bench.effort import Effort
from bench.ground import ACCOUNT, Ground
from bench.inprocess import Gateway, gateway_on
from bench.recording import recorded_units
from bench.seed import AMOUNT_FEN, store_rows, waiting_orders
from bench.wechat import Message, paid_callback
from gateway.domain.provider import RawCallback
from gateway.services.accept_callback import accept_callback
from gateway.store import Store
from gateway.store.engine import Batch
from gateway.store.sqlite import SqliteEngine

THREADS: Final = 32
EXTRA_SECONDS: Final = 0.002


class _SlowConnection:
    """A connection to an ordinary disk: each commit waits two milliseconds more."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        if sql == "COMMIT":
            time.sleep(EXTRA_SECONDS)
        return self._connection.execute(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class _SlowGroupCommit(SqliteEngine):
    """The gateway's engine on the slow disk."""

    def _connect(self) -> Any:
        return _SlowConnection(super()._connect())


class _SlowCommitEach(_SlowGroupCommit):
    """The same without groups: every batch takes its turn and commits alone."""

    def flush(self, batch: Batch) -> None:
        with self._exclusive() as writer:
            for write, values in batch:
                writer.execute(write.sql, values)
            writer.execute("COMMIT")


def _rate(act: Callable[[Any], object], items: Sequence[Any]) -> float:
    """Items per second by all threads together."""
    left = iter(items)
    mutex = threading.Lock()

    def work() -> None:
        while True:
            with mutex:
                item = next(left, None)
            if item is None:
                return
            act(item)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(items) / (time.perf_counter() - began)


def measure(ground: Ground, effort: Effort, wanted: frozenset[str]) -> Iterator[Row]:
    """The store's unit of work alone, as the goal says; then the whole service, bound by the interpreter."""
    if "P5" not in wanted:
        return
    stores: tuple[list[float], list[float]] = ([], [])
    services: tuple[list[float], list[float]] = ([], [])
    with gateway_on(ground, "sqlite", "commits") as gateway:
        path = Path(gateway.database_url.removeprefix("sqlite:///"))
        engines = (_SlowGroupCommit(path), _SlowCommitEach(path))
        for turn in range(effort.pairs + 1):
            for engine, store, service in zip(engines, stores, services, strict=True):
                batches = [unit.batch for unit in recorded_units(gateway, _messages(ground, gateway, effort))]
                one = _rate(engine.flush, batches)
                other = _rate(_accept(gateway, engine), _messages(ground, gateway, effort))
                if turn:
                    store.append(one)
                    service.append(other)
        for engine in engines:
            engine.close()
    yield _row("group commit against commit per request, +2 ms, store alone", at_least(5.0), *stores)
    yield _row("the same, the whole service without HTTP", None, *services)


def _messages(ground: Ground, gateway: Gateway, effort: Effort) -> list[Message]:
    waiting = waiting_orders(effort.callbacks // 2)
    store_rows(gateway.database_url, waiting)
    return [paid_callback(ground.keys.platform, one.out_trade_no, AMOUNT_FEN) for one in waiting]


def _accept(gateway: Gateway, engine: SqliteEngine) -> Callable[[Message], None]:
    deps = replace(gateway.world.deps, store=Store(engine))

    def accept(message: Message) -> None:
        headers = {name.lower(): value for name, value in message.headers.items()}
        raw = RawCallback(headers=headers, body=message.body, received_at=datetime.now(UTC))
        if accept_callback(deps, ACCOUNT, raw).outcome != "applied":
            raise RuntimeError("a first callback was not applied")

    return accept


def _row(what: str, goal: Goal | None, ours: Sequence[float], floor: Sequence[float]) -> Row:
    return Row(
        id="P5",
        what=what,
        goal=goal,
        ratio=median_ratio(ours, floor),
        ours=per_second(median(ours)),
        floor=per_second(median(floor)),
    )
