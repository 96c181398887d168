"""Transactions that run into each other, which only PostgreSQL lets them do."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import insert, select, update

from workflow_studio.compute.world_errors import EntityConflictError
from workflow_studio.worker.engine import EngineError, NewKey, leases
from workflow_studio.worker.engine.idempotency import IdempotencyKeys
from workflow_studio.worker.engine.queue import flow_queue
from workflow_studio.worker.ports import CallContext, IdempotencyKey
from workflow_studio.worker.store import tables


@pytest.fixture
def place(place_of, tmp_path):
    return place_of("postgresql", tmp_path)


async def test_many_writers_of_one_run_leave_dense_slots(world):
    run_id = await world.new_run()
    await asyncio.gather(
        *(world.create(run_id, "step_created", f"step_{number}", stepName="s", input=b"") for number in range(50))
    )
    page = await world.call("events.list", runId=run_id, limit=1000)
    assert [int(event["eventId"].partition("_")[2]) for event in page["data"]] == list(range(1, 53))


async def test_one_of_many_runs_gets_a_token_and_the_others_record_the_conflict(world):
    runs = [await world.new_run() for _ in range(12)]
    answers = await asyncio.gather(*(world.create(run_id, "hook_created", "hook_1", token="t") for run_id in runs))
    kinds = [answer["event"]["eventType"] for answer in answers]
    assert sorted(kinds) == ["hook_conflict"] * 11 + ["hook_created"]
    holder = (await world.call("hooks.getByToken", token="t"))["runId"]
    assert holder == runs[kinds.index("hook_created")]


async def test_a_run_is_created_once_however_many_try(world):
    run_id = world.new_run_id()

    async def created():
        await world.create(run_id, "run_created", **world.run_data())

    async def started():
        await world.create(run_id, "run_started", **world.run_data())

    outcomes = await asyncio.gather(*(attempt() for attempt in [created, started] * 6), return_exceptions=True)
    assert sum(isinstance(outcome, EntityConflictError) for outcome in outcomes) in {5, 6}
    assert {type(outcome) for outcome in outcomes} <= {type(None), EntityConflictError}
    assert await world.log(run_id) == ["run_created", "run_started"]


@asynccontextmanager
async def held(database, work):
    """Do ``work`` in a transaction that is committed when the block ends; yield what it returned."""
    done, go_on = threading.Event(), threading.Event()
    results = []

    def hold(transaction):
        results.append(work(transaction))
        done.set()
        assert go_on.wait(10)

    holding = asyncio.ensure_future(database.write(hold))
    assert await asyncio.to_thread(done.wait, 10)
    try:
        yield results[0]
    finally:
        go_on.set()
        await holding


async def test_a_wake_up_waits_for_another_that_is_not_committed_yet(world, database):
    run_id = await world.new_run()
    name = flow_queue(world.workflow)
    wake = world.engine.queue.wake
    async with held(database, lambda transaction: wake(transaction, run_id, run_at=0, queue_name=name)) as first:
        second = asyncio.ensure_future(world.wake(run_id))
        await asyncio.sleep(0.2)
        assert not second.done()
    assert await second == first
    assert len(await world.claim()) == 1


async def test_a_repeat_waits_for_the_first_request_that_is_not_committed_yet(world, database, clock):
    key = IdempotencyKey("p", "queue.publish", "k", "digest")
    records = IdempotencyKeys(clock)
    envelope = {"queueName": "__wkf_workflow_w", "body": b"", "runId": "r"}
    answer = {"messageId": "of the first"}
    async with held(database, lambda transaction: records.once(transaction, key, lambda: answer)):
        context = CallContext(idempotency=key)
        repeat = asyncio.ensure_future(world.call("queue.publish", context=context, **envelope))
        await asyncio.sleep(0.2)
        assert not repeat.done()
    assert await repeat == answer
    assert await world.claim() == []


async def test_a_payload_is_received_before_its_hook_is_disposed_or_not_at_all(world):
    run_id = await world.new_run()
    await world.create(run_id, "hook_created", "hook_1", token="t")
    received = [world.create(run_id, "hook_received", "hook_1", payload=b"") for _ in range(10)]
    await asyncio.gather(*received, world.create(run_id, "hook_disposed", "hook_1"), return_exceptions=True)
    assert (await world.log(run_id))[-1] == "hook_disposed"


async def test_a_claim_does_not_take_a_message_that_a_transaction_counts_on(world, database):
    """Else the delivery would replay the run without the event that the transaction is about to commit."""
    run_id = await world.new_run()
    message_id = await world.wake(run_id)
    announced = []
    world.engine.queue.on_ready(lambda: announced.append(True))
    name, now = flow_queue(world.workflow), world.clock.now
    wake = world.engine.queue.wake
    async with held(database, lambda transaction: wake(transaction, run_id, run_at=now, queue_name=name)) as woken:
        assert woken == message_id
        assert await world.claim() == [], "it is locked, and passed over"
        announced.clear()
    assert announced, "the dispatcher looks again"
    assert (await world.claim_one()).message_id == message_id


async def test_two_claims_at_once_take_no_message_twice(world):
    for number in range(20):
        await world.publish_step(await world.new_run(), f"step_{number}")
    claims = await asyncio.gather(*(world.claim(workflow=0, step=10) for _ in range(4)))
    taken = [delivery.message_id for claim in claims for delivery in claim]
    assert len(taken) == len(set(taken))
    rest = [delivery.message_id for delivery in await world.claim(step=20)]
    assert len(set(taken + rest)) == 20


async def test_ends_of_deliveries_and_wake_ups_leave_one_message_pending(world, monkeypatch):
    monkeypatch.setattr(leases, "backoff_ms", lambda *_, **__: 0)
    run_id = await world.new_run()
    await world.wake(run_id)
    for _ in range(15):
        delivery = await world.claim_one()
        wakes = [world.wake(run_id) for _ in range(3)]
        await asyncio.gather(world.engine.leases.defer(delivery.id, 0), *wakes, world.engine.runs.wake(run_id))
        assert (await world.engine.queue.depth())["ready"] == 1


async def test_a_key_that_is_being_revoked_is_not_rotated(world, database, clock):
    key, _ = await world.engine.keys.create(NewKey("p", "e", ["runs:read"]))

    def revoke(transaction):
        transaction.lock("keys")
        mine = update(tables.api_keys).where(tables.api_keys.c.key_id == key.key_id)
        transaction.execute(mine.values(revoked_at=clock.now))

    async with held(database, revoke):
        rotation = asyncio.ensure_future(world.engine.keys.rotate(key.key_id, overlap_ms=0))
        await asyncio.sleep(0.2)
        assert not rotation.done()
    with pytest.raises(EngineError) as refusal:
        await rotation
    assert refusal.value.code == "key_not_live"


async def test_variables_that_are_being_set_are_deleted_with_their_deployment(world, database, helpers):
    deployment, _ = await world.engine.deployments.register(helpers[2]("1"))
    variables = tables.deployment_variables

    def set_one(transaction):
        transaction.lock("variables", deployment.id)
        row = {"deployment_id": deployment.id, "name": "A", "value": b"x", "updated_at": 0}
        transaction.execute(insert(variables).values(row))

    async with held(database, set_one):
        deletion = asyncio.ensure_future(world.engine.deployments.delete(deployment.id))
        await asyncio.sleep(0.2)
        assert not deletion.done()
    await deletion
    assert await database.read(lambda connection: connection.execute(select(variables)).all()) == []
