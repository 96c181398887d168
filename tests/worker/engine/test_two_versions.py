"""Two versions of the worker use one PostgreSQL database at the same time."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine

from tests.support.newer_schema import REVISION, newer_worker
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.store import StoreLockedError, _migrate, _postgres_sessions
from workflow_studio.worker.store.inspection import look_at


@pytest.fixture
def place(place_of, tmp_path):
    """Return the database, which other tests use after this one."""
    made = place_of("postgresql", tmp_path)
    yield made
    engine = _postgres_sessions.engine_of(lambda: _postgres_sessions.first_session(made.location), 1)
    with engine.connect() as connection:
        is_newer = _migrate.read_schema(connection).revision == REVISION
    if is_newer:
        with newer_worker(tmp_path, additive=True):
            _migrate.downgrade(engine, NOW)
    engine.dispose()


NOW = _migrate.HEAD


async def test_a_newer_worker_upgrades_beside_an_older_one_and_both_go_on_with_the_same_runs(world, place, tmp_path):
    """Everything an older worker writes goes into tables that have grown since it started."""
    before = await world.new_run()
    with newer_worker(tmp_path, additive=True):
        database = place.open()
    assert look_at(place.location).revision == REVISION
    newer = type(world)(Engine(database, clock=world.clock), world.clock, world.deployment_id)
    runs = [before, await world.new_run(), await newer.new_run()]
    colour_runs(place.location)
    for number, run_id in enumerate(runs):
        one, other = (world, newer) if number % 2 else (newer, world)
        await one.create(run_id, "step_created", "step_1", stepName="add", input=b"1")
        await other.publish_step(run_id)
        await one.create(run_id, "hook_created", "hook_1", token=f"t{number}")
        await other.create(run_id, "wait_created", "wait_1", resumeAt=world.clock.now + 1)
        stream = {"name": f"s{number}", "runId": run_id, "writerId": "w"}
        await one.call("streams.write", chunks=[b"a"], sequence=1, **stream)
        await other.call("streams.write", chunks=[b"b"], sequence=2, **stream)
        await one.create(run_id, "step_started", "step_1")
        await other.create(run_id, "step_completed", "step_1", result=b"2")
        await one.create(run_id, "wait_completed", "wait_1")
        await other.create(run_id, "hook_received", "hook_1", payload=b"p")
        await one.wake(run_id)
        await other.create(run_id, "run_completed", output=b"3")
    logs = [await world.log(run_id) for run_id in runs]
    assert logs == [await newer.log(run_id) for run_id in runs]
    assert {log[-1] for log in logs} == {"run_completed"}
    assert {len(log) for log in logs} == {10}
    await database.close()


def colour_runs(location):
    """Do what only the newer version does."""
    engine = create_engine(location.replace("://", "+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE runs SET colour = 'red', remark = 'x'")
        connection.exec_driver_sql("INSERT INTO colours VALUES ('red')")
    engine.dispose()


async def test_a_migration_that_is_not_additive_waits_until_the_older_workers_have_ended(world, place, tmp_path):
    with newer_worker(tmp_path, additive=False), pytest.raises(StoreLockedError, match="needs the database for itself"):
        place.open()
    run_id = await world.new_run()
    assert await world.log(run_id) == ["run_created", "run_started"]
