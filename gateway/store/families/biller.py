"""Biller mode: the banks' payments and reversals, their day files, the differences; and the bills of a person."""

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    bindparam,
    select,
)

from gateway.domain.biller import FileState
from gateway.domain.biller_rows import (
    BillerDifference,
    BillerEntry,
    BillerFile,
    BillerFileContent,
    DifferenceState,
    EntryKind,
    EntryState,
)
from gateway.domain.order import Order
from gateway.store.columns import METADATA, fen, instant, key_id, ref, words
from gateway.store.row_map import RowMap
from gateway.store.tables import ORDERS

if TYPE_CHECKING:
    from gateway.store.tx import Tx

_ORDERS_MAX: Final = 500
"""How many orders of one person are looked at, newest first."""

ENTRIES: Final = Table(
    "biller_entries",
    METADATA,
    Column("account", String(32), primary_key=True),
    Column("bank_date", String(8), primary_key=True),
    Column("bank_seq", String(64), primary_key=True),
    Column("kind", String(8), primary_key=True),
    words("biller_id"),
    words("meaning"),
    words("state"),
    words("source"),
    fen("amount_fen"),
    ref("order_id", "orders.id", nullable=True),
    ref("payment_id", "payments.id", nullable=True),
    ref("evidence_id", "notifications.id"),
    instant("created_at"),
    instant("updated_at"),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("(state = 'void') = (payment_id IS NULL)", name="payment"),
)

FILES: Final = Table(
    "biller_files",
    METADATA,
    key_id(),
    words("account"),
    words("biller_id"),
    words("bank_date"),
    words("file_name"),
    words("digest"),
    words("state"),
    words("reason"),
    Column("lines", Integer, nullable=False),
    Column("matched", Integer, nullable=False),
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("account", "file_name"),
    Index(None, "account", "biller_id", "bank_date"),
)

FILE_CONTENTS: Final = Table(
    "biller_file_contents",
    METADATA,
    Column("file_id", String(40), primary_key=True),
    Column("content_sealed", LargeBinary, nullable=False),
)

DIFFERENCES: Final = Table(
    "biller_differences",
    METADATA,
    Column("account", String(32), primary_key=True),
    Column("biller_id", String(64), primary_key=True),
    Column("bank_date", String(8), primary_key=True),
    Column("bank_seq", String(64), primary_key=True),
    words("kind"),
    ref("file_id", "biller_files.id", nullable=True),
    Column("bank_amount_fen", BigInteger),
    Column("our_amount_fen", BigInteger),
    ref("payment_id", "payments.id", nullable=True),
    words("state"),
    words("resolution"),
    instant("created_at"),
    instant("updated_at"),
    CheckConstraint("(state = 'resolved') = (resolution <> '')", name="resolved"),
)

ENTRY: Final = RowMap(BillerEntry, ENTRIES)
FILE: Final = RowMap(BillerFile, FILES)
FILE_CONTENT: Final = RowMap(BillerFileContent, FILE_CONTENTS)
DIFFERENCE: Final = RowMap(BillerDifference, DIFFERENCES)
ROW_MAPS: Final[tuple[RowMap[Any], ...]] = (ENTRY, FILE, FILE_CONTENT, DIFFERENCE)

_ORDER_COLUMNS: Final = RowMap(Order, ORDERS)
_O, _E, _F, _D = ORDERS.c, ENTRIES.c, FILES.c, DIFFERENCES.c
_entries = select(*(_E[name] for name in ENTRY.columns))
_files = select(*(_F[name] for name in FILE.columns))
_differences = select(*(_D[name] for name in DIFFERENCE.columns))
_of_day = (_F.account == bindparam("account"), _F.biller_id == bindparam("biller_id"))

_ORDERS_OF_PERSON: Final = (
    select(*(_O[name] for name in _ORDER_COLUMNS.columns))
    .where(_O.insured_index == bindparam("insured_index"))
    .order_by(_O.id.desc())
    .limit(_ORDERS_MAX)
)
_ENTRY: Final = _entries.where(
    _E.account == bindparam("account"),
    _E.bank_date == bindparam("bank_date"),
    _E.bank_seq == bindparam("bank_seq"),
    _E.kind == bindparam("kind"),
)
_DAYS_PAYMENTS: Final = (
    _entries.where(
        _E.account == bindparam("account"),
        _E.bank_date == bindparam("bank_date"),
        _E.bank_seq > bindparam("after"),
        _E.kind == EntryKind.PAYMENT.value,
        _E.biller_id == bindparam("biller_id"),
        _E.state == EntryState.APPLIED.value,
    )
    .order_by(_E.bank_seq)
    .limit(bindparam("limit"))
)
_FILE: Final = _files.where(_F.id == bindparam("id"))
_FILE_BY_NAME: Final = _files.where(_F.account == bindparam("account"), _F.file_name == bindparam("file_name"))
_FILES_OF_DAY: Final = (
    _files.where(*_of_day, _F.bank_date == bindparam("bank_date")).order_by(_F.file_name.desc()).limit(100)
)
_CONTENT: Final = select(*(FILE_CONTENTS.c[name] for name in FILE_CONTENT.columns)).where(
    FILE_CONTENTS.c.file_id == bindparam("file_id")
)
_DIFFERENCES_OF_DAY: Final = (
    _differences.where(
        _D.account == bindparam("account"),
        _D.biller_id == bindparam("biller_id"),
        _D.bank_date == bindparam("bank_date"),
        _D.state == DifferenceState.OPEN.value,
        _D.bank_seq > bindparam("after"),
    )
    .order_by(_D.bank_seq)
    .limit(bindparam("limit"))
)
_DIFFERENCE: Final = _differences.where(
    _D.account == bindparam("account"),
    _D.biller_id == bindparam("biller_id"),
    _D.bank_date == bindparam("bank_date"),
    _D.bank_seq == bindparam("bank_seq"),
)


def orders_of_person(tx: "Tx", insured_index: str) -> list[Order]:
    """The premiums of one insured person, of every app and year, newest first."""
    return tx.all(_ORDER_COLUMNS, _ORDERS_OF_PERSON, insured_index=insured_index)


def entry(tx: "Tx", account: str, bank_date: str, bank_seq: str, kind: EntryKind) -> BillerEntry | None:
    return tx.one(ENTRY, _ENTRY, account=account, bank_date=bank_date, bank_seq=bank_seq, kind=kind.value)


def days_payments(
    tx: "Tx", account: str, biller_id: str, bank_date: str, *, after: str, limit: int
) -> list[BillerEntry]:
    """Applied payments of a day, those with a serial behind `after` in the database's own order."""
    return tx.all(
        ENTRY, _DAYS_PAYMENTS, account=account, biller_id=biller_id, bank_date=bank_date, after=after, limit=limit
    )


def file(tx: "Tx", file_id: str) -> BillerFile | None:
    return tx.one(FILE, _FILE, id=file_id)


def file_by_name(tx: "Tx", account: str, file_name: str) -> BillerFile | None:
    return tx.one(FILE, _FILE_BY_NAME, account=account, file_name=file_name)


def newest_file(tx: "Tx", account: str, biller_id: str, bank_date: str) -> BillerFile | None:
    """The day's file of the highest number that was not refused; when all were, the highest of those."""
    files = tx.all(FILE, _FILES_OF_DAY, account=account, biller_id=biller_id, bank_date=bank_date)
    return next((found for found in files if found.state is not FileState.REJECTED), files[0] if files else None)


def file_content(tx: "Tx", file_id: str) -> BillerFileContent | None:
    return tx.one(FILE_CONTENT, _CONTENT, file_id=file_id)


def open_differences(
    tx: "Tx", account: str, biller_id: str, bank_date: str, *, after: str, limit: int
) -> list[BillerDifference]:
    """Open differences of a day by serial, those behind `after`."""
    return tx.all(
        DIFFERENCE,
        _DIFFERENCES_OF_DAY,
        account=account,
        biller_id=biller_id,
        bank_date=bank_date,
        after=after,
        limit=limit,
    )


def difference(tx: "Tx", account: str, biller_id: str, bank_date: str, bank_seq: str) -> BillerDifference | None:
    return tx.one(DIFFERENCE, _DIFFERENCE, account=account, biller_id=biller_id, bank_date=bank_date, bank_seq=bank_seq)
