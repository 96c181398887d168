"""Events of steps."""

from __future__ import annotations

import math
from typing import Any

from workflow_studio.compute.world_errors import EntityConflictError, RunExpiredError, TooEarlyError, WorldError
from workflow_studio.worker.engine.transitions.model import (
    TERMINAL,
    Decision,
    EventInput,
    Insert,
    Snapshot,
    StepState,
    Update,
    as_sent,
    error_of,
    event_time,
)
from workflow_studio.worker.engine.transitions.runs import known_run


def step_created(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """Create the step."""
    run = known_run(event, snapshot)
    if run.status in TERMINAL:
        raise EntityConflictError(f'Workflow run "{event.run_id}" is already {run.status}')
    if snapshot.step is not None:
        raise EntityConflictError(f'Step "{event.correlation_id}" already exists')
    at = event_time(now, run)
    values = {
        "step_name": event.data["stepName"],
        "status": "pending",
        "attempt": 0,
        "spec_version": event.spec_version,
        "created_at": at,
        "updated_at": at,
    }
    if "input" in event.data:
        values["input"] = event.data["input"]
    return Decision(at, (Insert("step", values),), (as_sent(event),), "step")


def step_started(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """Begin an attempt. A running step may be started again: its executor may be gone."""
    run = known_run(event, snapshot)
    step = _unfinished(event, snapshot)
    if run.status in TERMINAL:
        raise RunExpiredError(f'Workflow run "{event.run_id}" is {run.status}')
    if step.retry_after is not None and step.retry_after > now:
        seconds = math.ceil((step.retry_after - now) / 1000)
        raise TooEarlyError(f'Step "{event.correlation_id}" may be retried in {seconds} s', retry_after=seconds)
    at = event_time(now, run)
    values = {
        "status": "running",
        "attempt": step.attempt + 1,
        "started_at": at if step.started_at is None else step.started_at,
        "retry_after": None,
        "updated_at": at,
    }
    return Decision(at, (Update("step", values),), (as_sent(event),), "step")


def step_completed(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """End the step with its result, even if the run has ended meanwhile."""
    values: dict[str, Any] = {"status": "completed"}
    if "result" in event.data:
        values["output"] = event.data["result"]
    return _end(event, snapshot, now, values)


def step_failed(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """End the step with its error."""
    run = known_run(event, snapshot)
    step = _unfinished(event, snapshot)
    if run.status in TERMINAL and step.status != "running":
        raise RunExpiredError(f'Workflow run "{event.run_id}" is {run.status}')
    return _end(event, snapshot, now, {"status": "failed", "error": _error(event)})


def step_retrying(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """Put the step back, not to be started before ``retryAfter``."""
    run = known_run(event, snapshot)
    _unfinished(event, snapshot)
    at = event_time(now, run)
    values = {
        "status": "pending",
        "error": _error(event),
        "retry_after": event.data.get("retryAfter"),
        "updated_at": at,
    }
    return Decision(at, (Update("step", values),), (as_sent(event),), "step")


def _unfinished(event: EventInput, snapshot: Snapshot) -> StepState:
    step = snapshot.step
    if step is None:
        # The SDK looks for the words "step" and "not found".
        raise WorldError(f'Step "{event.correlation_id}" not found', status=404)
    if step.status in TERMINAL:
        raise EntityConflictError(f'Step "{event.correlation_id}" is already {step.status}')
    return step


def _end(event: EventInput, snapshot: Snapshot, now: int, values: dict[str, Any]) -> Decision:
    run = known_run(event, snapshot)
    _unfinished(event, snapshot)
    at = event_time(now, run)
    update = Update("step", {**values, "completed_at": at, "updated_at": at})
    return Decision(at, (update,), (as_sent(event),), "step")


def _error(event: EventInput) -> Any:
    return error_of(event.data.get("error"), event.data.get("stack"))
