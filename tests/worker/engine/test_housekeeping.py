"""Housekeeping deletes what nobody will ask for any more, and nothing else."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from workflow_studio.worker.engine import housekeeping
from workflow_studio.worker.engine.housekeeping import DEAD_KEPT_MS
from workflow_studio.worker.store import tables

DAY_MS = 24 * 3600 * 1000


async def kill(database, message_id):
    dead = update(tables.messages).where(tables.messages.c.message_id == message_id).values(status="dead")
    await database.write(lambda transaction: transaction.execute(dead))


async def left(database):
    query = select(tables.messages.c.message_id)
    return set(await database.read(lambda connection: connection.execute(query).scalars().all()))


async def test_messages_of_ended_runs_go_but_for_those_in_flight(world, database):
    ended, alive = await world.new_run(), await world.new_run()
    in_flight = await world.publish_step(ended, "step_1")
    await world.claim_one()
    await world.publish_step(ended, "step_2", delaySeconds=86400)
    kept = await world.publish_step(alive, "step_1", delaySeconds=86400)
    await world.create(ended, "run_cancelled")
    assert (await world.engine.housekeeping.sweep()).messages == 1
    assert await left(database) == {in_flight, kept}


async def test_a_dead_message_is_kept_while_its_run_can_go_on(world, database, clock):
    run_id = await world.new_run()
    message_id = await world.publish_step(run_id)
    await kill(database, message_id)
    clock.tick(100 * DEAD_KEPT_MS)
    assert (await world.engine.housekeeping.sweep()).messages == 0
    await world.create(run_id, "run_cancelled")
    clock.tick(DEAD_KEPT_MS - 1)
    assert (await world.engine.housekeeping.sweep()).messages == 0
    clock.tick(1)
    assert (await world.engine.housekeeping.sweep()).messages == 1
    assert await left(database) == set()


async def test_a_dead_message_without_a_run_is_kept_for_a_week(world, database, clock):
    envelope = {"queueName": "__wkf_workflow_health_check", "body": b"", "isHealthCheck": True}
    check = (await world.call("queue.publish", **envelope))["messageId"]
    runless = await world.wake(world.new_run_id())
    for message_id in (check, runless):
        await kill(database, message_id)
    clock.tick(DEAD_KEPT_MS - 1)
    assert (await world.engine.housekeeping.sweep()).messages == 0
    clock.tick(1)
    assert (await world.engine.housekeeping.sweep()).messages == 2


async def test_a_message_whose_run_is_not_here_yet_is_kept(world, database, clock):
    message_id = await world.wake(world.new_run_id())
    clock.tick(DAY_MS)
    assert (await world.engine.housekeeping.sweep()).messages == 0
    assert await left(database) == {message_id}


@pytest.mark.parametrize("rows", [4, 5, 6])
async def test_it_ends_whatever_is_left_of_the_last_portion(world, monkeypatch, rows):
    monkeypatch.setattr(housekeeping, "PORTION", 5)
    run_id = await world.new_run()
    for number in range(rows):
        await world.publish_step(run_id, f"step_{number}")
    await world.create(run_id, "run_cancelled")
    assert (await world.engine.housekeeping.sweep()).messages == rows
