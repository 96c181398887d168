"""Runs: started, looked at, cancelled, woken, resumed."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from dataclasses import asdict
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request

from workflow_studio.compute.api import (
    Hook,
    Page,
    ResumeRequest,
    ResumeResponse,
    Run,
    SkippedTimer,
    SkipResponse,
    Step,
    TriggerRequest,
    TriggerResponse,
    WakeRequest,
    WakeResponse,
)
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker import idempotent
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine import audit, params
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.routes import presenting
from workflow_studio.worker.routes.queries import Listing, Resolve, RunsListing, Wait
from workflow_studio.worker.services import By, In, Worker

router = APIRouter(prefix="/v1/runs", tags=["runs"])

_ENDPOINT: Final = "POST /v1/runs"


@router.post("", response_model=TriggerResponse, status_code=201)
async def trigger(
    body: TriggerRequest,
    worker: Worker,
    by: By,
    environment: In,
    key: Annotated[ApiKey, needs(ComputeScope.TRIGGER_WRITE)],
    idempotency_key: Annotated[str | None, Header(description="Required; a repeat starts nothing twice.")] = None,
) -> TriggerResponse:
    """Start a run. The same `Idempotency-Key` gets the same answer for 24 hours."""
    repeat = idempotent.required_key_of_body(idempotency_key, key, _ENDPOINT, body, environment)
    return await worker.compute.trigger(body, repeat, by)


@router.get(
    "", dependencies=[needs(ComputeScope.RUNS_READ)], response_model=Page[Run], response_model_exclude_unset=True
)
async def list_runs(worker: Worker, part: Annotated[RunsListing, Query()]) -> Page[Run]:
    """List runs, newest first."""
    times = {name: getattr(part, name) for name in ("created_after", "created_before")}
    moments = {name: presenting.milliseconds_of(time) for name, time in times.items() if time is not None}
    query = params.RunsSearch(**part.model_dump() | dict.fromkeys(times) | moments)
    return presenting.page(await worker.engine.runs.list(query), presenting.run)


@router.post(
    "/resume",
    dependencies=[needs(ComputeScope.RUNS_WRITE)],
    response_model=ResumeResponse,
)
async def resume_run(body: ResumeRequest, worker: Worker, by: By) -> ResumeResponse:
    """Hand a payload to a hook that a run waits on, named by its token or its id, and have the run go on."""
    audit.describe(target=body.run_id)
    return await worker.compute.resume(body, by)


@router.get(
    "/{run_id}", dependencies=[needs(ComputeScope.RUNS_READ)], response_model=Run, response_model_exclude_unset=True
)
async def get_run(
    run_id: str, worker: Worker, request: Request, resolve_data: Resolve = "all", wait_ms: Wait = 0
) -> Run:
    """Return a run; with `waitMs`, once it has ended or after so long."""

    async def get(wait_ms: int) -> dict[str, Any]:
        return await worker.engine.runs.get(run_id, with_payloads=resolve_data == "all", wait_ms=wait_ms)

    return presenting.run(await worker.poll(get, wait_ms, request) if wait_ms else await get(0))


@router.post(
    "/{run_id}/cancel",
    dependencies=[needs(ComputeScope.RUNS_WRITE)],
    response_model=Run,
    response_model_exclude_unset=True,
)
async def cancel_run(run_id: str, worker: Worker, by: By) -> Run:
    """Cancel a run: steps under way go on to their end, nothing follows them. Cancelling it twice changes nothing."""
    return presenting.run(await worker.engine.runs.cancel(run_id, caller=by))


@router.post("/{run_id}/wake", dependencies=[needs(ComputeScope.RUNS_WRITE)], response_model=WakeResponse)
async def wake_run(run_id: str, worker: Worker, by: By, body: WakeRequest | None = None) -> WakeResponse:
    """End a run's sleeps now, or those that the body names. The body is optional."""
    sleeps = None if body is None else body.correlation_ids
    return WakeResponse(run_id=run_id, woken_waits=await worker.engine.runs.wake(run_id, sleeps, caller=by))


@router.post("/{run_id}/skip", dependencies=[needs(ComputeScope.RUNS_WRITE)], response_model=SkipResponse)
async def skip_time(run_id: str, worker: Worker, by: By) -> SkipResponse:
    """End whichever sleep or pause before a retry would be over first, if the run has nothing else to do; for tests."""
    skipped = await worker.engine.skipping.skip(run_id, caller=by)
    return SkipResponse(run_id=run_id, skipped=None if skipped is None else SkippedTimer(**asdict(skipped)))


@router.get(
    "/{run_id}/steps",
    dependencies=[needs(ComputeScope.RUNS_READ)],
    response_model=Page[Step],
    response_model_exclude_unset=True,
)
async def list_run_steps(run_id: str, worker: Worker, part: Annotated[Listing, Query()]) -> Page[Step]:
    """List a run's steps, newest first, with when they ran and on which executor."""
    query = params.OfRun(run_id=run_id, **part.model_dump())
    return presenting.page(await worker.engine.runs.steps(query), presenting.step)


@router.get("/{run_id}/hooks", response_model=Page[Hook], response_model_exclude_unset=True)
async def list_run_hooks(
    run_id: str,
    worker: Worker,
    part: Annotated[Listing, Query()],
    key: Annotated[ApiKey, needs(ComputeScope.RUNS_READ)],
) -> Page[Hook]:
    """List a run's live hooks. Tokens are shown to keys that may resume a run."""
    query = params.HooksList(run_id=run_id, **part.model_dump())
    with_token = ComputeScope.RUNS_WRITE.granted_by(key.scopes)
    listed = await worker.engine.runs.hooks(query)
    return presenting.page(listed, lambda entity: presenting.hook(entity, with_token=with_token))
