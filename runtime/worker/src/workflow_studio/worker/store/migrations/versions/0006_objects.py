"""Objects and who refers to them, and a quicker vacuum where much is deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflow_studio.worker.store.migrations.types import STRING

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None
additive = True

_VACUUMED = ("messages", "events", "steps", "runs", "stream_chunks", "run_output")
_QUICKLY = "autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02"


def upgrade() -> None:
    """Add them; what is there already is not touched."""
    op.create_table(
        "objects",
        sa.Column("digest", STRING, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("touched_at", sa.BigInteger(), nullable=False),
        sa.Column("deleting", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_objects")),
    )
    op.create_table(
        "object_refs",
        sa.Column("owner", STRING, nullable=False),
        sa.Column("digest", STRING, nullable=False),
        sa.PrimaryKeyConstraint("owner", "digest", name=op.f("pk_object_refs")),
    )
    op.create_index("ix_object_refs_digest", "object_refs", ["digest"], unique=False)
    is_rerun = sa.text("rerun_of IS NOT NULL")
    op.create_index(
        "ix_runs_rerun_of", "runs", ["rerun_of"], unique=False, sqlite_where=is_rerun, postgresql_where=is_rerun
    )
    is_expired = sa.text("expired_at IS NOT NULL")
    op.create_index(
        "ix_runs_expired_at", "runs", ["run_id"], unique=False, sqlite_where=is_expired, postgresql_where=is_expired
    )
    if op.get_context().dialect.name == "postgresql":
        for name in _VACUUMED:
            op.execute(sa.text(f"ALTER TABLE {name} SET ({_QUICKLY})"))


def downgrade() -> None:
    """Take them away. Large payloads that are objects are lost, as nothing knows of them any more."""
    if op.get_context().dialect.name == "postgresql":
        for name in _VACUUMED:
            reset = "autovacuum_vacuum_scale_factor, autovacuum_analyze_scale_factor"
            op.execute(sa.text(f"ALTER TABLE {name} RESET ({reset})"))
    op.drop_index("ix_runs_expired_at", table_name="runs")
    op.drop_index("ix_runs_rerun_of", table_name="runs")
    op.drop_index("ix_object_refs_digest", table_name="object_refs")
    op.drop_table("object_refs")
    op.drop_table("objects")
