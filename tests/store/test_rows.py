"""Every row type goes into both databases and comes out as it was."""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from gateway.domain.order import TaskKind
from gateway.store import Store, Tx
from gateway.store.rows import ROW_MAPS
from tests.support.rows import (
    a_key,
    a_ledger_entry,
    a_notification,
    a_payment,
    a_refund,
    a_task,
    an_event,
    an_order,
)

AMOUNT_MAX = 10_000_000_000
PARENTS = (an_order(), a_payment())
CASES: dict[str, tuple[tuple[Any, ...], Any, Callable[[Tx], Any]]] = {
    "order": ((), an_order(amount_fen=AMOUNT_MAX), lambda tx: tx.order("ord_1")),
    "payment": (PARENTS[:1], a_payment(), lambda tx: tx.payment("pay_1")),
    "refund": (PARENTS, a_refund(), lambda tx: tx.refund("ref_1")),
    "notification": ((), a_notification(), lambda tx: tx.notification("ntf_1")),
    "event": (PARENTS[:1], an_event(), lambda tx: tx.events_page("ord_1", after=0, limit=9)[0]),
    "task": ((), a_task(), lambda tx: tx.task(TaskKind.QUERY, "pay_1")),
    "idempotency_key": ((), a_key(), lambda tx: tx.idempotency_key("wallet", "key-1")),
}
BARE = {
    "order": dict.fromkeys(("region", "insured_year", "insurance_kind", "insured_index", "slot", "subject_sealed")),
    "payment": {"kept": False, "state": "created"}
    | dict.fromkeys(("fields_sealed", "instruction_sealed", "provider_trade_no", "evidence_id", "paid_at")),
    "refund": {"state": "requested"}
    | dict.fromkeys(("client_refund_no", "provider_refund_no", "evidence_id", "succeeded_at")),
    "notification": {"payment_id": None},
    "event": {"evidence_id": None},
    "task": {"account": None, "lease": None},
    "idempotency_key": dict.fromkeys(("subject_id", "response_status", "response_sealed")),
}


def _bare(name: str, row: Any) -> Any:
    """The row with None in every field that may hold it; plain texts become the field's own kind of state."""
    changes = {
        key: type(getattr(row, key))(value) if isinstance(value, str) else value for key, value in BARE[name].items()
    }
    return replace(row, **changes)


def _with_fixed_of(source: Any, row: Any) -> Any:
    """The row with those columns of the source that an update does not write."""
    row_map = ROW_MAPS[type(row)]
    fixed = set(row_map.columns) - set(row_map.changing) - set(row_map.key)
    return replace(row, **{column: getattr(source, column) for column in fixed})


def _put(store: Store, *rows: Any) -> None:
    def job(tx: Tx) -> None:
        for row in rows:
            tx.insert(row)

    store.run(job)


@pytest.mark.parametrize("filled", [True, False], ids=["filled", "bare"])
@pytest.mark.parametrize("name", CASES)
def test_row_after_insert_is_read_back_equal(store: Store, name: str, filled: bool) -> None:
    """Text, bytes, instants to the microsecond, states and None survive."""
    parents, row, read = CASES[name]
    row = row if filled else _bare(name, row)
    _put(store, *parents, row)

    assert row == read(store.read())


@pytest.mark.parametrize("name", [name for name in CASES if name != "event"])
def test_row_after_update_has_every_column_that_may_change(store: Store, name: str) -> None:
    """An update replaces them all; the columns that the insert alone writes stay."""
    parents, row, read = CASES[name]
    inserted = _bare(name, row)
    _put(store, *parents, inserted)
    store.run(lambda tx: tx.update(row))

    changing = ROW_MAPS[type(row)].changing
    assert replace(inserted, **{column: getattr(row, column) for column in changing}) == read(store.read())


def test_ledger_entry_after_insert_lies_in_its_columns(store: Store, database: Any) -> None:
    """Entries are only ever summed up, so no query reads one back."""
    _put(store, *PARENTS, a_ledger_entry())

    rows = database.rows("SELECT id, account, debit, credit, amount_fen, payment_id, refund_id FROM ledger_entries")
    assert rows == [("led_1", "alpha_main", "collected", "receivable", 38001, "pay_1", "ref_1")]


def test_row_maps_name_every_field_of_every_value() -> None:
    """No field of a value is left out of its table."""
    for value_class, row_map in ROW_MAPS.items():
        assert tuple(field.name for field in fields(value_class)) == row_map.columns


def test_columns_that_never_change_are_named_on_purpose() -> None:
    """A column left out of updates by mistake would keep its old value without a word."""
    fixed = {
        value_class.__name__: set(row_map.columns) - set(row_map.changing) - set(row_map.key)
        for value_class, row_map in ROW_MAPS.items()
    }

    assert {name: columns for name, columns in fixed.items() if columns} == {
        "Order": {
            "app",
            "client_order_no",
            "meaning",
            "amount_fen",
            "description",
            "region",
            "insured_year",
            "insurance_kind",
            "insured_index",
            "slot",
            "subject_sealed",
            "created_at",
        },
        "Collection": {
            "app",
            "agent",
            "agent_code",
            "proof_no",
            "version",
            "content",
            "amount_fen",
            "collected_on",
            "method",
            "region",
            "insured_year",
            "insurance_kind",
            "insured_index",
            "slot",
            "batch_id",
            "line_no",
            "evidence_id",
            "created_at",
        },
        "WebhookMessage": {"app", "type", "occurred_at"},
        "WebhookTry": {"started_at", "digest"},
        "ReviewItem": {
            "kind",
            "subject_id",
            "reason",
            "region",
            "insured_year",
            "order_id",
            "payment_id",
            "collection_id",
            "opened_at",
        },
        "Payment": {
            "order_id",
            "account",
            "provider",
            "method",
            "out_trade_no",
            "amount_fen",
            "fields_sealed",
            "created_at",
        },
    }
