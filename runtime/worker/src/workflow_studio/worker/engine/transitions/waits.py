"""Events of waits."""

from __future__ import annotations

from workflow_studio.compute.world_errors import EntityConflictError, WorldError
from workflow_studio.worker.engine.transitions.model import (
    TERMINAL,
    Decision,
    EventInput,
    Insert,
    Snapshot,
    Update,
    as_sent,
    event_time,
)
from workflow_studio.worker.engine.transitions.runs import known_run


def wait_created(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """Create the wait."""
    run = known_run(event, snapshot)
    if run.status in TERMINAL:
        raise EntityConflictError(f'Workflow run "{event.run_id}" is already {run.status}')
    if snapshot.wait is not None:
        raise EntityConflictError(f'Wait "{event.correlation_id}" already exists')
    at = event_time(now, run)
    values = {
        "status": "waiting",
        "resume_at": event.data["resumeAt"],
        "spec_version": event.spec_version,
        "created_at": at,
        "updated_at": at,
    }
    return Decision(at, (Insert("wait", values),), (as_sent(event),), "wait")


def wait_completed(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """End the wait, once."""
    run = known_run(event, snapshot)
    if snapshot.wait is None:
        raise WorldError(f'Wait "{event.correlation_id}" not found', status=404)
    if snapshot.wait.status == "completed":
        raise EntityConflictError(f'Wait "{event.correlation_id}" is already completed')
    at = event_time(now, run)
    update = Update("wait", {"status": "completed", "completed_at": at, "updated_at": at})
    return Decision(at, (update,), (as_sent(event),), "wait")
