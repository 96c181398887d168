"""The end of a step that brings along what the replay after it leaves to be stored."""

from __future__ import annotations

import pytest

from tests.worker.engine.test_batches import running_step, step_created, step_ended, step_message, wake
from workflow_studio.worker.engine.queue import store_held
from workflow_studio.worker.ports import CallContext
from workflow_studio.worker.store import tables

END = 5
"""The slot of the step's end: the run was created and started, and so was the step."""


class Executor:
    """Ends the step of a run, and says how the run goes on."""

    def __init__(self, world):
        self.world = world

    async def batch(self, *calls, **more):
        await self.world.call("batch", calls=list(calls), context=CallContext("exec-1"), **more)

    async def end_step(self, run_id, delivery, *calls, slot=END, at=None):
        onward = {"runId": run_id, "slot": slot, "at": self.world.clock.now if at is None else at, "calls": list(calls)}
        ends = {"calls": [step_ended(run_id), wake(self.world, run_id)], "endsDelivery": True, "onward": onward}
        answer = await self.world.call("batch", context=CallContext("exec-1", delivery.id), **ends)
        assert len(answer["results"]) == 2


@pytest.fixture
def executor(world):
    # As with a dispatcher: what a write makes due is looked at in its transaction.
    world.engine.leases.claim_at_once(lambda transaction, *_: store_held(transaction))
    return Executor(world)


async def messages(database):
    query = tables.messages.select().order_by(tables.messages.c.message_id)
    return [(row.kind, row.status) for row in await database.read(lambda connection: connection.execute(query).all())]


def next_step(run_id):
    return step_created(run_id, "step_2"), step_message(run_id, "step_2")


async def test_the_next_step_is_stored_with_the_end_of_the_one_before(world, database, executor):
    run_id, delivery = await running_step(world, executor)
    before = database.tally.commits
    await executor.end_step(run_id, delivery, *next_step(run_id))
    assert database.tally.commits == before + 1
    assert (await world.log(run_id))[-2:] == ["step_completed", "step_created"]
    assert await messages(database) == [("step", "ready")]
    run = await database.read(lambda connection: connection.execute(tables.runs.select()).one())
    assert (run.replayed_slot, run.last_slot) == (END, END + 1)


async def test_the_end_of_the_run_is_stored_with_that_of_its_last_step(world, database, executor):
    run_id, delivery = await running_step(world, executor)
    end = {"eventType": "run_completed", "specVersion": 3, "eventData": {"output": b"1"}}
    await executor.end_step(run_id, delivery, {"method": "events.create", "params": {"runId": run_id, "event": end}})
    assert (await world.log(run_id))[-2:] == ["step_completed", "run_completed"]
    assert await messages(database) == []


@pytest.mark.parametrize("what", ["slot", "time"])
async def test_a_replay_of_another_log_counts_for_nothing(world, database, executor, what):
    run_id, delivery = await running_step(world, executor)
    other = {"slot": END - 1} if what == "slot" else {"at": world.clock.now - 1}
    await executor.end_step(run_id, delivery, *next_step(run_id), **other)
    assert (await world.log(run_id))[-1] == "step_completed"
    assert await messages(database) == [("workflow", "ready")]


async def test_what_came_in_between_has_the_run_replayed(world, database, executor):
    run_id, delivery = await running_step(world, executor)
    await world.create(run_id, "hook_created", "hook_1", token="token")
    await executor.end_step(run_id, delivery, *next_step(run_id))
    assert (await world.log(run_id))[-1] == "step_completed"
    assert await messages(database) == [("workflow", "ready")]


@pytest.mark.parametrize("status", ["ready", "leased"])
async def test_another_replay_of_the_run_is_left_to_see_to_it(world, database, executor, status):
    run_id, delivery = await running_step(world, executor)
    await world.wake(run_id)
    if status == "leased":
        await world.claim_one()
    await executor.end_step(run_id, delivery, *next_step(run_id))
    assert (await world.log(run_id))[-1] == "step_completed"
    assert ("workflow", "ready") in await messages(database)


async def test_what_is_refused_is_left_to_a_replay(world, database, executor):
    run_id, delivery = await running_step(world, executor)
    nonsense = {"method": "queue.publish", "params": {"queueName": "jobs", "body": b""}}
    await executor.end_step(run_id, delivery, step_created(run_id, "step_2"), nonsense)
    assert (await world.log(run_id))[-1] == "step_created"
    assert await messages(database) == [("workflow", "ready")]


async def test_nothing_of_it_is_stored_without_the_end_of_the_step(world, database, executor):
    run_id, delivery = await running_step(world, executor)
    await executor.end_step(run_id, delivery, *next_step(run_id))
    # The delivery comes again, as after a crash; its end is refused.
    await executor.end_step(run_id, delivery, step_created(run_id, "step_3"), slot=END + 1)
    assert (await world.log(run_id)).count("step_created") == 2
