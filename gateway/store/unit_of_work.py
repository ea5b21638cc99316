"""The store: runs jobs against one database until they win or give up."""

import random
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeVar

from gateway.domain.clock import micros
from gateway.domain.order import Task
from gateway.store.engine import Engine
from gateway.store.errors import Conflict, StoreContended
from gateway.store.queries import Queries
from gateway.store.rows import TASK
from gateway.store.tx import Tx

T = TypeVar("T")

_TRIES: Final = 60
_CALM_TRIES: Final = 3
_BACKOFF_SECONDS_MAX: Final = 0.05


class Store:
    """
    The order database.

    A job reads through its Tx and gathers writes; they are applied as one durable unit. When another writer was first,
    the whole job runs again on the newer state. So a job must have no effect but its writes, and no network call.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queries = Queries(engine.dialect)

    def run(self, job: Callable[[Tx], T]) -> T:
        """
        Run a job until its writes are in.

        Raises:
            StoreUnavailable: The database did not answer; the writes may or may not be in.
            StoreContended: Others were first too many times in a row; nothing was written.
        """
        for attempt in range(_TRIES):
            tx = Tx(self._engine, self._queries)
            outcome = job(tx)
            if not tx.writes:
                return outcome
            try:
                self._engine.flush(tx.writes)
            except Conflict:
                if attempt >= _CALM_TRIES:
                    time.sleep(random.uniform(0, _BACKOFF_SECONDS_MAX))  # noqa: S311  spreads rivals, no secret
                continue
            return outcome
        raise StoreContended("other writers were first every time")

    def read(self) -> Tx:
        """A unit of work for reading only."""
        return Tx(self._engine, self._queries)

    def claim_tasks(
        self, *, now: datetime, lease_until: datetime, lease: str, limit: int, busy: Sequence[str] = ()
    ) -> list[Task]:
        """
        Lease due tasks; they are due again at `lease_until` unless settled before.

        Args:
            busy: Accounts whose tasks are left to others, or for later.
        """
        rows = self._engine.claim(micros(now), micros(lease_until), lease, limit, busy)
        return [TASK.decode(row) for row in rows]

    def ping(self) -> None:
        """
        Ask the database for one row.

        Raises:
            StoreUnavailable: It does not answer.
        """
        self._engine.read(self._queries.ping, self._queries.ping.values({}))

    def close(self) -> None:
        self._engine.close()
