"""Failures that other systems had in the field, numbered, each with its public thread.

This folder is the one place where all of them are found. Here are those that show in the engine, on SQLite and
PostgreSQL. Each test runs again without its guard, and must fail then: see ``guards.py``.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress

import pytest

from tests.regressions import guards
from tests.regressions.guards import DAY_MS, guarded_by
from tests.regressions.support import until
from tests.worker.routes.conftest import make_settings, running
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import Capacity, deferred, housekeeping, log
from workflow_studio.worker.ports import CallContext, Handled, IdempotencyKey
from workflow_studio.worker.store import StoreError, tables

HOUR_MS = 3600_000


async def replay(world, *events, again_in=None):
    """Deliver the pending replay: start the run, write ``events``, acknowledge."""
    delivery = await world.claim_one()
    context = CallContext("exec-1", delivery.id)
    await world.create(delivery.run_id, "run_started", context=context)
    for kind, correlation_id, data in events:
        await world.create(delivery.run_id, kind, correlation_id, context=context, **data)
    if again_in is None:
        await world.engine.leases.complete(delivery.id)
    else:
        await world.engine.leases.defer(delivery.id, again_in)
    return delivery.run_id


class Pool:
    """Handles deliveries as a test says."""

    def __init__(self, handle=None):
        self.handle = handle
        self.deliveries = []
        self.done = []
        self.at_once = Counter()
        self.peak = {}

    def ready(self, delivery):
        return None

    async def deliver(self, delivery):
        self.deliveries.append(delivery)
        self.at_once[delivery.kind] += 1
        self.peak[delivery.kind] = max(self.peak.get(delivery.kind, 0), self.at_once[delivery.kind])
        try:
            await asyncio.sleep(0)
            if self.handle is not None:
                await self.handle(delivery)
            return Handled()
        finally:
            self.at_once[delivery.kind] -= 1
            self.done.append(delivery)


@pytest.fixture
async def dispatching():
    """Deliver messages to a pool until the test ends."""
    started = []

    async def start(world, pool, capacity=None):
        dispatcher = world.engine.dispatcher(pool, capacity)
        started.append(dispatcher)
        await dispatcher.start()

    yield start
    for dispatcher in started:
        await dispatcher.stop(grace=0)


async def parked_on_a_hook(world, token):
    await world.engine.runs.start(world.workflow, b"")
    return await replay(world, ("hook_created", f"hook_{token}", {"token": token}))


async def slots(world, run_id):
    page = await world.call("events.list", runId=run_id, limit=1000)
    return [int(event["eventId"].removeprefix("evnt_")) for event in page["data"]]


@guarded_by(guards.messages_are_acknowledged_on_receipt)
async def test_01_a_message_is_acknowledged_only_after_its_execution(world, after_crash):
    """A message that was acknowledged before it was handled took its run with it in a crash.

    Sources: vercel/workflow#1531, vercel/workflow#679.
    """
    run = await world.engine.runs.start(world.workflow, b"")
    in_flight = await world.claim_one()
    survivor = await after_crash()
    await survivor.engine.recovery.at_boot()
    again = await survivor.claim()
    assert [(delivery.message_id, delivery.attempt, delivery.run_id) for delivery in again] == [
        (in_flight.message_id, 2, run["runId"])
    ]
    await survivor.engine.leases.complete(again[0].id)
    assert (await survivor.engine.queue.depth())["ready"] == 0


@guarded_by(guards.every_statement_is_committed_by_itself)
async def test_02_a_step_and_its_event_are_written_together_or_not_at_all(world, monkeypatch):
    """A step's row without its event wedged the run for ever: the event could never be written again.

    Source: vercel/workflow#3081.
    """
    run_id = await world.new_run()
    apply = log._apply

    def cut_off(*args, **options):
        monkeypatch.setattr(log, "_apply", apply)
        apply(*args, **options)
        deferred.store_changes(args[0])
        raise StoreError("killed between the row and the event")

    monkeypatch.setattr(log, "_apply", cut_off)
    with pytest.raises(WorldError, match="database failed"):
        await world.create(run_id, "step_created", "step_1", stepName="add")
    with suppress(WorldError):
        await world.create(run_id, "step_created", "step_1", stepName="add")
    assert await world.log(run_id) == ["run_created", "run_started", "step_created"]
    assert await slots(world, run_id) == [1, 2, 3]


@guarded_by(guards.every_unfinished_run_is_woken_at_boot)
async def test_03_parked_runs_are_not_woken_at_boot(world, after_crash):
    """A boot that enqueued every unfinished run replayed 451 sessions that were only waiting.

    Source: vercel/workflow#3119.
    """
    for number in range(30):
        await parked_on_a_hook(world, f"t{number}")
    await world.engine.runs.start(world.workflow, b"")
    await replay(world, ("wait_created", "wait_1", {"resumeAt": world.clock.now + DAY_MS}), again_in=86400)
    forgotten = await world.new_run(started=False)
    survivor = await after_crash()
    recovered = await survivor.engine.recovery.at_boot()
    assert (recovered.released, recovered.woken) == (0, 1), "all but the one that nothing else would wake"
    assert [delivery.run_id for delivery in await survivor.claim(workflow=100)] == [forgotten]


@guarded_by(guards.leases_outlive_their_worker)
async def test_04_what_a_dead_worker_held_is_free_as_soon_as_the_next_one_starts(world, after_crash):
    """Locks of a dead worker stayed stale for four hours.

    Source: the lock timeout of graphile-worker, which vercel/workflow's PostgreSQL World is built on.
    """
    run_id = await world.new_run()
    step = await world.publish_step(run_id)
    wake = await world.wake(run_id)
    assert len(await world.claim()) == 2
    survivor = await after_crash()
    recovered = await survivor.engine.recovery.at_boot()
    assert (recovered.released, recovered.woken) == (2, 0), "at once: the clock has not moved"
    assert {(d.message_id, d.attempt) for d in await survivor.claim()} == {(step, 2), (wake, 2)}


@guarded_by(guards.a_lost_executor_is_found_out_by_a_timeout)
async def test_05_a_message_of_a_lost_executor_comes_back_within_a_second(world):
    """A crash in the middle of a step waited out a lease of 860 seconds, sized to the longest step.

    Source: the visibility timeout of queues that lease by the clock.
    """
    run_id = await world.new_run()
    message_id = await world.publish_step(run_id)
    delivery = await world.claim_one()
    world.clock.tick(10 * 60_000)
    await world.engine.leases.fail(delivery.id, "killed", executor_lost=True)
    world.clock.tick(1000)
    assert [(again.message_id, again.attempt) for again in await world.claim()] == [(message_id, 2)]


@guarded_by(guards.slots_are_taken_from_an_earlier_read)
async def test_06_a_hook_resumed_as_a_timer_fires_gets_a_slot_of_its_own(world):
    """Both took the same place in the log, and the run could not be replayed any more.

    Source: vercel/workflow#4017; vercel/workflow#2737 and vercel/workflow#4021 are of the same kind.
    """
    runs = [await world.new_run() for _ in range(8)]
    resume_at = world.clock.now + 1000
    for number, run_id in enumerate(runs):
        await world.create(run_id, "hook_created", "hook_1", token=f"t{number}")
        await world.create(run_id, "wait_created", "wait_1", resumeAt=resume_at)
    world.clock.tick(1000)
    racers = [
        racer
        for run_id in runs
        for racer in (
            world.create(run_id, "hook_received", "hook_1", payload=b"x"),
            world.create(run_id, "wait_completed", "wait_1", resumeAt=resume_at),
            world.wake(run_id),
            world.wake(run_id),
        )
    ]
    outcomes = await asyncio.gather(*racers, return_exceptions=True)
    assert [outcome for outcome in outcomes if isinstance(outcome, Exception)] == []
    for run_id in runs:
        events = await world.log(run_id)
        assert sorted(events[4:]) == ["hook_received", "wait_completed"]
        assert await slots(world, run_id) == [1, 2, 3, 4, 5, 6]
    assert len(await world.claim()) == len(runs), "and one replay each sees both"


@guarded_by(guards.leased_messages_of_anybody_take_places, guards.leases_outlive_their_worker)
async def test_08_what_is_recovered_does_not_block_a_queue_of_concurrency_one(world, after_crash, dispatching):
    """What was in flight when the worker died stayed so, and let nothing else through its queue, even after a restart.

    Source: dbos-inc/dbos-transact-py#805.
    """
    run_ids = [await world.new_run() for _ in range(3)]
    published = [await world.publish_step(run_id) for run_id in run_ids]
    published += [await world.wake(run_id) for run_id in run_ids]
    assert len(await world.claim(workflow=1, step=1)) == 2
    survivor = await after_crash()
    pool = Pool()
    await dispatching(survivor, pool, Capacity(workflow=1, step=1))
    await until(lambda: len(pool.deliveries) == 6, seconds=5)
    assert {delivery.message_id for delivery in pool.deliveries} == set(published)
    assert pool.peak == {"workflow": 1, "step": 1}


@guarded_by(guards.quiet_runs_are_taken_for_orphans)
async def test_09_a_run_that_waits_for_a_hook_for_30_days_is_healthy(world, after_crash):
    """A watchdog took runs that slept or waited for orphans and failed them.

    Source: the orphan rule of other Worlds, which goes by the time of the last event.
    """
    run_id = await parked_on_a_hook(world, "approval")
    for _ in range(30):
        world.clock.tick(DAY_MS)
        assert await world.engine.recovery.sweep() == 0
        assert await world.claim() == []
    survivor = await after_crash()
    recovered = await survivor.engine.recovery.at_boot()
    assert (recovered.released, recovered.woken) == (0, 0)
    assert (await survivor.call("runs.get", runId=run_id))["status"] == "running"
    assert (await survivor.call("hooks.getByToken", token="approval"))["runId"] == run_id
    await survivor.create(run_id, "hook_received", "hook_approval", payload=b"yes")
    await survivor.wake(run_id)
    assert [delivery.run_id for delivery in await survivor.claim()] == [run_id]


@guarded_by(guards.messages_go_to_the_active_deployment, guards.messages_go_where_their_sender_says)
async def test_10_a_late_message_reaches_the_deployment_of_its_run(world, manifest):
    """A message that was delayed, or came from a preview of the app, was handled by code that the run does not know.

    Source: the ``DEPLOYMENT_MISMATCH`` of Workflow SDK 5, "Versioning" in its documentation.
    """
    run_id = await world.new_run()
    await world.publish_step(run_id, delaySeconds=3600)
    newer, _ = await world.engine.deployments.register(manifest("1"))
    await world.engine.deployments.activate(newer.id)
    world.clock.tick(HOUR_MS)
    await world.wake(run_id, deploymentId=newer.id)
    late = await world.claim()
    assert {delivery.kind: delivery.deployment_id for delivery in late} == {
        "step": world.deployment_id,
        "workflow": world.deployment_id,
    }


@guarded_by(guards.messages_go_to_the_active_deployment)
async def test_11_a_run_stays_on_its_code_when_new_code_is_activated_in_its_midst(world, manifest, after_crash):
    """An edit during a run changed the code under it, and the replay did not fit its log any more.

    Source: hot module replacement in the Workflow SDK's development mode.
    """
    await world.engine.runs.start(world.workflow, b"")
    run_id = await replay(world, ("step_created", "step_1", {"stepName": "add"}))
    await world.publish_step(run_id)
    step = await world.claim_one()
    newer, _ = await world.engine.deployments.register(manifest("1"))
    await world.engine.deployments.activate(newer.id)
    await world.create(run_id, "step_started", "step_1")
    await world.engine.leases.fail(step.id, "an attempt that fails")
    world.clock.tick(1000)
    again = await world.claim_one()
    assert again.deployment_id == world.deployment_id
    await world.create(run_id, "step_completed", "step_1", result=b"1")
    survivor = await after_crash()
    await survivor.engine.recovery.at_boot()
    taken_up = [delivery.deployment_id for delivery in await survivor.claim() if delivery.run_id == run_id]
    assert taken_up == [world.deployment_id] * 2, "the step and the replay"
    new_run = (await survivor.engine.runs.start(world.workflow, b""))["runId"]
    (fresh,) = [delivery for delivery in await survivor.claim() if delivery.run_id == new_run]
    assert fresh.deployment_id == newer.id


@guarded_by(guards.everybody_is_let_in)
@pytest.mark.parametrize("key", [None, "a guess"])
async def test_12_a_forged_post_to_the_worker_delivers_nothing(tmp_path, key):
    """Anybody who could reach the queue's routes could have a run of theirs replayed.

    Sources: vercel/workflow#3908, vercel/workflow#3117.
    """
    async with running(make_settings(tmp_path / "data")) as worker:
        run_id = await worker.start()
        envelope = {"queueName": "__wkf_workflow_x", "body": b"", "runId": run_id}
        assert (await worker.call("queue.publish", envelope, key=key)).status_code == 401
        for route in ("flow", "step"):
            forged = await worker.post(f"/.well-known/workflow/v1/{route}", key=key, json={"runId": run_id})
            assert forged.status_code == 401
        assert worker.pool.deliveries == []


@guarded_by(guards.answers_and_messages_are_kept_for_ever, guards.all_is_deleted_in_one_transaction)
async def test_13_tables_hold_no_more_than_the_runs_and_little_is_deleted_at_a_time(world, database, monkeypatch):
    """Tables that nothing was ever deleted from grew to 62 GB, and reading them kept the database busy for 87 minutes.

    Sources: KeeperHub/keeperhub#2344, vercel/workflow#2554.
    """
    monkeypatch.setattr(housekeeping, "PORTION", min(housekeeping.PORTION, 5) if housekeeping.PORTION < 1000 else 1000)
    deleted = []
    write = type(database).write

    async def counted(self, work):
        result = await write(self, work)
        if isinstance(result, int):
            deleted.append(result)
        return result

    for number in range(12):
        key = IdempotencyKey("p", "POST /v1/runs", f"k{number}", "digest")
        run = await world.engine.runs.start(world.workflow, b"", repeat=key)
        await replay(world, ("wait_created", "wait_1", {"resumeAt": world.clock.now + DAY_MS}), again_in=86400)
        await world.engine.runs.cancel(run["runId"])
    alive = await parked_on_a_hook(world, "t")
    sleeping = (await world.engine.runs.start(world.workflow, b""))["runId"]
    await replay(world, ("wait_created", "wait_1", {"resumeAt": world.clock.now + 30 * DAY_MS}), again_in=30 * 86400)
    world.clock.tick(DAY_MS + 1)
    monkeypatch.setattr(type(database), "write", counted)
    await world.engine.housekeeping.sweep()
    rows = await database.read(lambda connection: connection.execute(tables.messages.select()).all())
    assert [row.run_id for row in rows] == [sleeping], "the ended runs' messages are gone"
    assert await database.read(lambda connection: connection.execute(tables.idempotency.select()).all()) == []
    assert sum(deleted) == 24
    assert max(deleted) <= 5, "no transaction holds up the others for long"
    assert (await world.call("runs.get", runId=alive))["status"] == "running"


@pytest.mark.parametrize("wait", ["runs.get", "streams.read"])
@guarded_by(guards.whoever_waits_takes_a_place)
async def test_14_a_step_that_awaits_another_run_does_not_keep_its_steps_from_running(world, dispatching, wait):
    """At concurrency N, N parents that awaited their children's results kept the children from being run, for ever.

    Source: the Fibonacci example in the documentation of vercel/workflow's PostgreSQL World.
    """
    parents = [await world.new_run() for _ in range(2)]
    children = dict(zip(parents, [await world.new_run() for _ in parents], strict=True))

    async def handle(delivery):
        if delivery.kind == "workflow":
            return
        child = children.get(delivery.run_id)
        context = CallContext("exec-1", delivery.id)
        if child is None:
            await world.call("streams.close", name=f"of {delivery.run_id}", runId=delivery.run_id)
            await world.create(delivery.run_id, "run_completed", context=context)
            return
        await world.publish_step(child, f"step_of_{child}")
        if wait == "runs.get":
            await world.call("runs.get", context=context, runId=child, waitMs=25_000)
        else:
            await world.call("streams.read", context=context, name=f"of {child}", waitMs=25_000)

    pool = Pool(handle)
    for parent in parents:
        await world.publish_step(parent)
    await dispatching(world, pool, Capacity(workflow=1, step=1))
    await until(lambda: sum(delivery.kind == "step" for delivery in pool.done) == 4, seconds=5)
    assert {(await world.call("runs.get", runId=child))["status"] for child in children.values()} == {"completed"}


@guarded_by(guards.leases_lapse_by_the_clock)
async def test_15_a_step_of_two_hours_keeps_its_lease(world):
    """The lease lapsed inside a long model call, and the step ran twice at a time.

    Source: dispatchers whose lease is renewed only between deliveries.
    """
    await world.engine.runs.start(world.workflow, b"")
    run_id = await replay(world, ("step_created", "step_1", {"stepName": "add"}))
    message_id = await world.publish_step(run_id)
    delivery = await world.claim_one()
    for _ in range(12):
        world.clock.tick(HOUR_MS // 6)
        await world.engine.recovery.sweep()
        assert await world.claim() == []
        assert await world.publish_step(run_id) == message_id, "a replay meanwhile does not send it again"
    assert await world.engine.leases.complete(delivery.id)
