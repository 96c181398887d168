"""Streams of a run: listed, and read while they are written."""

# FastAPI reads the annotations of the routes, so they are not postponed here.

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse

from workflow_studio.compute.api import Page, Stream, StreamLine
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import needs, unknown_key
from workflow_studio.worker.engine import params
from workflow_studio.worker.engine.following import SILENCE_SECONDS, StreamPart
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.problems import problem
from workflow_studio.worker.routes import presenting
from workflow_studio.worker.routes.queries import StreamReading, StreamsListing
from workflow_studio.worker.services import Services, Worker

router = APIRouter(prefix="/v1/runs", tags=["streams"])

_JSON_LINES: Final = "application/x-ndjson"
_BYTES: Final = "application/octet-stream"
_KEY_CHECKED_EVERY: Final = SILENCE_SECONDS
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The chunks, as they are written.",
        "content": {
            _JSON_LINES: {"schema": StreamLine.model_json_schema(mode="serialization")},
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
    parts = _admitted(worker, key, _parts(worker, request, run_id, name, part))
    # What can be refused is refused before the answer begins.
    first = await anext(parts, None)
    if first is None:  # the key was revoked since the request was let in
        raise unknown_key()
    if part.format == "raw":
        return StreamingResponse(_raw(first, parts), media_type=_BYTES)
    return StreamingResponse(_lines(first, parts), media_type=_JSON_LINES)


async def _parts(
    worker: Services, request: Request, run_id: str, name: str, wanted: StreamReading
) -> AsyncGenerator[StreamPart, None]:
    follow = worker.engine.following.follow
    following = follow(run_id, name, wanted.start_index, waits=wanted.follow, stopping=worker.stopping)
    with worker.held_open(request):
        async with aclosing(following):
            async for part in following:
                yield part


async def _admitted(
    worker: Services, key: ApiKey, parts: AsyncGenerator[StreamPart, None]
) -> AsyncIterator[StreamPart]:
    """Pass parts on as long as the key works: a stream may go on for days."""
    checked_at = time.monotonic()
    async with aclosing(parts):
        async for part in parts:
            if time.monotonic() - checked_at >= _KEY_CHECKED_EVERY:
                if not await worker.engine.keys.is_live(key.key_id):
                    return
                checked_at = time.monotonic()
            yield part


async def _all(first: StreamPart, rest: AsyncIterator[StreamPart]) -> AsyncIterator[StreamPart]:
    yield first
    async for part in rest:
        yield part


async def _lines(first: StreamPart, rest: AsyncIterator[StreamPart]) -> AsyncIterator[bytes]:
    async for part in _all(first, rest):
        for index, content in enumerate(part.chunks, part.index):
            yield _line({"index": index, "value": presenting.chunk(content)})
        if part.ends:
            yield _line({"done": part.done, "nextIndex": part.next_index})
        elif not part.chunks:
            yield b"\n"  # says that it goes on


async def _raw(first: StreamPart, rest: AsyncIterator[StreamPart]) -> AsyncIterator[bytes]:
    async for part in _all(first, rest):
        for content in part.chunks:
            yield presenting.content_of(content)


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"
