"""Runs migrations on the connection that `gateway.store.upgrade` opened."""

from alembic import context

from gateway.store.rows import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters tables by copying them
)
with context.begin_transaction():
    context.run_migrations()
