"""What the store asks of a database: run a read, apply a batch of writes whole or not at all, claim due tasks."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Dialect

from gateway.store.statements import Query
from gateway.store.write import Write

Row = Sequence[Any]
Batch = Sequence[tuple[Write, Sequence[Any]]]


class Engine(Protocol):
    """One database. Every method may be called from many threads at once."""

    dialect: Dialect

    def read(self, query: Query, values: Sequence[Any]) -> list[Row]:
        """
        Run one select against the newest committed state.

        Raises:
            StoreUnavailable: No answer.
        """
        ...

    def flush(self, batch: Batch) -> None:
        """
        Apply the writes as one unit; durable on return.

        Raises:
            Conflict: A unique key was taken or a guard failed; nothing was written.
            StoreUnavailable: The outcome is not known.
        """
        ...

    def claim(self, due: int, lease_until: int, lease: str, limit: int, busy: Sequence[str]) -> list[Row]:
        """
        Lease up to `limit` due tasks of accounts that are not `busy`: tries + 1, due again at `lease_until`, under the
        token `lease`.

        Returns the claimed rows in the columns of `TASK`. No two calls get the same task for one due time.
        """
        ...

    def close(self) -> None:
        """Let go of every connection."""
        ...
