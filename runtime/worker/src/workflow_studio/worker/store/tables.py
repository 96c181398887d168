"""The tables, once, for every database: those of runs here, those of the control plane beside it.

Times are epoch milliseconds (BIGINT): the Workflow SDK compares some of them to the millisecond. Columns that hold an
opaque payload hold the CBOR encoding of the value that arrived, so that any value comes back as it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import (
    DDL,
    BigInteger,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlmodel import AutoString, Field

from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.worker.store import _control_tables as control
from workflow_studio.worker.store._base import Base

if TYPE_CHECKING:
    from sqlalchemy import Table
    from sqlmodel import SQLModel

_OF_RUN = (["run_id"], ["runs.run_id"])
IS_UNREPLAYED = text("status IN ('pending', 'running') AND stimulus_slot > replayed_slot")
"""Runs whose log has something that no acknowledged replay has seen. A partial index serves exactly these words."""

_IS_RERUN = text("rerun_of IS NOT NULL")
_IS_EXPIRED = text("expired_at IS NOT NULL")
_VACUUM_QUICKLY = "ALTER TABLE {} SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02)"
"""PostgreSQL's own pace is a fifth of the table: too late for a queue, and for a log of which retention deletes."""

_IS_REPLAYED = text("status = 'leased' AND kind = 'workflow' AND step_id IS NULL")
"""A run is replayed by one delivery at a time, whichever worker makes it."""

_IS_CREATION = text("event_type IN ('step_created', 'hook_created', 'wait_created')")


class Run(Base, table=True):
    """A workflow run, with the bookkeeping of its log.

    Attributes:
        last_slot: Slot of the newest event.
        last_event_at: ``created_at`` of the newest event; the next one is never older.
        stimulus_slot: Slot of the newest event that a replay has to react to; see ``engine.recovery``.
        replayed_slot: Newest slot that an acknowledged flow delivery had loaded.
        project_id: The project of the key that started it.
        created_by: The key that started it.
        rerun_of: The run whose input it was given anew.
        environment: The environment that it was started in.
        expired_at: When retention began to delete it; it counts as gone from then on.
        priority: A point counts as a minute of waiting; none is 0.
        concurrency_key: The key of a limit that it shares with other runs.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_workflow_name", "workflow_name", "run_id"),
        Index("ix_runs_status", "status", "run_id"),
        Index("ix_runs_deployment_id", "deployment_id", "status", "run_id"),
        Index("ix_runs_environment", "environment", "run_id"),
        Index(
            "ix_runs_unreplayed",
            "run_id",
            sqlite_where=IS_UNREPLAYED,
            postgresql_where=IS_UNREPLAYED,
        ),
        Index("ix_runs_rerun_of", "rerun_of", sqlite_where=_IS_RERUN, postgresql_where=_IS_RERUN),
        Index("ix_runs_expired_at", "run_id", sqlite_where=_IS_EXPIRED, postgresql_where=_IS_EXPIRED),
    )

    run_id: str = Field(primary_key=True)
    status: str
    deployment_id: str
    workflow_name: str
    spec_version: int | None = None
    execution_context: bytes | None = Field(default=None, sa_type=LargeBinary)
    input: bytes | None = Field(default=None, sa_type=LargeBinary)
    output: bytes | None = Field(default=None, sa_type=LargeBinary)
    error: bytes | None = Field(default=None, sa_type=LargeBinary)
    error_code: str | None = None
    expired_at: int | None = Field(default=None, sa_type=BigInteger)
    started_at: int | None = Field(default=None, sa_type=BigInteger)
    completed_at: int | None = Field(default=None, sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    last_slot: int = Field(default=0, sa_type=BigInteger)
    last_event_at: int = Field(default=0, sa_type=BigInteger)
    stimulus_slot: int = Field(default=0, sa_type=BigInteger)
    replayed_slot: int = Field(default=0, sa_type=BigInteger)
    project_id: str | None = None
    created_by: str | None = None
    rerun_of: str | None = None
    environment: str = Field(default=DEFAULT_ENVIRONMENT, sa_column_kwargs={"server_default": DEFAULT_ENVIRONMENT})
    priority: int | None = None
    concurrency_key: str | None = None


class Step(Base, table=True):
    """A step of a run. ``executor_id`` is the executor that started it last."""

    __tablename__ = "steps"
    __table_args__ = (ForeignKeyConstraint(*_OF_RUN), Index("ix_steps_step_id", "step_id"))

    run_id: str = Field(primary_key=True)
    step_id: str = Field(primary_key=True)
    step_name: str
    status: str
    input: bytes | None = Field(default=None, sa_type=LargeBinary)
    output: bytes | None = Field(default=None, sa_type=LargeBinary)
    error: bytes | None = Field(default=None, sa_type=LargeBinary)
    attempt: int = 0
    started_at: int | None = Field(default=None, sa_type=BigInteger)
    completed_at: int | None = Field(default=None, sa_type=BigInteger)
    retry_after: int | None = Field(default=None, sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    spec_version: int | None = None
    executor_id: str | None = None


class Event(Base, table=True):
    """One entry of a run's log. Slots are dense, from 1; the event's id follows from its slot.

    Attributes:
        request_id: The correlation id of the HTTP request that brought it, if one did.
        created_by: The key of that request.
    """

    __tablename__ = "events"
    __table_args__ = (
        ForeignKeyConstraint(*_OF_RUN),
        Index("ix_events_correlation_id", "correlation_id", "slot"),
        Index(
            "uq_events_creation",
            "run_id",
            "correlation_id",
            "event_type",
            unique=True,
            sqlite_where=_IS_CREATION,
            postgresql_where=_IS_CREATION,
        ),
    )

    run_id: str = Field(primary_key=True)
    slot: int = Field(primary_key=True, sa_type=BigInteger)
    event_type: str
    correlation_id: str | None = None
    data: bytes | None = Field(default=None, sa_type=LargeBinary)
    spec_version: int | None = None
    created_at: int = Field(sa_type=BigInteger)
    executor_id: str | None = None
    request_id: str | None = None
    created_by: str | None = None


class Hook(Base, table=True):
    """A live hook. Disposal and the end of the run delete the row, which frees the token."""

    __tablename__ = "hooks"
    __table_args__ = (ForeignKeyConstraint(*_OF_RUN), UniqueConstraint("token"), Index("ix_hooks_hook_id", "hook_id"))

    run_id: str = Field(primary_key=True)
    hook_id: str = Field(primary_key=True)
    token: str
    owner_id: str = ""
    project_id: str = ""
    environment: str = ""
    # SQLModel reserves the attribute name "metadata", so the column has another name.
    hook_metadata: bytes | None = Field(default=None, sa_type=LargeBinary)
    is_webhook: bool | None = None
    created_at: int = Field(sa_type=BigInteger)
    spec_version: int | None = None


class Wait(Base, table=True):
    """A sleep of a run; ``wait_id`` is its correlation id."""

    __tablename__ = "waits"
    __table_args__ = (
        ForeignKeyConstraint(*_OF_RUN),
        Index("ix_waits_waiting", "run_id", "status", "resume_at"),
    )

    run_id: str = Field(primary_key=True)
    wait_id: str = Field(primary_key=True)
    status: str
    resume_at: int | None = Field(default=None, sa_type=BigInteger)
    completed_at: int | None = Field(default=None, sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)
    updated_at: int = Field(sa_type=BigInteger)
    spec_version: int | None = None


class Message(Base, table=True):
    """A queue message that is not acknowledged yet.

    Attributes:
        environment: Where it was published, if that is known. It says which deployment is meant as long as neither the
            message nor its run does, and where a run belongs that its delivery creates.
        status: ``ready`` (to be delivered at ``run_at``), ``leased`` (in flight) or ``dead``.
        attempt: Number of the last delivery; 0 before the first.
        failures: Failed deliveries in a row.
        unresolved: How often in a row it had no executor to go to: its deployment could not be told, or not be run.
        lease_id: While leased: the id of the delivery.
        lease_owner: While leased: the worker process that delivers it.
    """

    __tablename__ = "messages"
    __table_args__ = (
        Index("ix_messages_due", "status", "kind", "run_at"),
        Index("ix_messages_run_id", "run_id", "kind", "status"),
        Index("ix_messages_idempotency_key", "run_id", "idempotency_key"),
        Index("ix_messages_lease_id", "lease_id"),
        Index(
            "uq_messages_replayed",
            "run_id",
            unique=True,
            sqlite_where=_IS_REPLAYED,
            postgresql_where=_IS_REPLAYED,
        ),
    )

    message_id: str = Field(primary_key=True)
    kind: str
    queue_name: str
    body: bytes = Field(sa_type=LargeBinary)
    headers: bytes | None = Field(default=None, sa_type=LargeBinary)
    run_id: str | None = None
    step_id: str | None = None
    deployment_id: str | None = None
    idempotency_key: str | None = None
    is_wake: bool = False
    is_health_check: bool = False
    status: str = "ready"
    run_at: int = Field(sa_type=BigInteger)
    attempt: int = 0
    failures: int = 0
    unresolved: int = 0
    lease_id: str | None = None
    lease_owner: str | None = None
    leased_at: int | None = Field(default=None, sa_type=BigInteger)
    last_error: str | None = Field(default=None, sa_type=Text)
    created_at: int = Field(sa_type=BigInteger)
    environment: str | None = None


class Stream(Base, table=True):
    """A stream. Names are global and a stream need not belong to a known run."""

    __tablename__ = "streams"

    name: str = Field(primary_key=True)
    run_id: str
    chunk_count: int = Field(default=0, sa_type=BigInteger)
    closed_at: int | None = Field(default=None, sa_type=BigInteger)
    created_at: int = Field(sa_type=BigInteger)


class StreamRun(Base, table=True):
    """That a stream was written or closed under a run."""

    __tablename__ = "stream_runs"

    run_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)


class StreamChunk(Base, table=True):
    """One chunk. (``writer_id``, ``sequence``) names the write that brought it, ``part`` its place therein."""

    __tablename__ = "stream_chunks"
    __table_args__ = (UniqueConstraint("name", "writer_id", "sequence", "part"),)

    name: str = Field(primary_key=True)
    chunk_index: int = Field(primary_key=True, sa_type=BigInteger)
    data: bytes = Field(sa_type=LargeBinary)
    writer_id: str
    sequence: int = Field(sa_type=BigInteger)
    part: int


class RunOutput(Base, table=True):
    """A line that a run's code printed.

    Attributes:
        position: Its place in the run's output, from 1; what was dropped leaves a gap.
        step_id: The step that printed it; None for the workflow function.
        attempt: The attempt of the step; for a workflow function, that of the delivery.
        level: ``debug``, ``info``, ``warn`` or ``error``.
        text: The line, sealed where runs are encrypted.
    """

    __tablename__ = "run_output"
    __table_args__ = (Index("ix_run_output_step_id", "run_id", "step_id", "position"),)

    run_id: str = Field(primary_key=True)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    step_id: str | None = None
    attempt: int
    level: str
    at: int = Field(sa_type=BigInteger)
    text: bytes = Field(sa_type=LargeBinary)


class RunOutputSize(Base, table=True):
    """How much output of a run is kept: it is bounded.

    Attributes:
        dropped: How many lines were not kept.
        last_position: The position of its newest line.
        workflow_lines: How many lines its workflow function has printed; a replay prints them again.
    """

    __tablename__ = "run_output_sizes"

    run_id: str = Field(primary_key=True)
    lines: int = Field(default=0, sa_type=BigInteger)
    size: int = Field(default=0, sa_type=BigInteger)
    dropped: int = Field(default=0, sa_type=BigInteger)
    last_position: int = Field(default=0, sa_type=BigInteger)
    workflow_lines: int = Field(default=0, sa_type=BigInteger)


def table(model: type[SQLModel]) -> Table:
    """Return the Core table of a model."""
    core: Table = model.__table__  # type: ignore[attr-defined]
    return core


metadata = Base.metadata
for _table in metadata.tables.values():
    for _column in _table.columns:
        if isinstance(_column.type, AutoString):
            # PostgreSQL shall order ids as SQLite and everybody else does: by their bytes.
            _column.type = _column.type.with_variant(String(collation="C"), "postgresql")
runs = table(Run)
steps = table(Step)
events = table(Event)
hooks = table(Hook)
waits = table(Wait)
messages = table(Message)
streams = table(Stream)
stream_runs = table(StreamRun)
stream_chunks = table(StreamChunk)
deployments = table(control.Deployment)
environments = table(control.Environment)
activations = table(control.Activation)
deployment_variables = table(control.DeploymentVariable)
settings = table(control.Setting)
limits = table(control.Limit)
workers = table(control.Worker)
api_keys = table(control.ApiKey)
audit = table(control.AuditEntry)
run_output = table(RunOutput)
run_output_sizes = table(RunOutputSize)
idempotency = table(control.Idempotency)
objects = table(control.StoredObject)
object_refs = table(control.ObjectRef)
for _table in (messages, events, steps, runs, stream_chunks, run_output):
    _quickly = DDL(_VACUUM_QUICKLY.format(_table.name))  # type: ignore[no-untyped-call]
    event.listen(_table, "after_create", _quickly.execute_if(dialect="postgresql"))
