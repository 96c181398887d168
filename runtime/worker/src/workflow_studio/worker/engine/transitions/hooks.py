"""Events of hooks."""

from __future__ import annotations

from workflow_studio.compute.world_errors import EntityConflictError, HookNotFoundError
from workflow_studio.worker.engine.transitions.model import (
    TERMINAL,
    Decision,
    Delete,
    EventInput,
    Insert,
    NewEvent,
    Snapshot,
    as_sent,
    event_time,
)
from workflow_studio.worker.engine.transitions.runs import known_run


def hook_created(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """Create the hook, or record that another live hook has its token."""
    run = known_run(event, snapshot)
    if run.status in TERMINAL:
        raise EntityConflictError(f'Workflow run "{event.run_id}" is already {run.status}')
    if snapshot.hook_known:
        raise EntityConflictError(f'Hook "{event.correlation_id}" already exists')
    at = event_time(now, run)
    token = event.data["token"]
    holder = snapshot.token_holder
    if holder is not None:
        conflict = {"token": token, "conflictingRunId": holder.run_id}
        return Decision(at, (), (NewEvent("hook_conflict", event.correlation_id, conflict),))
    values = {"token": token, "created_at": at, "spec_version": event.spec_version}
    if event.data.get("metadata") is not None:
        values["hook_metadata"] = event.data["metadata"]
    if event.data.get("isWebhook") is not None:
        values["is_webhook"] = event.data["isWebhook"]
    return Decision(at, (Insert("hook", values),), (as_sent(event),), "hook")


def hook_received(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """Record a payload. A hook may receive many."""
    return _of_live_hook(event, snapshot, now, ())


def hook_disposed(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """Delete the hook, which frees its token."""
    return _of_live_hook(event, snapshot, now, (Delete("hook"),))


def _of_live_hook(event: EventInput, snapshot: Snapshot, now: int, changes: tuple[Delete, ...]) -> Decision:
    run = known_run(event, snapshot)
    if snapshot.hook is None:
        raise HookNotFoundError(event.correlation_id)
    return Decision(event_time(now, run), changes, (as_sent(event),), "hook")
