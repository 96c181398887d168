"""Events of runs."""

from __future__ import annotations

from typing import Any

from workflow_studio.compute.world_errors import (
    EntityConflictError,
    RunExpiredError,
    RunNotFoundError,
    RunNotSupportedError,
    WorldError,
)
from workflow_studio.worker.engine.transitions.model import (
    SPEC_VERSION,
    TERMINAL,
    Decision,
    Delete,
    EventInput,
    Insert,
    NewEvent,
    RunState,
    Snapshot,
    Update,
    as_sent,
    error_of,
    event_time,
    is_legacy,
)

_CREATION_FIELDS = ("deploymentId", "workflowName", "input")
_FORGET_HOOKS_AND_WAITS = (Delete("hook", whole_run=True), Delete("wait", whole_run=True))


def run_created(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """Create the run."""
    if snapshot.run is not None:
        raise EntityConflictError(f'Workflow run "{event.run_id}" already exists')
    insert = _insertion(event, now)
    return Decision(now, (insert,), (as_sent(event),), "run")


def run_started(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """Start the run; create it first if run_created is missing but the event can stand in for it."""
    run = snapshot.run
    if run is None:
        if any(event.data.get(name) is None for name in _CREATION_FIELDS):
            raise RunNotFoundError(event.run_id)
        insert = _insertion(event, now)
        created = {name: event.data[name] for name in (*_CREATION_FIELDS, "executionContext") if name in event.data}
        started = Update("run", {"status": "running", "started_at": now, "updated_at": now})
        events = (NewEvent("run_created", data=created), NewEvent("run_started"))
        return Decision(now, (insert, started), events, "run")
    _refuse_unsupported(run)
    if run.status in TERMINAL:
        raise RunExpiredError(f'Workflow run "{event.run_id}" is {run.status}')
    at = event_time(now, run)
    if run.status == "running":
        return Decision(at, (), (), "run")
    values = {"status": "running", "started_at": at if run.started_at is None else run.started_at, "updated_at": at}
    return Decision(at, (Update("run", values),), (NewEvent("run_started"),), "run")


def run_completed(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """End the run with its output."""
    values: dict[str, Any] = {"status": "completed"}
    if "output" in event.data:
        values["output"] = event.data["output"]
    return _end(event, snapshot, now, values)


def run_failed(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """End the run with its error."""
    values = {"status": "failed", "error": error_of(event.data.get("error"))}
    if isinstance(code := event.data.get("errorCode"), str):
        values["error_code"] = code
    return _end(event, snapshot, now, values)


def run_cancelled(event: EventInput, snapshot: Snapshot, now: int) -> Decision:
    """End the run from outside. Cancelling a cancelled run is recorded again and changes nothing."""
    run = known_run(event, snapshot)
    if run.status == "cancelled":
        return Decision(event_time(now, run), (), (as_sent(event),), "run")
    return _end(event, snapshot, now, {"status": "cancelled"})


def known_run(event: EventInput, snapshot: Snapshot) -> RunState:
    """Return the event's run.

    Raises:
        RunNotFoundError: If there is none.
        RunNotSupportedError: If it was written by a newer SDK.
        WorldError: If it is a legacy run.
    """
    if snapshot.run is None:
        raise RunNotFoundError(event.run_id)
    _refuse_unsupported(snapshot.run)
    return snapshot.run


def _refuse_unsupported(run: RunState) -> None:
    _refuse_spec_version(run.spec_version)


def _refuse_spec_version(spec_version: int | None) -> None:
    if spec_version is None or is_legacy(spec_version):
        raise WorldError(f"Spec version {spec_version} is not supported: legacy runs have no event log")
    if spec_version > SPEC_VERSION:
        raise RunNotSupportedError(spec_version, SPEC_VERSION)


def _insertion(event: EventInput, now: int) -> Insert:
    _refuse_spec_version(event.spec_version)
    values = {
        "status": "pending",
        "deployment_id": event.data["deploymentId"],
        "workflow_name": event.data["workflowName"],
        "spec_version": event.spec_version,
        "created_at": now,
        "updated_at": now,
    }
    if "input" in event.data:
        values["input"] = event.data["input"]
    if event.data.get("executionContext") is not None:
        values["execution_context"] = event.data["executionContext"]
    return Insert("run", values)


def _end(event: EventInput, snapshot: Snapshot, now: int, values: dict[str, Any]) -> Decision:
    run = known_run(event, snapshot)
    if run.status in TERMINAL:
        raise EntityConflictError(f'Workflow run "{event.run_id}" is already {run.status}')
    at = event_time(now, run)
    update = Update("run", {**values, "completed_at": at, "updated_at": at})
    return Decision(at, (update, *_FORGET_HOOKS_AND_WAITS), (as_sent(event),), "run")
