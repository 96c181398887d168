"""The field failures that take real processes: a PostgreSQL server that restarts, executors that are killed."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from tests.regressions import guards
from tests.regressions.guards import guarded_by
from tests.support.postgres import database_url, running_server
from tests.worker.execution.conftest import OK, artifact, delivery_fixture, eventually, make_pool
from workflow_studio.worker.engine import Capacity, Engine, recovery
from workflow_studio.worker.ports import Handled
from workflow_studio.worker.store import Database
from workflow_studio.worker.store._postgres import PostgresBackend

__all__ = ["artifact", "delivery_fixture", "eventually", "make_pool"]


class Taking:
    """Takes every delivery at once."""

    def __init__(self):
        self.deliveries = []

    async def deliver(self, delivery):
        self.deliveries.append(delivery)
        return Handled()


@pytest.fixture
def server():
    with running_server("-c", "fsync=off") as running:
        yield running


@guarded_by(guards.recovery_is_tried_once)
async def test_07_a_database_that_restarts_during_recovery_strands_no_run(server, helpers, monkeypatch):
    """Runs whose recovery was cut short by a restart of the database stayed PENDING for ever.

    Sources: dbos-inc/dbos-transact-py#716, kestra-io/kestra#8356.
    """
    monkeypatch.setattr(recovery, "_BATCH", 3)
    clock_of, driver_of, make_manifest = helpers
    clock = clock_of()
    before = Database.open(database_url(server.folder))
    engine = Engine(before, clock=clock)
    deployment, _ = await engine.deployments.register(make_manifest())
    await engine.deployments.activate(deployment.id)
    world = driver_of(engine, clock, deployment.id)
    forgotten = [await world.new_run(started=False) for _ in range(10)]
    in_flight = [await world.publish_step(run_id) for run_id in forgotten[:3]]
    assert len(await world.claim()) == 3
    await before.close()

    portions = []
    wake_some = recovery.Recovery._wake_some

    def restarting(self, transaction, quiet_since):
        portions.append(None)
        if len(portions) == 2:
            server.stop()
        return wake_some(self, transaction, quiet_since)

    run = PostgresBackend._run

    def started_again(self, job):
        run(self, job)
        if not server.is_running:  # the write has been given up by now, after several attempts
            server.start()

    monkeypatch.setattr(recovery.Recovery, "_wake_some", restarting)
    monkeypatch.setattr(PostgresBackend, "_run", started_again)
    after = Database.open(database_url(server.folder))
    pool = Taking()
    dispatcher = Engine(after, clock=clock).dispatcher(pool, Capacity())
    try:
        await dispatcher.start()
        assert len(portions) > 2
        async with asyncio.timeout(10):
            while len(pool.deliveries) < 13:  # noqa: ASYNC110  # rows have no events
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"Only {len(pool.deliveries)} of 13 messages were delivered.") from None
    finally:
        await dispatcher.stop(grace=5)
        await after.close()
    steps = [delivery for delivery in pool.deliveries if delivery.kind == "step"]
    replays = [delivery for delivery in pool.deliveries if delivery.kind == "workflow"]
    assert [(delivery.message_id, delivery.attempt) for delivery in steps] == [(name, 2) for name in in_flight]
    assert sorted(delivery.run_id for delivery in replays) == sorted(forgotten), "each is woken once"
