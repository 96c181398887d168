"""The metrics, for whoever has a key for them; there may be an address for them that needs none."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from fastapi import APIRouter, Request, Response

from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.services import Worker

router = APIRouter(tags=["diagnostics"])


@router.get(
    "/metrics",
    dependencies=[needs(ComputeScope.METRICS_READ)],
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_metrics(request: Request, worker: Worker) -> Response:
    """Show the worker's metrics as Prometheus reads them."""
    return await worker.exposition.page(request.headers.get("accept", ""))
