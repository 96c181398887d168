"""Streams of a run: listed, and read while they are written."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from workflow_studio.compute.api import Page, Stream, StreamLine
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs
from workflow_studio.worker.engine import params
from workflow_studio.worker.engine.following import StreamPart
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.problems import problem
from workflow_studio.worker.routes import presenting
from workflow_studio.worker.routes.lasting import JSON_LINES, begun, line
from workflow_studio.worker.routes.queries import StreamReading, StreamsListing
from workflow_studio.worker.services import Services, Worker

router = APIRouter(prefix="/v1/runs", tags=["streams"])

_BYTES: Final = "application/octet-stream"
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The chunks, as they are written.",
        "content": {
            JSON_LINES: {"schema": StreamLine.model_json_schema(mode="serialization")},
            _BYTES: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@router.get(
    "/{run_id}/streams",
    dependencies=[needs(ComputeScope.RUNS_READ)],
    response_model=Page[Stream],
    response_model_exclude_unset=True,
)
async def list_run_streams(run_id: str, worker: Worker, part: Annotated[StreamsListing, Query()]) -> Page[Stream]:
    """List the streams that were written or closed under a run, by name."""
    await worker.engine.runs.get(run_id, with_payloads=False)
    query = params.StreamsSearch(run_id=run_id, limit=part.limit, cursor=part.cursor)
    return presenting.page(await worker.engine.streams.search(query), presenting.stream)


@router.get(
    "/{run_id}/streams/{name:path}",
    response_class=StreamingResponse,
    responses=_ANSWERS,
)
async def read_run_stream(
    run_id: str,
    name: str,
    request: Request,
    worker: Worker,
    part: Annotated[StreamReading, Query()],
    key: Annotated[ApiKey, needs(ComputeScope.RUNS_READ)],
) -> StreamingResponse:
    """Read a stream: what there is, then each chunk as it is written, until it is closed or its run has ended."""
    await worker.engine.runs.get(run_id, with_payloads=False)
    if not await worker.engine.streams.is_of_run(name, run_id):
        raise problem(
            404,
            ErrorCode.NOT_FOUND,
            f"The run {run_id} has no stream of this name.",
            "List its streams; one is there once something is written to it, or it is closed.",
        )
    parts = await begun(worker, key, _parts(worker, request, run_id, name, part))
    if part.format == "raw":
        return StreamingResponse(_raw(parts), media_type=_BYTES)
    return StreamingResponse(_lines(parts), media_type=JSON_LINES)


async def _parts(
    worker: Services, request: Request, run_id: str, name: str, wanted: StreamReading
) -> AsyncGenerator[StreamPart, None]:
    follow = worker.engine.following.follow
    following = follow(run_id, name, wanted.start_index, waits=wanted.follow, stopping=worker.stopping)
    with worker.held_open(request):
        async with aclosing(following):
            async for part in following:
                yield part


async def _lines(parts: AsyncIterator[StreamPart]) -> AsyncIterator[bytes]:
    async for part in parts:
        for index, content in enumerate(part.chunks, part.index):
            yield line({"index": index, "value": presenting.chunk(content)})
        if part.ends:
            yield line({"done": part.done, "nextIndex": part.next_index})
        elif not part.chunks:
            yield b"\n"  # says that it goes on


async def _raw(parts: AsyncIterator[StreamPart]) -> AsyncIterator[bytes]:
    async for part in parts:
        for content in part.chunks:
            yield presenting.content_of(content)
