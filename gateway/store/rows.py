"""Turns the order model's values into rows and back, by their annotations."""

import dataclasses
import operator
import types
import typing
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Table

from gateway.domain import order as model
from gateway.domain.clock import micros, moment
from gateway.store import tables

R = TypeVar("R")


def _plain(annotation: Any) -> Any:
    """The type inside `T | None`."""
    if isinstance(annotation, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


def _value_of(member: StrEnum) -> str:
    return member.value


def _codec(annotation: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]] | None:
    kind = _plain(annotation)
    if kind is datetime:
        return micros, moment
    if kind is bool:
        return int, bool
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _value_of, {member.value: member for member in kind}.__getitem__
    return None


class RowMap(Generic[R]):
    """One value class and its table. `columns` is the order of every encoded and decoded row."""

    def __init__(self, value_class: type[R], table: Table) -> None:
        hints = typing.get_type_hints(value_class)
        names = [f.name for f in dataclasses.fields(typing.cast("Any", value_class))]
        if set(names) != set(table.columns.keys()):
            raise TypeError(f"{value_class.__name__} and table {table.name} differ")
        self.table = table
        self.value_class = value_class
        self.columns: tuple[str, ...] = tuple(names)
        self.key: tuple[str, ...] = tuple(column.name for column in table.primary_key.columns)
        codecs = [(i, _codec(hints[name])) for i, name in enumerate(names)]
        self._encoders = [(i, codec[0]) for i, codec in codecs if codec]
        self._decoders = [(i, codec[1]) for i, codec in codecs if codec]
        self._getter = operator.attrgetter(*names)

    def encode(self, row: R) -> list[Any]:
        """The row's column values, ready for the driver."""
        values = list(self._getter(row))
        for i, convert in self._encoders:
            if values[i] is not None:
                values[i] = convert(values[i])
        return values

    def decode(self, values: typing.Sequence[Any]) -> R:
        """The value of a row as the driver gave it."""
        decoded = list(values)
        for i, convert in self._decoders:
            if decoded[i] is not None:
                decoded[i] = convert(decoded[i])
        return self.value_class(**dict(zip(self.columns, decoded, strict=True)))


ORDER: Final = RowMap(model.Order, tables.ORDERS)
PAYMENT: Final = RowMap(model.Payment, tables.PAYMENTS)
REFUND: Final = RowMap(model.Refund, tables.REFUNDS)
NOTIFICATION: Final = RowMap(model.Notification, tables.NOTIFICATIONS)
EVENT: Final = RowMap(model.Event, tables.EVENTS)
TASK: Final = RowMap(model.Task, tables.TASKS)
LEDGER_ENTRY: Final = RowMap(model.LedgerEntry, tables.LEDGER_ENTRIES)
IDEMPOTENCY_KEY: Final = RowMap(model.IdempotencyKey, tables.IDEMPOTENCY_KEYS)

ROW_MAPS: Final[dict[type, RowMap[Any]]] = {
    row_map.value_class: row_map
    for row_map in (ORDER, PAYMENT, REFUND, NOTIFICATION, EVENT, TASK, LEDGER_ENTRY, IDEMPOTENCY_KEY)
}
