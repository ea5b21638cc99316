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
        self.order = order
        self.now = now
        self._tx = tx
        self._actor = actor
        self._events: list[Event] = []

    def set(self, **changes: Any) -> None:
        """Replace fields of the order."""
        self.order = replace(self.order, **changes)

    def event(self, kind: str, *, evidence_id: str | None = None, **detail: Any) -> None:
        """Add the next line of the order's history; `detail` holds no personal data."""
        event = next_event(
            order_id=self.order.id,
            after_seq=self.order.event_seq,
            after_hash=self.order.event_hash,
            kind=kind,
            at=self.now,
            actor=self._actor,
            evidence_id=evidence_id,
            detail=detail,
        )
        self._events.append(event)
        self.order = replace(self.order, event_seq=event.seq, event_hash=event.hash)

    def write(self) -> Order:
        """Write the changed row and its events."""
        self.order = replace(self.order, updated_at=self.now)
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
