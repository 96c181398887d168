"""What runs print."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from workflow_studio.compute import api
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine import OutputQuery
from workflow_studio.worker.engine.output import OutputLine
from workflow_studio.worker.engine.output import OutputPage as Found
from workflow_studio.worker.routes.presenting import time_of
from workflow_studio.worker.routes.queries import Listing
from workflow_studio.worker.services import Worker

router = APIRouter(prefix="/v1/runs", tags=["output"])


class OutputListing(BaseModel):
    """Which part of a run's output."""

    model_config = Listing.model_config

    step_id: str | None = Field(default=None, max_length=300, description="Only what this step printed.")
    level: api.OutputLevel = Field(default="debug", description="Only lines of this level and more urgent ones.")
    limit: int | None = Field(default=None, ge=1, le=1000)
    cursor: str | None = Field(default=None, pattern=r"^(0|[1-9][0-9]{0,14})$")
    wait_ms: int = Field(
        default=0,
        ge=0,
        description="Wait so many milliseconds for a line or the run's end; at most 25,000 of them count.",
    )


@router.get(
    "/{run_id}/output",
    dependencies=[needs(ComputeScope.RUNS_READ)],
    response_model=api.OutputPage,
    response_model_exclude_unset=True,
)
async def list_run_output(
    run_id: str, worker: Worker, request: Request, part: Annotated[OutputListing, Query()]
) -> api.OutputPage:
    """Return what a run has printed, oldest first; with `waitMs`, wait for something to be there.

    A page without lines comes at once if the run has ended, and after the wait otherwise. Go on with its cursor.
    """
    query = OutputQuery(run_id, part.step_id, part.level, int(part.cursor or 0), part.limit)

    async def look(wait_ms: int) -> Found:
        return await worker.engine.output.list(query, wait_ms)

    found = await worker.poll(look, part.wait_ms, request) if part.wait_ms else await look(0)
    return api.OutputPage(
        data=tuple(_line(line) for line in found.lines),
        cursor=str(found.last),
        has_more=found.has_more,
        dropped=found.dropped,
        finished=found.finished,
    )


def _line(line: OutputLine) -> api.OutputLine:
    optional: dict[str, Any] = {"step_id": line.step_id, "step_name": line.step_name}
    return api.OutputLine(
        position=line.position,
        attempt=line.attempt,
        level=line.level,
        at=time_of(line.at),
        text=line.text,
        **{name: value for name, value in optional.items() if value is not None},
    )
