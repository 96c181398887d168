"""Replays that begin before they are asked for do what others do, with the Workflow SDK's own bundles."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pytest
from ulid import ULID

from tests.support.invariants import violations
from tests.support.sdk import build_artifact
from tests.support.unpacked import unpacked
from tests.worker.engine.conftest import make_manifest
from workflow_studio.compute.wire import encode
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.execution.connection import Connection
from workflow_studio.worker.execution.options import ExecutorOptions
from workflow_studio.worker.execution.pool import NodeExecutorPool
from workflow_studio.worker.ports import BatchedCall, CallContext

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.databases import Place

pytestmark = pytest.mark.node

SOURCE: Final = """
import { createHook } from 'workflow';
async function echo(value: unknown) {
  'use step';
  return value;
}
// Each replay makes the values anew. A step has those of the replay that created it.
export async function values(token: string) {
  'use workflow';
  const hook = createHook<number>({ token });
  const made: unknown[] = [];
  const seen: unknown[] = [];
  for (let i = 0; i < 5; i++) {
    made.push([Date.now(), Math.random(), crypto.randomUUID()]);
    seen.push(await echo(made[i]));
  }
  const received = await hook;
  return `${JSON.stringify(made) === JSON.stringify(seen) ? 'same' : 'different'} ${received}`;
}
"""
NAME: Final = "workflow//./workflows/app//values"
QUEUE: Final = f"__wkf_workflow_{NAME}"
STEPS: Final = 5


class Worker:
    """An engine whose executors can be replaced."""

    def __init__(self, engine: Engine, artifact: Path, deployment_id: str) -> None:
        self.engine = engine
        self.run_id = f"wrun_{ULID()}"
        self._artifact = artifact
        self._deployment_id = deployment_id

    async def begin(self) -> None:
        options = ExecutorOptions(encrypts=False)
        self._pool = NodeExecutorPool(
            world=self.engine.world, artifact=unpacked(lambda _: self._artifact), options=options
        )
        self._dispatcher = self.engine.dispatcher(self._pool)
        await self._dispatcher.start()

    async def end(self) -> None:
        await self._dispatcher.stop(grace=5)
        await self._pool.close(grace=5)

    async def call(self, method: str, **params: Any) -> Any:
        return await self.engine.world.call(method, params, CallContext())

    async def send(self, event: dict[str, Any]) -> None:
        """Append an event and have the run replayed."""
        wake = {"queueName": QUEUE, "runId": self.run_id, "isWake": True, "body": encode({"runId": self.run_id})}
        calls = {"events.create": {"runId": self.run_id, "event": {**event, "specVersion": 3}}, "queue.publish": wake}
        await self.engine.world.batch([BatchedCall(*call) for call in calls.items()], CallContext())

    async def start(self) -> None:
        data = {"deploymentId": self._deployment_id, "workflowName": NAME, "input": b'devl[[1],"token"]'}
        await self.send({"eventType": "run_created", "eventData": data})

    async def resume(self) -> None:
        hook = await self.call("hooks.getByToken", token="token")
        data = {"token": "token", "payload": b"devl[7]"}
        await self.send({"eventType": "hook_received", "correlationId": hook["hookId"], "eventData": data})

    async def steps_ended(self) -> None:
        """Wait until the run waits for its hook only."""
        async with asyncio.timeout(30):
            while True:
                events = (await self.call("events.list", runId=self.run_id))["data"]
                ended = [event for event in events if event["eventType"] == "step_completed"]
                if len(ended) == STEPS and not any((await self.engine.queue.depth()).values()):
                    return
                await asyncio.sleep(0.02)

    async def output(self) -> bytes:
        run = await self.call("runs.get", runId=self.run_id, waitMs=25_000)
        assert run["status"] == "completed", run
        output: bytes = run["output"]
        return output


@dataclass
class Early:
    """The deliveries that an executor had begun before they came, and those whose replay came with a step's end."""

    foreseen: list[str] = field(default_factory=list)
    onward: list[str] = field(default_factory=list)


@pytest.fixture
def early(monkeypatch: pytest.MonkeyPatch) -> Early:
    found = Early()
    receive = Connection.receive

    async def watched(self: Connection) -> Any:
        frame = await receive(self)
        for name in ("foreseen", "onward"):
            if frame is not None and frame.get(name):
                getattr(found, name).append(frame["delivery"])
        return frame

    monkeypatch.setattr(Connection, "receive", watched)
    return found


@pytest.fixture
async def worker(place: Place) -> AsyncIterator[Worker]:
    artifact = await asyncio.to_thread(build_artifact, SOURCE)
    database = place.open()
    engine = Engine(database)
    deployment, _ = await engine.deployments.register(make_manifest(workflows=(NAME,)))
    worker = Worker(engine, artifact, deployment.id)
    await worker.begin()
    yield worker
    await worker.end()
    assert await database.read(violations) == []
    await database.close()


async def test_an_early_replay_reads_the_time_and_chance_that_all_others_read(worker: Worker, early: Early) -> None:
    await worker.start()
    await worker.steps_ended()
    # A machine may stand still for longer than an executor waits.
    assert len({*early.foreseen, *early.onward}) >= STEPS - 2
    await worker.end()
    early.foreseen.clear()
    await worker.begin()
    await worker.resume()
    assert b"same 7" in await worker.output()
    assert early.foreseen == []


async def test_what_comes_between_the_end_of_a_step_and_its_replay_is_seen_by_that(
    worker: Worker, early: Early, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = worker.engine.world.call

    async def disturbed(method: str, params: Any, context: CallContext) -> Any:
        kinds = [inner["params"].get("event", {}).get("eventType") for inner in params.get("calls", [])]
        if "step_completed" in kinds:
            await worker.resume()
        return await call(method, params, context)

    monkeypatch.setattr(worker.engine.world, "call", disturbed)
    await worker.start()
    assert b"same 7" in await worker.output()
    assert early.foreseen == []
