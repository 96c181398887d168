"""Waiting for a run's end, and what wakes those who wait."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.until import until
from workflow_studio.compute.world_errors import RunNotFoundError
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.engine.signals import Signals

LONG = 20_000
OUTCOMES = {
    "run_completed": ("completed", {"output": b"devl1"}),
    "run_failed": ("failed", {"error": b"devl2"}),
    "run_cancelled": ("cancelled", {}),
}


@pytest.fixture
def ended(engine):
    """The signals of runs that end."""
    return engine.ended


@pytest.fixture
def waiter(world, ended):
    async def wait(run_id, wait_ms=LONG, **more):
        """Ask for a run's end; return when the caller listens."""
        before = ended.listeners
        asking = asyncio.ensure_future(world.call("runs.get", runId=run_id, waitMs=wait_ms, **more))
        await until(lambda: ended.listeners > before)
        return asking

    return wait


@pytest.mark.parametrize("event", sorted(OUTCOMES))
async def test_a_caller_hears_of_the_end_of_its_run(world, waiter, event):
    run_id, other = await world.new_run(), await world.new_run()
    waiting = [await waiter(run_id) for _ in range(3)]
    elsewhere = await waiter(other)
    status, data = OUTCOMES[event]
    await world.create(run_id, event, **data)
    for run in await asyncio.wait_for(asyncio.gather(*waiting), 10):
        assert run["status"] == status
        assert run == await world.call("runs.get", runId=run_id)
    assert not elsewhere.done()
    elsewhere.cancel()


async def test_a_run_cancelled_on_the_public_lane_has_ended_too(world, waiter):
    run_id = await world.new_run()
    waiting = await waiter(run_id, resolveData="none")
    await world.engine.runs.cancel(run_id)
    run = await asyncio.wait_for(waiting, 10)
    assert run["status"] == "cancelled"
    assert "input" not in run


async def test_the_public_lane_waits_alike(world, ended):
    run_id = await world.new_run()
    waiting = asyncio.ensure_future(world.engine.runs.get(run_id, wait_ms=LONG))
    await until(lambda: ended.listeners)
    await world.create(run_id, "run_completed", output=b"devl1")
    assert (await asyncio.wait_for(waiting, 10))["status"] == "completed"


async def test_what_does_not_end_the_run_is_not_its_end(world, waiter):
    run_id = await world.new_run(started=False)
    waiting = await waiter(run_id)
    await world.create(run_id, "run_started")
    await world.create(run_id, "step_created", "step_1", stepName="s", input=b"")
    assert not waiting.done()
    await world.create(run_id, "run_completed", output=b"devl1")
    assert (await asyncio.wait_for(waiting, 10))["status"] == "completed"


async def test_the_run_as_it_is_is_the_answer_when_the_time_is_up(world):
    run_id = await world.new_run()
    assert (await world.call("runs.get", runId=run_id, waitMs=20))["status"] == "running"
    assert (await world.call("runs.get", runId=run_id, waitMs=0))["status"] == "running"


async def test_a_run_that_has_ended_is_not_waited_for(world, ended):
    run_id = await world.new_run()
    await world.create(run_id, "run_completed", output=b"devl1")
    run = await asyncio.wait_for(world.call("runs.get", runId=run_id, waitMs=LONG), 10)
    assert run["output"] == b"devl1"
    assert ended.listeners == 0


async def test_an_unknown_run_is_not_waited_for(world):
    with pytest.raises(RunNotFoundError):
        await asyncio.wait_for(world.call("runs.get", runId=world.new_run_id(), waitMs=LONG), 10)


async def test_a_caller_that_is_cancelled_leaves_nothing_behind(world, waiter, ended):
    waiting = await waiter(await world.new_run())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.listeners == 0
    assert not ended._listening


async def test_one_caller_too_many_is_answered_at_once(database, clock, helpers):
    _, driver, manifest = helpers
    engine = Engine(database, clock=clock, max_waiting=1)
    deployment, _ = await engine.deployments.register(manifest())
    world = driver(engine, clock, deployment.id)
    run_id = await world.new_run()
    first = asyncio.ensure_future(world.call("runs.get", runId=run_id, waitMs=LONG))
    await until(lambda: engine.ended.listeners)
    assert (await asyncio.wait_for(world.call("runs.get", runId=run_id, waitMs=LONG), 10))["status"] == "running"
    assert not first.done()
    await world.create(run_id, "run_completed", output=b"devl1")
    assert (await asyncio.wait_for(first, 10))["status"] == "completed"


async def test_many_wait_without_a_thread_or_a_connection(world, waiter):
    run_id = await world.new_run()
    waiting = [await waiter(run_id) for _ in range(200)]
    # The readers of the database are four; it still answers.
    assert (await asyncio.wait_for(world.call("runs.get", runId=run_id), 10))["status"] == "running"
    await world.create(run_id, "run_completed", output=b"devl1")
    runs = await asyncio.wait_for(asyncio.gather(*waiting), 30)
    assert {run["status"] for run in runs} == {"completed"}


async def test_a_signal_between_two_waits_is_not_lost():
    signals = Signals()
    deadline = asyncio.get_running_loop().time() + 10
    with signals.listening("a") as listener:
        signals.give("b")
        signals.give("a")
        signals.give("a")
        assert await listener.wait_until(deadline)
        assert not await listener.wait_until(asyncio.get_running_loop().time())
    signals.give("a")
    assert signals.listeners == 0
