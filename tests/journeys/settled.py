"""What must be true when a journey is over: the invariants, an empty agenda, and both sides' books to the fen."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from adapters.bank.ccb.numbers import refund_code_of
from gateway.domain.order import TaskState
from gateway.services.audit import audit
from gateway.store.families.biller import ENTRIES
from gateway.store.tables import LEDGER_ENTRIES, NOTIFICATIONS, ORDERS, PAYMENTS, REFUNDS, TASKS
from tests.journeys.world import World
from tests.support.databases import Database
from tests.support.invariants import assert_invariants

Row = dict[str, Any]

_DONE: Final = frozenset({"SUCCESS", "REFUND_SUCCESS", "00", "04", "SUCC", "0"})
"""How the providers call a refund that succeeded."""

_REFUND_NAME: Final[Mapping[str, Callable[[str], str]]] = {"bank_ccb": refund_code_of}
"""How a refund of ours is called by a provider that cannot hold our number."""

_COLLECTING_BANK: Final = "bank_biller"
_LIVE_ORDERS: Final = frozenset({"open"})


def rows(database: Database, table: Any) -> list[Row]:
    """Every row of a table."""
    names = [column.name for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in database.rows(f"SELECT {', '.join(names)} FROM {table.name}")]


def assert_settled(world: World, database: Database, *, quarantined: int | None = 0) -> None:
    """
    Fail unless the invariants hold, nothing is in flight, nothing unexpected was set aside, and the books agree.

    Args:
        quarantined: How many authentic messages may contradict our record; None for any number.
    """
    assert_invariants(world.gateway.store)
    assert [(f.name, f.offenders) for f in audit(world.gateway.store) if f.offenders] == [], "the audit disagrees"
    _assert_nothing_open(database)
    if quarantined is not None:
        _assert_messages(database, quarantined)
    for provider in world.sandbox.simulators.keys() - {_COLLECTING_BANK}:
        _assert_same_books(world, database, provider)
    if _COLLECTING_BANK in world.sandbox.simulators:
        _assert_bank_holds(world, database)


def _assert_nothing_open(database: Database) -> None:
    live = {order["id"] for order in rows(database, ORDERS) if order["state"] in _LIVE_ORDERS}
    left = [
        (task["kind"], task["subject_id"], task["last_error"])
        for task in rows(database, TASKS)
        if task["state"] != TaskState.DONE and task["subject_id"] not in live
    ]
    assert left == [], "work is left"
    states = Counter(payment["state"] for payment in rows(database, PAYMENTS) if payment["order_id"] not in live)
    assert set(states) <= {"paid", "closed", "failed"}, states
    assert {refund["state"] for refund in rows(database, REFUNDS)} <= {"succeeded", "failed"}


def _assert_messages(database: Database, quarantined: int) -> None:
    verdicts = Counter(message["state"] for message in rows(database, NOTIFICATIONS))
    assert set(verdicts) <= {"applied", "duplicate", "quarantined"}, verdicts
    assert quarantined == verdicts["quarantined"], [
        (message["event"], message["reason"])
        for message in rows(database, NOTIFICATIONS)
        if message["state"] == "quarantined"
    ]


def _assert_same_books(world: World, database: Database, provider: str) -> None:
    """Every payment and refund of the simulator is ours and the other way round, and the ledger sums up to them."""
    theirs = world.sandbox.simulators[provider].books()
    ours = [payment for payment in rows(database, PAYMENTS) if payment["provider"] == provider]
    paid = [payment for payment in ours if payment["state"] == "paid"]
    assert sorted(
        (_ours(entry["out_trade_no"]), entry["provider_trade_no"], entry["amount_fen"]) for entry in theirs["payments"]
    ) == sorted((payment["out_trade_no"], payment["provider_trade_no"], payment["amount_fen"]) for payment in paid)
    number = {payment["id"]: payment["out_trade_no"] for payment in ours}
    refunded = [
        refund
        for refund in rows(database, REFUNDS)
        if refund["payment_id"] in number and refund["state"] == "succeeded"
    ]
    assert sorted((_ours(entry["out_trade_no"]), entry["amount_fen"]) for entry in theirs["refunds"]) == sorted(
        (number[refund["payment_id"]], refund["amount_fen"]) for refund in refunded
    )
    asked = [refund["out_refund_no"] for refund in refunded if refund["reason"] != "outside"]
    assert len(set(asked)) == len(asked)
    called = _REFUND_NAME.get(provider, _ours)
    assert {_ours(called(number)) for number in asked} <= {_ours(entry["out_refund_no"]) for entry in theirs["refunds"]}
    assert {entry["outcome"] for entry in theirs["refunds"]} <= _DONE
    received = sum(entry["amount_fen"] for entry in theirs["payments"])
    returned = sum(entry["amount_fen"] for entry in theirs["refunds"])
    balance: Counter[str] = Counter()
    for entry in rows(database, LEDGER_ENTRIES):
        if entry["payment_id"] in number:
            balance[entry["debit"]] += entry["amount_fen"]
            balance[entry["credit"]] -= entry["amount_fen"]
    assert received - returned == balance["collected"] == -balance["receivable"]
    assert balance["refunding"] == 0


def _assert_bank_holds(world: World, database: Database) -> None:
    """Payment by payment the collecting bank holds what we say it collected and has not taken back."""
    held = {
        each["out_trade_no"]: each["amount_fen"]
        for each in world.sandbox.simulators[_COLLECTING_BANK].orders()
        if each["state"] == "PAID"
    }
    here = {payment["id"]: payment for payment in rows(database, PAYMENTS)}
    entries = [entry for entry in rows(database, ENTRIES) if entry["kind"] == "payment" and entry["payment_id"]]
    ours = {
        entry["bank_seq"]: left
        for entry in entries
        if (left := here[entry["payment_id"]]["amount_fen"] - here[entry["payment_id"]]["amount_refunded_fen"])
    }
    assert ours == held


def _ours(number: str) -> str:
    """A number of ours as we write it; the shared account's platform has it in capitals."""
    return number.lower()
