"""What a World owes the Workflow SDK, as a small model that keeps everything in memory.

It is written from the protocol (source: ``@workflow/world`` 4.5.0, ``@workflow/world-local`` 4.4.1) and shares no rule
with the engine, which the tests compare it with. Runs, steps, hooks, waits and events are as the SDK sees them, with
times in epoch milliseconds. It knows one client and no concurrency: whatever several clients do at once has to come out
as if they had done it here one after the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

Entity = dict[str, Any]
ENDED = ("completed", "failed", "cancelled")


class Refused(Exception):  # noqa: N818  # a refusal is an answer here, not a fault
    """A refusal; ``name`` is what the SDK tells errors apart by."""

    def __init__(self, name: str, retry_after: int | None = None) -> None:
        super().__init__(name)
        self.name = name
        self.retry_after = retry_after


@dataclass
class Run:
    """A run and all that belongs to it; steps, live hooks and waits by their correlation id."""

    entity: Entity
    log: list[Entity] = field(default_factory=list)
    steps: dict[str, Entity] = field(default_factory=dict)
    hooks: dict[str, Entity] = field(default_factory=dict)
    waits: dict[str, Entity] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it has reached its end."""
        return self.entity["status"] in ENDED

    def logged(self, of: str, *kinds: str) -> bool:
        """Tell whether the log has an event of one of these kinds about ``of``."""
        return any(event.get("correlationId") == of and event["eventType"] in kinds for event in self.log)


class Model:
    """All runs. :meth:`create` is the only thing that changes them."""

    def __init__(self) -> None:
        self.runs: dict[str, Run] = {}

    def create(self, run_id: str, kind: str, of: str = "", data: Entity | None = None, *, now: int) -> Entity:
        """Do what ``events.create`` does.

        Returns:
            ``event`` if one was recorded, and the entity that it is about, under its kind.

        Raises:
            Refused: Then nothing has changed.
        """
        data = data or {}
        run = self.runs.get(run_id)
        if kind == "run_created":
            if run is not None:
                raise Refused("EntityConflictError")
            return self._new_run(run_id, data, now)
        if run is None:
            if kind != "run_started" or not {"deploymentId", "workflowName", "input"} <= data.keys():
                raise Refused("WorkflowRunNotFoundError")
            self._new_run(run_id, data, now)
            run = self.runs[run_id]
        at = max(now, run.log[-1]["createdAt"])
        about, _, what = kind.partition("_")
        if about == "run":
            return self._run_event(run, what, data, at)
        if about == "step":
            return self._step_event(run, what, of, data, at=at, now=now)
        if about == "wait":
            return self._wait_event(run, what, of, data, at)
        return self._hook_event(run, what, of, data, at)

    def token_owner(self, token: str) -> str | None:
        """Return the run with the live hook that has the token."""
        owners = [run_id for run_id, run in self.runs.items() for hook in run.hooks.values() if hook["token"] == token]
        return owners[0] if owners else None

    def _new_run(self, run_id: str, data: Entity, now: int) -> Entity:
        fields = {name: data[name] for name in ("deploymentId", "workflowName", "input") if name in data}
        times = {"createdAt": now, "updatedAt": now}
        run = Run({"runId": run_id, "status": "pending", "specVersion": 3, **fields, **times})
        self.runs[run_id] = run
        return {**_record(run, "run_created", "", fields, now), "run": run.entity}

    def _run_event(self, run: Run, what: str, data: Entity, at: int) -> Entity:
        entity, status = run.entity, run.entity["status"]
        if what == "started":
            if run.ended:
                raise Refused("RunExpiredError")
            if status == "running":
                return {"run": entity}
            entity |= {"status": "running", "startedAt": at, "updatedAt": at}
            return {**_record(run, "run_started", "", {}, at), "run": entity}
        if run.ended:
            if not status == what == "cancelled":
                raise Refused("EntityConflictError")
            return {**_record(run, "run_cancelled", "", {}, at), "run": entity}
        entity |= {"status": what, "completedAt": at, "updatedAt": at}
        if what == "completed" and "output" in data:
            entity["output"] = data["output"]
        if what == "failed":
            entity["error"] = {**data["error"], **({"code": data["errorCode"]} if "errorCode" in data else {})}
        run.hooks.clear()
        run.waits.clear()
        return {**_record(run, f"run_{what}", "", data, at), "run": entity}

    def _step_event(self, run: Run, what: str, of: str, data: Entity, *, at: int, now: int) -> Entity:
        step = run.steps.get(of)
        if what == "created":
            if run.ended or step is not None:
                raise Refused("EntityConflictError")
            step = {"runId": run.entity["runId"], "stepId": of, "stepName": data["stepName"], "status": "pending"}
            step |= {"input": data["input"], "attempt": 0, "createdAt": at, "updatedAt": at, "specVersion": 3}
            run.steps[of] = step
            return {**_record(run, "step_created", of, data, at), "step": step}
        if step is None:
            raise Refused("WorkflowWorldError")
        if step["status"] in ENDED:
            raise Refused("EntityConflictError")
        if run.ended and (what == "started" or (what == "failed" and step["status"] != "running")):
            raise Refused("RunExpiredError")
        if what == "started":
            if step.get("retryAfter", 0) > now:
                raise Refused("TooEarlyError", math.ceil((step["retryAfter"] - now) / 1000))
            step.pop("retryAfter", None)
            step |= {"status": "running", "attempt": step["attempt"] + 1, "startedAt": step.get("startedAt", at)}
        elif what == "retrying":
            step.pop("retryAfter", None)
            step |= {"status": "pending", "error": {"message": data["error"]}}
            step |= {"retryAfter": data["retryAfter"]} if "retryAfter" in data else {}
        else:
            outcome = {"output": data["result"]} if what == "completed" else {"error": {"message": data["error"]}}
            step |= {"status": what, "completedAt": at, **outcome}
        step["updatedAt"] = at
        return {**_record(run, f"step_{what}", of, data, at), "step": step}

    def _hook_event(self, run: Run, what: str, of: str, data: Entity, at: int) -> Entity:
        if what == "created":
            if run.ended or run.logged(of, "hook_created", "hook_conflict"):
                raise Refused("EntityConflictError")
            owner = self.token_owner(data["token"])
            if owner is not None:
                return _record(run, "hook_conflict", of, {"token": data["token"], "conflictingRunId": owner}, at)
            hook = {"runId": run.entity["runId"], "hookId": of, "token": data["token"], "isWebhook": True}
            hook |= {"ownerId": "", "projectId": "", "environment": "", "createdAt": at, "specVersion": 3}
            run.hooks[of] = hook
            return {**_record(run, "hook_created", of, data, at), "hook": hook}
        hook_or_none = run.hooks.get(of)
        if hook_or_none is None:
            raise Refused("HookNotFoundError")
        if what == "disposed":
            del run.hooks[of]
        return {**_record(run, f"hook_{what}", of, data, at), "hook": hook_or_none}

    def _wait_event(self, run: Run, what: str, of: str, data: Entity, at: int) -> Entity:
        wait = run.waits.get(of)
        if what == "created":
            if run.ended or wait is not None:
                raise Refused("EntityConflictError")
            wait = {"waitId": f"{run.entity['runId']}-{of}", "runId": run.entity["runId"], "status": "waiting"}
            wait |= {"resumeAt": data["resumeAt"], "createdAt": at, "updatedAt": at, "specVersion": 3}
            run.waits[of] = wait
        elif wait is None:
            raise Refused("WorkflowWorldError")
        elif wait["status"] == "completed":
            raise Refused("EntityConflictError")
        else:
            wait |= {"status": "completed", "completedAt": at, "updatedAt": at}
        return {**_record(run, f"wait_{what}", of, data, at), "wait": wait}


def _record(run: Run, kind: str, of: str, data: Entity, at: int) -> Entity:
    event: Entity = {"runId": run.entity["runId"], "eventId": f"evnt_{len(run.log) + 1:026d}", "eventType": kind}
    event |= {"createdAt": at, "specVersion": 3}
    if of:
        event["correlationId"] = of
    if data:
        event["eventData"] = data
    run.log.append(event)
    return {"event": event}
