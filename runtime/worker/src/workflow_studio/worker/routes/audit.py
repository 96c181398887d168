"""The audit log, for those who answer for the worker."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from workflow_studio.compute.api import AuditEntry, Page
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine.audit import Entry
from workflow_studio.worker.routes.presenting import milliseconds_of, time_of
from workflow_studio.worker.services import Worker

router = APIRouter(prefix="/v1/audit", tags=["audit"])


class AuditListing(BaseModel):
    """Which entries."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True)

    limit: int = Field(default=100, ge=1, le=1000)
    cursor: str | None = Field(default=None, pattern="^audit_[0-9A-Z]{26}$")
    actor: str | None = Field(default=None, max_length=200)
    target: str | None = Field(default=None, max_length=200)
    action: str | None = Field(default=None, max_length=200)
    after: AwareDatetime | None = Field(default=None, description="Entries of this time or later.")
    before: AwareDatetime | None = Field(default=None, description="Entries of before this time.")


def _bound(moment: datetime | None) -> int | None:
    return None if moment is None else milliseconds_of(moment)


def _shown(entry: Entry) -> AuditEntry:
    optional = {name: getattr(entry, name) for name in ("target", "code", "address", "details")}
    return AuditEntry(
        entry_id=entry.entry_id,
        at=time_of(entry.at),
        actor=entry.actor,
        project_id=entry.project_id,
        environment=entry.environment,
        action=entry.action,
        status=entry.status,
        request_id=entry.request_id,
        **{name: value for name, value in optional.items() if value is not None},
    )


@router.get(
    "", dependencies=[needs(ComputeScope.ADMIN)], response_model=Page[AuditEntry], response_model_exclude_unset=True
)
async def list_audit_entries(worker: Worker, part: Annotated[AuditListing, Query()]) -> Page[AuditEntry]:
    """List who changed what, or was refused to, newest first."""
    found, following = await worker.engine.audit.list(
        part.limit,
        part.cursor,
        after=_bound(part.after),
        before=_bound(part.before),
        actor=part.actor,
        target=part.target,
        action=part.action,
    )
    return Page(data=tuple(map(_shown, found)), cursor=following, has_more=following is not None)
