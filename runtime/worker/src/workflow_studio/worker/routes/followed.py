"""Streams on the world lane, followed: one answer that lasts, in parts, for as long as the stream does."""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Final

from fastapi import Request
from fastapi.responses import StreamingResponse

from workflow_studio.compute.wire import CBOR_SEQUENCE_MEDIA_TYPE, encode, sequence_item
from workflow_studio.worker.engine import params as p
from workflow_studio.worker.engine.following import StreamPart
from workflow_studio.worker.engine.keys import ApiKey
from workflow_studio.worker.routes.lasting import begun
from workflow_studio.worker.services import Services

_HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
"""What keeps a proxy from gathering the parts."""


async def followed(worker: Services, request: Request, key: ApiKey, params: Mapping[str, Any]) -> StreamingResponse:
    """Answer ``streams.read`` of a caller who wants to follow the stream.

    Args:
        worker: The worker.
        request: The request, read to its end.
        key: The caller's key.
        params: What the caller gave.

    Raises:
        WorldError: If the parameters have another shape.
        Problem: ``too_many_streams``, if the key has too many of them open.
    """
    parts = await begun(worker, key, _parts(worker, request, p.parse(p.StreamsRead, params)))
    return StreamingResponse(_items(parts), media_type=CBOR_SEQUENCE_MEDIA_TYPE, headers=_HEADERS)


async def _parts(worker: Services, request: Request, wanted: p.StreamsRead) -> AsyncGenerator[StreamPart, None]:
    follow = worker.engine.following.follow
    following = follow(None, wanted.name, wanted.start_index or 0, waits=True, stopping=worker.stopping)
    with worker.held_open(request):
        async with aclosing(following):
            async for part in following:
                yield part


async def _items(parts: AsyncIterator[StreamPart]) -> AsyncIterator[bytes]:
    async for part in parts:
        yield sequence_item(encode({"chunks": part.chunks, "nextIndex": part.next_index, "done": part.done}))
