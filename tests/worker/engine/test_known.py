"""What is known of runs from one transaction to the next is what the database says."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.known import known_run
from workflow_studio.worker.store import tables


@pytest.fixture
def place(place_of, tmp_path):
    return place_of("sqlite", tmp_path)  # elsewhere nothing is known beyond a transaction


@pytest.fixture
def known(database):
    """Return a function that returns what the next transaction knows of a run."""

    async def look(run_id):
        return await database.write(lambda transaction: known_run(transaction, run_id))

    return look


@pytest.fixture
def stored(database):
    async def read(table, run_id):
        query = select(table).where(table.c.run_id == run_id)
        rows = await database.read(lambda connection: connection.execute(query).mappings().all())
        return [dict(row) for row in rows]

    return read


async def test_it_is_what_is_stored(world, known, stored):
    run_id = await world.new_run()
    for number in range(3):
        await world.create(run_id, "step_created", f"step_{number}", stepName="add", input=b"devl[[1],2]")
    await world.create(run_id, "step_started", "step_1", stepName="add")
    await world.create(run_id, "step_started", "step_2", stepName="add")
    await world.create(run_id, "step_completed", "step_2", stepName="add", result=b"devl[3]")
    found = await known(run_id)
    (run,) = await stored(tables.runs, run_id)
    steps = {row["step_id"]: row for row in await stored(tables.steps, run_id)}
    assert found.row == run
    assert found.steps == {"step_0": steps["step_0"], "step_1": steps["step_1"]}, "none that has ended"
    assert found.events_after(0) == await stored(tables.events, run_id)


async def test_large_payloads_are_not_kept(world, known, stored):
    run_id = world.new_run_id()
    await world.create(run_id, "run_created", **world.run_data(input=b"devl" + bytes(50_000)))
    await world.create(run_id, "run_started")
    await world.create(run_id, "step_created", "step_1", stepName="add", input=b"devl" + bytes(2_000))
    found = await known(run_id)
    assert "input" not in found.row
    assert "input" not in found.steps["step_1"]
    assert found.events_after(1)
    assert found.events_after(0) is None
    answer = await world.create(run_id, "step_started", "step_1", stepName="add")
    assert answer["step"]["input"] == b"devl" + bytes(2_000)


async def test_of_many_steps_those_that_came_first_are_known(world, known):
    run_id = await world.new_run()
    for number in range(201):
        await world.create(run_id, "step_created", f"step_{number}", stepName="add")
    steps = (await known(run_id)).steps
    assert list(steps) == [f"step_{number}" for number in range(200)]
    await world.create(run_id, "step_started", "step_200", stepName="add")


async def test_a_step_that_is_there_is_known_to_be_even_if_it_has_ended(world, known):
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add")
    await world.create(run_id, "step_started", "step_1", stepName="add")
    await world.create(run_id, "step_completed", "step_1", stepName="add", result=b"")
    found = await known(run_id)
    assert found.lacks_step("step_2")
    assert not found.lacks_step("step_1")
    with pytest.raises(WorldError, match="already exists"):
        await world.create(run_id, "step_created", "step_1", stepName="add")


async def test_of_what_was_there_before_no_step_is_known_to_be_missing(world, known, after_crash, monkeypatch):
    monkeypatch.setattr("workflow_studio.worker.engine.known._MOST_STEP_IDS", 1)
    run_id = await world.new_run()
    await world.create(run_id, "step_created", "step_1", stepName="add")
    assert (await known(run_id)).lacks_step("step_2")
    await world.create(run_id, "step_created", "step_2", stepName="add")
    assert not (await known(run_id)).lacks_step("step_3"), "there are too many"
    other = await after_crash()
    with pytest.raises(WorldError, match="already exists"):
        await other.create(run_id, "step_created", "step_1", stepName="add")
    await other.create(run_id, "step_created", "step_3", stepName="add")


async def test_nothing_is_known_of_a_run_that_has_ended(world, known):
    run_id = await world.new_run()
    await world.create(run_id, "run_completed", output=b"devl[3]")
    assert await known(run_id) is None


async def test_a_write_that_is_undone_leaves_nothing_known(world, database, known, stored):
    run_id = await world.new_run()

    def work(transaction):
        known_run(transaction, run_id).note({"status": "never"})
        raise WorldError("no", status=400)

    with pytest.raises(WorldError):
        await database.write(work)
    assert await known(run_id) is None
    await world.create(run_id, "step_created", "step_1", stepName="add")
    assert (await known(run_id)).row["last_slot"] == (await stored(tables.runs, run_id))[0]["last_slot"]


async def test_runs_that_came_first_are_forgotten(world, database, known):
    first = await world.new_run()
    for _ in range(150):
        await world.new_run(started=False)
    assert await known(first) is None
    assert len(await database.write(lambda transaction: transaction.known)) <= 128
    await world.create(first, "run_completed", output=b"devl[3]")
