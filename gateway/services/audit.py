"""Checks every invariant on the live database: what offends, by id. It changes nothing and holds a page at a time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from gateway.domain.events import CHAIN_START, event_hash
from gateway.domain.order import Event
from gateway.domain.states import PAYMENT_ARROWS, PaymentState
from gateway.store import Store, Tx
from gateway.store.families import audit as questions
from gateway.store.families.audit_check import Check

OFFENDERS_MAX: Final = 100
_PAGE: Final = 1_000
_CHAINED: Final = 8
_STATE_TOLD: Final = {
    "payment_created": PaymentState.CREATED,
    "payment_pending": PaymentState.PENDING,
    "payment_unknown": PaymentState.UNKNOWN,
    "payment_closed": PaymentState.CLOSED,
    "payment_failed": PaymentState.FAILED,
    "payment_paid": PaymentState.PAID,
    "payment_surplus": PaymentState.PAID,
}
"""What an event says of its payment's state; the others say nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """
    What one check found.

    Attributes:
        offenders: Ids, at most OFFENDERS_MAX; none when the invariant holds.
    """

    invariant: int
    name: str
    says: str
    offenders: tuple[str, ...]


def audit(store: Store) -> Iterator[Finding]:
    """One finding for each check, also for those that hold, in the order of the invariants' numbers."""
    findings = [_ask(store.read(), check) for check in questions.CHECKS] + list(_chains(store.read()))
    yield from sorted(findings, key=lambda finding: finding.invariant)


def offences(store: Store) -> dict[str, tuple[str, ...]]:
    """The offenders of every check that one look can answer, by the check's name; without the histories."""
    asked = (_ask(store.read(), check) for check in questions.CHECKS)
    return {finding.name: finding.offenders for finding in asked if finding.offenders}


def _ask(tx: Tx, check: Check) -> Finding:
    found = questions.offenders(tx, check, limit=OFFENDERS_MAX)
    return Finding(invariant=check.invariant, name=check.name, says=check.says, offenders=tuple(found))


@dataclass(slots=True)
class _Chain:
    """One order's history as far as it was read."""

    order_id: str
    hash: str = CHAIN_START
    seq: int = 0
    whole: bool = True
    turned_back: bool = False
    told: dict[str, PaymentState] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Follow the chain by one event."""
        self.seq += 1
        self.hash = event_hash(
            self.hash,
            order_id=event.order_id,
            seq=event.seq,
            kind=event.kind,
            at=event.at,
            actor=event.actor,
            evidence_id=event.evidence_id,
            detail=event.detail,
        )
        self.whole = self.whole and event.seq == self.seq and event.hash == self.hash
        if self.whole and event.kind in _STATE_TOLD:
            payment_id, state = json.loads(event.detail)["payment_id"], _STATE_TOLD[event.kind]
            before = self.told.get(payment_id, state)
            self.turned_back = self.turned_back or (state is not before and state not in PAYMENT_ARROWS[before])
            self.told[payment_id] = state


def _chains(tx: Tx) -> Iterator[Finding]:
    """Read every history once, in pages; a history that ends before its order's newest event is broken, too."""
    broken = questions.orders_without_events(tx, limit=OFFENDERS_MAX)
    untrue: list[str] = []
    turned_back: list[str] = []
    for chain, newest in _histories(tx):
        if not chain.whole or (chain.seq, chain.hash) != newest:
            broken.append(chain.order_id)
        elif chain.turned_back:
            turned_back.append(chain.order_id)
        elif _tells_otherwise(tx, chain):
            untrue.append(chain.order_id)
        if max(len(broken), len(untrue), len(turned_back)) > OFFENDERS_MAX:
            break
    says = {
        "event_chain_broken": ("an order's history has a gap, an end missing, or an event that was changed", broken),
        "state_moved_back": (
            "an order's history tells a payment's state that cannot follow the one before",
            turned_back,
        ),
        "events_tell_otherwise": ("an order's history tells another state than its payments have", untrue),
    }
    for name, (text, found) in says.items():
        yield Finding(invariant=_CHAINED, name=name, says=text, offenders=tuple(found[:OFFENDERS_MAX]))


def _histories(tx: Tx) -> Iterator[tuple[_Chain, tuple[int, str]]]:
    """Each order's chain, with the position and hash that the order's row had when its last event was read."""
    chain, newest, after = _Chain(""), (0, CHAIN_START), ("", 0)
    while page := questions.chain_page(tx, after=after, limit=_PAGE):
        for link in page:
            if link.event.order_id != chain.order_id:
                if chain.order_id:
                    yield chain, newest
                chain = _Chain(link.event.order_id)
            chain.add(link.event)
            newest = (link.newest_seq, link.newest_hash)
        after = (page[-1].event.order_id, page[-1].event.seq)
    if chain.order_id:
        yield chain, newest


def _tells_otherwise(tx: Tx, chain: _Chain) -> bool:
    """True when the payments' states are not those told; an order that has moved on since is judged the next time."""
    states = {payment.id: payment.state for payment in tx.payments_of_order(chain.order_id)}
    if states == chain.told:
        return False
    order = tx.order(chain.order_id)
    return order is not None and order.event_seq == chain.seq
