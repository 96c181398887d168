"""What a run says of its place in the queue: its priority, and the key of a limit that it shares with others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflow_studio.worker.store.migrations.types import STRING

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None
additive = True


def upgrade() -> None:
    """Add the columns, which may be empty. A worker of the version before does not count what they say."""
    op.add_column("runs", sa.Column("priority", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("concurrency_key", STRING, nullable=True))


def downgrade() -> None:
    """Take them away."""
    op.drop_column("runs", "concurrency_key")
    op.drop_column("runs", "priority")
