"""A write claims what it makes due, in its own transaction."""

from __future__ import annotations

import pytest

from tests.worker.engine.test_dispatcher import Pool, drained, until
from workflow_studio.compute import wire
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import Capacity, Engine, turns
from workflow_studio.worker.engine.leases import Leases
from workflow_studio.worker.ports import BatchedCall, CallContext
from workflow_studio.worker.store import StoreError, tables


class ReadyPool(Pool):
    """Has an executor that takes deliveries at once."""

    def ready(self, delivery):
        return "exc_ready"


@pytest.fixture
def pool():
    return Pool()


@pytest.fixture
async def start(monkeypatch):
    """Return a function that starts the dispatcher of a worker, and waits until it has looked for what is due."""
    started, looks = [], []

    def watch(name):
        claim = getattr(Leases, name)

        async def watched(leases, *args):
            claimed = await claim(leases, *args)
            looks.append(leases)
            return claimed

        monkeypatch.setattr(Leases, name, watched)

    watch("claim")
    watch("claim_in_next_commit")

    async def begin(world, pool, capacity=None):
        dispatcher = world.engine.dispatcher(pool, capacity)
        await dispatcher.start()
        await until(lambda: any(leases is world.engine.leases for leases in looks))
        started.append((dispatcher, pool))

    yield begin
    for dispatcher, pool in started:
        pool.gate.set()
        await dispatcher.stop(grace=5)


@pytest.fixture
async def second(world, place, clock):
    """Return another worker of the service."""
    database = place.open()
    yield type(world)(Engine(database, clock=clock), clock, world.deployment_id)
    await database.close()


@pytest.fixture
def searches(monkeypatch):
    """Return a list that grows with every search for what is due."""
    made = []

    def watch(holder, name):
        search = getattr(holder, name)

        def watched(*args):
            made.append(name)
            return search(*args)

        monkeypatch.setattr(holder, name, watched)

    watch(turns, "among")
    watch(turns.Turns, "next")
    return made


async def batch(world, run_id, event_type, correlation_id=None, message=None, **data):
    """Write an event together with the message that follows it: a wake-up if not given."""
    event = {"eventType": event_type, "specVersion": 3, "correlationId": correlation_id, "eventData": data}
    event = {name: value for name, value in event.items() if value is not None}
    message = message or {"queueName": f"__wkf_workflow_{world.workflow}", "isWake": True}
    calls = [
        BatchedCall("events.create", {"runId": run_id, "event": event}),
        BatchedCall("queue.publish", {"runId": run_id, "body": b"", **message}),
    ]
    answer = await world.engine.world.batch(calls, CallContext())
    assert not any("error" in result for result in answer["results"])


@pytest.mark.parametrize("size", [10, 5_000])
async def test_the_row_of_a_step_is_stored_as_it_is_when_it_is_started_at_once(world, database, start, size):
    pool = ReadyPool()
    await start(world, pool)
    run_id = await world.new_run()
    message = {"queueName": "__wkf_step_add", "stepId": "step_1", "idempotencyKey": "step_1"}
    await batch(world, run_id, "step_created", "step_1", message, stepName="add", input=bytes(size))
    await deliveries(pool, 1)
    step = pool.deliveries[0].first.answer["value"]["step"]
    assert (step["status"], step["input"]) == ("running", bytes(size))
    row = await database.read(lambda connection: connection.execute(tables.steps.select()).one())
    assert (row.status, row.attempt, row.executor_id) == ("running", 1, "exc_ready")
    assert wire.decode(row.input) == bytes(size)


async def test_starts_steps_and_their_ends_are_claimed_without_a_search(world, start, searches):
    pool = ReadyPool()
    await start(world, pool)
    searches.clear()
    run_id = world.new_run_id()
    await batch(world, run_id, "run_created", **world.run_data())
    await drained(world)
    message = {"queueName": "__wkf_step_add", "stepId": "step_1", "idempotencyKey": "step_1"}
    await batch(world, run_id, "step_created", "step_1", message, stepName="add")
    await deliveries(pool, 2)
    await drained(world)  # what is committed alone is claimed alone
    await batch(world, run_id, "step_completed", "step_1", stepName="add", result=b"devl[3]")
    await deliveries(pool, 3)
    assert [delivery.first.event_type for delivery in pool.deliveries] == ["run_started", "step_started", "run_started"]
    assert searches == []


async def test_a_replay_that_is_asked_for_while_another_is_made_is_made_after_it(world, start):
    pool = ReadyPool()
    pool.gate.clear()
    await start(world, pool)
    run_id = world.new_run_id()
    await batch(world, run_id, "run_created", **world.run_data())
    await deliveries(pool, 1)
    await world.create(run_id, "step_created", "step_1", stepName="add")
    await batch(world, run_id, "step_completed", "step_1", stepName="add", result=b"devl[3]")
    assert await world.engine.queue.depth() == {"ready": 1, "leased": 1, "dead": 0}
    pool.gate.set()
    await deliveries(pool, 2)
    assert pool.deliveries[1].first.answer["value"]["events"][-1]["eventType"] == "step_completed"


async def deliveries(pool, number):
    await until(lambda: len(pool.deliveries) == number)


async def test_a_message_is_leased_by_the_transaction_that_makes_it(world, database, start, pool):
    await start(world, pool)
    run_id = await world.new_run()
    pool.gate.clear()
    before = database.tally.commits
    await world.publish_step(run_id)
    await world.wake(run_id)
    await deliveries(pool, 2)
    assert database.tally.commits == before + 2
    assert await world.engine.queue.depth() == {"ready": 0, "leased": 2, "dead": 0}


async def test_a_replay_that_had_to_wait_is_leased_by_the_end_of_the_one_before(world, database, start, pool):
    await start(world, pool)
    run_id = await world.new_run()
    pool.gate.clear()
    await world.wake(run_id)
    await deliveries(pool, 1)
    await world.wake(run_id)
    before = database.tally.commits
    assert await world.engine.queue.depth() == {"ready": 1, "leased": 1, "dead": 0}
    pool.gate.set()
    await drained(world)
    assert len(pool.deliveries) == 2
    assert database.tally.commits == before + 2, "the ends of both"


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
async def test_a_replay_waits_for_that_of_another_worker_and_is_then_made(world, second, start, pool):
    theirs = Pool()
    for one in (world, second):
        await one.engine.workers.register()
    await start(world, pool)
    await start(second, theirs)
    run_id = await world.new_run()
    pool.gate.clear()
    await world.wake(run_id)
    await deliveries(pool, 1)
    await second.wake(run_id)
    assert await world.engine.queue.depth() == {"ready": 1, "leased": 1, "dead": 0}
    pool.gate.set()
    await drained(world)
    assert (len(pool.deliveries), len(theirs.deliveries)) == (2, 0)


async def test_what_there_is_no_place_for_is_left_for_later(world, start, pool):
    await start(world, pool, Capacity(step=1))
    run_id = await world.new_run()
    pool.gate.clear()
    for number in range(3):
        await world.publish_step(run_id, f"step_{number}")
    await deliveries(pool, 1)
    pool.gate.set()
    await drained(world)
    assert len(pool.deliveries) == 3
    assert pool.peak == 1


async def test_a_write_that_is_undone_takes_no_place(world, database, start, pool):
    await start(world, pool, Capacity(step=1))
    run_id = await world.new_run()

    def fail(_):
        if is_failing:
            raise StoreError("no")

    is_failing = True
    database.before_commit(fail)
    with pytest.raises(WorldError, match="failed"):
        await world.publish_step(run_id, "step_1")
    is_failing = False
    await world.publish_step(run_id, "step_2")
    await drained(world)
    assert [delivery.step_id for delivery in pool.deliveries] == ["step_2"]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)  # a wake-up by itself knows no run on SQLite
async def test_a_claim_that_fails_keeps_no_write_from_being_made(world, start, pool, caplog):
    failures = []

    def ready(_):
        if failures:
            raise failures.pop()

    pool.ready = ready
    await start(world, pool)
    run_id = await world.new_run()
    failures.append(RuntimeError("no executor can be asked"))
    await world.wake(run_id)
    await drained(world)
    assert len(pool.deliveries) == 1
    assert "could not be done with it" in caplog.text
