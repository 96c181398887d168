"""Calls about runs."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from workflow_studio.client._calls.base import Call, answer, body, given, query, segment
from workflow_studio.client._filters import RunsFilter
from workflow_studio.compute.api import (
    Page,
    RerunRequest,
    RerunResponse,
    ResumeRequest,
    ResumeResponse,
    Run,
    SkipResponse,
    TriggerRequest,
    TriggerResponse,
    WakeRequest,
    WakeResponse,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow_studio.compute.api import ResolveData
    from workflow_studio.compute.ids import DeploymentId, RunId, WaitId


def trigger(
    workflow: str | TriggerRequest, arguments: Sequence[Any], idempotency_key: str | None, **options: Any
) -> Call[TriggerResponse]:
    if isinstance(workflow, TriggerRequest):
        if arguments or given(**options):
            raise ValueError("A request says itself which arguments, run and deployment it means.")
        request = workflow
    else:
        request = TriggerRequest(workflow_name=workflow, input=list(arguments), **given(**options))
    key = idempotency_key or str(uuid.uuid4())
    return Call("POST", "/v1/runs", answer(TriggerResponse), idempotency_key=key, **body(request))


def rerun(
    run_id: RunId, idempotency_key: str | None, *, deployment_id: DeploymentId | None, new_run_id: RunId | None
) -> Call[RerunResponse]:
    request = RerunRequest(**given(deployment_id=deployment_id, run_id=new_run_id))
    key = idempotency_key or str(uuid.uuid4())
    path = f"/v1/runs/{segment(run_id)}/rerun"
    return Call("POST", path, answer(RerunResponse), idempotency_key=key, **body(request))


def get_run(run_id: RunId, resolve_data: ResolveData, wait_ms: int | None = None) -> Call[Run]:
    # What was cut while it waited is not repeated as it was: the next one asks for less.
    return Call(
        "GET",
        f"/v1/runs/{segment(run_id)}",
        answer(Run),
        {"resolveData": resolve_data, "waitMs": wait_ms},
        repeatable=wait_ms is None,
        wait_ms=wait_ms or 0,
    )


def list_runs(filters: RunsFilter) -> Call[Page[Run]]:
    return Call("GET", "/v1/runs", answer(Page[Run]), query(RunsFilter, filters))


def cancel_run(run_id: RunId) -> Call[Run]:
    # A second cancel finds the run cancelled and says so, so a repeat does no harm.
    return Call("POST", f"/v1/runs/{segment(run_id)}/cancel", answer(Run))


def wake_run(run_id: RunId, waits: Sequence[WaitId] | None) -> Call[WakeResponse]:
    # A repeat would end sleeps that the run fell into meanwhile, or not know how many the first one ended.
    more = {} if waits is None else body(WakeRequest(correlation_ids=tuple(waits)))
    return Call("POST", f"/v1/runs/{segment(run_id)}/wake", answer(WakeResponse), repeatable=False, **more)


def skip_time(run_id: RunId) -> Call[SkipResponse]:
    # A repeat would skip more than was asked for.
    return Call("POST", f"/v1/runs/{segment(run_id)}/skip", answer(SkipResponse), repeatable=False)


def resume_run(request: ResumeRequest) -> Call[ResumeResponse]:
    # A repeat would hand the payload over twice.
    return Call("POST", "/v1/runs/resume", answer(ResumeResponse), repeatable=False, **body(request))
