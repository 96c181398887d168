"""Batches: an event and the message that follows it, in one transaction."""

from __future__ import annotations

import asyncio

import pytest

from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import log, queue
from workflow_studio.worker.ports import CallContext
from workflow_studio.worker.store import tables

STEP_QUEUE = "__wkf_step_add"


def step_created(run_id, step_id="step_1"):
    event = {"eventType": "step_created", "correlationId": step_id, "specVersion": 3, "eventData": {"stepName": "add"}}
    return {"method": "events.create", "params": {"runId": run_id, "event": event}}


def step_ended(run_id, kind="step_completed", step_id="step_1"):
    event = {"eventType": kind, "correlationId": step_id, "specVersion": 3, "eventData": {"stepName": "add"}}
    return {"method": "events.create", "params": {"runId": run_id, "event": event}}


def step_message(run_id, step_id="step_1"):
    envelope = {"queueName": STEP_QUEUE, "body": b"step", "runId": run_id, "stepId": step_id, "idempotencyKey": step_id}
    return {"method": "queue.publish", "params": envelope}


def wake(world, run_id):
    envelope = {"queueName": f"__wkf_workflow_{world.workflow}", "body": b"wake", "runId": run_id, "isWake": True}
    return {"method": "queue.publish", "params": envelope}


class Executor:
    """Makes calls as an executor does."""

    def __init__(self, world):
        self.world = world

    async def batch(self, *calls, delivery=None, ends=False):
        context = CallContext("exec-1", delivery)
        params = {"calls": list(calls), "endsDelivery": ends}
        return (await self.world.call("batch", **params, context=context))["results"]


@pytest.fixture
def executor(world):
    return Executor(world)


async def running_step(world, executor):
    """Return a run whose step is being delivered, and the delivery."""
    run_id = await world.new_run()
    await executor.batch(step_created(run_id), step_message(run_id))
    delivery = await world.claim_one()
    await world.create(run_id, "step_started", "step_1", context=CallContext("exec-1", delivery.id))
    return run_id, delivery


async def test_a_step_is_created_and_queued(world, executor):
    run_id = await world.new_run()
    created, queued = await executor.batch(step_created(run_id), step_message(run_id))
    assert created["value"] == {}
    assert (await world.log(run_id))[-1] == "step_created"
    assert (await world.claim_one()).message_id == queued["value"]["messageId"]


async def test_a_refusal_has_no_effect_and_stops_nothing(world, executor):
    run_id = await world.new_run()
    await executor.batch(step_created(run_id), step_message(run_id))
    again, queued = await executor.batch(step_created(run_id), step_message(run_id))
    assert again["error"]["name"] == "EntityConflictError"
    assert (await world.claim_one()).message_id == queued["value"]["messageId"]
    assert (await world.log(run_id)).count("step_created") == 1


async def test_what_makes_no_sense_is_refused_by_itself(world, executor):
    run_id = await world.new_run()
    nonsense = {"method": "queue.publish", "params": {"queueName": "jobs", "body": b""}}
    created, refused = await executor.batch(step_created(run_id), nonsense)
    assert "value" in created
    assert refused["error"]["status"] == 400


async def test_the_end_of_a_step_ends_its_delivery(world, executor):
    run_id, delivery = await running_step(world, executor)
    await executor.batch(step_ended(run_id), wake(world, run_id), delivery=delivery.id)
    assert await world.engine.queue.depth() == {"ready": 1, "leased": 0, "dead": 0}
    assert await world.engine.leases.complete(delivery.id)
    assert (await world.claim_one()).kind == "workflow"


async def test_a_failure_after_the_end_of_a_step_brings_nothing_back(world, executor):
    run_id, delivery = await running_step(world, executor)
    await executor.batch(step_ended(run_id, "step_failed"), wake(world, run_id), delivery=delivery.id)
    assert not await world.engine.leases.fail(delivery.id, "the process died", executor_lost=True)
    assert [found.kind for found in await world.claim()] == ["workflow"]


@pytest.mark.parametrize("missing", ["wake", "end"])
async def test_a_delivery_goes_on_as_long_as_half_of_its_end_is_missing(world, executor, missing):
    run_id, delivery = await running_step(world, executor)
    calls = [step_ended(run_id), wake(world, run_id)]
    await executor.batch(calls[0 if missing == "wake" else 1], delivery=delivery.id)
    assert (await world.engine.queue.depth())["leased"] == 1


async def test_of_two_ends_of_a_step_in_one_turn_the_second_is_refused(world, executor):
    # On PostgreSQL they share a transaction, and what each will look at is asked before either.
    run_id, delivery = await running_step(world, executor)
    ends = [
        executor.batch(step_ended(run_id, kind), wake(world, run_id), delivery=delivery.id)
        for kind in ("step_completed", "step_failed")
    ]
    (first, _), (second, _) = await asyncio.gather(*ends)
    assert "value" in first
    assert second["error"]["name"] == "EntityConflictError"
    assert [name for name in await world.log(run_id) if name in {"step_completed", "step_failed"}] == ["step_completed"]
    assert await world.engine.queue.depth() == {"ready": 1, "leased": 0, "dead": 0}


async def test_wakes_in_one_turn_ask_for_one_replay_whether_one_is_pending_or_not(world, executor):
    run_id = await world.new_run()
    for _ in range(2):
        await asyncio.gather(*(executor.batch(wake(world, run_id)) for _ in range(3)))
        assert (await world.engine.queue.depth())["ready"] == 1


async def test_steps_that_are_queued_again_are_queued_once(world, executor):
    run_id = await world.new_run()
    ids = [f"step_{n}" for n in range(5)]
    await executor.batch(*(call for name in ids for call in (step_created(run_id, name), step_message(run_id, name))))
    again = await executor.batch(*(step_message(run_id, name) for name in ids))
    once_more = await executor.batch(*(step_message(run_id, name) for name in reversed(ids)))
    assert again == list(reversed(once_more))
    assert (await world.engine.queue.depth())["ready"] == len(ids)


async def test_the_end_of_another_step_ends_no_delivery(world, executor):
    run_id, delivery = await running_step(world, executor)
    await executor.batch(step_created(run_id, "step_2"), step_message(run_id, "step_2"))
    await executor.batch(step_ended(run_id, step_id="step_2"), wake(world, run_id), delivery=delivery.id)
    assert (await world.engine.queue.depth())["leased"] == 1


async def test_a_batch_may_end_its_replay(world, database, executor):
    run_id = await world.new_run()
    await world.wake(run_id)
    delivery = await world.claim_one()
    context = CallContext("exec-1", delivery.id)
    await world.create(run_id, "run_started", context=context)
    await executor.batch(step_created(run_id), step_message(run_id), delivery=delivery.id, ends=True)
    assert await world.engine.queue.depth() == {"ready": 1, "leased": 0, "dead": 0}
    assert await world.engine.leases.complete(delivery.id)
    assert (await world.claim_one()).kind == "step"
    replayed = await database.read(lambda connection: connection.execute(tables.runs.select()).one().replayed_slot)
    assert replayed == 2


async def test_a_batch_of_which_something_is_refused_ends_nothing(world, executor):
    run_id = await world.new_run()
    await world.wake(run_id)
    delivery = await world.claim_one()
    nonsense = {"method": "queue.publish", "params": {"queueName": "jobs", "body": b""}}
    await executor.batch(step_created(run_id), step_message(run_id), nonsense, delivery=delivery.id, ends=True)
    assert (await world.engine.queue.depth())["leased"] == 1


async def test_the_end_of_a_run_ends_its_replay(world, database):
    run_id = await world.new_run()
    await world.wake(run_id)
    delivery = await world.claim_one()
    await world.create(run_id, "run_completed", context=CallContext("exec-1", delivery.id), output=b"1")
    assert not any((await world.engine.queue.depth()).values())
    replayed = await database.read(lambda connection: connection.execute(tables.runs.select()).one().replayed_slot)
    assert replayed == 2


async def test_apps_cannot_send_batches(world):
    with pytest.raises(WorldError, match="no method"):
        await world.call("batch", calls=[])


async def test_a_batch_locks_its_run_before_the_runs_queue(world, database, executor, monkeypatch):
    # The other way around, the end of a replay and the end of a step wait for each other.
    run_id = await world.new_run()
    taken = []
    ask_of_run = log.ask_ahead_of_run

    def ask_ahead(transaction, asked):
        taken.append(("run", asked))
        ask_of_run(transaction, asked)

    def lock_queue(transaction, locked):
        taken.append(("queue", locked))
        transaction.lock("queue", locked)

    monkeypatch.setattr(log, "ask_ahead_of_run", ask_ahead)
    monkeypatch.setattr(queue, "lock_queue", lock_queue)
    await executor.batch(step_message(run_id), step_created(run_id))
    alone = [("queue", run_id)]
    assert taken == (alone if database.in_order else [("run", run_id), *alone, *alone])
