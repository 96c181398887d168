"""Reruns: a run's input, given to a new run."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated

from fastapi import APIRouter, Header

from workflow_studio.compute.api import RerunRequest, RerunResponse
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker import idempotent
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.services import By, In, Worker

router = APIRouter(prefix="/v1/runs", tags=["runs"])


@router.post("/{run_id}/rerun", response_model=RerunResponse, status_code=201)
async def rerun_run(
    run_id: str,
    worker: Worker,
    by: By,
    environment: In,
    key: Annotated[ApiKey, needs(ComputeScope.RUNS_WRITE)],
    body: RerunRequest | None = None,
    idempotency_key: Annotated[str | None, Header(description="Required; a repeat starts nothing twice.")] = None,
) -> RerunResponse:
    """Start a run with the input of another one, on its deployment or a named one. The body is optional.

    It belongs to the environment of the other run, unless the request names another.
    """
    wanted = body or RerunRequest()
    repeat = idempotent.required_key_of_body(idempotency_key, key, f"POST /v1/runs/{run_id}/rerun", wanted, environment)
    run = await worker.engine.runs.rerun(
        run_id, deployment_id=wanted.deployment_id, new_run_id=wanted.run_id, repeat=repeat, caller=by
    )
    return RerunResponse(run_id=run["runId"], status=run["status"], deployment_id=run["deploymentId"], rerun_of=run_id)
