"""The audit log: who changed what, or was refused to."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from workflow_studio.compute.api._base import Answer
from workflow_studio.compute.ids import AuditEntryId, CorrelationId, KeyId


class AuditEntry(Answer):
    """One call of the public lane that changed something, or was refused to.

    Attributes:
        entry_id: ``audit_`` and a ULID, so entries sort by time.
        at: When it happened.
        actor: The id of the key that called.
        project_id: The key's project.
        environment: The key's environment.
        action: The operation's id, such as ``activate_deployment``.
        target: What it was done to: the id of a run, a deployment, a key, a message.
        status: The HTTP status of the answer.
        code: The error code of a refusal.
        request_id: The request's correlation id.
        address: The client's address.
        details: What else is worth knowing; never a secret.
    """

    entry_id: AuditEntryId
    at: datetime
    actor: KeyId
    project_id: str
    environment: str
    action: str
    target: str | None = None
    status: int
    code: str | None = None
    request_id: CorrelationId
    address: str | None = None
    details: dict[str, Any] | None = None
