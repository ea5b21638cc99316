"""
One unit of work's changes to one order: the order's row and its events, so that a rival always collides, and the task
that tells the app of them.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from gateway.domain.events import next_event
from gateway.domain.order import Event, Order, Payment, TaskKind
from gateway.domain.webhook import TYPE_BY_EVENT
from gateway.services.deps import Deps
from gateway.services.tasks import app_lane, due_task
from gateway.store import Tx


class OrderChange:
    """
    Gathers an order's next values and events; `write` must be called once, at the end.

    An order without an event was never written: its first change inserts it.
    """

    def __init__(self, tx: Tx, deps: Deps, order: Order, *, now: datetime, actor: str) -> None:
        self.now = now
        self.event_seq = order.event_seq
        self._event_hash = order.event_hash
        self._order = order
        self._is_new = order.event_seq == 0
        self._pending: dict[str, Any] = {}
        self._tx = tx
        self._actor = actor
        self._told = TYPE_BY_EVENT if order.app in deps.webhooks else {}
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
        """Write the row and its events."""
        self.set(updated_at=self.now)
        if self._is_new:
            self._tx.insert_first(self.order)
        else:
            self._tx.update(self.order)
        for event in self._events:
            self._tx.insert(event)
        if any(event.kind in self._told for event in self._events):
            order = self.order
            self._tx.schedule(due_task(TaskKind.WEBHOOK, order.id, app_lane(order.app), at=self.now, now=self.now))
        return self.order


def announce_payment(change: OrderChange, payment: Payment) -> None:
    """Count a payment that is put on record with this change, and tell of it."""
    change.set(payments=change.order.payments + 1)
    change.event(
        "payment_created",
        payment_id=payment.id,
        provider=payment.provider,
        method=payment.method,
        account=payment.account,
        out_trade_no=payment.out_trade_no,
        entry_app=change.order.app,
    )
