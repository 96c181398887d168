"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from workflow_studio.worker.store.migrations.types import STRING

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
additive = False


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "api_keys",
        sa.Column("key_id", STRING, nullable=False),
        sa.Column("project_id", STRING, nullable=False),
        sa.Column("environment", STRING, nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("secret_sha256", STRING, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("secret_sha256", name=op.f("uq_api_keys_secret_sha256")),
    )
    op.create_table(
        "deployments",
        sa.Column("id", STRING, nullable=False),
        sa.Column("digest", STRING, nullable=False),
        sa.Column("manifest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
    )
    op.create_index("ix_deployments_created_at", "deployments", ["created_at", "id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("project_id", STRING, nullable=False),
        sa.Column("endpoint", STRING, nullable=False),
        sa.Column("key", STRING, nullable=False),
        sa.Column("request_hash", STRING, nullable=False),
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
    op.create_table(
        "messages",
        sa.Column("message_id", STRING, nullable=False),
        sa.Column("kind", STRING, nullable=False),
        sa.Column("queue_name", STRING, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("headers", sa.LargeBinary(), nullable=True),
        sa.Column("run_id", STRING, nullable=True),
        sa.Column("step_id", STRING, nullable=True),
        sa.Column("deployment_id", STRING, nullable=True),
        sa.Column("idempotency_key", STRING, nullable=True),
        sa.Column("is_wake", sa.Boolean(), nullable=False),
        sa.Column("is_health_check", sa.Boolean(), nullable=False),
        sa.Column("status", STRING, nullable=False),
        sa.Column("run_at", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("unresolved", sa.Integer(), nullable=False),
        sa.Column("lease_id", STRING, nullable=True),
        sa.Column("lease_owner", STRING, nullable=True),
        sa.Column("leased_at", sa.BigInteger(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_messages")),
    )
    op.create_index("ix_messages_due", "messages", ["status", "kind", "run_at"], unique=False)
    op.create_index("ix_messages_idempotency_key", "messages", ["run_id", "idempotency_key"], unique=False)
    op.create_index("ix_messages_lease_id", "messages", ["lease_id"], unique=False)
    op.create_index("ix_messages_run_id", "messages", ["run_id", "kind", "status"], unique=False)
    op.create_table(
        "runs",
        sa.Column("run_id", STRING, nullable=False),
        sa.Column("status", STRING, nullable=False),
        sa.Column("deployment_id", STRING, nullable=False),
        sa.Column("workflow_name", STRING, nullable=False),
        sa.Column("spec_version", sa.Integer(), nullable=True),
        sa.Column("execution_context", sa.LargeBinary(), nullable=True),
        sa.Column("input", sa.LargeBinary(), nullable=True),
        sa.Column("output", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.LargeBinary(), nullable=True),
        sa.Column("error_code", STRING, nullable=True),
        sa.Column("expired_at", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("last_slot", sa.BigInteger(), nullable=False),
        sa.Column("last_event_at", sa.BigInteger(), nullable=False),
        sa.Column("stimulus_slot", sa.BigInteger(), nullable=False),
        sa.Column("replayed_slot", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_status", "runs", ["status", "run_id"], unique=False)
    op.create_index(
        "ix_runs_unreplayed",
        "runs",
        ["run_id"],
        unique=False,
        sqlite_where=sa.text("status IN ('pending', 'running') AND stimulus_slot > replayed_slot"),
        postgresql_where=sa.text("status IN ('pending', 'running') AND stimulus_slot > replayed_slot"),
    )
    op.create_index("ix_runs_workflow_name", "runs", ["workflow_name", "run_id"], unique=False)
    op.create_table(
        "settings",
        sa.Column("key", STRING, nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_settings")),
    )
    op.create_table(
        "stream_chunks",
        sa.Column("name", STRING, nullable=False),
        sa.Column("chunk_index", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("writer_id", STRING, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", "chunk_index", name=op.f("pk_stream_chunks")),
        sa.UniqueConstraint(
            "name", "writer_id", "sequence", "part", name=op.f("uq_stream_chunks_name_writer_id_sequence_part")
        ),
    )
    op.create_table(
        "stream_runs",
        sa.Column("run_id", STRING, nullable=False),
        sa.Column("name", STRING, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "name", name=op.f("pk_stream_runs")),
    )
    op.create_table(
        "streams",
        sa.Column("name", STRING, nullable=False),
        sa.Column("run_id", STRING, nullable=False),
        sa.Column("chunk_count", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_streams")),
    )
    op.create_table(
        "events",
        sa.Column("run_id", STRING, nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("event_type", STRING, nullable=False),
        sa.Column("correlation_id", STRING, nullable=True),
        sa.Column("data", sa.LargeBinary(), nullable=True),
        sa.Column("spec_version", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("executor_id", STRING, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_events_run_id_runs")),
        sa.PrimaryKeyConstraint("run_id", "slot", name=op.f("pk_events")),
    )
    op.create_index("ix_events_correlation_id", "events", ["correlation_id", "slot"], unique=False)
    op.create_index(
        "uq_events_creation",
        "events",
        ["run_id", "correlation_id", "event_type"],
        unique=True,
        sqlite_where=sa.text("event_type IN ('step_created', 'hook_created', 'wait_created')"),
        postgresql_where=sa.text("event_type IN ('step_created', 'hook_created', 'wait_created')"),
    )
    op.create_table(
        "hooks",
        sa.Column("run_id", STRING, nullable=False),
        sa.Column("hook_id", STRING, nullable=False),
        sa.Column("token", STRING, nullable=False),
        sa.Column("owner_id", STRING, nullable=False),
        sa.Column("project_id", STRING, nullable=False),
        sa.Column("environment", STRING, nullable=False),
        sa.Column("hook_metadata", sa.LargeBinary(), nullable=True),
        sa.Column("is_webhook", sa.Boolean(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("spec_version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_hooks_run_id_runs")),
        sa.PrimaryKeyConstraint("run_id", "hook_id", name=op.f("pk_hooks")),
        sa.UniqueConstraint("token", name=op.f("uq_hooks_token")),
    )
    op.create_index("ix_hooks_hook_id", "hooks", ["hook_id"], unique=False)
    op.create_table(
        "steps",
        sa.Column("run_id", STRING, nullable=False),
        sa.Column("step_id", STRING, nullable=False),
        sa.Column("step_name", STRING, nullable=False),
        sa.Column("status", STRING, nullable=False),
        sa.Column("input", sa.LargeBinary(), nullable=True),
        sa.Column("output", sa.LargeBinary(), nullable=True),
        sa.Column("error", sa.LargeBinary(), nullable=True),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("retry_after", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("spec_version", sa.Integer(), nullable=True),
        sa.Column("executor_id", STRING, nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_steps_run_id_runs")),
        sa.PrimaryKeyConstraint("run_id", "step_id", name=op.f("pk_steps")),
    )
    op.create_index("ix_steps_step_id", "steps", ["step_id"], unique=False)
    op.create_table(
        "waits",
        sa.Column("run_id", STRING, nullable=False),
        sa.Column("wait_id", STRING, nullable=False),
        sa.Column("status", STRING, nullable=False),
        sa.Column("resume_at", sa.BigInteger(), nullable=True),
        sa.Column("completed_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("spec_version", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_waits_run_id_runs")),
        sa.PrimaryKeyConstraint("run_id", "wait_id", name=op.f("pk_waits")),
    )
    op.create_index("ix_waits_waiting", "waits", ["run_id", "status", "resume_at"], unique=False)


def downgrade() -> None:
    """Drop all tables."""
    op.drop_index("ix_waits_waiting", table_name="waits")
    op.drop_table("waits")
    op.drop_index("ix_steps_step_id", table_name="steps")
    op.drop_table("steps")
    op.drop_index("ix_hooks_hook_id", table_name="hooks")
    op.drop_table("hooks")
    op.drop_index(
        "uq_events_creation",
        table_name="events",
        sqlite_where=sa.text("event_type IN ('step_created', 'hook_created', 'wait_created')"),
        postgresql_where=sa.text("event_type IN ('step_created', 'hook_created', 'wait_created')"),
    )
    op.drop_index("ix_events_correlation_id", table_name="events")
    op.drop_table("events")
    op.drop_table("streams")
    op.drop_table("stream_runs")
    op.drop_table("stream_chunks")
    op.drop_table("settings")
    op.drop_index("ix_runs_workflow_name", table_name="runs")
    op.drop_index(
        "ix_runs_unreplayed",
        table_name="runs",
        sqlite_where=sa.text("status IN ('pending', 'running') AND stimulus_slot > replayed_slot"),
        postgresql_where=sa.text("status IN ('pending', 'running') AND stimulus_slot > replayed_slot"),
    )
    op.drop_index("ix_runs_status", table_name="runs")
    op.drop_table("runs")
    op.drop_index("ix_messages_run_id", table_name="messages")
    op.drop_index("ix_messages_lease_id", table_name="messages")
    op.drop_index("ix_messages_idempotency_key", table_name="messages")
    op.drop_index("ix_messages_due", table_name="messages")
    op.drop_table("messages")
    op.drop_index("ix_idempotency_created_at", table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_index("ix_deployments_created_at", table_name="deployments")
    op.drop_table("deployments")
    op.drop_table("api_keys")
