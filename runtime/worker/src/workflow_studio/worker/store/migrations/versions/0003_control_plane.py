"""What operators need: who did what, variables of deployments, the life of keys, what runs print."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflow_studio.worker.store.migrations.types import STRING

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None
additive = True

_ADDED = {
    "runs": (("project_id", STRING), ("created_by", STRING), ("rerun_of", STRING)),
    "events": (("request_id", STRING), ("created_by", STRING)),
    "deployments": (("created_by", STRING), ("activated_by", STRING), ("retired_at", sa.BigInteger())),
    "api_keys": (
        ("name", STRING),
        ("from_settings", sa.Boolean()),
        ("expires_at", sa.BigInteger()),
        ("last_used_at", sa.BigInteger()),
        ("created_by", STRING),
        ("replaces", STRING),
    ),
}


def upgrade() -> None:
    """Add the columns, which may be empty, and the tables."""
    for table, columns in _ADDED.items():
        for name, kind in columns:
            op.add_column(table, sa.Column(name, kind, nullable=True))
    op.create_index("ix_runs_deployment_id", "runs", ["deployment_id", "status", "run_id"], unique=False)
    op.create_table(
        "deployment_variables",
        sa.Column("deployment_id", STRING, nullable=False),
        sa.Column("name", STRING, nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_by", STRING, nullable=True),
        sa.PrimaryKeyConstraint("deployment_id", "name", name=op.f("pk_deployment_variables")),
    )
    _create_audit()
    _create_output()


def _create_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("entry_id", STRING, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", STRING, nullable=False),
        sa.Column("project_id", STRING, nullable=False),
        sa.Column("environment", STRING, nullable=False),
        sa.Column("action", STRING, nullable=False),
        sa.Column("target", STRING, nullable=True),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("code", STRING, nullable=True),
        sa.Column("request_id", STRING, nullable=False),
        sa.Column("address", STRING, nullable=True),
        sa.Column("details", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_audit")),
    )
    op.create_index("ix_audit_target", "audit", ["target", "entry_id"], unique=False)
    op.create_index("ix_audit_actor", "audit", ["actor", "entry_id"], unique=False)


def _create_output() -> None:
    op.create_table(
        "run_output",
        sa.Column("run_id", STRING, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("step_id", STRING, nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("level", STRING, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "position", name=op.f("pk_run_output")),
    )
    op.create_index("ix_run_output_step_id", "run_output", ["run_id", "step_id", "position"], unique=False)
    op.create_table(
        "run_output_sizes",
        sa.Column("run_id", STRING, nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("dropped", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_run_output_sizes")),
    )


def downgrade() -> None:
    """Take all of it back."""
    for table in ("run_output_sizes", "run_output", "audit", "deployment_variables"):
        op.drop_table(table)
    op.drop_index("ix_runs_deployment_id", table_name="runs")
    for table, columns in _ADDED.items():
        for name, _ in columns:
            op.drop_column(table, name)
