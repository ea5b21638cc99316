"""The order model's invariants, checked by raw SQL over the whole database, with arithmetic of its own."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from gateway.domain.clock import moment
from gateway.domain.events import CHAIN_START, event_hash
from gateway.store import Store
from tests.support.webhook_invariants import assert_webhooks

_OPEN = {"created", "pending", "unknown"}
_UNDER_WAY = {"requested", "submitted", "unknown", "abnormal"}
_STATE_BY_EVENT = {
    "payment_created": "created",
    "payment_pending": "pending",
    "payment_unknown": "unknown",
    "payment_closed": "closed",
    "payment_failed": "failed",
    "payment_paid": "paid",
    "payment_surplus": "paid",
}


@dataclass(frozen=True)
class _Raw:
    """A statement as the engine takes it."""

    sql: str


@dataclass(frozen=True)
class _Books:
    """Every row of the order model, by table."""

    orders: list[dict[str, Any]]
    payments: list[dict[str, Any]]
    refunds: list[dict[str, Any]]
    slots: list[dict[str, Any]]
    events: list[dict[str, Any]]
    ledger: list[dict[str, Any]]
    tasks: list[dict[str, Any]]
    evidence: set[str]


_COLUMNS = {
    "orders": "id state amount_fen slot paid_payment_id amount_paid_fen amount_refunded_fen payments"
    " event_seq event_hash",
    "payments": "id order_id account state amount_fen kept amount_refunding_fen amount_refunded_fen evidence_id",
    "refunds": "id payment_id order_id state amount_fen evidence_id",
    "premium_slots": "slot order_id",
    "events": "order_id seq kind at actor evidence_id detail hash",
    "ledger_entries": "account debit credit amount_fen payment_id refund_id",
    "tasks": "kind subject_id state",
}


def _read(store: Store) -> _Books:
    tables = {}
    for table, columns in _COLUMNS.items():
        names = columns.split()
        rows = store._engine.read(_Raw(f"SELECT {', '.join(names)} FROM {table}"), ())
        tables[table] = [dict(zip(names, row, strict=True)) for row in rows]
    notifications = store._engine.read(_Raw("SELECT id FROM notifications"), ())
    return _Books(
        orders=tables["orders"],
        payments=tables["payments"],
        refunds=tables["refunds"],
        slots=tables["premium_slots"],
        events=tables["events"],
        ledger=tables["ledger_entries"],
        tasks=tables["tasks"],
        evidence={row[0] for row in notifications},
    )


def assert_invariants(store: Store) -> None:
    """
    Fail when any of these does not hold: one kept payment per order; every other paid payment on its way back whole;
    one unrefunded paid order per premium slot; refunds within their payment; evidence for every verdict; the event
    chain whole and telling the current states; the ledger agreeing with the states; a next look for everything open;
    what an app is to be told delivered, dead, or with a next look.
    """
    books = _read(store)
    for check in (_kept, _sent_back, _slots, _refund_sums, _evidence, _chains, _ledger, _next_looks):
        check(books)
    assert_webhooks(store)


def _kept(books: _Books) -> None:
    kept = [payment for payment in books.payments if payment["kept"]]
    assert len({payment["order_id"] for payment in kept}) == len(kept), "an order keeps two payments"
    by_order = {payment["order_id"]: payment for payment in kept}
    for order in books.orders:
        payment = by_order.get(order["id"])
        assert (order["state"] == "paid") == (payment is not None), f"{order['id']} is paid without a kept payment"
        if payment is not None:
            assert payment["state"] == "paid"
            assert payment["id"] == order["paid_payment_id"]
            assert payment["amount_fen"] == order["amount_paid_fen"] == order["amount_fen"]
            assert payment["amount_refunded_fen"] == order["amount_refunded_fen"]
    counted = defaultdict(int)
    for payment in books.payments:
        counted[payment["order_id"]] += 1
    assert {order["id"]: order["payments"] for order in books.orders if order["payments"]} == dict(counted)


def _sent_back(books: _Books) -> None:
    going = defaultdict(int)
    for refund in books.refunds:
        if refund["state"] != "failed":
            going[refund["payment_id"]] += refund["amount_fen"]
    for payment in books.payments:
        if payment["state"] == "paid" and not payment["kept"]:
            assert going[payment["id"]] == payment["amount_fen"], (
                f"{payment['id']} is paid, not kept, and not sent back"
            )


def _slots(books: _Books) -> None:
    holders = {
        order["slot"]: order["id"]
        for order in books.orders
        if order["slot"] and order["state"] == "paid" and order["amount_refunded_fen"] < order["amount_paid_fen"]
    }
    paid = [
        order["slot"]
        for order in books.orders
        if order["slot"] and order["state"] == "paid" and order["amount_refunded_fen"] < order["amount_paid_fen"]
    ]
    assert len(paid) == len(set(paid)), "a premium is paid twice"
    assert {slot["slot"]: slot["order_id"] for slot in books.slots} == holders, "a slot is not held by its paid order"


def _refund_sums(books: _Books) -> None:
    done, under_way = defaultdict(int), defaultdict(int)
    for refund in books.refunds:
        if refund["state"] == "succeeded":
            done[refund["payment_id"]] += refund["amount_fen"]
        elif refund["state"] in _UNDER_WAY:
            under_way[refund["payment_id"]] += refund["amount_fen"]
    for payment in books.payments:
        assert done[payment["id"]] == payment["amount_refunded_fen"]
        assert under_way[payment["id"]] == payment["amount_refunding_fen"]
        assert done[payment["id"]] + under_way[payment["id"]] <= payment["amount_fen"], "more goes back than came"


def _evidence(books: _Books) -> None:
    for payment in books.payments:
        if payment["state"] not in _OPEN:
            assert payment["evidence_id"] in books.evidence, f"{payment['id']} is {payment['state']} without evidence"
    for refund in books.refunds:
        if refund["state"] in ("succeeded", "failed"):
            assert refund["evidence_id"] in books.evidence, f"{refund['id']} is {refund['state']} without evidence"
    for event in books.events:
        assert event["evidence_id"] is None or event["evidence_id"] in books.evidence


def _chains(books: _Books) -> None:
    chains = defaultdict(list)
    for event in books.events:
        chains[event["order_id"]].append(event)
    told: dict[str, str] = {}
    for order in books.orders:
        digest = CHAIN_START
        chain = sorted(chains[order["id"]], key=lambda event: event["seq"])
        assert [event["seq"] for event in chain] == list(range(1, order["event_seq"] + 1)), "the chain has a gap"
        for event in chain:
            at = moment(event["at"])
            members = {name: event[name] for name in ("order_id", "seq", "kind", "actor", "evidence_id", "detail")}
            digest = event_hash(digest, at=at, **members)
            assert event["hash"] == digest, f"event {event['seq']} of {order['id']} was changed"
            if event["kind"] in _STATE_BY_EVENT:
                payment_id = event["detail"].partition('"payment_id":"')[2].partition('"')[0]
                told[payment_id] = _STATE_BY_EVENT[event["kind"]]
        assert digest == order["event_hash"]
    assert told == {payment["id"]: payment["state"] for payment in books.payments}, "events tell another state"


def _ledger(books: _Books) -> None:
    legs: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for entry in books.ledger:
        legs[entry["payment_id"]][entry["debit"]] += entry["amount_fen"]
        legs[entry["payment_id"]][entry["credit"]] -= entry["amount_fen"]
    for payment in books.payments:
        balance = legs[payment["id"]]
        came = payment["amount_fen"] if payment["state"] == "paid" else 0
        gone, going = payment["amount_refunded_fen"], payment["amount_refunding_fen"]
        expected = {"receivable": gone - came, "collected": came - gone - going, "refunding": going}
        assert {leg: balance[leg] for leg in expected} == expected, f"the ledger of {payment['id']} is off"
        assert sum(balance.values()) == 0


def _next_looks(books: _Books) -> None:
    due = {(task["kind"], task["subject_id"]) for task in books.tasks if task["state"] == "due"}
    for payment in books.payments:
        if payment["state"] in _OPEN:
            assert {("query", payment["id"]), ("close", payment["id"])} & due, f"nobody looks at {payment['id']}"
    for refund in books.refunds:
        if refund["state"] in ("requested", "submitted", "unknown"):
            looks = {("refund", refund["id"]), ("query_refund", refund["id"])}
            assert looks & due, f"nobody looks at {refund['id']}, which is {refund['state']}"
    open_of_order = {payment["order_id"] for payment in books.payments if payment["state"] in _OPEN}
    for order in books.orders:
        if order["state"] == "open":
            assert ("close_order", order["id"]) in due, f"{order['id']} will never expire"
        if order["state"] == "closing":
            looked_at = order["id"] in open_of_order or ("close_order", order["id"]) in due
            assert looked_at, f"{order['id']} stays closing for ever"
