"""Deployments: uploaded, looked at, activated, deleted."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from workflow_studio.compute.api import ActiveDeployment, Deployment, Page
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.artifacts import base_not_found
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine.deployments import check_id
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.routes import presenting
from workflow_studio.worker.services import In, Worker

router = APIRouter(prefix="/v1/deployments", tags=["deployments"])

_ARCHIVE: Final = {
    "requestBody": {
        "required": True,
        "content": {"application/gzip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.post(
    "",
    response_model=Deployment,
    response_model_exclude_unset=True,
    status_code=201,
    responses={200: {"model": Deployment, "description": "This artifact was uploaded before."}},
    openapi_extra=_ARCHIVE,
)
async def create_deployment(
    request: Request,
    response: Response,
    worker: Worker,
    environment: In,
    key: Annotated[ApiKey, needs(ComputeScope.DEPLOY_WRITE)],
    base: Annotated[
        str | None, Query(description="A deployment that has the files which the archive leaves out.")
    ] = None,
) -> Deployment:
    """Upload an artifact: the body is the archive that `studio build` wrote. New runs do not use it yet.

    It begins with the variables of the environment's active deployment. With `base`, the archive may leave out files
    that the base has with the same SHA-256; its manifest names them all.
    """
    if base is not None:
        check_id(base)
        if not await worker.engine.deployments.is_known(base):
            raise base_not_found(base)
        await worker.unpacking.obtain(base)
    async with worker.artifacts.receiving(request.stream(), base) as manifest:
        objects = await worker.unpacking.keep(manifest)
        found, is_new = await worker.engine.deployments.register(
            manifest, objects, environment=environment, by=key.key_id
        )
    response.status_code = 201 if is_new else 200
    return presenting.deployment(found)


@router.get(
    "",
    dependencies=[needs(ComputeScope.DEPLOY_READ)],
    response_model=Page[Deployment],
    response_model_exclude_unset=True,
)
async def list_deployments(
    worker: Worker, limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: str | None = None
) -> Page[Deployment]:
    """List deployments, newest first."""
    found, following = await worker.engine.deployments.list(limit, cursor)
    return Page(
        data=tuple(presenting.deployment(entry) for entry in found),
        cursor=following,
        has_more=following is not None,
    )


@router.get("/active", dependencies=[needs(ComputeScope.DEPLOY_READ)], response_model=ActiveDeployment)
async def get_active_deployment(worker: Worker, environment: In) -> ActiveDeployment:
    """Return the deployment that new runs of the environment use."""
    active = await worker.engine.environments.active_id(environment)
    return ActiveDeployment(deployment_id=active, environment=environment)


@router.get(
    "/{deployment_id}",
    dependencies=[needs(ComputeScope.DEPLOY_READ)],
    response_model=Deployment,
    response_model_exclude_unset=True,
)
async def get_deployment(deployment_id: str, worker: Worker) -> Deployment:
    """Return a deployment."""
    return presenting.deployment(await worker.engine.deployments.get(deployment_id))


@router.post("/{deployment_id}/activate", response_model=Deployment, response_model_exclude_unset=True)
async def activate_deployment(
    deployment_id: str, worker: Worker, environment: In, key: Annotated[ApiKey, needs(ComputeScope.DEPLOY_WRITE)]
) -> Deployment:
    """Have new runs of the environment use a deployment. Runs that exist stay on theirs."""
    found = await worker.engine.deployments.activate(deployment_id, environment=environment, by=key.key_id)
    worker.warm(found)
    return presenting.deployment(found)


@router.post("/rollback", response_model=Deployment, response_model_exclude_unset=True)
async def rollback(
    worker: Worker, environment: In, key: Annotated[ApiKey, needs(ComputeScope.DEPLOY_WRITE)]
) -> Deployment:
    """Have new runs of the environment use the deployment again that was active in it before the one that is."""
    found = await worker.engine.deployments.rollback(environment=environment, by=key.key_id)
    worker.warm(found)
    return presenting.deployment(found)


@router.post("/{deployment_id}/rollback", response_model=Deployment, response_model_exclude_unset=True)
async def rollback_to_deployment(
    deployment_id: str, worker: Worker, environment: In, key: Annotated[ApiKey, needs(ComputeScope.DEPLOY_WRITE)]
) -> Deployment:
    """Have new runs of the environment use an earlier deployment again: what activating it does."""
    found = await worker.engine.deployments.rollback(deployment_id, environment=environment, by=key.key_id)
    worker.warm(found)
    return presenting.deployment(found)


@router.delete("/{deployment_id}", dependencies=[needs(ComputeScope.DEPLOY_WRITE)], status_code=204)
async def delete_deployment(deployment_id: str, worker: Worker) -> None:
    """Delete a deployment that is active nowhere and has no live runs, with its variables and its artifact."""
    await worker.engine.deployments.delete(deployment_id)
    # If the worker dies here, the artifact is swept away later.
    await worker.pool.refresh(deployment_id)
    await worker.artifacts.discard(deployment_id, worker.engine.deployments.is_known)
