"""Environments: listed and deleted. What is active in one, the routes of deployments decide."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated

from fastapi import APIRouter, Query

from workflow_studio.compute.api import Environment, Page
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.routes import presenting
from workflow_studio.worker.services import Worker

router = APIRouter(prefix="/v1/environments", tags=["environments"])


@router.get(
    "",
    dependencies=[needs(ComputeScope.DEPLOY_READ)],
    response_model=Page[Environment],
    response_model_exclude_unset=True,
)
async def list_environments(
    worker: Worker,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=63)] = None,
) -> Page[Environment]:
    """List the environments in which a deployment is active, by name."""
    found, following = await worker.engine.environments.list(limit, cursor)
    return Page(data=tuple(map(presenting.environment, found)), cursor=following, has_more=following is not None)


@router.delete("/{name}", dependencies=[needs(ComputeScope.DEPLOY_WRITE)], status_code=204)
async def delete_environment(name: str, worker: Worker) -> None:
    """Have no deployment be active in an environment any more. Its runs go on; the default one is refused."""
    await worker.engine.environments.delete(name)
