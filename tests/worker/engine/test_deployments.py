"""The life of a deployment: created, active, draining, retired, deleted."""

from __future__ import annotations

import asyncio

import pytest

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import EngineError
from workflow_studio.worker.engine.deployments import MAX_COUNTED
from workflow_studio.worker.store import tables

WEEK = 7 * 24 * 3600 * 1000


async def refused(awaitable):
    with pytest.raises(EngineError) as refusal:
        await awaitable
    return refusal.value.code


@pytest.fixture
async def newer(world, manifest):
    """Return the id of a second deployment, which nobody has activated yet."""
    deployment, _ = await world.engine.deployments.register(manifest("1"))
    return deployment.id


def life_of(world, deployment_id=None):
    return world.engine.deployments.get(deployment_id or world.deployment_id)


async def test_a_deployment_names_who_uploaded_and_who_activated_it(engine, clock, manifest):
    made, _ = await engine.deployments.register(manifest(), by="ci")
    assert (made.status, made.created_by, made.activated_at, made.activated_by) == ("created", "ci", None, None)
    clock.tick(1000)
    found = await engine.deployments.activate(made.id, by="ops")
    assert (found.status, found.created_by, found.activated_by) == ("active", "ci", "ops")
    assert (found.created_at, found.activated_at) == (clock.now - 1000, clock.now)
    again, is_new = await engine.deployments.register(manifest(), by="somebody else")
    assert (again, is_new) == (found, False)


async def test_activating_the_active_deployment_changes_nothing(world):
    before = await life_of(world)
    world.clock.tick(1000)
    assert await world.engine.deployments.activate(world.deployment_id, by="another") == before


async def test_a_deployment_without_live_runs_retires_when_another_takes_its_place(world, newer):
    world.clock.tick(1000)
    await world.engine.deployments.activate(newer)
    found = await life_of(world)
    assert (found.status, found.retired_at, found.live_runs) == ("retired", world.clock.now, 0)


@pytest.mark.parametrize("end", ["run_completed", "run_failed", "run_cancelled", "cancel"])
async def test_a_deployment_drains_and_retires_when_its_last_run_ends(world, newer, end):
    runs = [await world.new_run(), await world.new_run(started=False)]
    await world.engine.deployments.activate(newer)
    assert ((await life_of(world)).status, (await life_of(world)).live_runs) == ("draining", 2)
    for run_id in runs:
        assert (await life_of(world)).retired_at is None
        world.clock.tick(1000)
        if end == "cancel":
            await world.engine.runs.cancel(run_id)
        else:
            await world.create(run_id, end, **({"error": {"message": "no"}} if end == "run_failed" else {}))
    found = await life_of(world)
    assert (found.status, found.live_runs, found.retired_at) == ("retired", 0, world.clock.now)
    world.clock.tick(WEEK)
    assert await life_of(world) == found, "time passing changes nothing"


async def test_it_is_known_after_a_restart_when_a_deployment_retired(world, newer, after_crash):
    run_id = await world.new_run()
    await world.engine.deployments.activate(newer)
    survivor = await after_crash()
    world.clock.tick(1000)
    await survivor.create(run_id, "run_completed")
    ended_at = world.clock.now
    world.clock.tick(WEEK)
    assert (await life_of(survivor)).retired_at == ended_at


async def test_a_run_started_on_a_retired_deployment_makes_it_drain_again(world, newer):
    await world.engine.deployments.activate(newer)
    world.clock.tick(1000)
    run = await world.engine.runs.start(world.workflow, b"", deployment_id=world.deployment_id)
    found = await life_of(world)
    assert (found.status, found.retired_at) == ("draining", None)
    world.clock.tick(1000)
    await world.engine.runs.cancel(run["runId"])
    found = await life_of(world)
    assert (found.status, found.retired_at) == ("retired", world.clock.now)


async def test_a_retired_deployment_that_is_activated_again_has_not_retired(world, newer):
    await world.engine.deployments.activate(newer)
    run_id = await world.new_run()
    await world.engine.deployments.activate(world.deployment_id)
    assert ((await life_of(world)).status, (await life_of(world)).retired_at) == ("active", None)
    world.clock.tick(1000)
    await world.create(run_id, "run_completed")
    assert ((await life_of(world)).status, (await life_of(world)).retired_at) == ("active", None)


async def test_a_run_that_ends_on_a_deployment_that_was_never_active_does_not_retire_it(world, newer):
    run = await world.engine.runs.start(world.workflow, b"", deployment_id=newer)
    await world.engine.runs.cancel(run["runId"])
    assert ((await life_of(world, newer)).status, (await life_of(world, newer)).retired_at) == ("created", None)


async def test_last_runs_that_end_at_once_retire_their_deployment(world, newer):
    runs = [await world.new_run() for _ in range(12)]
    await world.engine.deployments.activate(newer)
    world.clock.tick(1000)
    await asyncio.gather(*(world.create(run_id, "run_completed") for run_id in runs))
    # Read as it is stored: the view would make up for it.
    query = tables.deployments.select().where(tables.deployments.c.id == world.deployment_id)
    row = await world.engine._database.read(lambda connection: connection.execute(query).one())
    assert row.retired_at == world.clock.now


async def test_a_retirement_that_was_missed_is_shown_and_stored_later(world, newer, database):
    run_id = await world.new_run()
    world.clock.tick(1000)
    await world.create(run_id, "run_completed")
    await world.engine.deployments.activate(newer)
    forget = tables.deployments.update().where(tables.deployments.c.id == world.deployment_id).values(retired_at=None)
    await database.write(lambda transaction: transaction.execute(forget) and None)
    ended_at = world.clock.now
    world.clock.tick(1000)
    assert ((await life_of(world)).status, (await life_of(world)).retired_at) == ("retired", ended_at)
    assert await world.engine.retirement.settle() == 1
    assert await world.engine.retirement.settle() == 0
    assert (await life_of(world)).retired_at == ended_at
    assert (await life_of(world, newer)).retired_at is None


async def test_a_run_that_ends_on_the_active_deployment_costs_no_statement(world):
    first, second = [await world.new_run() for _ in range(2)]
    await world.create(first, "run_completed")
    retirement, noted = world.engine.retirement, []

    class NoTransaction:
        def __getattr__(self, name):
            noted.append(name)
            raise AssertionError(name)

    retirement.run_ended(NoTransaction(), world.deployment_id, 1)
    assert noted == []
    await world.create(second, "run_completed")


async def test_live_runs_are_counted_up_to_a_bound(world, monkeypatch):
    assert MAX_COUNTED == 1000
    for _ in range(3):
        await world.new_run()
    (only,), _ = await world.engine.deployments.list()
    assert only.live_runs == 3


# Rollback


async def test_a_rollback_activates_the_one_that_was_active_before_and_the_next_one_goes_back(world, newer, manifest):
    third, _ = await world.engine.deployments.register(manifest("2"))
    await world.engine.deployments.register(manifest("3"))
    for chosen in (newer, third.id):
        await world.engine.deployments.activate(chosen)  # within the same millisecond
    assert (await world.engine.deployments.rollback(by="ops")).id == newer
    assert (await world.engine.deployments.get(newer)).activated_by == "ops"
    assert (await world.engine.deployments.rollback()).id == third.id
    assert (await world.engine.deployments.rollback(world.deployment_id)).id == world.deployment_id
    assert (await world.engine.deployments.rollback()).id == third.id


async def test_without_an_earlier_deployment_there_is_no_rollback(world, newer):
    assert await refused(world.engine.deployments.rollback()) is ErrorCode.NO_EARLIER_DEPLOYMENT
    await world.engine.deployments.activate(newer)
    await world.engine.deployments.delete(world.deployment_id)
    assert await refused(world.engine.deployments.rollback()) is ErrorCode.NO_EARLIER_DEPLOYMENT
    assert await world.engine.environments.active_id(DEFAULT_ENVIRONMENT) == newer


async def test_activations_at_once_leave_one_active_and_lose_none(world, manifest):
    made = [(await world.engine.deployments.register(manifest(mark)))[0].id for mark in "12345"]
    await asyncio.gather(*(world.engine.deployments.activate(name) for name in made))
    listed, _ = await world.engine.deployments.list()
    assert sorted(entry.status for entry in listed) == ["active"] + ["retired"] * 5
    times = [entry.activated_at for entry in listed]
    assert len(set(times)) == len(times)
    assert max(listed, key=lambda entry: entry.activated_at).status == "active"


# Deletion


async def test_a_deleted_deployment_is_gone_for_whoever_names_it(world, newer):
    run_id = await world.new_run()
    await world.create(run_id, "run_completed")
    await world.engine.deployments.activate(newer)
    await world.engine.deployments.delete(world.deployment_id)
    deployments, runs = world.engine.deployments, world.engine.runs
    for naming in (
        deployments.get(world.deployment_id),
        deployments.activate(world.deployment_id),
        deployments.rollback(world.deployment_id),
        deployments.delete(world.deployment_id),
        world.engine.environment.names(world.deployment_id),
        runs.start(world.workflow, b"", deployment_id=world.deployment_id),
        runs.rerun(run_id),
    ):
        assert await refused(naming) is ErrorCode.DEPLOYMENT_NOT_FOUND
    with pytest.raises(WorldError) as refusal:
        await world.create(world.new_run_id(), "run_created", **world.run_data())
    assert (refusal.value.status, refusal.value.code) == (404, "deployment_not_found")
    assert (await runs.get(run_id))["status"] == "completed", "its runs stay"
    assert [entry.id for entry in (await deployments.list())[0]] == [newer]
    assert not await deployments.is_known(world.deployment_id)


async def test_a_deployment_in_use_is_not_deleted(world, newer):
    deployments = world.engine.deployments
    assert await refused(deployments.delete(world.deployment_id)) is ErrorCode.DEPLOYMENT_ACTIVE
    run_id = await world.new_run()
    await deployments.activate(newer)
    with pytest.raises(EngineError, match=r"1 run of the deployment .* has not ended") as refusal:
        await deployments.delete(world.deployment_id)
    assert (refusal.value.code, refusal.value.status) == (ErrorCode.DEPLOYMENT_IN_USE, 409)
    await world.engine.runs.cancel(run_id)
    await deployments.delete(world.deployment_id)


async def test_after_its_deletion_the_same_artifact_is_a_new_deployment(world, newer, manifest):
    await world.engine.deployments.activate(newer)
    await world.engine.deployments.delete(world.deployment_id)
    again, is_new = await world.engine.deployments.register(manifest())
    assert (again.id, again.status, is_new) == (world.deployment_id, "created", True)
    run = await world.engine.runs.start(world.workflow, b"", deployment_id=again.id)
    assert run["deploymentId"] == again.id


async def test_what_only_a_deleted_deployment_could_have_handled_is_not_waited_for(world, newer):
    await world.call(
        "queue.publish",
        queueName="__wkf_workflow_x",
        body=b"",
        deploymentId=world.deployment_id,
        isHealthCheck=True,
    )
    await world.engine.deployments.activate(newer)
    await world.engine.deployments.delete(world.deployment_id)
    assert (await world.engine.queue.depth())["ready"] == 0


async def test_no_run_begins_on_a_deployment_that_is_being_deleted(world, newer):
    """Whichever comes first: a run is on a deployment that is there, or there is no run."""
    await world.engine.deployments.activate(newer)
    for _ in range(10):
        starts = [world.engine.runs.start(world.workflow, b"", deployment_id=world.deployment_id) for _ in range(3)]
        deletion = world.engine.deployments.delete(world.deployment_id)
        *started, deleted = await asyncio.gather(*starts, deletion, return_exceptions=True)
        runs = [run["runId"] for run in started if isinstance(run, dict)]
        known = await world.engine.deployments.is_known(world.deployment_id)
        assert known == (deleted is not None)
        assert not (runs and not known)
        for run_id in runs:
            await world.engine.runs.cancel(run_id)
        if not known:
            break
        await asyncio.sleep(0)


async def test_uploads_of_the_same_artifact_at_once_make_one_deployment(engine, manifest):
    answers = await asyncio.gather(*(engine.deployments.register(manifest()) for _ in range(8)))
    assert sorted(is_new for _, is_new in answers) == [False] * 7 + [True]
    assert len({deployment.id for deployment, _ in answers}) == 1
