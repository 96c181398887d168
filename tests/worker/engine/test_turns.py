"""Whose turn it is: tenants, priorities and limits, on one worker and on several."""

from __future__ import annotations

import asyncio
from collections import Counter
from random import Random

import pytest
from sqlalchemy import select, update

from workflow_studio.worker.engine import Engine, Limits
from workflow_studio.worker.engine.turns import PLAN_MS
from workflow_studio.worker.store import tables


@pytest.fixture
def limited(database, clock, world):
    """Return a function that gives a client of a worker with these limits."""

    def give(**limits):
        named = {name.replace("_", ":", 1): most for name, most in limits.items()}
        engine = Engine(database, clock=clock, limits=Limits.named(named))
        return type(world)(engine, clock, world.deployment_id)

    return give


@pytest.fixture
def add(world, database):
    """Return a function that adds a run with steps that are due, and returns its id."""

    async def run(steps=1, **columns):
        run_id = await world.new_run()
        if columns:
            change = update(tables.runs).where(tables.runs.c.run_id == run_id).values(**columns)
            await database.write(lambda transaction: transaction.execute(change))
        for number in range(steps):
            world.clock.tick(1)
            await world.publish_step(run_id, f"step_{number}")
        return run_id

    return run


async def test_without_contention_everything_that_is_due_is_claimed_in_one_query(world, add, monkeypatch, database):
    await add(5)
    await add(5, priority=5)
    seen = []
    claims = world.engine.leases._claims._turns
    monkeypatch.setattr(claims, "_in_order", lambda *_: seen.append("order"))
    assert len(await world.claim(workflow=0, step=10)) == 10
    assert seen == []


async def test_a_tenant_with_much_to_do_does_not_keep_another_waiting(world, add):
    much = await add(20, project_id="busy")
    little = await add(2, project_id="quiet")
    claimed = await world.claim(workflow=0, step=4)
    assert Counter(delivery.run_id for delivery in claimed) == {much: 2, little: 2}


async def test_places_go_to_the_tenant_with_the_fewest_deliveries(world, add):
    much = await add(20, project_id="busy")
    assert {delivery.run_id for delivery in await world.claim(workflow=0, step=4)} == {much}
    later = await add(3, project_id="late")
    world.clock.tick(PLAN_MS)
    for _ in range(3):
        assert (await world.claim(workflow=0, step=1))[0].run_id == later


async def test_a_higher_priority_comes_first_and_waiting_makes_up_for_it(world, add):
    urgent_or_not = {"project_id": "p"}
    low = await add(3, **urgent_or_not)
    world.clock.tick(61_000)
    high = await add(1, **urgent_or_not, priority=1)
    higher = await add(1, **urgent_or_not, priority=2)
    order = [(await world.claim(workflow=0, step=1))[0].run_id for _ in range(5)]
    assert order == [higher, low, low, low, high]


async def test_messages_of_one_tenant_and_priority_come_as_they_fell_due(world, add):
    runs = [await add(1) for _ in range(6)]
    claimed = [delivery.run_id for _ in range(3) for delivery in await world.claim(workflow=0, step=2)]
    assert claimed == runs


async def test_a_limit_of_a_key_counts_the_steps_of_all_runs_with_it(limited, add):
    client = limited(**{"key_*": 2, "key_big": 3})
    for key in ("a", "a", "big", None):
        await add(3, concurrency_key=key)
    claim = await client.engine.leases.claim({"workflow": 0, "step": 50})
    keys = Counter(await keys_of(client, claim.deliveries))
    assert keys == {"a": 2, "big": 3, None: 3}
    assert "step" in claim.limited
    assert claim.next_at["step"] is not None
    named = zip(await keys_of(client, claim.deliveries), claim.deliveries, strict=True)
    first = next(delivery for key, delivery in named if key == "a")
    await client.engine.leases.complete(first.id)
    assert await keys_of(client, await client.claim(workflow=0, step=50)) == ["a"]


async def keys_of(client, deliveries):
    query = select(tables.runs.c.run_id, tables.runs.c.concurrency_key)
    rows = await client.engine._database.read(lambda connection: connection.execute(query).all())
    keys = dict(rows)
    return [keys[delivery.run_id] for delivery in deliveries]


async def test_limits_of_workflows_and_deployments(limited, add, world):
    await add(5)
    assert len(await limited(**{f"deployment_{world.deployment_id}": 2}).claim(workflow=0, step=50)) == 2
    assert len(await limited(**{f"workflow_{world.workflow}": 3}).claim(workflow=0, step=50)) == 1
    assert len(await limited(**{"workflow_*": 3}).claim(workflow=0, step=50)) == 0
    assert len(await limited(workflow_other=1).claim(workflow=0, step=50)) == 2


async def test_replays_are_not_held_back(limited, add, world):
    run_id = await add(1, concurrency_key="k")
    await add(1, concurrency_key="k")
    client = limited(key_k=1)
    assert len(await client.claim(workflow=0, step=50)) == 1
    await world.wake(run_id)
    assert [delivery.kind for delivery in await client.claim(workflow=50, step=50)] == ["workflow"]


async def test_a_step_that_waits_for_another_run_lets_that_one_go_on(limited, add):
    await add(1, concurrency_key="k")
    child = await add(1, concurrency_key="k")
    client = limited(key_k=1)
    (parent,) = await client.claim(workflow=0, step=50)
    assert await client.claim(workflow=0, step=50) == []
    client.engine.leases.deliveries._waits[parent.id] += 1
    (claimed,) = await client.claim(workflow=0, step=50)
    assert claimed.run_id == child


@pytest.mark.parametrize("seed", range(4))
async def test_no_limit_is_exceeded_and_nothing_starves(limited, add, world, place, seed):
    """Several workers claim at the same time, steps end and new ones come, until nothing is left."""
    random = Random(seed)
    limits = {"key_*": random.randint(1, 2), "key_1": random.randint(1, 3), "workflow_*": random.randint(3, 5)}
    workers = [limited(**limits) for _ in range(3)]
    runs = {}
    for _ in range(6):
        columns = {
            "concurrency_key": random.choice([None, "1", "2"]),
            "project_id": random.choice(["p", "q"]),
            "priority": random.choice([None, -1, 3]),
        }
        runs[await add(random.randint(1, 4), **columns)] = columns["concurrency_key"]
    owed = await in_queue(world)
    in_flight, done = {}, []
    for _ in range(200):
        claims = await asyncio.gather(
            *(worker.claim(workflow=0, step=random.randint(1, 4)) for worker in random.sample(workers, 2))
        )
        in_flight |= {delivery.id: delivery for claimed in claims for delivery in claimed}
        used = Counter(runs[delivery.run_id] for delivery in in_flight.values())
        assert used["1"] <= limits["key_1"]
        assert used["2"] <= limits["key_*"]
        assert len(in_flight) <= limits["workflow_*"]
        for delivery_id in random.sample(sorted(in_flight), random.randint(0, len(in_flight))):
            done.append(in_flight.pop(delivery_id).message_id)
            await world.engine.leases.complete(delivery_id)
        world.clock.tick(random.choice([0, 400, 1_100]))
        if len(done) == len(owed):
            break
    assert sorted(done) == sorted(owed)


async def in_queue(world):
    query = select(tables.messages.c.message_id).where(tables.messages.c.kind == "step")
    return await world.engine._database.read(lambda connection: connection.execute(query).scalars().all())


async def test_a_limit_that_is_set_counts_at_once_and_before_that_of_the_settings(limited, add):
    world = limited(**{"workflow_*": 4})
    await add(6)
    await world.engine.limits.change({"workflow:*": 1, "key:a": 7}, by="ops")
    (delivery,) = await world.claim(workflow=0, step=10)
    await world.engine.leases.complete(delivery.id)
    await world.engine.limits.change({"workflow:*": 0}, by="ops")
    assert await world.claim(workflow=0, step=10) == [], "nothing begins while there may be none"
    left = await world.engine.limits.change({"workflow:*": None, "key:a": None}, by="ops")
    assert [(limit.name, limit.most, limit.updated_at) for limit in left] == [("workflow:*", 4, None)]
    assert len(await world.claim(workflow=0, step=10)) == 4


async def test_a_limit_that_was_set_is_kept_to_by_a_worker_that_starts(world, add, after_crash):
    await add(3)
    await world.engine.limits.change({f"workflow:{world.workflow}": 2}, by="ops")
    again = await after_crash()
    await again.engine.limits.load()
    assert len(await again.claim(workflow=0, step=10)) == 2
