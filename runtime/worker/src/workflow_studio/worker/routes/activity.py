"""What happens in runs, while it happens."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from workflow_studio.compute.api import ActivityLine
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine.activity import CURSOR, ActivityPart
from workflow_studio.worker.engine.activity_rows import Wanted
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.routes import presenting
from workflow_studio.worker.routes.lasting import JSON_LINES, begun, line
from workflow_studio.worker.routes.queries import Listing
from workflow_studio.worker.services import Services, Worker

router = APIRouter(prefix="/v1", tags=["activity"])

_LINES: Final = ("ActivityEntry", "ActivityLine")
_EXAMPLE: Final = (
    '{"cursor":"6f1c02aa.17.1789635600120","type":"step_failed","at":"2026-09-17T09:00:00.120Z",'
    '"runId":"wrun_01K5BGSJ0Z9E7Q4M6V8R2T3W1X","workflowName":"workflow//./workflows/order//processOrder",'
    '"deploymentId":"dep_0f1e2d3c4b5a69788796a5b4c3d2e1f0","environment":"production",'
    '"eventId":"evnt_0000000000000004","correlationId":"step_01K5BGSJ3B5D7F9H1K2M4P6R8T",'
    '"stepId":"step_01K5BGSJ3B5D7F9H1K2M4P6R8T","stepName":"step//./workflows/order//charge","attempt":1,'
    '"durationMs":42,"error":{"message":"The card was refused."}}\n'
    '{"cursor":"6f1c02aa.17.1789635615120"}\n'
)
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "A line for each thing that happens, and one now and then while nothing does.",
        "content": {
            JSON_LINES: {
                "schema": {"anyOf": [{"$ref": f"#/components/schemas/{line}"} for line in _LINES]},
                "example": _EXAMPLE,
            }
        },
    }
}


class ActivityListing(BaseModel):
    """What of the feed is wanted."""

    model_config = Listing.model_config

    run_id: str | None = Field(default=None, max_length=100, description="What happens in this run.")
    workflow_name: str | None = Field(
        default=None, max_length=1024, description="What happens in runs of this workflow."
    )
    environment: str | None = Field(
        default=None, max_length=100, description="What happens in runs that were started in this environment."
    )
    cursor: str | None = Field(
        default=None,
        pattern=f"^{CURSOR.pattern}$",
        description="Where to go on: that of a line. What happens from now on, if absent.",
    )
    follow: bool = Field(default=True, description="Whether to wait for what happens from now on.")


@router.get("/activity", response_class=StreamingResponse, responses=_ANSWERS)
async def follow_activity(
    request: Request,
    worker: Worker,
    part: Annotated[ActivityListing, Query()],
    key: Annotated[ApiKey, needs(ComputeScope.RUNS_READ)],
) -> StreamingResponse:
    """Follow what happens in runs: events of their logs, and lines that their code prints, one line of JSON each.

    What happens in one run comes in its order. While nothing happens, a line comes now and then that has only a cursor.
    The answer goes on until the connection ends; to go on after that, ask with the cursor of the last line. What was
    told shortly before that may then be told again.
    """
    wanted = Wanted(part.run_id, part.workflow_name, part.environment)
    parts = await begun(worker, key, _parts(worker, request, wanted, part))
    return StreamingResponse(_lines(parts, key), media_type=JSON_LINES)


async def _parts(
    worker: Services, request: Request, wanted: Wanted, part: ActivityListing
) -> AsyncGenerator[ActivityPart, None]:
    with worker.held_open(request):
        follow = worker.engine.activity.follow
        following = follow(wanted, part.cursor, waits=part.follow, stopping=worker.stopping)
        async with aclosing(following):
            async for told in following:
                yield told


async def _lines(parts: AsyncIterator[ActivityPart], key: ApiKey) -> AsyncIterator[bytes]:
    with_token = ComputeScope.RUNS_WRITE.granted_by(key.scopes)
    async for part in parts:
        for cursor, fields in part.entries:
            entry = presenting.activity(cursor, fields, with_token=with_token)
            yield line(entry.model_dump(mode="json", exclude_unset=True))
        if not part.entries:
            yield line(ActivityLine(cursor=part.cursor).model_dump(mode="json"))
