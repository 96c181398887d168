"""Who the workers of a service are, and that one of them at a time replays a run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflow_studio.worker.store.migrations.types import STRING

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
additive = False  # workers of the revision before take themselves to be alone

_IS_REPLAYED = sa.text("status = 'leased' AND kind = 'workflow' AND step_id IS NULL")


def upgrade() -> None:
    """Add the table and the index."""
    op.create_table(
        "workers",
        sa.Column("worker_id", STRING, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("host", STRING, nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", STRING, nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("heartbeat_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_workers")),
    )
    op.create_index(
        "uq_messages_replayed",
        "messages",
        ["run_id"],
        unique=True,
        sqlite_where=_IS_REPLAYED,
        postgresql_where=_IS_REPLAYED,
    )


def downgrade() -> None:
    """Take them back."""
    op.drop_index("uq_messages_replayed", table_name="messages")
    op.drop_table("workers")
