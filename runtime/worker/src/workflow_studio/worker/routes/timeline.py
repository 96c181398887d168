"""What happened in a run: its steps, its hooks and its log."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated

from fastapi import APIRouter, Query

from workflow_studio.compute.api import Event, Hook, Page, Step
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine import params
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.routes import presenting
from workflow_studio.worker.routes.queries import CorrelatedListing, EventsListing, Listing, Resolve
from workflow_studio.worker.services import Worker

router = APIRouter(prefix="/v1", tags=["timeline"])


@router.get(
    "/steps/{step_id}",
    dependencies=[needs(ComputeScope.RUNS_READ)],
    response_model=Step,
    response_model_exclude_unset=True,
)
async def get_step(
    step_id: str,
    worker: Worker,
    resolve_data: Resolve = "all",
    run_id: Annotated[str | None, Query(alias="runId", description="Step ids are unique within a run.")] = None,
) -> Step:
    """Return a step; without its run, the newest that has the id."""
    query = params.StepsGet(step_id=step_id, run_id=run_id, resolve_data=resolve_data)
    return presenting.step(await worker.engine.runs.step(query))


@router.get("/hooks/{hook_id}", response_model=Hook, response_model_exclude_unset=True)
async def get_hook(
    hook_id: str, worker: Worker, key: Annotated[ApiKey, needs(ComputeScope.RUNS_READ)], resolve_data: Resolve = "all"
) -> Hook:
    """Return a live hook. Its token is shown to keys that may resume a run."""
    query = params.HooksGet(hook_id=hook_id, resolve_data=resolve_data)
    return presenting.hook(
        await worker.engine.runs.hook(query), with_token=ComputeScope.RUNS_WRITE.granted_by(key.scopes)
    )


@router.get("/events", response_model=Page[Event], response_model_exclude_unset=True)
async def list_events(
    worker: Worker, part: Annotated[EventsListing, Query()], key: Annotated[ApiKey, needs(ComputeScope.RUNS_READ)]
) -> Page[Event]:
    """Return a run's log, oldest first."""
    listed = await worker.engine.runs.events(params.OfRun(**part.model_dump()))
    with_token = ComputeScope.RUNS_WRITE.granted_by(key.scopes)
    return presenting.page(listed, lambda entity: presenting.event(entity, with_token=with_token))


@router.get("/runs/{run_id}/events", response_model=Page[Event], response_model_exclude_unset=True)
async def list_run_events(
    run_id: str,
    worker: Worker,
    part: Annotated[Listing, Query()],
    key: Annotated[ApiKey, needs(ComputeScope.RUNS_READ)],
) -> Page[Event]:
    """Return a run's log, oldest first."""
    listed = await worker.engine.runs.events(params.OfRun(run_id=run_id, **part.model_dump()))
    with_token = ComputeScope.RUNS_WRITE.granted_by(key.scopes)
    return presenting.page(listed, lambda entity: presenting.event(entity, with_token=with_token))


@router.get("/events/correlation/{correlation_id}", response_model=Page[Event], response_model_exclude_unset=True)
async def list_events_by_correlation_id(
    correlation_id: str,
    worker: Worker,
    part: Annotated[CorrelatedListing, Query()],
    key: Annotated[ApiKey, needs(ComputeScope.RUNS_READ)],
) -> Page[Event]:
    """Return the events of a step, hook or wait, oldest first."""
    query = params.ByCorrelationId(correlation_id=correlation_id, **part.model_dump())
    listed = await worker.engine.runs.events_by_correlation_id(query)
    with_token = ComputeScope.RUNS_WRITE.granted_by(key.scopes)
    return presenting.page(listed, lambda entity: presenting.event(entity, with_token=with_token))
