"""The tables of the control plane: deployments, keys, settings, and who did what.

Times are epoch milliseconds.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Index, LargeBinary, Text, UniqueConstraint
from sqlmodel import Field

from workflow_studio.worker.store._base import Base


class Deployment(Base, table=True):
    """An uploaded artifact. Where it is active the environments say, so that there is one truth.

    Attributes:
        created_by: The key that uploaded it.
        activated_at: When it was activated last, in any environment.
        activated_by: The key that activated it last.
        retired_at: When its last run had ended after another deployment took its place.
    """

    __tablename__ = "deployments"
    __table_args__ = (Index("ix_deployments_created_at", "created_at", "id"),)

    id: str = Field(primary_key=True)
    digest: str
    manifest: str = Field(sa_type=Text)
    created_at: int = Field(sa_type=BigInteger)
    activated_at: int | None = Field(default=None, sa_type=BigInteger)
    created_by: str | None = None
    activated_by: str | None = None
    retired_at: int | None = Field(default=None, sa_type=BigInteger)


class Environment(Base, table=True):
    """The deployment that is active in an environment. One without is not here."""

    __tablename__ = "environments"
    __table_args__ = (Index("ix_environments_deployment_id", "deployment_id"),)

    name: str = Field(primary_key=True)
    deployment_id: str


class Activation(Base, table=True):
    """When a deployment was activated last in an environment, and by which key: where a rollback finds its way."""

    __tablename__ = "activations"
    __table_args__ = (Index("ix_activations_deployment_id", "deployment_id"),)

    environment: str = Field(primary_key=True)
    deployment_id: str = Field(primary_key=True)
    activated_at: int = Field(sa_type=BigInteger)
    activated_by: str | None = None


class DeploymentVariable(Base, table=True):
    """An environment variable of a deployment's executors. ``value`` is sealed; see ``engine.environment``."""

    __tablename__ = "deployment_variables"

    deployment_id: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    value: bytes = Field(sa_type=LargeBinary)
    updated_at: int = Field(sa_type=BigInteger)
    updated_by: str | None = None


class Setting(Base, table=True):
    """A setting of the whole worker, such as ``database_id``."""

    __tablename__ = "settings"

    key: str = Field(primary_key=True)
    value: str = Field(sa_type=Text)


class Limit(Base, table=True):
    """How many steps there may be at the same time, as somebody set it while workers ran.

    Attributes:
        name: What is limited: a scope, a colon and a name.
    """

    __tablename__ = "limits"

    name: str = Field(primary_key=True)
    most: int
    updated_at: int = Field(sa_type=BigInteger)
    updated_by: str | None = None


class Worker(Base, table=True):
    """A worker of the service. Its leases hold as long as it has a row here; see ``engine.workers``.

    Attributes:
        worker_id: Chosen by the worker when its process starts; ``lease_owner`` of the messages that it delivers.
        epoch: Grows with each registration, so the lowest of those that are here is the worker that is here longest.
        heartbeat_at: When it was heard of last, by the clock of the database.
        lease_ms: How long after that others wait before they take its work over.
    """

    __tablename__ = "workers"

    worker_id: str = Field(primary_key=True)
    epoch: int = Field(sa_type=BigInteger)
    host: str
    pid: int
    version: str
    started_at: int = Field(sa_type=BigInteger)
    heartbeat_at: int = Field(sa_type=BigInteger)
    lease_ms: int = Field(sa_type=BigInteger)


class ApiKey(Base, table=True):
    """An API key. Only the SHA-256 of its secret is kept.

    Attributes:
        name: What people call it.
        from_settings: Whether the worker's settings name it; it lives as long as they do.
        expires_at: From when on it is refused.
        last_used_at: When it was last accepted, to the minute.
        created_by: The key that made it.
        replaces: The key that it was made to take the place of.
    """

    __tablename__ = "api_keys"
    __table_args__ = (UniqueConstraint("secret_sha256"),)

    key_id: str = Field(primary_key=True)
    project_id: str
    environment: str
    scopes: str = Field(sa_type=Text)
    secret_sha256: str
    created_at: int = Field(sa_type=BigInteger)
    revoked_at: int | None = Field(default=None, sa_type=BigInteger)
    name: str | None = None
    from_settings: bool | None = None
    expires_at: int | None = Field(default=None, sa_type=BigInteger)
    last_used_at: int | None = Field(default=None, sa_type=BigInteger)
    created_by: str | None = None
    replaces: str | None = None


class AuditEntry(Base, table=True):
    """One call that changed something, or was refused to.

    Attributes:
        entry_id: ``audit_`` and a ULID, so entries sort by time.
        action: The operation, such as ``deployments.activate``.
        target: What it was done to.
        status: The HTTP status of the answer.
        code: The error code of a refusal.
        request_id: The request's correlation id.
        address: Where the request came from.
        details: JSON: what else is worth knowing, never a secret.
    """

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_target", "target", "entry_id"), Index("ix_audit_actor", "actor", "entry_id"))

    entry_id: str = Field(primary_key=True)
    at: int = Field(sa_type=BigInteger)
    actor: str
    project_id: str
    environment: str
    action: str
    target: str | None = None
    status: int
    code: str | None = None
    request_id: str
    address: str | None = None
    details: str | None = Field(default=None, sa_type=Text)


class Idempotency(Base, table=True):
    """What was answered to a request with an idempotency key. ``answer`` is CBOR."""

    __tablename__ = "idempotency"
    __table_args__ = (Index("ix_idempotency_created_at", "created_at"),)

    project_id: str = Field(primary_key=True)
    endpoint: str = Field(primary_key=True)
    key: str = Field(primary_key=True)
    request_hash: str
    answer: bytes = Field(sa_type=LargeBinary)
    created_at: int = Field(sa_type=BigInteger)


class StoredObject(Base, table=True):
    """An object that is in the object store, or is about to be, or to go.

    Attributes:
        digest: The SHA-256 of its content, in hexadecimal digits.
        size: In bytes.
        made_at: When it was stored first since it was deleted last. It is part of the object's name, so that whoever
            deletes it late, after a pause, does not delete one that was stored since.
        touched_at: When somebody stored it last, or was about to; it is not deleted soon after.
        deleting: Whether it is being removed from the store, so that nobody can refer to it.
    """

    __tablename__ = "objects"

    digest: str = Field(primary_key=True)
    size: int = Field(sa_type=BigInteger)
    made_at: int = Field(sa_type=BigInteger)
    touched_at: int = Field(sa_type=BigInteger)
    deleting: bool = False


class ObjectRef(Base, table=True):
    """That a run or a deployment has an object. ``owner`` is its id."""

    __tablename__ = "object_refs"
    __table_args__ = (Index("ix_object_refs_digest", "digest"),)

    owner: str = Field(primary_key=True)
    digest: str = Field(primary_key=True)
