"""Run by Alembic, with the connection of farm.history.migrations.upgrade."""

from __future__ import annotations

from alembic import context

from farm.history.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite cannot change a column
)
context.run_migrations()
