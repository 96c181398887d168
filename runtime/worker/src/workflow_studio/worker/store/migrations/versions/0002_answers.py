"""Answers to requests with an idempotency key are stored with the effect of the request, not before and after it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflow_studio.worker.store.migrations.types import STRING

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None
additive = False


def upgrade() -> None:
    """Make the table anew: its rows are of use for a day at most, and between two requests of one client."""
    _drop()
    op.create_table(
        "idempotency",
        *_name(),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "endpoint", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)


def downgrade() -> None:
    """Make the former table anew."""
    _drop()
    op.create_table(
        "idempotency",
        *_name(),
        sa.Column("state", STRING, nullable=False),
        sa.Column("owner", STRING, nullable=False),
        sa.Column("run_id", STRING, nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("content_type", STRING, nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "endpoint", "key", name=op.f("pk_idempotency")),
    )
    op.create_index("ix_idempotency_created_at", "idempotency", ["created_at"], unique=False)


def _name() -> list[sa.Column[str]]:
    return [sa.Column(name, STRING, nullable=False) for name in ("project_id", "endpoint", "key", "request_hash")]


def _drop() -> None:
    op.drop_index("ix_idempotency_created_at", table_name="idempotency")
    op.drop_table("idempotency")
