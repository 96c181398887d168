"""What the worker is doing."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from datetime import UTC, datetime

from fastapi import APIRouter

from workflow_studio.compute.api import Executor, Page, ServiceWorker
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.services import Worker

router = APIRouter(prefix="/v1", tags=["diagnostics"])


@router.get("/executors", dependencies=[needs(ComputeScope.RUNS_READ)], response_model=Page[Executor])
async def list_executors(worker: Worker) -> Page[Executor]:
    """List the Node.js processes of this worker."""
    executors = tuple(
        Executor(
            executor_id=status.executor_id,
            deployment_id=status.deployment_id,
            pid=status.pid,
            in_flight=status.in_flight,
            rss=status.rss,
            started_at=datetime.fromtimestamp(status.started_at, UTC),
        )
        for status in worker.pool.status()
    )
    return Page(data=executors, cursor=None, has_more=False)


@router.get("/workers", dependencies=[needs(ComputeScope.RUNS_READ)], response_model=Page[ServiceWorker])
async def list_workers(worker: Worker) -> Page[ServiceWorker]:
    """List the workers of the service, the one that is here longest first."""
    workers = tuple(
        ServiceWorker(
            worker_id=found.worker_id,
            epoch=found.epoch,
            host=found.host,
            pid=found.pid,
            version=found.version,
            started_at=_moment(found.started_at),
            heartbeat_at=_moment(found.heartbeat_at),
            lease_seconds=found.lease_ms / 1000,
            in_flight=found.in_flight,
            is_this=found.is_this,
            leads=found.leads,
        )
        for found in await worker.engine.workers.list()
    )
    return Page(data=workers, cursor=None, has_more=False)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
