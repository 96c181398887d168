"""The variables of a deployment's code: set, and listed by name."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated

from fastapi import APIRouter

from workflow_studio.compute.api import Variables, VariablesRequest
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.routes import presenting
from workflow_studio.worker.services import Worker

router = APIRouter(prefix="/v1/deployments", tags=["deployments"])


@router.get(
    "/{deployment_id}/env",
    dependencies=[needs(ComputeScope.DEPLOY_READ)],
    response_model=Variables,
    response_model_exclude_unset=True,
)
async def list_variables(deployment_id: str, worker: Worker) -> Variables:
    """Return the names of a deployment's variables. A value cannot be read back."""
    return presenting.variables(deployment_id, await worker.engine.environment.names(deployment_id))


@router.put("/{deployment_id}/env", response_model=Variables, response_model_exclude_unset=True)
async def set_variables(
    deployment_id: str, body: VariablesRequest, worker: Worker, key: Annotated[ApiKey, needs(ComputeScope.DEPLOY_WRITE)]
) -> Variables:
    """Set variables of a deployment, and unset those whose value is null. Executors that run are replaced."""
    changed = await worker.engine.environment.change(deployment_id, body.root, by=key.key_id)
    await worker.pool.refresh(deployment_id)
    return presenting.variables(deployment_id, changed)
