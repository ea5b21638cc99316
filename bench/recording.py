"""Learns the statements of the gateway's own units of work, so that they can be run without the gateway."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from bench.ground import ACCOUNT
from bench.inprocess import Gateway
from bench.wechat import Message
from gateway.domain.provider import RawCallback
from gateway.services.accept_callback import accept_callback
from gateway.store import Store, open_store
from gateway.store.engine import Batch, Engine, Row
from gateway.store.statements import Query


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One unit of work: its one select, and the writes that it asked for."""

    select: str
    values: Sequence[Any]
    batch: Batch


class _Recorder:
    """An engine that reads from another and writes nothing."""

    def __init__(self, engine: Engine) -> None:
        self.dialect = engine.dialect
        self.batch: Batch = ()
        self.query: tuple[str, Sequence[Any]] = ("", ())
        self._engine = engine

    def read(self, query: Query, values: Sequence[Any]) -> list[Row]:
        self.query = (query.sql, values)
        return self._engine.read(query, values)

    def flush(self, batch: Batch) -> None:
        self.batch = batch

    def claim(self, due: int, lease_until: int, lease: str, limit: int, busy: Sequence[str]) -> list[Row]:
        return []

    def close(self) -> None:
        self._engine.close()


def store_engine(database_url: str) -> Engine:
    """The gateway's own engine."""
    return open_store(database_url)._engine  # noqa: SLF001  measured below its front


def recorded_units(gateway: Gateway, messages: Sequence[Message]) -> list[Unit]:
    """What first deliveries of these messages would read and write; nothing is written."""
    recorder = _Recorder(store_engine(gateway.database_url))
    deps = replace(gateway.world.deps, store=Store(recorder))
    units = []
    for message in messages:
        headers = {name.lower(): value for name, value in message.headers.items()}
        accepted = accept_callback(
            deps, ACCOUNT, RawCallback(headers=headers, body=message.body, received_at=datetime.now(UTC))
        )
        if accepted.outcome != "applied":
            raise RuntimeError(f"a first callback was {accepted.outcome} {accepted.reason}")
        select, values = recorder.query
        units.append(Unit(select=select, values=values, batch=recorder.batch))
    recorder.close()
    return units
