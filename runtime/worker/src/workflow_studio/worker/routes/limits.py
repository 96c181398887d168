"""Limits: listed and changed while workers run."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated

from fastapi import APIRouter

from workflow_studio.compute.api import Limits, LimitsRequest
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.routes import presenting
from workflow_studio.worker.services import Worker

router = APIRouter(prefix="/v1/limits", tags=["limits"])


@router.get("", dependencies=[needs(ComputeScope.ADMIN)], response_model=Limits, response_model_exclude_unset=True)
async def list_limits(worker: Worker) -> Limits:
    """List how many steps all workers together work on at the same time, by what is limited."""
    return presenting.limits(await worker.engine.limits.list())


@router.put("", response_model=Limits, response_model_exclude_unset=True)
async def set_limits(body: LimitsRequest, worker: Worker, key: Annotated[ApiKey, needs(ComputeScope.ADMIN)]) -> Limits:
    """Set limits, and remove those that are null, so that what the settings say counts again."""
    return presenting.limits(await worker.engine.limits.change(body.root, by=key.key_id))
