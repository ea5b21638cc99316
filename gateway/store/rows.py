"""Which value is which table's row; the families of rows beside the order model join here, each with its own module."""

from typing import Any, Final

from gateway.domain import order as model
from gateway.store import columns, tables
from gateway.store.families import biller, collections, replays, webhooks
from gateway.store.row_map import RowMap

METADATA: Final = columns.METADATA
"""The whole schema: once this module is loaded, every table is in it."""

_ORDER_FIXED: Final = (
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
)
_PAYMENT_FIXED: Final = (
    "order_id",
    "account",
    "provider",
    "method",
    "out_trade_no",
    "amount_fen",
    "fields_sealed",
    "created_at",
)

ORDER: Final = RowMap(model.Order, tables.ORDERS, fixed=_ORDER_FIXED)
PAYMENT: Final = RowMap(model.Payment, tables.PAYMENTS, fixed=_PAYMENT_FIXED)
REFUND: Final = RowMap(model.Refund, tables.REFUNDS)
NOTIFICATION: Final = RowMap(model.Notification, tables.NOTIFICATIONS)
EVENT: Final = RowMap(model.Event, tables.EVENTS)
TASK: Final = RowMap(model.Task, tables.TASKS)
LEDGER_ENTRY: Final = RowMap(model.LedgerEntry, tables.LEDGER_ENTRIES)
IDEMPOTENCY_KEY: Final = RowMap(model.IdempotencyKey, tables.IDEMPOTENCY_KEYS)

_ORDER_MODEL: Final[tuple[RowMap[Any], ...]] = (
    ORDER,
    PAYMENT,
    REFUND,
    NOTIFICATION,
    EVENT,
    TASK,
    LEDGER_ENTRY,
    IDEMPOTENCY_KEY,
)
_FAMILIES: Final[tuple[tuple[RowMap[Any], ...], ...]] = (
    biller.ROW_MAPS,
    collections.ROW_MAPS,
    replays.ROW_MAPS,
    webhooks.ROW_MAPS,
)

ROW_MAPS: Final[dict[type, RowMap[Any]]] = {
    row_map.value_class: row_map for family in (_ORDER_MODEL, *_FAMILIES) for row_map in family
}
