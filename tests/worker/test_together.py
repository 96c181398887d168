"""What workers of one service do together: they count requests, and keep their executors as they were told to."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing

import pytest

from tests.support.until import until
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.limits import RateLimits
from workflow_studio.worker.problems import Problem
from workflow_studio.worker.together import Obedience, counting_together


@pytest.fixture
async def engines(place_of, tmp_path):
    place = place_of("postgresql", tmp_path)
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            database = place.open()
            stack.push_async_callback(database.close)
            made.append(Engine(database))
            await stack.enter_async_context(made[-1].bus.listening())
            await made[-1].workers.register()
        await until(lambda: made[0].bus.others)
        yield made


async def test_requests_count_on_all_workers(engines):
    limits = [RateLimits(10, 10), RateLimits(10, 10)]
    async with counting_together(engines[0], limits[0]), counting_together(engines[1], limits[1]):
        for _ in range(6):
            await limits[0].count("key", "ada")
        left = []

        async def spend():
            while True:
                standing = await limits[1].count("key", "ada")
                left.append(standing.remaining)
                await asyncio.sleep(0.1)

        with pytest.raises(Problem):
            await asyncio.wait_for(spend(), 20)
    assert len(left) < 10


async def test_counts_go_on_beyond_the_limit_where_each_worker_admitted_its_share():
    limits = RateLimits(10, 10)
    await limits.note("key", "ada", 25)
    with pytest.raises(Problem):
        await limits.count("key", "ada")
    await limits.count("key", "bob")


class Pool:
    """Notes what it is told."""

    def __init__(self):
        self.warmed = []
        self.refreshed = []
        self.executors = []
        self.abandoned = 0

    def warm(self, deployment_id):
        self.warmed.append(deployment_id)

    async def refresh(self, deployment_id):
        self.refreshed.append(deployment_id)

    def abandon(self):
        self.abandoned += 1

    def status(self):
        return self.executors


async def test_executors_follow_what_other_workers_were_told(engines):
    pool = Pool()
    obedience = Obedience(engines[1], pool, {}, warms=True)
    try:
        engines[0].bus.hint("activated", "dep_1")
        engines[0].bus.hint("variables", "dep_2")
        await until(lambda: pool.warmed and pool.refreshed)
        assert (pool.warmed, pool.refreshed) == (["dep_1"], ["dep_2"])
    finally:
        await obedience.aclose()


async def test_limits_that_one_worker_was_told_count_on_all_of_them(engines):
    first, second = engines
    async with aclosing(Obedience(second, Pool(), {}, warms=False)):
        await first.limits.change({"key:*": 3}, by="ops")
        turns = second.leases._turns
        await until(lambda: turns.limits.most("key", "anything") == 3)
        second.bus.miss()
        await first.limits.change({"key:*": None}, by="ops")
        await until(lambda: not turns.limits)
