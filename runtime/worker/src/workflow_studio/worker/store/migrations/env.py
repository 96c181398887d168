"""Alembic's environment. The connection and its transaction belong to ``store._migrate``."""

from __future__ import annotations

from alembic import context

from workflow_studio.worker.store.tables import metadata

attributes = context.config.attributes
if context.is_offline_mode():
    context.configure(dialect_name=attributes["dialect"], target_metadata=metadata, literal_binds=True)
else:
    # SQLite cannot alter most things in place: Alembic copies the table instead.
    context.configure(connection=attributes["connection"], target_metadata=metadata, render_as_batch=True)
context.run_migrations()
