"""What a run costs: World calls, frames, bytes, commits and deliveries, counted where real bundles are used.

Times depend on the machine; these numbers do not, and they are what the times follow from.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from ulid import ULID

from tests.support.round_trips import RoundTrips
from tests.support.sdk import build_artifact
from tests.support.unpacked import unpacked
from tests.worker.engine.conftest import make_manifest
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.execution.connection import Connection
from workflow_studio.worker.execution.options import ExecutorOptions
from workflow_studio.worker.execution.pool import NodeExecutorPool
from workflow_studio.worker.ports import BatchedCall, CallContext
from workflow_studio.worker.store import Database
from workflow_studio.worker.store.statements import Statement

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sized
    from pathlib import Path

    from tests.support.databases import Place
    from workflow_studio.worker.ports import Delivery, Outcome

pytestmark = pytest.mark.node

SOURCE = """
import { getWritable } from 'workflow';
async function add(n: number) {
  'use step';
  return n + 1;
}
export async function sequential(n: number) {
  'use workflow';
  let sum = 0;
  for (let i = 0; i < n; i++) sum = await add(sum);
  return sum;
}
export async function parallel(n: number) {
  'use workflow';
  const all = await Promise.all(Array.from({ length: n }, (_, i) => add(i)));
  return all.length;
}
async function make(n: number) {
  'use step';
  return 'x'.repeat(n);
}
export async function large(n: number) {
  'use workflow';
  return (await make(n)).length;
}
async function write(n: number) {
  'use step';
  const writer = getWritable<number>().getWriter();
  for (let i = 0; i < n; i++) await writer.write(i);
  await writer.close();
}
export async function streaming(n: number) {
  'use workflow';
  await write(n);
}
"""
WORKFLOWS = tuple(f"workflow//./workflows/app//{name}" for name in ("sequential", "parallel", "large", "streaming"))


@dataclass
class Costs:
    """What was counted."""

    calls: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    bytes: int = 0
    deliveries: Counter[str] = field(default_factory=Counter)
    commits: int = 0
    statements: int = 0
    asked: RoundTrips = field(default_factory=RoundTrips)


class CountedPool(NodeExecutorPool):
    """A pool that counts deliveries by kind."""

    costs: Costs

    async def deliver(self, delivery: Delivery) -> Outcome:
        self.costs.deliveries[delivery.kind] += 1
        return await super().deliver(delivery)


class Worker:
    """An engine, its dispatcher and a pool, without HTTP."""

    def __init__(self, engine: Engine, artifact: Path, deployment_id: str, costs: Costs, commits: Sized) -> None:
        self.engine = engine
        self.artifact = artifact
        self.deployment_id = deployment_id
        self.costs = costs
        self.commits = commits

    def starting(self, run_id: str, workflow: str, n: int) -> list[BatchedCall]:
        """Return the calls that start a run."""
        name = f"workflow//./workflows/app//{workflow}"
        data = {"deploymentId": self.deployment_id, "workflowName": name, "input": f"devl[[1],{n}]".encode()}
        event = {"eventType": "run_created", "eventData": data, "specVersion": 3}
        message = {"queueName": f"__wkf_workflow_{name}", "runId": run_id, "isWake": True}
        body = b"\xa1\x65runId\x78\x1f" + run_id.encode()
        calls = {"events.create": {"runId": run_id, "event": event}, "queue.publish": {**message, "body": body}}
        return [BatchedCall(method, params) for method, params in calls.items()]

    async def run(self, workflow: str, n: int) -> Any:
        """Run a workflow to its end and return the run."""
        run_id = f"wrun_{ULID()}"
        world, context = self.engine.world, CallContext()
        await world.batch(self.starting(run_id, workflow, n), context)
        run = await world.call("runs.get", {"runId": run_id, "waitMs": 25_000}, context)
        assert run["status"] == "completed", run
        return run

    async def cost_of(self, workflow: str, n: int) -> Costs:
        """Count what a run costs once everything is warm, its very end included."""
        await self.run(workflow, 1)
        await self.settled()
        before, commits = _copy(self.costs), len(self.commits)
        await self.run(workflow, n)
        await self.settled()
        return Costs(
            self.costs.calls - before.calls,
            self.costs.frames - before.frames,
            self.costs.bytes - before.bytes,
            self.costs.deliveries - before.deliveries,
            len(self.commits) - commits,
            self.costs.statements - before.statements,
            RoundTrips(self.costs.asked.made - before.asked.made),
        )

    async def settled(self) -> None:
        """Wait until no message is left."""
        async with asyncio.timeout(30):
            while any((await self.engine.queue.depth()).values()):  # noqa: ASYNC110 - the dispatcher tells nobody
                await asyncio.sleep(0.02)


def _copy(costs: Costs) -> Costs:
    return replace(costs, calls=costs.calls.copy(), deliveries=costs.deliveries.copy(), asked=replace(costs.asked))


@pytest.fixture
def costs(monkeypatch: pytest.MonkeyPatch) -> Costs:
    counted = Costs()
    send, receive = Connection.send, Connection.receive

    async def counted_send(self: Connection, frame: Any) -> None:
        counted.frames += 1
        counted.bytes += _size(frame)
        await send(self, frame)

    async def counted_receive(self: Connection) -> Any:
        frame = await receive(self)
        if frame is not None and frame["t"] != "heartbeat":
            counted.frames += 1
            counted.bytes += _size(frame)
        return frame

    execute = Statement._execute

    def counted_execute(self: Statement, *args: Any, **options: Any) -> Any:
        counted.statements += 1
        return execute(self, *args, **options)

    monkeypatch.setattr(Statement, "_execute", counted_execute)
    monkeypatch.setattr(Connection, "send", counted_send)
    monkeypatch.setattr(Connection, "receive", counted_receive)
    return counted


def _size(value: Any) -> int:
    """Return roughly how many bytes a value takes on the wire."""
    if isinstance(value, dict):
        return sum(_size(key) + _size(entry) for key, entry in value.items())
    if isinstance(value, list | tuple):
        return sum(map(_size, value))
    return len(value) if isinstance(value, str | bytes) else 4


@pytest.fixture
async def worker(
    tmp_path: Path, costs: Costs, commits: Sized, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Worker]:
    async with _working(Database.open(tmp_path / "worker.db"), costs, commits, monkeypatch) as made:
        yield made


@pytest.fixture
async def worker_on_postgresql(
    tmp_path: Path, place_of: Callable[[str, Path], Place], costs: Costs, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Worker]:
    database = place_of("postgresql", tmp_path).open()
    costs.asked = RoundTrips.counted(monkeypatch)
    async with _working(database, costs, costs.asked, monkeypatch) as made:
        yield made


@asynccontextmanager
async def _working(
    database: Database, costs: Costs, commits: Sized, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Worker]:
    artifact = await asyncio.to_thread(build_artifact, SOURCE)
    engine = Engine(database)
    call = engine.world.call

    async def counted_call(method: str, params: Any, context: CallContext) -> Any:
        if context.executor_id is not None:
            costs.calls[method] += 1
        return await call(method, params, context)

    monkeypatch.setattr(engine.world, "call", counted_call)
    deployment, _ = await engine.deployments.register(make_manifest(workflows=WORKFLOWS))
    pool = CountedPool(
        world=engine.world, artifact=unpacked(lambda _: artifact), options=ExecutorOptions(encrypts=False)
    )
    pool.costs = costs
    dispatcher = engine.dispatcher(pool)
    await dispatcher.start()
    yield Worker(engine, artifact, deployment.id, costs, commits)
    await dispatcher.stop(grace=5)
    await pool.close(grace=5)
    await database.close()


async def test_a_sequential_step_costs_one_call_and_one_commit(worker: Worker) -> None:
    steps = 20
    cost = await worker.cost_of("sequential", steps)
    assert cost.deliveries["step"] == steps
    # The replay after a step is made before the step's end is sent, and what it leaves is stored with that, unless the
    # machine stands still: then it is delivered.
    delivered = cost.deliveries["workflow"]
    assert delivered <= 1 + 5
    assert cost.calls == {"batch": steps + delivered}
    # The end of a step, the next step's record, its message and its start are one commit.
    assert cost.commits <= steps + delivered + 8
    # Each delivery is a frame, and so is its end.
    assert cost.frames <= 2 * (steps + delivered)
    assert cost.statements <= 11 * steps + 10 * delivered + 20


async def test_a_sequential_step_on_postgresql_costs_one_commit(worker_on_postgresql: Worker) -> None:
    steps = 20
    cost = await worker_on_postgresql.cost_of("sequential", steps)
    delivered = cost.deliveries["workflow"]
    assert delivered <= 1 + 5
    # What is done in a commit on SQLite is done in a transaction of its own.
    assert cost.commits <= steps + delivered + 8
    # What changes something goes with what is asked next, or with the commit.
    assert cost.asked.made <= 4 * steps + 6 * delivered + 20


async def test_a_hundred_parallel_steps_on_postgresql_take_few_replays_and_commits(
    worker_on_postgresql: Worker,
) -> None:
    cost = await worker_on_postgresql.cost_of("parallel", 100)
    assert cost.deliveries["step"] == 100
    assert cost.deliveries["workflow"] <= 12
    # Those that begin in one turn, and those that end in one, share a transaction.
    assert cost.commits <= 40
    assert cost.asked.made <= 200


async def test_the_start_of_a_run_is_one_commit(worker: Worker) -> None:
    await worker.run("sequential", 1)
    await worker.settled()
    commits, statements = len(worker.commits), worker.costs.statements
    await worker.engine.world.batch(worker.starting(f"wrun_{ULID()}", "sequential", 1), CallContext())
    assert len(worker.commits) == commits + 1
    # Is there the run, and its deployment? The run, its event, its message; and the lease of that.
    assert worker.costs.statements - statements <= 12
    await worker.settled()


async def test_the_cost_of_a_step_does_not_grow_with_the_log(worker: Worker) -> None:
    few = await worker.cost_of("sequential", 10)
    many = await worker.cost_of("sequential", 40)
    assert many.bytes / 40 <= 1.1 * few.bytes / 10
    assert many.frames / 40 <= 1.1 * few.frames / 10
    assert many.commits / 40 <= 1.3 * few.commits / 10


async def test_a_hundred_parallel_steps_take_few_replays_and_commits(worker: Worker) -> None:
    cost = await worker.cost_of("parallel", 100)
    assert cost.deliveries["step"] == 100
    assert cost.deliveries["workflow"] <= 12
    # That there are steps, and their messages, in frames of many; the end of each in one of its own.
    assert cost.calls["batch"] <= 110
    assert cost.calls["events.create"] <= 12
    assert cost.calls["queue.publish"] == 0
    # Those that end together are stored together.
    assert cost.commits <= 30
    assert cost.statements <= 10 * 100


async def test_steps_that_end_together_bring_along_what_the_run_does_next(worker: Worker) -> None:
    cost = await worker.cost_of("parallel", 20)
    # A replay makes the steps; unless the machine stands still, the next one is made before their ends are sent.
    delivered = cost.deliveries["workflow"]
    assert delivered <= 3
    assert cost.frames <= 2 * (20 + delivered)
    assert cost.commits <= 3 * (1 + delivered)
    assert cost.statements <= 8 * 20 + 20 * delivered


async def test_on_postgresql_too_steps_that_end_together_bring_along_the_end_of_their_run(
    worker_on_postgresql: Worker,
) -> None:
    cost = await worker_on_postgresql.cost_of("parallel", 20)
    delivered = cost.deliveries["workflow"]
    assert delivered <= 2
    assert cost.commits <= 3 * (1 + delivered)


async def test_a_large_result_goes_to_the_worker_and_not_back(worker: Worker) -> None:
    await _goes_one_way(worker)


async def test_a_large_result_goes_to_a_worker_on_postgresql_and_not_back(worker_on_postgresql: Worker) -> None:
    await _goes_one_way(worker_on_postgresql)


async def _goes_one_way(worker: Worker) -> None:
    """The executor has it: what the run does next is stored with the end of the step."""
    costs = [await worker.cost_of("large", 900_000) for _ in range(3)]
    # Unless the machine stands still: then the replay is delivered, and loads it.
    assert min(cost.bytes for cost in costs) < 1_000_000
    assert min(cost.deliveries["workflow"] for cost in costs) == 1


async def test_the_sdk_looks_through_its_log_as_executors_expect(worker: Worker) -> None:
    # If not, replays with many steps that have not ended cost the cube of their number (see host/ticks.cjs).
    bundle = await asyncio.to_thread((worker.artifact / "flow.js").read_text)
    assert "process.nextTick(this.consume)" in bundle


async def test_the_sdk_waits_for_timers_of_no_length_as_executors_expect(worker: Worker) -> None:
    # If not, replays wait for one of a millisecond per result (see host/timers.cjs).
    bundle = await asyncio.to_thread((worker.artifact / "flow.js").read_text)
    assert re.search(r"setTimeout\(check\d*, 0\)", bundle)
    assert re.search(r"setTimeout\(resolve\d*, 0\)", bundle)


async def test_chunks_share_commits_with_each_other_and_the_last_ones_with_the_close(worker: Worker) -> None:
    chunks = 50
    without = await worker.cost_of("streaming", 0)
    cost = await worker.cost_of("streaming", chunks)
    # The first chunk goes alone; how many go together after that depends on how long a commit takes.
    assert cost.calls["streams.write"] + cost.calls["streams.close"] <= chunks + 1
    assert cost.commits - without.commits <= cost.calls["streams.write"] + 1
    assert cost.frames - without.frames <= 2 * cost.calls["streams.write"] + 2
