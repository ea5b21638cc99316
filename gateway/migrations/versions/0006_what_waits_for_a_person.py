"""Indexes of what waits for a person: tasks that were given up, refunds that did not go back."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_DEAD = sa.text("state = 'dead'")
_TROUBLED = sa.text("state IN ('abnormal', 'failed')")


def upgrade() -> None:
    op.create_index("ix_tasks_dead", "tasks", ["kind"], sqlite_where=_DEAD, postgresql_where=_DEAD)
    op.create_index(
        "ix_refunds_troubled",
        "refunds",
        ["state", "account", "updated_at"],
        sqlite_where=_TROUBLED,
        postgresql_where=_TROUBLED,
    )
