"""Biller mode."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "biller_file_contents",
        sa.Column("file_id", sa.String(length=40), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("file_id", name=op.f("pk_biller_file_contents")),
    )
    op.create_table(
        "biller_files",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("biller_id", sa.Text(), nullable=False),
        sa.Column("bank_date", sa.Text(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("matched", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_biller_files")),
        sa.UniqueConstraint("account", "file_name", name=op.f("uq_biller_files_account_file_name")),
    )
    with op.batch_alter_table("biller_files", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_biller_files_account_biller_id_bank_date"),
            ["account", "biller_id", "bank_date"],
            unique=False,
        )

    op.create_table(
        "biller_differences",
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("biller_id", sa.String(length=64), nullable=False),
        sa.Column("bank_date", sa.String(length=8), nullable=False),
        sa.Column("bank_seq", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("file_id", sa.String(length=40), nullable=True),
        sa.Column("bank_amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("our_amount_fen", sa.BigInteger(), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("resolution", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(state = 'resolved') = (resolution <> '')", name=op.f("ck_biller_differences_resolved")),
        sa.ForeignKeyConstraint(["file_id"], ["biller_files.id"], name=op.f("fk_biller_differences_file_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_biller_differences_payment_id")),
        sa.PrimaryKeyConstraint("account", "biller_id", "bank_date", "bank_seq", name=op.f("pk_biller_differences")),
    )
    op.create_table(
        "biller_entries",
        sa.Column("account", sa.String(length=32), nullable=False),
        sa.Column("bank_date", sa.String(length=8), nullable=False),
        sa.Column("bank_seq", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("biller_id", sa.Text(), nullable=False),
        sa.Column("meaning", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("payment_id", sa.String(length=40), nullable=True),
        sa.Column("evidence_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(state = 'void') = (payment_id IS NULL)", name=op.f("ck_biller_entries_payment")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_biller_entries_amount")),
        sa.ForeignKeyConstraint(["evidence_id"], ["notifications.id"], name=op.f("fk_biller_entries_evidence_id")),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_biller_entries_order_id")),
        sa.ForeignKeyConstraint(["payment_id"], ["payments.id"], name=op.f("fk_biller_entries_payment_id")),
        sa.PrimaryKeyConstraint("account", "bank_date", "bank_seq", "kind", name=op.f("pk_biller_entries")),
    )
