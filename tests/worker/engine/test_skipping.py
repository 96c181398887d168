"""Time skipping: which timer ends, and when none does."""

from __future__ import annotations

import pytest

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.engine import EngineError
from workflow_studio.worker.engine.skipping import Skipped

MINUTE = 60_000
HOUR = 60 * MINUTE


class Replays:
    """A run whose replays the test makes."""

    def __init__(self, world, run_id):
        self.world = world
        self.run_id = run_id

    async def sleep(self, name, milliseconds):
        await self.world.create(self.run_id, "wait_created", name, resumeAt=self.world.clock.now + milliseconds)

    async def create_step(self, name="step_1"):
        await self.world.create(self.run_id, "step_created", name, stepName="step//add", input=b"")
        await self.world.publish_step(self.run_id, name)

    async def rest(self):
        """Acknowledge the replay that is due, which sleeps until its first wait."""
        delivery = await self.world.claim_one()
        assert delivery.kind == "workflow"
        await self.world.engine.leases.defer(delivery.id, 365 * 86400)

    async def skip(self):
        return await self.world.engine.skipping.skip(self.run_id)


@pytest.fixture
async def run(world):
    started = await world.engine.runs.start(world.workflow, b"devl[[]]")
    await world.create(started["runId"], "run_started")
    return Replays(world, started["runId"])


async def test_the_earliest_sleep_ends_first_and_the_run_is_replayed(world, run):
    await run.sleep("wait_b", 2 * HOUR)
    await run.sleep("wait_a", HOUR)
    await run.rest()
    assert await run.skip() == Skipped("sleep", "wait_a", HOUR)
    events = (await world.call("events.list", runId=run.run_id))["data"]
    assert (events[-1]["eventType"], events[-1]["correlationId"]) == ("wait_completed", "wait_a")
    assert events[-1]["eventData"] == {"resumeAt": world.clock.now + HOUR}, "the replay compares it"
    await run.rest()
    assert await run.skip() == Skipped("sleep", "wait_b", HOUR), "one of its two hours was skipped before"
    await run.rest()
    assert await run.skip() is None


async def test_a_run_that_has_something_to_do_is_left_alone(world, run):
    await run.sleep("wait_1", HOUR)
    assert await run.skip() is None, "its replay is due"
    delivery = await world.claim_one()
    assert await run.skip() is None, "its replay is in flight"
    await world.engine.leases.defer(delivery.id, 3600)
    await run.create_step()
    assert await run.skip() is None, "a step is due"
    step = await world.claim_one()
    await world.create(run.run_id, "step_started", "step_1")
    assert await run.skip() is None, "a step is under way"
    await world.create(run.run_id, "step_completed", "step_1", result=b"")
    await world.engine.leases.complete(step.id)
    assert await run.skip() is None, "no replay has seen the step's result"


async def test_a_replay_that_failed_is_waited_for(world, run):
    await run.sleep("wait_1", HOUR)
    delivery = await world.claim_one()
    await world.engine.leases.fail(delivery.id, "no luck")
    assert await run.skip() is None


async def test_a_sleep_that_begins_after_a_skip_counts_the_time_that_was_skipped(world, run):
    await run.sleep("wait_60", HOUR)
    await run.sleep("wait_90", 90 * MINUTE)
    await run.rest()
    assert (await run.skip()).correlation_id == "wait_60"
    await run.sleep("wait_120", HOUR)
    await run.rest()
    assert await run.skip() == Skipped("sleep", "wait_90", 30 * MINUTE)
    await run.rest()
    assert await run.skip() == Skipped("sleep", "wait_120", 30 * MINUTE)


async def test_the_pause_before_a_retry_is_skipped_in_its_turn(world, run):
    await run.sleep("wait_1", 2 * HOUR)
    await run.rest()
    await run.create_step()
    step = await world.claim_one()
    await world.create(run.run_id, "step_started", "step_1")
    await world.create(run.run_id, "step_retrying", "step_1", error="later", retryAfter=world.clock.now + HOUR)
    await world.engine.leases.defer(step.id, 3600)
    assert await run.skip() == Skipped("retry", "step_1", HOUR)
    again = await world.claim_one()
    assert (again.step_id, again.attempt) == ("step_1", 2)
    started = await world.create(run.run_id, "step_started", "step_1")
    assert started["step"]["attempt"] == 2, "it is not too early"
    assert await run.skip() is None
    await world.create(run.run_id, "step_completed", "step_1", result=b"")
    await world.engine.leases.complete(again.id)
    await world.wake(run.run_id)
    await run.rest()
    assert await run.skip() == Skipped("sleep", "wait_1", HOUR)


async def test_a_retry_that_names_no_time_is_skipped_too(world, run):
    await run.rest()
    await run.create_step()
    step = await world.claim_one()
    await world.create(run.run_id, "step_started", "step_1")
    await world.create(run.run_id, "step_retrying", "step_1", error="later")
    await world.engine.leases.defer(step.id, 1)
    assert await run.skip() == Skipped("retry", "step_1", 1000)
    assert (await world.claim_one()).step_id == "step_1"


async def test_a_run_that_waits_for_a_hook_or_has_ended_skips_nothing(world, run):
    await world.create(run.run_id, "hook_created", "hook_1", token="t")
    await run.rest()
    assert await run.skip() is None
    await world.engine.runs.cancel(run.run_id)
    assert await run.skip() is None


async def test_a_hook_that_was_called_is_seen_by_the_code_before_time_passes(world, run):
    await world.create(run.run_id, "hook_created", "hook_1", token="t")
    await run.sleep("wait_1", HOUR)
    await run.rest()
    await world.create(run.run_id, "hook_received", "hook_1", payload=b"")
    assert await run.skip() is None


async def test_an_unknown_run_is_not_found(world):
    with pytest.raises(EngineError) as refusal:
        await world.engine.skipping.skip(world.new_run_id())
    assert refusal.value.code is ErrorCode.RUN_NOT_FOUND
