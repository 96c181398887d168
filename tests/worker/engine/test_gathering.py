"""Ends of steps that come together, and are stored together."""

from __future__ import annotations

import asyncio

import pytest

from tests.worker.engine.test_batches import step_created, step_ended, step_message, wake
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.gathering import Gathering
from workflow_studio.worker.engine.queue import store_held
from workflow_studio.worker.ports import CallContext
from workflow_studio.worker.store import Database, tables

STEPS = ("step_1", "step_2", "step_3")


class FanOut:
    """A run whose steps are being delivered."""

    def __init__(self, world, run_id, deliveries):
        self.world = world
        self.run_id = run_id
        self.deliveries = deliveries

    async def end(self, step_id, **more):
        calls = [step_ended(self.run_id, step_id=step_id), wake(self.world, self.run_id)]
        context = CallContext("exec-1", self.deliveries[step_id])
        answer = await self.world.call("batch", calls=calls, endsDelivery=True, context=context, **more)
        return answer["results"]


@pytest.fixture
async def fan_out(world):
    run_id = await world.new_run()
    made = [call for step_id in STEPS for call in (step_created(run_id, step_id), step_message(run_id, step_id))]
    await world.call("batch", calls=made, context=CallContext("exec-1"))
    deliveries = {delivery.step_id: delivery.id for delivery in await world.claim()}
    for step_id, delivery_id in deliveries.items():
        await world.create(run_id, "step_started", step_id, context=CallContext("exec-1", delivery_id))
    return FanOut(world, run_id, deliveries)


async def test_steps_that_end_in_one_turn_are_one_write_and_ask_for_one_replay(world, database, fan_out):
    before = database.tally.writes
    await asyncio.gather(*map(fan_out.end, STEPS))
    assert database.tally.writes == before + 1
    assert (await world.log(fan_out.run_id)).count("step_completed") == len(STEPS)
    assert await world.engine.queue.depth() == {"ready": 1, "leased": 0, "dead": 0}


@pytest.fixture
def place(place_of, tmp_path):
    return place_of("sqlite", tmp_path)  # elsewhere each is a write of its own


@pytest.mark.parametrize("is_right", [True, False])
async def test_what_the_run_does_next_comes_with_the_last_of_them(world, fan_out, is_right):
    # As with a dispatcher: what a write makes due is looked at in its transaction.
    world.engine.leases.claim_at_once(lambda transaction, *_: store_held(transaction))
    end = {"eventType": "run_completed", "specVersion": 3, "eventData": {"output": b"1"}}
    calls = [{"method": "events.create", "params": {"runId": fan_out.run_id, "event": end}}]
    slot = len(await world.log(fan_out.run_id)) + len(STEPS) - (not is_right)
    onward = {"runId": fan_out.run_id, "slot": slot, "at": world.clock.now, "calls": calls}
    await asyncio.gather(*map(fan_out.end, STEPS[:-1]), fan_out.end(STEPS[-1], onward=onward))
    log = await world.log(fan_out.run_id)
    assert log[-3:] == (["step_completed", "step_completed", "run_completed"] if is_right else ["step_completed"] * 3)
    assert (await world.engine.queue.depth())["ready"] == (not is_right)


async def test_a_step_whose_end_is_refused_keeps_none_from_ending(world, fan_out):
    await fan_out.end("step_2")
    first, refused, last = await asyncio.gather(*map(fan_out.end, STEPS))
    assert refused[0]["error"]["name"] == "EntityConflictError"
    assert not any("error" in result for result in (*first, *last))
    assert (await world.log(fan_out.run_id)).count("step_completed") == len(STEPS)


async def test_a_write_that_fails_is_undone_alone(tmp_path):
    database = Database.open(tmp_path / "worker.db")
    gathering: Gathering[str] = Gathering(database)

    def writing(name, *, fails=False):
        def work(transaction):
            transaction.execute(tables.settings.insert().values(key=name, value="gathered"))
            if fails:
                raise WorldError("no")
            return name

        return gathering.write("wrun_1", work)

    one, refused, other = await asyncio.gather(
        writing("one"), writing("two", fails=True), writing("three"), return_exceptions=True
    )
    assert (one, other) == ("one", "three")
    assert isinstance(refused, WorldError)
    query = tables.settings.select().where(tables.settings.c.value == "gathered")
    rows = await database.read(lambda connection: connection.execute(query).all())
    assert {row.key for row in rows} == {"one", "three"}
    await database.close()
