"""The dispatcher: delivers what is due, keeps to its capacity, survives failures, and stops cleanly."""

from __future__ import annotations

import asyncio
import time

import pytest

from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import Capacity, Engine, Limits
from workflow_studio.worker.engine.places import Places
from workflow_studio.worker.ports import Failed, Handled, Undelivered
from workflow_studio.worker.store import StoreError, _sqlite, _writer


class Pool:
    """Handles deliveries as the test says."""

    def __init__(self):
        self.deliveries = []
        self.answer = lambda delivery: Handled()
        self.gate = asyncio.Event()
        self.gate.set()
        self.at_once = 0
        self.peak = 0

    def ready(self, delivery):
        return None

    async def deliver(self, delivery):
        self.deliveries.append(delivery)
        self.at_once += 1
        self.peak = max(self.peak, self.at_once)
        try:
            await self.gate.wait()
            return self.answer(delivery)
        finally:
            self.at_once -= 1


@pytest.fixture
def clock():
    """The dispatcher sleeps in real time."""

    class Real:
        def __call__(self):
            return time.time_ns() // 1_000_000

        @property
        def now(self):
            return self()

    return Real()


@pytest.fixture
def pool():
    return Pool()


@pytest.fixture
async def start(world, pool):
    started = []

    async def begin(capacity=None):
        dispatcher = world.engine.dispatcher(pool, capacity)
        await dispatcher.start()
        started.append(dispatcher)
        return dispatcher

    yield begin
    pool.gate.set()
    for dispatcher in started:
        await dispatcher.stop(grace=5)


def steps_of(pool):
    return [delivery for delivery in pool.deliveries if delivery.kind == "step"]


async def until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It never came about."
        await asyncio.sleep(0.005)


async def drained(world, **rest):
    async with asyncio.timeout(30):
        while await world.engine.queue.depth() != {"ready": 0, "leased": 0, "dead": 0, **rest}:  # noqa: ASYNC110  # rows have no events
            await asyncio.sleep(0.01)


async def test_a_published_message_is_delivered_and_acknowledged(world, start, pool):
    await start()
    run_id = await world.new_run()
    message_id = await world.publish_step(run_id)
    await drained(world)
    assert [(delivery.message_id, delivery.attempt) for delivery in pool.deliveries] == [(message_id, 1)]


async def test_a_delayed_replay_that_is_asked_for_while_another_is_made_is_made_at_its_time(
    world, database, start, pool
):
    await start()
    run_id = await world.new_run()
    pool.gate.clear()
    await world.wake(run_id)
    await until(lambda: len(pool.deliveries) == 1)
    before = database.tally.commits
    await world.wake(run_id, delaySeconds=0.5)
    await until(lambda: database.tally.commits >= before + 2)  # the dispatcher has looked, and passed it over
    pool.gate.set()
    await until(lambda: len(pool.deliveries) == 2)


async def test_a_delayed_message_is_delivered_at_its_time(world, start, pool):
    await start()
    run_id = await world.new_run()
    published = time.monotonic()
    await world.publish_step(run_id, delaySeconds=0.3)
    await drained(world)
    assert time.monotonic() - published >= 0.3
    assert len(pool.deliveries) == 1


async def test_a_message_falls_due_although_the_clock_was_set_meanwhile(world, start, pool, clock, monkeypatch):
    monkeypatch.setattr("workflow_studio.worker.engine.dispatcher._MAX_SLEEP_SECONDS", 0.05)
    await start()
    await world.publish_step(await world.new_run(), delaySeconds=3600)
    await asyncio.sleep(0.1)
    assert pool.deliveries == []
    monkeypatch.setattr(type(clock), "__call__", lambda _: time.time_ns() // 1_000_000 + 3_600_000)
    await until(lambda: pool.deliveries)


async def test_a_timeout_is_kept_and_a_failure_is_tried_again(world, start, pool):
    answers = iter([Handled(timeout_seconds=0.05), Failed("no"), Handled()])
    pool.answer = lambda delivery: next(answers)
    await start()
    run_id = await world.new_run()
    await world.publish_step(run_id)
    await until(lambda: len(pool.deliveries) >= 3)
    assert [delivery.attempt for delivery in pool.deliveries] == [1, 2, 3]
    assert len({delivery.message_id for delivery in pool.deliveries}) == 1
    assert len({delivery.id for delivery in pool.deliveries}) == 3


async def test_a_message_without_an_executor_is_delivered_later_as_the_same_attempt(world, start, pool):
    answers = iter([Undelivered("no Node.js"), Handled()])
    pool.answer = lambda delivery: next(answers)
    await start()
    await world.publish_step(await world.new_run())
    await until(lambda: len(pool.deliveries) >= 2)
    assert [delivery.attempt for delivery in pool.deliveries] == [1, 1]
    await drained(world)


async def test_capacity_bounds_the_deliveries_in_flight_and_all_are_made(world, start, pool):
    pool.gate.clear()
    await start(Capacity(workflow=1, step=3))
    run_id = await world.new_run()
    for number in range(10):
        await world.publish_step(run_id, f"step_{number}")
    await until(lambda: pool.at_once == 3)
    await asyncio.sleep(0.05)
    assert pool.peak == 3
    pool.gate.set()
    await drained(world)
    assert len(pool.deliveries) == 10
    assert pool.peak == 3


async def test_a_wake_up_during_a_replay_is_delivered_after_it(world, start, pool):
    pool.gate.clear()
    await start()
    run_id = await world.new_run()
    await world.wake(run_id)
    await until(lambda: pool.at_once == 1)
    await world.wake(run_id)
    await asyncio.sleep(0.05)
    assert pool.peak == 1
    pool.gate.set()
    await drained(world)
    assert len(pool.deliveries) == 2
    assert pool.peak == 1


async def test_an_idle_dispatcher_does_not_ask_again_and_again(world, start, monkeypatch):
    claims = []
    claim = type(world.engine.leases).claim

    async def counted(self, limits):
        claims.append(limits)
        return await claim(self, limits)

    monkeypatch.setattr(type(world.engine.leases), "claim", counted)
    await start()
    run_id = await world.new_run()
    await world.publish_step(run_id, delaySeconds=60)
    await asyncio.sleep(0.1)
    before = len(claims)
    await asyncio.sleep(0.3)
    assert len(claims) == before <= 5


async def test_a_failing_database_delays_deliveries_and_outcomes_but_loses_none(world, start, pool, monkeypatch):
    write = type(world.engine.leases._database).write
    failures = []

    async def unreliable(self, work, **how):
        if len(failures) < 4:
            failures.append(work)
            raise StoreError("no disk")
        return await write(self, work, **how)

    await start()
    run_id = await world.new_run()
    pool.gate.clear()
    await world.publish_step(run_id)
    await until(lambda: pool.at_once == 1)
    monkeypatch.setattr(type(world.engine.leases._database), "write", unreliable)
    pool.gate.set()
    await until(lambda: len(failures) == 4)
    await drained(world)
    assert len(pool.deliveries) == 1


@pytest.fixture
def patience(monkeypatch):
    """Have writes wait for others for as long as it takes."""
    monkeypatch.setattr(_writer, "_PATIENCE_SECONDS", 3600.0)


@pytest.mark.usefixtures("patience")
async def test_a_replay_that_others_wait_for_ends_at_once(world, start, pool):
    await start()
    run_id = await world.new_run()
    pool.gate.clear()
    await world.wake(run_id)
    await until(lambda: pool.deliveries)
    await world.wake(run_id)
    pool.gate.set()
    await until(lambda: len(pool.deliveries) == 2)
    await world.new_run()  # the last one waits for a commit to share


@pytest.mark.usefixtures("patience")
async def test_a_replay_that_has_ended_is_acknowledged_when_another_one_is_wanted(world, start, pool):
    dispatcher = await start()
    run_id = await world.new_run()
    for deliveries in range(1, 4):
        await world.wake(run_id)
        await until(lambda wanted=deliveries: len(pool.deliveries) == wanted)
    await world.new_run()
    await until(lambda: dispatcher.in_flight == 0)
    await drained(world)


async def test_a_pool_that_raises_counts_as_a_failed_delivery(world, start, pool, caplog):
    def answer(delivery):
        if delivery.attempt == 1:
            raise RuntimeError("bug")
        return Handled()

    pool.answer = answer
    await start()
    run_id = await world.new_run()
    await world.publish_step(run_id)
    await until(lambda: len(pool.deliveries) == 2)
    await drained(world)
    assert "went wrong" in caplog.text


async def test_stopping_waits_for_what_is_in_flight_and_starts_nothing_new(world, start, pool):
    pool.gate.clear()
    dispatcher = await start()
    run_id = await world.new_run()
    await world.publish_step(run_id)
    await until(lambda: pool.at_once == 1)
    stopping = asyncio.ensure_future(dispatcher.stop(grace=10))
    await asyncio.sleep(0.02)
    await world.publish_step(run_id, "step_2")
    await asyncio.sleep(0.05)
    pool.gate.set()
    await stopping
    assert len(pool.deliveries) == 1
    assert await world.engine.queue.depth() == {"ready": 1, "leased": 0, "dead": 0}


async def test_a_delivery_that_outlasts_the_grace_is_made_again_by_the_next_worker(world, start, pool, database, clock):
    pool.gate.clear()
    dispatcher = await start()
    run_id = await world.new_run()
    message_id = await world.publish_step(run_id)
    await until(lambda: pool.at_once == 1)
    await dispatcher.stop(grace=0.05)
    assert pool.at_once == 0
    pool.gate.set()
    successor = Engine(database, clock=clock).dispatcher(pool)
    await successor.start()
    await drained(world)
    await successor.stop(grace=1)
    steps = [delivery for delivery in pool.deliveries if delivery.kind == "step"]
    assert [(delivery.message_id, delivery.attempt) for delivery in steps] == [
        (message_id, 1),
        (message_id, 2),
    ]


async def test_the_capacity_of_steps_does_not_hold_up_replays(world, start, pool):
    pool.gate.clear()
    await start(Capacity(workflow=2, step=1))
    run_id = await world.new_run()
    for number in range(3):
        await world.publish_step(run_id, f"step_{number}")
    await world.wake(run_id)
    await until(lambda: {delivery.kind for delivery in pool.deliveries} == {"workflow", "step"})


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_what_a_write_makes_due_is_claimed_in_its_commit(world, start, pool, commits):
    run_id = await world.new_run()
    await start()
    await until(lambda: pool.deliveries)
    await drained(world)
    pool.gate.clear()
    before = len(commits)
    await world.publish_step(run_id)
    await until(lambda: steps_of(pool))
    assert len(commits) == before + 1


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_what_finds_no_place_is_claimed_when_there_is_one(world, start, pool):
    run_id = await world.new_run()
    pool.gate.clear()
    await start(Capacity(workflow=1, step=2))
    for number in range(5):
        await world.publish_step(run_id, f"step_{number}")
    await until(lambda: len(steps_of(pool)) == 2)
    pool.gate.set()
    await until(lambda: len(steps_of(pool)) == 5)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_claim_that_fails_keeps_no_places(world, start, pool, monkeypatch, caplog):
    run_id = await world.new_run()
    await start(Capacity(workflow=1, step=1))
    commit, failures = _sqlite.commit, []

    def fail_once(connection):
        if not failures:
            failures.append(1)
            raise OSError("disk")
        commit(connection)

    monkeypatch.setattr(_sqlite, "commit", fail_once)
    with pytest.raises(WorldError):
        await world.publish_step(run_id)
    await world.publish_step(run_id)
    await until(lambda: pool.deliveries)
    assert "disk" in caplog.text


def test_places_are_free_taken_lent_and_given_back():
    places = Places(Capacity(workflow=2, step=3))
    assert places.free() == {"workflow": 0, "step": 0}, "before there are to be deliveries"
    places.are_open = True
    places.take({"step": 2, "workflow": 1})
    assert places.free() == {"workflow": 1, "step": 1}
    places.lend({"step": 1})
    assert places.free() == {"workflow": 1, "step": 2}
    places.lend({})
    places.give_back({"step": 2, "workflow": 1})
    assert places.free() == {"workflow": 2, "step": 3}


async def test_the_end_of_a_step_lets_in_what_a_limit_held_back(database, clock, world, pool):
    """By itself: looking again every second would take too long."""
    engine = Engine(database, clock=clock, limits=Limits.named({"workflow:*": 2}))
    limited = type(world)(engine, clock, world.deployment_id)
    run_id = await limited.new_run()
    dispatcher = engine.dispatcher(pool)
    await dispatcher.start()
    for number in range(40):
        await limited.publish_step(run_id, f"step_{number}")
    await drained(limited)
    await dispatcher.stop(grace=5)
    assert len(steps_of(pool)) == 40
    assert pool.peak <= 2
