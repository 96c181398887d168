"""Alembic's environment. The connection and its transaction belong to ``store._migrate``."""

from __future__ import annotations

from alembic import context

from workflow_studio.worker.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite cannot alter most things in place: Alembic copies the table instead.
    render_as_batch=True,
)
context.run_migrations()
