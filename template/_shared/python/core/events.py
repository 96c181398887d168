"""What a run writes, as server-sent events."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any, Final

from workflow_studio.client import ComputeClientError
from workflow_studio.compute.ids import RunId

from .errors import status_of

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "text/event-stream"
HEADERS: Final = {"cache-control": "no-store", "x-accel-buffering": "no"}
PING: Final = b": still here\n\n"
# Proxies close what is silent, and only what is written shows that a reader is gone.
PING_SECONDS: Final = 15.0
POLL_SECONDS: Final = 0.5


def stream_name(run_id: RunId, namespace: str | None = None) -> str:
    """Return the name of the stream that ``getWritable()`` of a run writes to.

    Args:
        run_id: The run.
        namespace: What the code gave as ``getWritable({ namespace })``.
    """
    # Source: @workflow/core 4.8.9, util.js, getWorkflowRunStreamId().
    name = f"{run_id.replace('wrun_', 'strm_', 1)}_user"
    if not namespace:
        return name
    return f"{name}_{base64.urlsafe_b64encode(namespace.encode()).decode().rstrip('=')}"


def first_index(last_event_id: str | None) -> int:
    """Return the index of the first chunk wanted by a reader that names the last event it has seen."""
    last = last_event_id or ""
    return int(last) + 1 if last.isascii() and last.isdigit() and len(last) < 10 else 0


def event(data: Any, *, kind: str | None = None, identifier: int | None = None) -> bytes:
    """Return an event."""
    lines = [f"event: {kind}"] if kind else []
    if identifier is not None:
        lines.append(f"id: {identifier}")
    # JSON on one line: a line break in a text is written as \n.
    lines.append(f"data: {json.dumps(data, separators=(',', ':'))}")
    return ("\n".join(lines) + "\n\n").encode()


def last_event(run_id: RunId, error: ComputeClientError | None = None) -> bytes:
    """Return the last event of a stream that ended, or failed with an error."""
    if error is None or error.code == "not_found":
        return event({}, kind="end")  # not found: the run ended without writing anything
    logger.warning("The stream of run %s broke off: %s", run_id, error)
    told = error.message if status_of(error) < 500 else "The stream broke off."
    return event({"code": error.code, "message": told}, kind="error")
