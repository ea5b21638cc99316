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

from gateway.domain.clock import micros, moment

R = TypeVar("R")


def _plain(annotation: Any) -> Any:
    """The type inside `T | None`."""
    if isinstance(annotation, types.UnionType):
        return next(part for part in typing.get_args(annotation) if part is not type(None))
    return annotation


# The plain attribute: the property `value` costs four times as much, and a callback encodes a dozen of them.
_value_of: Final = operator.attrgetter("_value_")


def _codec(annotation: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]] | None:
    kind = _plain(annotation)
    if kind is datetime:
        return micros, moment
    if kind is bool:
        return int, bool
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _value_of, {member.value: member for member in kind}.__getitem__
    return None


Encoders = list[tuple[int, Callable[[Any], Any]]]


def _encoding(
    names: typing.Sequence[str], codecs: typing.Mapping[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]]
) -> tuple[Callable[[Any], tuple[Any, ...]], Encoders]:
    encoders = [(i, codecs[name][0]) for i, name in enumerate(names) if name in codecs]
    return operator.attrgetter(*names), encoders


def _encoded(row: typing.Iterable[Any], encoders: Encoders) -> list[Any]:
    values = list(row)
    for i, convert in encoders:
        if values[i] is not None:
            values[i] = convert(values[i])
    return values


class RowMap(Generic[R]):
    """
    One value class and its table.

    Attributes:
        columns: The order of every encoded and decoded row.
        changing: Columns that an update writes: neither key nor `fixed`.
    """

    def __init__(self, value_class: type[R], table: Table, *, fixed: typing.Collection[str] = ()) -> None:
        """
        Args:
            fixed: Columns that the insert alone writes. SQLite rewrites the index of every column that an update
                names, even when the value stays.
        """
        hints = typing.get_type_hints(value_class)
        names = [f.name for f in dataclasses.fields(typing.cast("Any", value_class))]
        if set(names) != set(table.columns.keys()):
            raise TypeError(f"{value_class.__name__} and table {table.name} differ")
        self.table = table
        self.value_class = value_class
        self.columns: tuple[str, ...] = tuple(names)
        self.key: tuple[str, ...] = tuple(column.name for column in table.primary_key.columns)
        self.changing: tuple[str, ...] = tuple(n for n in names if n not in self.key and n not in fixed)
        codecs = {name: codec for name in names if (codec := _codec(hints[name]))}
        self._decoders = [(i, codecs[name][1]) for i, name in enumerate(names) if name in codecs]
        self._insert_getter, self._insert_encoders = _encoding(names, codecs)
        self._update_getter, self._update_encoders = _encoding([*self.changing, *self.key], codecs)

    def encode(self, row: R) -> list[Any]:
        """The row's column values, ready for the driver."""
        return _encoded(self._insert_getter(row), self._insert_encoders)

    def encode_update(self, row: R) -> list[Any]:
        """The values of the changing columns and then of the key."""
        return _encoded(self._update_getter(row), self._update_encoders)

    def decode(self, values: typing.Sequence[Any]) -> R:
        """The value of a row as the driver gave it."""
        decoded = list(values)
        for i, convert in self._decoders:
            if decoded[i] is not None:
                decoded[i] = convert(decoded[i])
        return self.value_class(**dict(zip(self.columns, decoded, strict=True)))
