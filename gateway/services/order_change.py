"""One unit of work's changes to one order: the order's row and its events, so that a rival always collides."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.domain.events import next_event
from gateway.domain.order import Event, Order
from gateway.store import Tx


class OrderChange:
    """Gathers an order's next values and events; one of the `write` methods must be called once, at the end."""

    def __init__(self, tx: Tx, order: Order, *, now: datetime, actor: str) -> None:
        self.now = now
        self.event_seq = order.event_seq
        self._event_hash = order.event_hash
        self._order = order
        self._pending: dict[str, Any] = {}
        self._tx = tx
        self._actor = actor
        self._events: list[Event] = []

    @property
    def order(self) -> Order:
        """The order as it is by now; changes are gathered, because a copy for each costs more than the rest of it."""
        if self._pending:
            self._order, self._pending = replace(self._order, **self._pending), {}
        return self._order

    def set(self, **changes: Any) -> None:
        """Replace fields of the order."""
        self._pending |= changes

    def event(self, kind: str, *, evidence_id: str | None = None, **detail: Any) -> None:
        """Add the next line of the order's history; `detail` holds no personal data."""
        event = next_event(
            order_id=self._order.id,
            after_seq=self.event_seq,
            after_hash=self._event_hash,
            kind=kind,
            at=self.now,
            actor=self._actor,
            evidence_id=evidence_id,
            detail=detail,
        )
        self._events.append(event)
        self.event_seq, self._event_hash = event.seq, event.hash
        self.set(event_seq=event.seq, event_hash=event.hash)

    def write(self) -> Order:
        """Write the changed row and its events."""
        self.set(updated_at=self.now)
        self._tx.update(self.order)
        return self._write_events()

    def write_new(self) -> Order:
        """Write the row of an order that did not exist, and its first events."""
        self._tx.insert(self.order)
        return self._write_events()

    def _write_events(self) -> Order:
        for event in self._events:
            self._tx.insert(event)
        return self.order
