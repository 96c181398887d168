"""A World in memory, just large enough to run the SDK's bundles in tests of the executors.

It keeps no promise about durability, races or bad input: the engine does, and has tests of its own.
"""

# ruff: noqa: N802, N803 - parameters and methods have the names that they have on the wire

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any

from workflow_studio.compute.ids import event_id
from workflow_studio.compute.wire import encode
from workflow_studio.compute.world_errors import EntityConflictError, HookNotFoundError, RunExpiredError, WorldError
from workflow_studio.worker.ports import Delivery, Failed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.worker.ports import CallContext, ExecutorPool

TERMINAL = {"run_completed": "completed", "run_failed": "failed", "run_cancelled": "cancelled"}
Entity = dict[str, Any]


def _now() -> int:
    return int(time.time() * 1000)


class MemoryWorld:
    """Answers World calls, and hands queued messages to a pool with :meth:`work`."""

    def __init__(self) -> None:
        self.runs: dict[str, Entity] = {}
        self.steps: dict[str, Entity] = {}
        self.hooks: dict[str, Entity] = {}
        self.events: dict[str, list[Entity]] = {}
        self.streams: dict[str, list[bytes]] = {}
        self.closed: set[str] = set()
        self.messages: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.queued_steps: set[str] = set()
        self.failures: list[Failed] = []
        self._ids = itertools.count(1)

    async def call(self, method: str, params: Mapping[str, Any], context: CallContext) -> Any:
        handler = getattr(self, "_" + method.replace(".", "_"), None)
        if handler is None:
            raise WorldError(f"no method {method}")
        return await handler(**params)

    async def start(self, workflow: str, deployment_id: str, run_id: str = "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV") -> str:
        """Queue the start of a workflow without arguments."""
        data = {"deploymentId": deployment_id, "workflowName": workflow, "input": b"devl[[]]", "executionContext": {}}
        await self._events_create({"eventType": "run_created", "eventData": data, "specVersion": 3}, run_id)
        await self._queue_publish(f"__wkf_workflow_{workflow}", encode({"runId": run_id}), runId=run_id)
        return run_id

    async def work(self, pool: ExecutorPool, run_id: str) -> Entity:
        """Deliver messages until a run has ended; return it."""
        working: set[asyncio.Task[None]] = set()
        try:
            while self.runs[run_id]["status"] in {"pending", "running"}:
                try:
                    message = await asyncio.wait_for(self.messages.get(), 0.1)
                except TimeoutError:
                    continue
                working.add(asyncio.create_task(self._deliver(pool, message)))
            return self.runs[run_id]
        finally:
            await asyncio.gather(*working)

    async def _deliver(self, pool: ExecutorPool, message: dict[str, Any]) -> None:
        number = next(self._ids)
        outcome = await pool.deliver(
            Delivery(
                id=f"dlv_{number}",
                message_id=message["id"],
                kind="step" if message["queueName"].startswith("__wkf_step_") else "workflow",
                queue_name=message["queueName"],
                deployment_id=self.runs[message["runId"]]["deploymentId"],
                attempt=message["attempt"],
                body=message["body"],
                headers=message.get("headers", {}),
            )
        )
        if isinstance(outcome, Failed):
            self.failures.append(outcome)
            self.messages.put_nowait({**message, "attempt": message["attempt"] + 1})
        elif outcome.timeout_seconds is not None:
            await asyncio.sleep(outcome.timeout_seconds)
            self.messages.put_nowait({**message, "attempt": 2})

    async def _queue_publish(self, queueName: str, body: bytes, **envelope: Any) -> dict[str, str]:
        identifier = f"msg_{next(self._ids)}"
        step = envelope.get("stepId")
        if step is None or step not in self.queued_steps:
            self.queued_steps.add(step) if step else None
            message = {"id": identifier, "queueName": queueName, "body": body, "attempt": 1, **envelope}
            self.messages.put_nowait(message)
        return {"messageId": identifier}

    async def _batch(self, calls: list[Entity], **_: Any) -> Entity:
        results: list[Entity] = []
        for call in calls:
            method = self._queue_publish if call["method"] == "queue.publish" else self._events_create
            try:
                results.append({"value": await method(**call["params"])})
            except WorldError as error:
                results.append({"error": error.to_wire()})
        return {"results": results}

    async def _events_create(
        self, event: Entity, runId: str, resolveData: str = "all", knownSlot: int | None = None
    ) -> Entity:
        kind, data, now = event["eventType"], event.get("eventData", {}), _now()
        log = self.events.setdefault(runId, [])
        result: Entity = {}
        if kind == "run_created":
            if runId in self.runs:
                raise EntityConflictError("run exists")
            self.runs[runId] = {"runId": runId, "status": "pending", "specVersion": 3, "createdAt": now, **data}
        run = self.runs[runId]
        if kind == "run_started":
            if run["status"] in TERMINAL.values():
                raise RunExpiredError("run is finished")
            if run["status"] == "running":
                return {"run": run, "events": log[knownSlot or 0 :], "cursor": log[-1]["eventId"], "hasMore": False}
            run |= {"status": "running", "startedAt": now}
        elif kind in TERMINAL:
            run |= {"status": TERMINAL[kind], "completedAt": now, **data}
        elif kind.startswith("step_"):
            result["step"] = self._change_step(kind, runId, event["correlationId"], data)
        elif kind == "hook_created":
            hook = {"runId": runId, "hookId": event["correlationId"], "createdAt": now, **data}
            self.hooks[data["token"]] = hook | {"ownerId": "", "projectId": "", "environment": ""}
        run["updatedAt"] = now
        stored = {**event, "runId": runId, "eventId": event_id(len(log) + 1), "createdAt": now}
        log.append(stored)
        result |= {"event": stored, "run": run}
        if kind == "run_started":
            result |= {"events": log, "cursor": stored["eventId"], "hasMore": False}
        return result

    def _change_step(self, kind: str, run_id: str, step_id: str, data: Entity) -> Entity:
        now = _now()
        if kind == "step_created":
            if step_id in self.steps:
                raise EntityConflictError("step exists")
            created = {"runId": run_id, "stepId": step_id, "status": "pending", "attempt": 0, "createdAt": now}
            self.steps[step_id] = created | {"stepName": data["stepName"], "input": data["input"]}
        step = self.steps[step_id]
        if kind == "step_started":
            if step["status"] in {"completed", "failed"}:
                raise EntityConflictError("step is finished")
            step |= {"status": "running", "attempt": step["attempt"] + 1, "startedAt": step.get("startedAt", now)}
        elif kind == "step_completed":
            step |= {"status": "completed", "output": data.get("result"), "completedAt": now}
        elif kind == "step_failed":
            step |= {"status": "failed", "completedAt": now}
        step["updatedAt"] = now
        return step

    async def _events_list(self, runId: str, cursor: str = "", **_: Any) -> Entity:
        data = [event for event in self.events[runId] if event["eventId"] > cursor]
        return {"data": data, "cursor": data[-1]["eventId"] if data else None, "hasMore": False}

    async def _runs_get(self, runId: str, **_: Any) -> Entity:
        return self.runs[runId]

    async def _hooks_getByToken(self, token: str, **_: Any) -> Entity:
        if token not in self.hooks:
            raise HookNotFoundError(token)
        return self.hooks[token]

    async def _encryption_key(self, runId: str) -> Entity:
        return {}

    async def _streams_write(
        self, name: str, runId: str, chunks: list[bytes], writerId: str, sequence: int, closes: bool = False
    ) -> Entity:
        self.streams.setdefault(name, []).extend(chunks)
        return await self._streams_close(name, runId) if closes else {}

    async def _streams_close(self, name: str, runId: str) -> Entity:
        self.closed.add(name)
        return {}

    async def _streams_read(self, name: str, startIndex: int = 0, waitMs: int = 0) -> Entity:
        deadline = time.monotonic() + waitMs / 1000
        while True:
            written = self.streams.get(name, [])
            chunks, done = written[startIndex:], name in self.closed
            if chunks or done or time.monotonic() >= deadline:
                return {"chunks": chunks, "nextIndex": startIndex + len(chunks), "done": done}
            await asyncio.sleep(0.01)

    async def _streams_info(self, name: str, runId: str) -> Entity:
        return {"tailIndex": len(self.streams.get(name, [])) - 1, "done": name in self.closed}
