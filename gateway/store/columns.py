"""The schema's frame: its metadata and the kinds of columns. Instants are microseconds since 1970 UTC."""

from typing import Any, Final

from sqlalchemy import BigInteger, Column, ForeignKey, MetaData, String, Text

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable)


def fen(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False)


def words(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Text, nullable=nullable)


def key_id() -> Column[Any]:
    return Column("id", String(40), primary_key=True)


def ref(name: str, target: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, String(40), ForeignKey(target), nullable=nullable)
