"""The field failures that take real processes: a PostgreSQL server that restarts, executors that are killed."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.regressions import guards
from tests.regressions.guards import guarded_by
from tests.regressions.support import until
from tests.support.postgres import database_url, running_server
from tests.support.unpacked import unpacked
from tests.template.support import App
from workflow_studio.worker.engine import Capacity, Engine, recovery
from workflow_studio.worker.engine.clock import system_clock
from workflow_studio.worker.execution import ExecutorOptions, NodeExecutorPool, find_nodes
from workflow_studio.worker.ports import Handled
from workflow_studio.worker.store import Database
from workflow_studio.worker.store._postgres import PostgresBackend

if TYPE_CHECKING:
    from pathlib import Path


class Taking:
    """Takes every delivery at once."""

    def __init__(self):
        self.deliveries = []

    def ready(self, delivery):
        return None

    async def deliver(self, delivery):
        self.deliveries.append(delivery)
        return Handled()


@pytest.fixture
def server():
    with running_server("-c", "fsync=off") as running:
        yield running


@guarded_by(guards.recovery_is_tried_once)
async def test_07_a_database_that_restarts_during_recovery_strands_no_run(server, helpers, monkeypatch):
    """Runs whose recovery was cut short by a restart of the database stayed PENDING for ever.

    Sources: dbos-inc/dbos-transact-py#716, kestra-io/kestra#8356.
    """
    monkeypatch.setattr(recovery, "_BATCH", 3)
    clock_of, driver_of, make_manifest = helpers
    clock = clock_of()
    before = Database.open(database_url(server.folder))
    engine = Engine(before, clock=clock)
    deployment, _ = await engine.deployments.register(make_manifest())
    await engine.deployments.activate(deployment.id)
    world = driver_of(engine, clock, deployment.id)
    forgotten = [await world.new_run(started=False) for _ in range(10)]
    in_flight = [await world.publish_step(run_id) for run_id in forgotten[:3]]
    assert len(await world.claim()) == 3
    await before.close()

    portions = []
    wake_some = recovery.Recovery._wake_some

    def restarting(self, transaction, quiet_since):
        portions.append(None)
        if len(portions) == 2:
            server.stop()
        return wake_some(self, transaction, quiet_since)

    run = PostgresBackend._run

    def started_again(self, job):
        run(self, job)
        if not server.is_running:  # the write has been given up by now, after several attempts
            server.start()

    monkeypatch.setattr(recovery.Recovery, "_wake_some", restarting)
    monkeypatch.setattr(PostgresBackend, "_run", started_again)
    after = Database.open(database_url(server.folder))
    pool = Taking()
    dispatcher = Engine(after, clock=clock).dispatcher(pool, Capacity())
    try:
        await dispatcher.start()
        assert len(portions) > 2
        await until(lambda: len(pool.deliveries) == 13)
    finally:
        await dispatcher.stop(grace=5)
        await after.close()
    steps = [delivery for delivery in pool.deliveries if delivery.kind == "step"]
    replays = [delivery for delivery in pool.deliveries if delivery.kind == "workflow"]
    assert [(delivery.message_id, delivery.attempt) for delivery in steps] == [(name, 2) for name in in_flight]
    assert sorted(delivery.run_id for delivery in replays) == sorted(forgotten), "each is woken once"


@dataclass
class Real:
    """An engine with real executors, which run a few lines of JavaScript."""

    engine: Engine
    driver: Any
    folder: Path

    def step(self, code):
        """Have steps run ``code``; ``note`` adds a line to the file of notes."""
        notes = json.dumps(str(self.folder / "notes"))
        prelude = (
            f"const note = (line) => require('node:fs').appendFileSync({notes}, line + '\\n');\n"
            "const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));\n"
        )
        artifact = self.folder / self.driver.deployment_id
        artifact.mkdir()
        (artifact / "package.json").write_text('{"type": "commonjs"}')
        for name in ("flow", "step", "webhook"):
            (artifact / f"{name}.js").write_text(f"{prelude}module.exports.POST = async (request) => {{ {code} }};")

    def notes(self):
        file = self.folder / "notes"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def place(place_of, tmp_path):
    return place_of("sqlite", tmp_path)


@pytest.fixture
def clock():
    return system_clock


@pytest.fixture
async def real(database, clock, tmp_path, helpers):
    _, driver_of, make_manifest = helpers
    engine = Engine(database)
    deployment, _ = await engine.deployments.register(make_manifest())
    await engine.deployments.activate(deployment.id)
    options = ExecutorOptions(nodes=find_nodes(), hang_timeout=2)
    pool = NodeExecutorPool(world=engine.world, artifact=unpacked(lambda name: tmp_path / name), options=options)
    dispatcher = engine.dispatcher(pool)
    await dispatcher.start()
    yield Real(engine, driver_of(engine, FixedClock(), deployment.id), tmp_path)
    await dispatcher.stop(grace=0)
    await pool.close(grace=0)


class FixedClock:
    """For the ids of runs."""

    def __init__(self):
        self.now = system_clock()


@pytest.mark.node
@guarded_by(guards.a_lost_executor_is_found_out_by_a_timeout)
async def test_05_a_step_whose_executor_is_killed_runs_again_at_once(real):
    """A crash in the middle of a step waited out a lease of 860 seconds, sized to the longest step.

    Source: the visibility timeout of queues that lease by the clock.
    """
    real.step(
        "const attempt = request.headers.get('x-vqs-message-attempt'); note(`${process.pid} ${attempt}`);"
        "if (attempt === '1') await sleep(600_000); return Response.json({});"
    )
    message_id = await real.driver.publish_step(await real.driver.new_run(), idempotencyKey=None)
    assert message_id
    await until(real.notes)
    victim, attempt = real.notes()[0].split()
    assert attempt == "1"
    os.kill(int(victim), signal.SIGKILL)
    await until(lambda: len(real.notes()) == 2)
    assert real.notes()[1].split()[1] == "2"
    await drained(real.engine)


@pytest.mark.node
@guarded_by(guards.heartbeats_are_ignored)
async def test_15_a_step_that_takes_longer_than_the_hang_timeout_is_not_cut_short(real):
    """The lease lapsed inside a long model call, and the step ran twice at a time.

    Source: dispatchers whose lease is renewed only between deliveries.
    """
    real.step("note('begin'); await sleep(4500); note('end'); return Response.json({});")
    await real.driver.publish_step(await real.driver.new_run())
    await until(lambda: "end" in real.notes())
    await drained(real.engine)
    assert real.notes() == ["begin", "end"]


async def drained(engine):
    async with asyncio.timeout(20):
        while (await engine.queue.depth())["leased"]:  # noqa: ASYNC110  # rows have no events
            await asyncio.sleep(0.02)


FORGED = """
const { encode } = require('workflow-studio/lib/cbor.cjs');
const handled = [];
const world = require('workflow-studio/world-remote').createWorld();
const route = world.createQueueHandler('__wkf_workflow_', async (message) => { handled.push(message.runId); });
const forged = new Request('http://app.example.com/.well-known/workflow/v1/flow', {
  method: 'POST',
  headers: { 'x-vqs-queue-name': '__wkf_workflow_x', 'x-vqs-message-id': 'msg_1', 'x-vqs-message-attempt': '1' },
  body: encode({ runId: 'wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV' }),
});
const { status } = await route(forged);
return { status, handled };
"""


@pytest.mark.node
@pytest.mark.parametrize(
    "refuses",
    [True, pytest.param(False, marks=pytest.mark.xfail(strict=True, raises=AssertionError))],
    ids=["guarded", "the_app_handles_messages"],
)
def test_12_a_forged_post_to_the_flow_route_of_an_app_runs_nothing(rendered_package, tmp_path, refuses):
    """Anybody who could reach the app's queue routes could have a run of theirs replayed there.

    Sources: vercel/workflow#3908, vercel/workflow#3117.
    """
    package = tmp_path / "app/node_modules/workflow-studio"
    shutil.copytree(rendered_package, package)
    if not refuses:
        module = package / "lib/fallback.cjs"
        text = module.read_text()
        assert text.count("return refuseQueueMessage(request);") == 1
        forgiving = "return require('./queue.cjs').createQueueHandler(prefix, handler)(request);"
        module.write_text(text.replace("return refuseQueueMessage(request);", forgiving))
    remote = {
        "WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote",
        "WORKFLOW_COMPUTE_BASE_URL": "http://localhost:8787",
        "WORKFLOW_COMPUTE_API_KEY": "key-of-these-tests",
        "NODE_ENV": "production",
    }
    answer = App(tmp_path / "app").value(FORGED.replace("workflow-studio/lib", str(package / "lib")), **remote)
    assert answer == {"status": 409, "handled": []}
