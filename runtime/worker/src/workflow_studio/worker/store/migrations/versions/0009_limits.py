"""Limits that are changed while workers run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflow_studio.worker.store.migrations.types import STRING

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None
additive = True


def upgrade() -> None:
    """Add the table. A worker of the version before keeps to the limits of its settings."""
    op.create_table(
        "limits",
        sa.Column("name", STRING, nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", STRING, nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    """Take it away."""
    op.drop_table("limits")
