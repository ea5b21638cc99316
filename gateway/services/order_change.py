"""One unit of work's changes to one order: events first, then the order's row, so that a rival always collides."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.domain.events import next_event
from gateway.domain.order import Order
from gateway.store import Tx


class OrderChange:
    """Gathers an order's next values and events; `write` must be called once, after the last of them."""

    def __init__(self, tx: Tx, order: Order, *, now: datetime, actor: str) -> None:
        self.order = order
        self.now = now
        self._tx = tx
        self._actor = actor

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
        self._tx.insert(event)
        self.order = replace(self.order, event_seq=event.seq, event_hash=event.hash)

    def write(self) -> Order:
        """Write the order's row; returns it."""
        self.order = replace(self.order, updated_at=self.now)
        self._tx.update(self.order)
        return self.order
