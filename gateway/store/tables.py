"""The schema, once, for both engines. Instants are microseconds since 1970 UTC; sealed columns are encrypted."""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _instant(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, BigInteger, nullable=nullable)


def _fen(name: str) -> Column[Any]:
    return Column(name, BigInteger, nullable=False)


def _text(name: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, Text, nullable=nullable)


def _id() -> Column[Any]:
    return Column("id", String(40), primary_key=True)


def _ref(name: str, target: str, *, nullable: bool = False) -> Column[Any]:
    return Column(name, String(40), ForeignKey(target), nullable=nullable)


ORDERS: Final = Table(
    "orders",
    METADATA,
    _id(),
    _text("app"),
    _text("client_order_no"),
    _text("meaning"),
    _text("state"),
    _fen("amount_fen"),
    _text("description"),
    _text("region", nullable=True),
    Column("insured_year", Integer),
    _text("insurance_kind", nullable=True),
    _text("insured_index", nullable=True),
    _text("slot", nullable=True),
    Column("subject_sealed", LargeBinary),
    _instant("expires_at"),
    _instant("created_at"),
    _instant("updated_at"),
    Column("payments", Integer, nullable=False),
    Column("paid_payment_id", String(40)),
    _fen("amount_paid_fen"),
    _fen("amount_refunded_fen"),
    Column("event_seq", Integer, nullable=False),
    _text("event_hash"),
    UniqueConstraint("app", "client_order_no"),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("amount_refunded_fen <= amount_paid_fen", name="refunded"),
    CheckConstraint("state <> 'paid' OR paid_payment_id IS NOT NULL", name="paid_by"),
    Index(None, "app", "id"),
    Index(None, "insured_index"),
)

PREMIUM_SLOTS: Final = Table(
    "premium_slots",
    METADATA,
    Column("slot", Text, primary_key=True),
    _ref("order_id", "orders.id"),
)

PAYMENTS: Final = Table(
    "payments",
    METADATA,
    _id(),
    _ref("order_id", "orders.id"),
    _text("account"),
    _text("provider"),
    _text("method"),
    _text("out_trade_no"),
    _text("state"),
    _fen("amount_fen"),
    Column("fields_sealed", LargeBinary),
    Column("instruction_sealed", LargeBinary),
    _text("provider_trade_no", nullable=True),
    Column("kept", SmallInteger, nullable=False),
    _fen("amount_refunding_fen"),
    _fen("amount_refunded_fen"),
    Column("evidence_id", String(40)),
    _instant("paid_at", nullable=True),
    _instant("created_at"),
    _instant("expires_at"),
    _instant("updated_at"),
    UniqueConstraint("out_trade_no"),
    CheckConstraint("amount_refunding_fen >= 0 AND amount_refunded_fen >= 0", name="refund_signs"),
    CheckConstraint("amount_refunding_fen + amount_refunded_fen <= amount_fen", name="refund_limit"),
    CheckConstraint("state NOT IN ('paid', 'closed', 'failed') OR evidence_id IS NOT NULL", name="evidence"),
    Index(None, "order_id"),
)

ONE_KEPT: Final = Index(
    "uq_payments_kept",
    PAYMENTS.c.order_id,
    unique=True,
    sqlite_where=text("kept = 1"),
    postgresql_where=text("kept = 1"),
)

REFUNDS: Final = Table(
    "refunds",
    METADATA,
    _id(),
    _ref("order_id", "orders.id"),
    _ref("payment_id", "payments.id"),
    _text("account"),
    _text("out_refund_no"),
    _text("client_refund_no", nullable=True),
    _text("state"),
    _text("reason"),
    _text("note"),
    _fen("amount_fen"),
    _text("provider_refund_no", nullable=True),
    Column("evidence_id", String(40)),
    _instant("succeeded_at", nullable=True),
    _instant("created_at"),
    _instant("updated_at"),
    UniqueConstraint("out_refund_no"),
    UniqueConstraint("order_id", "client_refund_no"),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("state NOT IN ('succeeded', 'failed') OR evidence_id IS NOT NULL", name="evidence"),
    Index(None, "payment_id"),
)

NOTIFICATIONS: Final = Table(
    "notifications",
    METADATA,
    _id(),
    _text("account"),
    _text("source"),
    _text("dedup_key"),
    _text("event"),
    _text("state"),
    _text("reason"),
    _text("digest"),
    Column("headers_sealed", LargeBinary, nullable=False),
    Column("body_sealed", LargeBinary, nullable=False),
    Column("payment_id", String(40)),
    _instant("received_at"),
    _instant("updated_at"),
    UniqueConstraint("account", "dedup_key"),
)

EVENTS: Final = Table(
    "events",
    METADATA,
    Column("order_id", String(40), ForeignKey("orders.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    _text("kind"),
    _instant("at"),
    _text("actor"),
    Column("evidence_id", String(40)),
    _text("detail"),
    _text("hash"),
)

TASKS: Final = Table(
    "tasks",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("subject_id", String(40), primary_key=True),
    _text("account", nullable=True),
    _text("state"),
    _instant("due_at"),
    Column("tries", Integer, nullable=False),
    _text("lease", nullable=True),
    _text("last_error"),
    _instant("created_at"),
)

TASKS_DUE: Final = Index(
    "ix_tasks_due",
    TASKS.c.due_at,
    sqlite_where=text("state = 'due'"),
    postgresql_where=text("state = 'due'"),
)

LEDGER_ENTRIES: Final = Table(
    "ledger_entries",
    METADATA,
    _id(),
    _text("account"),
    _instant("at"),
    _text("debit"),
    _text("credit"),
    _fen("amount_fen"),
    _ref("payment_id", "payments.id"),
    Column("refund_id", String(40)),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("debit <> credit", name="two_legs"),
    Index(None, "payment_id"),
)

IDEMPOTENCY_KEYS: Final = Table(
    "idempotency_keys",
    METADATA,
    Column("app", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    _text("meaning"),
    _text("state"),
    Column("fence", Integer, nullable=False),
    _instant("lease_until"),
    Column("subject_id", String(40)),
    Column("response_status", Integer),
    Column("response_sealed", LargeBinary),
    _instant("created_at"),
    Index(None, "created_at"),
)

REQUEST_NONCES: Final = Table(
    "request_nonces",
    METADATA,
    Column("app", Text, primary_key=True),
    Column("nonce", Text, primary_key=True),
    _instant("expires_at"),
    Index(None, "expires_at"),
)
