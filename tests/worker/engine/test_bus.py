"""Workers of one service tell each other what there is to hear, and look anew where they may have missed it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing

import pytest

from tests.support.until import until
from workflow_studio.worker.engine import Capacity, Engine, NewKey
from workflow_studio.worker.engine.activity_rows import Wanted
from workflow_studio.worker.engine.bus import Bus, _packed
from workflow_studio.worker.engine.output import OutputQuery
from workflow_studio.worker.engine.params import RunsGet
from workflow_studio.worker.ports import Handled, Line
from workflow_studio.worker.store.database import MAX_SAID


@pytest.fixture
def place(place_of, tmp_path):
    return place_of("postgresql", tmp_path)


@pytest.fixture
async def both(world, place, clock):
    """Return two workers of a service that hear each other."""
    async with AsyncExitStack() as stack:
        database = place.open()
        stack.push_async_callback(database.close)
        second = type(world)(Engine(database, clock=clock), clock, world.deployment_id)
        for one in (world, second):
            await stack.enter_async_context(one.engine.bus.listening())
            await one.engine.workers.register()
        await until(lambda: world.engine.bus.others)
        yield world, second


class Pool:
    """Notes what it is to deliver, and ends nothing before the gate is open."""

    def __init__(self):
        self.deliveries = []
        self.gate = asyncio.Event()

    def ready(self, delivery):
        return None

    async def deliver(self, delivery):
        self.deliveries.append(delivery)
        await self.gate.wait()
        return Handled()


async def test_a_stream_is_read_live_through_another_worker(both):
    first, second = both
    run_id = await first.new_run()
    name = {"name": "s", "runId": run_id, "writerId": "w"}
    reading = asyncio.ensure_future(second.call("streams.read", name="s", runId=run_id, waitMs=25_000))
    await until(lambda: second.engine.streams.grown.listeners)
    await first.call("streams.write", **name, sequence=0, chunks=[b"one"])
    assert (await asyncio.wait_for(reading, 20))["chunks"] == [b"one"]
    rest = asyncio.ensure_future(second.call("streams.read", name="s", runId=run_id, startIndex=1, waitMs=25_000))
    await until(lambda: second.engine.streams.grown.listeners)
    await first.call("streams.close", name="s", runId=run_id)
    assert (await asyncio.wait_for(rest, 20))["done"]


async def test_who_waits_for_the_end_of_a_run_hears_of_it_from_another_worker(both):
    first, second = both
    run_id = await first.new_run()
    waiting = asyncio.ensure_future(second.engine.runs._queries.get_run(RunsGet(run_id=run_id, wait_ms=25_000)))
    await until(lambda: second.engine.ended.listeners)
    await first.create(run_id, "run_cancelled")
    assert (await asyncio.wait_for(waiting, 20))["status"] == "cancelled"


async def test_what_a_run_prints_is_followed_through_another_worker(both):
    first, second = both
    run_id = await first.new_run()
    await first.wake(run_id)
    delivery = await first.claim_one()
    following = asyncio.ensure_future(second.engine.output.list(OutputQuery(run_id), 25_000))
    await until(lambda: second.engine.ended.listeners)
    await first.engine.output.append(delivery, [Line(first.clock.now, "info", "hello")])
    assert [line.text for line in (await asyncio.wait_for(following, 20)).lines] == ["hello"]


async def test_what_happens_on_one_worker_is_in_the_feed_of_another(both):
    first, second = both
    stopping = asyncio.Event()
    async with aclosing(second.engine.activity.follow(Wanted(), None, stopping=stopping)) as parts:
        await anext(parts)
        run_id = await first.new_run()
        told = []
        async with asyncio.timeout(20):
            async for part in parts:
                told += [fields for _, fields in part.entries]
                if len(told) == 2:
                    break
    assert {fields["runId"] for fields in told} == {run_id}


async def test_who_follows_looks_for_what_may_have_been_missed(both):
    first, second = both
    stopping = asyncio.Event()
    async with aclosing(second.engine.activity.follow(Wanted(), None, stopping=stopping)) as parts:
        await anext(parts)
        first.engine.bus.others = 0  # as if nothing were heard
        run_id = await first.new_run()
        second.engine.bus.miss()
        async with asyncio.timeout(20):
            async for part in parts:
                if part.entries:
                    break
    assert part.entries[0][1]["runId"] == run_id


async def test_a_worker_tells_of_what_it_has_no_place_for_and_another_takes_it(both):
    first, _ = both
    pools = Pool(), Pool()
    dispatchers = [
        one.engine.dispatcher(pool, Capacity(workflow=1, step=1)) for one, pool in zip(both, pools, strict=True)
    ]
    for dispatcher in dispatchers:
        await dispatcher.start()
    try:
        for _ in range(2):
            await first.engine.runs.start(first.workflow, b"")
        await until(lambda: all(len(pool.deliveries) == 1 for pool in pools))
        assert pools[0].deliveries[0].run_id != pools[1].deliveries[0].run_id
    finally:
        for pool, dispatcher in zip(pools, dispatchers, strict=True):
            pool.gate.set()
            await dispatcher.stop(grace=5)


async def test_a_worker_that_is_about_to_end_leaves_what_comes_to_others(both):
    first, second = both
    ending, going_on = Pool(), Pool()
    paused, dispatcher = first.engine.dispatcher(ending), second.engine.dispatcher(going_on)
    await paused.start()
    await dispatcher.start()
    paused.pause()
    try:
        await first.engine.runs.start(first.workflow, b"")
        await until(lambda: going_on.deliveries)
        assert ending.deliveries == []
    finally:
        going_on.gate.set()
        await paused.stop(grace=1)
        await dispatcher.stop(grace=5)


async def test_a_key_that_is_revoked_on_one_worker_is_refused_by_all(both):
    first, second = both
    key, secret = await first.engine.keys.create(NewKey("default", "default", ("runs:read",)))
    assert await second.engine.keys.verify(secret)
    second.engine.keys._monotonic = lambda: 0.0  # what it remembers does not grow old
    assert await second.engine.keys.verify(secret)
    await first.engine.keys.revoke(key.key_id)
    await until(lambda: not second.engine.keys._remembered)
    assert await second.engine.keys.verify(secret) is None


async def test_an_activation_is_seen_by_all_workers_when_they_hear_of_it(both, manifest):
    first, second = both
    heard = asyncio.Event()
    second.engine.bus.on("activated", lambda _: heard.set())
    newer, _ = await first.engine.deployments.register(manifest("1"))
    await first.engine.deployments.activate(newer.id)
    await asyncio.wait_for(heard.wait(), 20)
    run = await second.engine.runs.start(second.workflow, b"")
    assert run["deploymentId"] == newer.id


async def test_the_variables_of_a_deployment_are_told_to_have_changed(world, place, clock, tmp_path):
    database = place.open()
    key = b"k" * 32
    engines = [
        Engine(world.engine._database, clock=clock, master_key=key),
        Engine(database, clock=clock, master_key=key),
    ]
    told = []
    engines[1].bus.on("variables", told.append)
    async with engines[1].bus.listening():
        await engines[0].environment.change(world.deployment_id, {"A": "1"})
        await until(lambda: told)
    assert told == [world.deployment_id]
    assert await engines[1].environment.values(world.deployment_id) == {"A": "1"}
    await database.close()


async def test_a_worker_that_is_alone_tells_nobody(world):
    sent = []
    world.engine._database.tell = lambda *said: sent.append(said)
    await world.new_run()
    assert sent == []
    assert world.engine.bus._sending is None


def test_hints_are_told_in_portions_that_the_database_takes():
    hints = [("streams", f"{'é' * 500}{number}") for number in range(40)]
    packed = _packed(hints)
    assert [hint for portion in packed for hint in portion] == hints
    bus = Bus.__new__(Bus)
    bus._me = "wrk_1"
    assert max(len(bus._said(portion).encode()) for portion in packed) < MAX_SAID + 500


def test_a_hint_that_is_too_long_stands_for_everything():
    assert _packed([("streams", "short"), ("streams", "x" * MAX_SAID)]) == [[("everything", "")]]
