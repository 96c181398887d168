"""Whether the worker is up. The only address besides webhooks that needs no key."""

from importlib.metadata import version

from fastapi import APIRouter

from workflow_studio.compute.api import Health

router = APIRouter(tags=["health"])

_VERSION = version("workflow-studio-worker")


@router.get("/v1/health", response_model=Health)
async def health() -> Health:
    """Tell whether the worker is up."""
    return Health(healthy=True, version=_VERSION)
