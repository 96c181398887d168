"""How much of its output a run has printed, beside how much of it is kept."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflow_studio.worker.store.migrations.types import STRING

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None
additive = False

_KEPT = ("lines", "size", "dropped")
_PRINTED = ("last_position", "workflow_lines")


def upgrade() -> None:
    """Make the table anew: nothing was kept of what runs printed until now."""
    _make(*_KEPT, *_PRINTED)


def downgrade() -> None:
    """Make the former table anew."""
    _make(*_KEPT)


def _make(*numbers: str) -> None:
    op.execute(sa.delete(sa.table("run_output")))
    op.drop_table("run_output_sizes")
    op.create_table(
        "run_output_sizes",
        sa.Column("run_id", STRING, nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in numbers),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_output_sizes")),
    )
