"""An active deployment per environment, in place of a single one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflow_studio.worker.store.migrations.types import STRING

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None
additive = False

_DEFAULT = "production"
_SETTINGS = sa.table("settings", sa.column("key"), sa.column("value"))
_ACTIVE = _SETTINGS.c.key == "active_deployment"
_DEPLOYMENTS = sa.table("deployments", *map(sa.column, ("id", "activated_at", "activated_by")))
_ENVIRONMENTS = sa.table("environments", sa.column("name"), sa.column("deployment_id"))
_ACTIVATIONS = sa.table(
    "activations", *map(sa.column, ("environment", "deployment_id", "activated_at", "activated_by"))
)
_MESSAGES = sa.table("messages", *map(sa.column, ("environment", "run_id", "deployment_id")))


def upgrade() -> None:
    """Make what there is the default environment's."""
    op.create_table(
        "environments",
        sa.Column("name", STRING, nullable=False),
        sa.Column("deployment_id", STRING, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_environments")),
    )
    op.create_index("ix_environments_deployment_id", "environments", ["deployment_id"], unique=False)
    op.create_table(
        "activations",
        sa.Column("environment", STRING, nullable=False),
        sa.Column("deployment_id", STRING, nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=False),
        sa.Column("activated_by", STRING, nullable=True),
        sa.PrimaryKeyConstraint("environment", "deployment_id", name=op.f("pk_activations")),
    )
    op.create_index("ix_activations_deployment_id", "activations", ["deployment_id"], unique=False)
    op.add_column("runs", sa.Column("environment", STRING, nullable=False, server_default=_DEFAULT))
    op.create_index("ix_runs_environment", "runs", ["environment", "run_id"], unique=False)
    op.add_column("messages", sa.Column("environment", STRING, nullable=True))
    default = sa.literal(_DEFAULT, STRING)
    active = sa.select(default, _SETTINGS.c.value).where(_ACTIVE)
    op.execute(sa.insert(_ENVIRONMENTS).from_select(["name", "deployment_id"], active))
    d = _DEPLOYMENTS.c
    activated = sa.select(default, d.id, d.activated_at, d.activated_by).where(d.activated_at.is_not(None))
    op.execute(sa.insert(_ACTIVATIONS).from_select([column.name for column in _ACTIVATIONS.c], activated))
    op.execute(sa.delete(_SETTINGS).where(_ACTIVE))
    nowhere = (_MESSAGES.c.run_id.is_(None), _MESSAGES.c.deployment_id.is_(None))
    op.execute(sa.update(_MESSAGES).where(*nowhere).values(environment=default))


def downgrade() -> None:
    """Leave the default environment's; what the others say is lost."""
    named = sa.literal("active_deployment", STRING)
    active = sa.select(named, _ENVIRONMENTS.c.deployment_id).where(_ENVIRONMENTS.c.name == _DEFAULT)
    op.execute(sa.insert(_SETTINGS).from_select(["key", "value"], active))
    op.drop_column("messages", "environment")
    op.drop_index("ix_runs_environment", table_name="runs")
    op.drop_column("runs", "environment")
    op.drop_table("activations")
    op.drop_table("environments")
