"""What a replay begins with comes with its delivery, as far as the executor does not hold it already."""

from __future__ import annotations

import asyncio

import pytest

from workflow_studio.worker.engine.replays import KnownLogs
from workflow_studio.worker.ports import CallContext, Handled
from workflow_studio.worker.store import Database

EXECUTOR = "exec-1"


class Pool:
    """Has an executor that is ready, and handles deliveries at once."""

    def __init__(self):
        self.executor = EXECUTOR
        self.deliveries = asyncio.Queue()
        self.gate = asyncio.Event()
        self.gate.set()

    def ready(self, _delivery):
        return self.executor

    async def deliver(self, delivery):
        self.deliveries.put_nowait(delivery)
        await self.gate.wait()
        return Handled()


@pytest.fixture
def place(tmp_path):
    """Only where messages are claimed in the commit that makes them due is anything sent ahead."""

    class File:
        def open(self):
            return Database.open(tmp_path / "worker.db")

    return File()


@pytest.fixture
async def pool(world):
    used = Pool()
    dispatcher = world.engine.dispatcher(used)
    await dispatcher.start()
    yield used
    used.gate.set()
    await dispatcher.stop(grace=5)


async def replayed(world, pool, run_id):
    """Have a run replayed and return what came with the delivery."""
    await world.wake(run_id)
    async with asyncio.timeout(10):
        return await pool.deliveries.get()


def events_of(delivery):
    return [event["eventType"] for event in delivery.first.answer["value"]["events"]]


async def test_the_first_replay_is_sent_the_run_and_its_whole_log(world, pool):
    run_id = await world.new_run(started=False)
    delivery = await replayed(world, pool, run_id)
    first = delivery.first
    assert (first.event_type, first.correlation_id, first.known_slot) == ("run_started", "", 0)
    answer = first.answer["value"]
    assert events_of(delivery) == ["run_created", "run_started"]
    assert answer["run"] == {**await world.call("runs.get", runId=run_id), "status": "running"}
    page = await world.call("events.list", runId=run_id)
    assert answer["events"] == page["data"]
    assert (answer["cursor"], answer["hasMore"]) == (page["data"][-1]["eventId"], False)


async def test_the_next_replay_is_sent_what_is_new(world, pool):
    run_id = await world.new_run(started=False)
    await replayed(world, pool, run_id)
    await world.create(run_id, "step_created", "step_1", stepName="add", input=b"")
    delivery = await replayed(world, pool, run_id)
    assert delivery.first.known_slot == 2
    assert events_of(delivery) == ["step_created"]


async def test_what_an_executor_has_loaded_by_itself_is_known(world, pool):
    run_id = await world.new_run()
    context = CallContext(EXECUTOR)
    await world.create(run_id, "run_started", context=context)
    assert (await replayed(world, pool, run_id)).first.known_slot == 2


@pytest.mark.parametrize("where", ["input", "log"])
async def test_a_large_payload_is_not_sent_ahead(world, pool, where):
    run_id = world.new_run_id()
    large = bytes(100_000)
    await world.create(run_id, "run_created", **{**world.run_data(), **({"input": large} if where == "input" else {})})
    if where == "log":
        await world.create(run_id, "step_created", "step_1", stepName="add", input=large)
    assert (await replayed(world, pool, run_id)).first is None
    assert await world.log(run_id) == ["run_created", *["step_created"] * (where == "log"), "run_started"]


async def test_a_long_log_is_sent_ahead_as_long_as_it_need_not_be_read(world, pool):
    run_id = await world.new_run()
    for number in range(70):
        await world.create(run_id, "step_created", f"step_{number}", stepName="add", input=b"")
    delivery = await replayed(world, pool, run_id)
    assert len(events_of(delivery)) == 72
    pool.executor = "exec-2"
    assert (await replayed(world, pool, run_id)).first is None


async def test_a_log_is_read_for_an_executor_that_has_none_of_it(world, pool):
    run_id = await world.new_run()
    await replayed(world, pool, run_id)
    pool.executor = "exec-2"
    delivery = await replayed(world, pool, run_id)
    assert delivery.first.known_slot == 0
    assert events_of(delivery) == ["run_created", "run_started"]


async def test_a_run_that_has_ended_is_not_sent(world, pool):
    run_id = await world.new_run()
    envelope = {"queueName": f"__wkf_workflow_{world.workflow}", "body": b"again", "runId": run_id}
    await world.create(run_id, "run_completed", output=b"")
    await world.call("queue.publish", **envelope)
    async with asyncio.timeout(10):
        assert (await pool.deliveries.get()).first is None


async def test_an_acknowledged_replay_has_seen_what_it_was_sent(world, pool):
    run_id = await world.new_run(started=False)
    await replayed(world, pool, run_id)
    async with asyncio.timeout(10):
        while any((await world.engine.queue.depth()).values()):  # noqa: ASYNC110  # rows have no events
            await asyncio.sleep(0.01)
    world.clock.tick(60_000)
    assert await world.engine.recovery.sweep() == 0


def test_the_logs_used_longest_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr("workflow_studio.worker.engine.replays._REMEMBERED", 2)
    known = KnownLogs()
    for run_id in "aba":
        known.note(EXECUTOR, run_id, 1)
    known.note(EXECUTOR, "c", 3)
    assert [known.slot(EXECUTOR, run_id) for run_id in "abc"] == [1, 0, 3]
    assert known.slot("exec-2", "a") == 0
