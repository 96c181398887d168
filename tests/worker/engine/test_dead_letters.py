"""Dead letters are listed in pages and delivered again on demand."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.engine import EngineError
from workflow_studio.worker.engine.leases import MAX_FAILURES
from workflow_studio.worker.store import tables


async def die(world, clock):
    """Fail the only message that is due until it is dead."""
    for _ in range(MAX_FAILURES):
        clock.tick(1_000_000)
        delivery = await world.claim_one()
        await world.engine.leases.fail(delivery.id, "no such module")
    return delivery.message_id


async def test_a_dead_message_is_listed_with_its_story(world, clock):
    run_id = await world.new_run()
    message_id = await world.publish_step(run_id)
    assert await die(world, clock) == message_id
    (dead,), cursor = await world.engine.dead_letters.list()
    assert cursor is None
    assert (dead.message_id, dead.run_id, dead.step_id) == (message_id, run_id, "step_1")
    assert (dead.attempt, dead.failures, dead.last_error) == (MAX_FAILURES, MAX_FAILURES, "no such module")


async def test_the_list_comes_in_pages_newest_first(world, database, clock):
    run_id = await world.new_run()
    published = []
    for number in range(5):
        published.append(await world.publish_step(run_id, f"step_{number}"))
        clock.tick(1)
    await database.write(lambda transaction: transaction.execute(update(tables.messages).values(status="dead")))
    seen, cursor = [], None
    while True:
        page, cursor = await world.engine.dead_letters.list(2, cursor)
        seen += [message.message_id for message in page]
        if cursor is None:
            break
    assert seen == published[::-1]


async def test_a_retried_message_has_all_its_chances_but_the_first_attempt(world, clock):
    message_id = await world.publish_step(await world.new_run())
    await die(world, clock)
    heard = []
    world.engine.queue.on_ready(lambda: heard.append(True))
    await world.engine.dead_letters.retry(message_id)
    assert heard, "the dispatcher is told"
    assert await world.engine.dead_letters.list() == ([], None)
    delivery = await world.claim_one()
    assert (delivery.message_id, delivery.attempt) == (message_id, 2)
    await world.engine.leases.fail(delivery.id, "again")
    assert await world.engine.dead_letters.list() == ([], None)


async def test_a_message_that_was_never_delivered_keeps_its_first_attempt(world, database):
    message_id = await world.publish_step(await world.new_run())
    await database.write(lambda transaction: transaction.execute(update(tables.messages).values(status="dead")))
    await world.engine.dead_letters.retry(message_id)
    assert (await world.claim_one()).attempt == 1


async def test_only_dead_messages_can_be_retried(world):
    message_id = await world.publish_step(await world.new_run())
    for identifier in (message_id, "msg_nope"):
        with pytest.raises(EngineError) as refusal:
            await world.engine.dead_letters.retry(identifier)
        assert (refusal.value.code, refusal.value.status) == (ErrorCode.NOT_FOUND, 404)


async def test_a_dead_wake_up_whose_run_has_another_is_not_needed(world, database):
    run_id = await world.new_run()
    dead = await world.wake(run_id)
    await database.write(lambda transaction: transaction.execute(update(tables.messages).values(status="dead")))
    pending = await world.wake(run_id)
    assert (await world.engine.dead_letters.retry(dead)).message_id == dead
    assert [delivery.message_id for delivery in await world.claim()] == [pending]
    assert (await world.engine.queue.depth())["dead"] == 0
