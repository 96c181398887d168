"""Whether the worker is up, and whether it takes requests. The only addresses besides webhooks that need no key."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from importlib.metadata import version

from fastapi import APIRouter

from workflow_studio.compute.api import Health, Readiness
from workflow_studio.worker.services import Worker

router = APIRouter(tags=["health"])

_VERSION = version("workflow-studio-worker")


@router.get("/v1/health", response_model=Health)
async def health() -> Health:
    """Tell whether the worker is up."""
    return Health(healthy=True, version=_VERSION)


@router.get("/v1/health/ready", response_model=Readiness)
async def readiness(worker: Worker) -> Readiness:
    """Tell whether requests are to be sent here: the worker is not about to end, and its database answers."""
    await worker.readiness.check()
    return Readiness(ready=True)
