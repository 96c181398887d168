"""A run's stream as events, for code that blocks."""

from __future__ import annotations

import time
from collections.abc import Iterator

from workflow_studio.client import ComputeClient, ComputeClientError
from workflow_studio.compute.ids import RunId

from . import events
from .blocking import WorkflowStudio


def follow(
    studio: WorkflowStudio, run_id: RunId, *, namespace: str | None, last_event_id: str | None
) -> Iterator[bytes]:
    """Return the events of a run's stream.

    Raises:
        ComputeClientError: If there is no such run, or the worker fails before the answer begins.
    """
    client = studio.client
    client.get_run(run_id, resolve_data="none")
    index = events.first_index(last_event_id)
    return _events(client, run_id, events.stream_name(run_id, namespace), index)


def _events(client: ComputeClient, run_id: RunId, name: str, index: int) -> Iterator[bytes]:
    try:
        yield from _until_written(client, run_id, name)
        for chunk in client.read_run_stream(run_id, name, start_index=index, with_pauses=True):
            yield events.PING if chunk is None else events.event(chunk.value, identifier=chunk.index)
    except ComputeClientError as error:
        yield events.last_event(run_id, error)
        return
    yield events.last_event(run_id)


def _until_written(client: ComputeClient, run_id: RunId, name: str) -> Iterator[bytes]:
    """Go on until a stream is there, or its run has ended; give a comment now and then."""
    silent_since = time.monotonic()
    while True:
        run = client.get_run(run_id, resolve_data="none")
        if run.finished or any(stream.name == name for stream in client.iter_run_streams(run_id)):
            return
        time.sleep(events.POLL_SECONDS)
        if time.monotonic() - silent_since >= events.PING_SECONDS:
            silent_since = time.monotonic()
            yield events.PING
