"""P10: whether the database's part of a create and of a callback grows with the orders that are stored."""

import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final

import psycopg
from sqlalchemy.engine import make_url

from bench.board import Row, at_most, median, microseconds
from bench.cost import PAYMENT
from bench.effort import Effort
from bench.ground import APP, Ground, settings_for
from bench.inprocess import Gateway, call_environ, log_to_nowhere
from bench.provider_stub import stub_provider
from bench.recording import store_engine
from bench.seed import AMOUNT_FEN, store_rows, waiting_orders
from bench.wechat import paid_callback
from gateway.app import World, build_world, create_app
from gateway.store import Store
from gateway.store.engine import Batch, Engine
from gateway.store.engine import Row as StoredRow
from gateway.store.statements import Query

_SMALL: Final = 10_000
_CHUNK: Final = 100_000
_AT: Final = 1_700_000_000_000_000

_DIALECTS: Final = {
    "sqlite": {
        "numbers": "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})",
        "from": "FROM n",
        "hex32": "printf('%032x', i)",
        "random64": "lower(hex(randomblob(32)))",
        "bytes": "randomblob({})",
    },
    "postgres": {
        "numbers": "",
        "from": "FROM generate_series({first}, {last}) AS n(i)",
        "hex32": "lpad(to_hex(i), 32, '0')",
        "random64": "md5(i::text || {salt}) || md5({salt} || i::text)",
        "bytes": "decode(repeat(md5(i::text), {} / 16), 'hex')",
    },
}


def _statements(engine: str, first: int, last: int) -> Iterator[str]:
    """A paid order in every table, for each number."""
    own = _DIALECTS[engine]
    no = own["hex32"]
    order, payment, evidence = f"'ord_' || {no}", f"'pay_' || {no}", f"'ntf_' || {no}"
    index, slot, digest = (own["random64"].format(salt=f"'{salt}'") for salt in ("index", "slot", "digest"))
    blob = own["bytes"].format
    fixed = "0" * 64
    columns = {
        "orders": (
            f"{order}, '{APP}', {no}, '{fixed}', 'paid', {AMOUNT_FEN}, '城乡居民医保', '341200', 2026,"
            f" 'resident_medical', {index}, {slot}, {blob(256)}, {_AT} + i, {_AT} + i, {_AT} + i, 1, {payment},"
            f" {AMOUNT_FEN}, 0, 6, '{fixed}'"
        ),
        "payments": (
            f"{payment}, {order}, 'city', 'wechatpay', 'mini_program', {no}, 'paid', {AMOUNT_FEN}, {blob(96)},"
            f" {blob(416)}, '4200001' || {no}, 1, 0, 0, {evidence}, {_AT} + i, {_AT} + i, {_AT} + i, {_AT} + i"
        ),
        "notifications": (
            f"{evidence}, 'city', 'callback', 'payment:4200001' || {no}, 'TRANSACTION.SUCCESS', 'applied', '',"
            f" {digest}, {blob(496)}, {blob(1008)}, {payment}, {_AT} + i, {_AT} + i"
        ),
        "ledger_entries": (
            f"'led_' || {no}, 'city', {_AT} + i, 'collected', 'receivable', {AMOUNT_FEN}, {payment}, NULL"
        ),
        "premium_slots": f"{slot}, {order}",
        "idempotency_keys": (
            f"'{APP}', 'app:' || {digest}, '{fixed}', 'finished', 1, {_AT} + i, {payment}, 201, {blob(704)}, {_AT} + i"
        ),
    }
    events = (
        f"{order}, {{seq}}, 'payment_pending', {_AT} + i, 'provider:city', {evidence},"
        f""" '{{{{"payment_id":"' || {payment} || '","provider_status":"SUCCESS","source":"callback"}}}}', '{fixed}'"""
    )
    tasks = f"'{{kind}}', {{subject}}, 'city', 'done', {_AT} + i, 0, NULL, '', {_AT} + i"
    selects = list(columns.items())
    selects += [("events", events.format(seq=seq)) for seq in range(1, 7)]
    selects += [("tasks", tasks.format(kind="query", subject=payment))]
    selects += [("tasks", tasks.format(kind="close_order", subject=order))]
    numbers, source = (own[part].format(first=first, last=last) for part in ("numbers", "from"))
    for table, select in selects:
        yield f"INSERT INTO {table} {numbers} SELECT {select} {source}"


def store_many(database_url: str, engine: str, first: int, last: int) -> None:
    """Store paid orders with these numbers, in order of time."""
    for begin in range(first, last + 1, _CHUNK):
        statements = list(_statements(engine, begin, min(begin + _CHUNK - 1, last)))
        if engine == "sqlite":
            connection = sqlite3.connect(make_url(database_url).database or "", isolation_level=None)
            connection.execute("PRAGMA synchronous = OFF")
            connection.execute("PRAGMA cache_size = -524288")
            for statement in ("BEGIN", *statements, "COMMIT"):
                connection.execute(statement)
            connection.close()
            continue
        with psycopg.connect(database_url) as postgres:
            postgres.execute("SET session_replication_role = replica")  # no look-up of parents: they are written here
            postgres.execute("SET synchronous_commit = off")
            for statement in statements:
                postgres.execute(statement)
    if engine == "postgres":
        with psycopg.connect(database_url, autocommit=True) as postgres:
            postgres.execute("ANALYZE")
            postgres.execute("CHECKPOINT")


class _TimedEngine:
    """The gateway's engine with a watch in front."""

    def __init__(self, engine: Engine) -> None:
        self.dialect = engine.dialect
        self.seconds = 0.0
        self._engine = engine

    def _timed(self, act: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        try:
            return act()
        finally:
            self.seconds += time.perf_counter() - began

    def read(self, query: Query, values: Sequence[Any]) -> list[StoredRow]:
        rows: list[StoredRow] = self._timed(lambda: self._engine.read(query, values))
        return rows

    def flush(self, batch: Batch) -> None:
        self._timed(lambda: self._engine.flush(batch))

    def claim(self, due: int, lease_until: int, lease: str, limit: int, busy: Sequence[str]) -> list[StoredRow]:
        return self._engine.claim(due, lease_until, lease, limit, busy)

    def close(self) -> None:
        self._engine.close()


@contextmanager
def _timed_gateway(ground: Ground, url: str, provider_port: int) -> Iterator[tuple[Gateway, _TimedEngine]]:
    log_to_nowhere()
    settings = settings_for(ground.keys, url, provider_port=provider_port)
    engine = _TimedEngine(store_engine(url))
    built = build_world(settings)
    world = World(settings=settings, deps=replace(built.deps, store=Store(engine)))
    yield Gateway(wsgi=create_app(settings, world=world).wsgi_app, world=world, database_url=url), engine
    built.close()
    world.close()


def _p50s(ground: Ground, url: str, provider_port: int, count: int) -> tuple[float, float]:
    """Seconds inside the store: of a create, of a callback."""
    creates, callbacks = [], []
    with _timed_gateway(ground, url, provider_port) as (gateway, engine):
        for turn in range(count):
            (order,) = waiting_orders(1, with_payment=False)
            (paid,) = waiting_orders(1)
            store_rows(url, (order, paid), analyze=False)
            call = call_environ(f"/v1/orders/{order.order_id}/payments", PAYMENT, uuid.uuid4().hex)
            message = paid_callback(ground.keys.platform, paid.out_trade_no, AMOUNT_FEN)
            engine.seconds = 0.0
            gateway.call(call, "201")
            created, engine.seconds = engine.seconds, 0.0
            gateway.deliver(message)
            if turn >= count // 10:
                creates.append(created)
                callbacks.append(engine.seconds)
    return median(creates), median(callbacks)


def measure(ground: Ground, effort: Effort, wanted: frozenset[str]) -> Iterator[Row]:
    """Both engines: the small and the large database are asked in turn, so that a busy disk meets both."""
    if "P10" not in wanted:
        return
    with stub_provider(ground, delay_seconds=0.0) as port:
        for engine, title in (("sqlite", "SQLite"), ("postgres", "PostgreSQL")):
            urls = [ground.gateway_database(engine, f"{engine}-{size}") for size in ("small", "large")]
            for url, size in zip(urls, (_SMALL, effort.stored), strict=True):
                store_many(url, engine, 1, size)
            figures: list[list[tuple[float, float]]] = [[], []]
            for _ in range(effort.pairs):
                for url, found in zip(urls, figures, strict=True):
                    found.append(_p50s(ground, url, port, effort.calls // 3))
            for position, what in enumerate(("create", "callback")):
                small, large = ([pair[position] for pair in found] for found in figures)
                yield _row(
                    f"{what}: time in the store, {effort.stored:,} orders to 10,000, {title}", small, large, effort
                )


def _row(what: str, small: list[float], large: list[float], effort: Effort) -> Row:
    return Row(
        id="P10",
        what=what,
        goal=at_most(1.5 if effort.stored > 1_000_000 else 1.25),
        ratio=median([one / other for one, other in zip(large, small, strict=True)]),
        ours=microseconds(median(large)),
        floor=microseconds(median(small)),
    )
