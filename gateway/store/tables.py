"""The order model's tables, once, for both engines; sealed columns are encrypted."""

from typing import Final

from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from gateway.store.columns import METADATA, fen, instant, key_id, ref, words

ORDERS: Final = Table(
    "orders",
    METADATA,
    key_id(),
    words("app"),
    words("client_order_no"),
    words("meaning"),
    words("state"),
    fen("amount_fen"),
    words("description"),
    words("region", nullable=True),
    Column("insured_year", Integer),
    words("insurance_kind", nullable=True),
    words("insured_index", nullable=True),
    words("slot", nullable=True),
    Column("subject_sealed", LargeBinary),
    instant("expires_at"),
    instant("created_at"),
    instant("updated_at"),
    Column("payments", Integer, nullable=False),
    Column("paid_payment_id", String(40)),
    fen("amount_paid_fen"),
    fen("amount_refunded_fen"),
    Column("event_seq", Integer, nullable=False),
    words("event_hash"),
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
    ref("order_id", "orders.id"),
)

PAYMENTS: Final = Table(
    "payments",
    METADATA,
    key_id(),
    ref("order_id", "orders.id"),
    words("account"),
    words("provider"),
    words("method"),
    words("out_trade_no"),
    words("state"),
    fen("amount_fen"),
    Column("fields_sealed", LargeBinary),
    Column("instruction_sealed", LargeBinary),
    words("provider_trade_no", nullable=True),
    Column("kept", SmallInteger, nullable=False),
    fen("amount_refunding_fen"),
    fen("amount_refunded_fen"),
    Column("evidence_id", String(40)),
    instant("paid_at", nullable=True),
    instant("created_at"),
    instant("expires_at"),
    instant("updated_at"),
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
    key_id(),
    ref("order_id", "orders.id"),
    ref("payment_id", "payments.id"),
    words("account"),
    words("out_refund_no"),
    words("client_refund_no", nullable=True),
    words("state"),
    words("reason"),
    words("note"),
    fen("amount_fen"),
    words("provider_refund_no", nullable=True),
    Column("evidence_id", String(40)),
    instant("succeeded_at", nullable=True),
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("out_refund_no"),
    UniqueConstraint("order_id", "client_refund_no"),
    CheckConstraint("amount_fen > 0", name="amount"),
    CheckConstraint("state NOT IN ('succeeded', 'failed') OR evidence_id IS NOT NULL", name="evidence"),
    Index(None, "payment_id"),
)

IS_TROUBLED: Final = text("state IN ('abnormal', 'failed')")
"""A query that says it in these very words is served by the index."""

REFUNDS_TROUBLED: Final = Index(
    "ix_refunds_troubled",
    REFUNDS.c.state,
    REFUNDS.c.account,
    REFUNDS.c.updated_at,
    sqlite_where=IS_TROUBLED,
    postgresql_where=IS_TROUBLED,
)

NOTIFICATIONS: Final = Table(
    "notifications",
    METADATA,
    key_id(),
    words("account"),
    words("source"),
    words("dedup_key"),
    words("event"),
    words("state"),
    words("reason"),
    words("digest"),
    Column("headers_sealed", LargeBinary, nullable=False),
    Column("body_sealed", LargeBinary, nullable=False),
    Column("payment_id", String(40)),
    instant("received_at"),
    instant("updated_at"),
    UniqueConstraint("account", "dedup_key"),
)

EVENTS: Final = Table(
    "events",
    METADATA,
    Column("order_id", String(40), ForeignKey("orders.id"), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    words("kind"),
    instant("at"),
    words("actor"),
    Column("evidence_id", String(40)),
    words("detail"),
    words("hash"),
)

TASKS: Final = Table(
    "tasks",
    METADATA,
    Column("kind", Text, primary_key=True),
    Column("subject_id", String(40), primary_key=True),
    words("account", nullable=True),
    words("state"),
    instant("due_at"),
    Column("tries", Integer, nullable=False),
    words("lease", nullable=True),
    words("last_error"),
    instant("created_at"),
)

TASKS_DUE: Final = Index(
    "ix_tasks_due",
    TASKS.c.due_at,
    sqlite_where=text("state = 'due'"),
    postgresql_where=text("state = 'due'"),
)

TASKS_DEAD: Final = Index(
    "ix_tasks_dead",
    TASKS.c.kind,
    sqlite_where=text("state = 'dead'"),
    postgresql_where=text("state = 'dead'"),
)

LEDGER_ENTRIES: Final = Table(
    "ledger_entries",
    METADATA,
    key_id(),
    words("account"),
    instant("at"),
    words("debit"),
    words("credit"),
    fen("amount_fen"),
    ref("payment_id", "payments.id"),
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
    words("meaning"),
    words("state"),
    Column("fence", Integer, nullable=False),
    instant("lease_until"),
    Column("subject_id", String(40)),
    Column("response_status", Integer),
    Column("response_sealed", LargeBinary),
    instant("created_at"),
    Index(None, "created_at"),
)

REQUEST_NONCES: Final = Table(
    "request_nonces",
    METADATA,
    Column("app", Text, primary_key=True),
    Column("nonce", Text, primary_key=True),
    instant("expires_at"),
    Index(None, "expires_at"),
)
