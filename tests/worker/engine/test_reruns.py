"""Runs with the input of another one, searches among runs, and waking some sleeps only."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from ulid import ULID

from workflow_studio.compute import wire
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.worker.engine import Engine, EngineError
from workflow_studio.worker.engine.encryption import Keyring
from workflow_studio.worker.engine.params import RunsSearch
from workflow_studio.worker.ports import Caller, IdempotencyKey
from workflow_studio.worker.store import tables

INPUT = b'devl[[1],"an argument"]'
DAY = 24 * 3600 * 1000


async def refused(awaitable):
    with pytest.raises(EngineError) as refusal:
        await awaitable
    return refusal.value.code


@pytest.mark.parametrize("end", [None, "run_completed", "run_cancelled"])
async def test_a_rerun_has_the_input_and_the_deployment_of_the_run(world, manifest, end):
    original = await world.engine.runs.start(world.workflow, INPUT)
    if end:
        await world.create(original["runId"], "run_started")
        await world.create(original["runId"], end)
    newer, _ = await world.engine.deployments.register(manifest("1"))
    await world.engine.deployments.activate(newer.id)
    await world.claim()
    run = await world.engine.runs.rerun(original["runId"], caller=Caller("ops", "shop"))
    assert (run["status"], run["deploymentId"], run["workflowName"]) == ("pending", world.deployment_id, world.workflow)
    assert run["runId"] != original["runId"]
    shown = await world.engine.runs.get(run["runId"])
    assert (shown["input"], shown["rerunOf"], shown["createdBy"]) == (INPUT, original["runId"], "ops")
    assert await world.log(run["runId"]) == ["run_created"]
    assert run["runId"] in {delivery.run_id for delivery in await world.claim()}
    chained = await world.engine.runs.rerun(run["runId"], deployment_id="latest")
    assert chained["deploymentId"] == newer.id
    named = await world.engine.runs.rerun(run["runId"], deployment_id=newer.id)
    assert named["deploymentId"] == newer.id
    assert (await world.engine.runs.get(named["runId"]))["rerunOf"] == run["runId"]


async def test_a_run_of_the_sdk_is_rerun_with_its_input_as_it_is(world):
    run_id = await world.new_run()
    again = await world.engine.runs.rerun(run_id)
    assert (await world.engine.runs.get(again["runId"]))["input"] == world.run_data()["input"]


async def test_an_encrypted_input_is_sealed_anew_for_the_rerun(database, clock, helpers):
    _, driver, make_manifest = helpers
    master = b"m" * 32
    engine = Engine(database, clock=clock, master_key=master)
    deployment, _ = await engine.deployments.register(make_manifest())
    await engine.deployments.activate(deployment.id)
    original = await engine.runs.start(driver.workflow, INPUT)
    run = await engine.runs.rerun(original["runId"])
    query = select(tables.runs.c.run_id, tables.runs.c.input)
    rows = await database.read(lambda connection: dict(connection.execute(query).all()))
    inputs = {run_id: wire.decode(value) for run_id, value in rows.items()}
    keyring = Keyring(master)
    assert all(value.startswith(b"encr") for value in inputs.values())
    assert keyring.unseal(run["runId"], inputs[run["runId"]]) == INPUT
    assert keyring.unseal(original["runId"], inputs[run["runId"]]) is None, "it is under the new run's key"
    for other in (None, b"x" * 32):
        worker = Engine(database, clock=clock, master_key=other)
        assert await refused(worker.runs.rerun(original["runId"])) is ErrorCode.INPUT_UNREADABLE


async def test_an_input_from_before_the_master_key_is_encrypted_in_the_rerun(world, database):
    original = await world.engine.runs.start(world.workflow, INPUT)
    engine = Engine(database, clock=world.clock, master_key=b"m" * 32)
    run = await engine.runs.rerun(original["runId"])
    stored = (await engine.runs.get(run["runId"]))["input"]
    assert Keyring(b"m" * 32).unseal(run["runId"], stored) == INPUT
    assert stored != INPUT


async def test_a_rerun_that_cannot_be_is_refused_and_leaves_nothing(world, manifest):
    original = (await world.engine.runs.start(world.workflow, INPUT))["runId"]
    rerun = world.engine.runs.rerun
    assert await refused(rerun(world.new_run_id())) is ErrorCode.RUN_NOT_FOUND
    assert await refused(rerun(original, deployment_id="dep_x")) is ErrorCode.INVALID_DEPLOYMENT_ID
    assert await refused(rerun(original, deployment_id="dep_" + "0" * 32)) is ErrorCode.DEPLOYMENT_NOT_FOUND
    assert await refused(rerun(original, new_run_id="run-1")) is ErrorCode.INVALID_REQUEST
    plain = manifest("1")
    other = plain.describe(
        files=plain.files, workflows=("workflow//x",), steps=(), classes=(), sdk=plain.sdk, node=plain.node
    )
    await world.engine.deployments.register(other)
    assert await refused(rerun(original, deployment_id=other.deployment_id)) is ErrorCode.UNKNOWN_WORKFLOW
    assert [run["runId"] for run in (await world.engine.runs.list(RunsSearch()))["data"]] == [original]


async def test_a_repeated_rerun_starts_one_run(world):
    original = (await world.engine.runs.start(world.workflow, INPUT))["runId"]
    key = IdempotencyKey("shop", "rerun", "k", "digest")
    first = await world.engine.runs.rerun(original, repeat=key)
    assert await world.engine.runs.rerun(original, repeat=key) == first
    run_id = world.new_run_id()
    named = await world.engine.runs.rerun(original, new_run_id=run_id)
    assert await world.engine.runs.rerun(original, new_run_id=run_id) == named
    assert len((await world.engine.runs.list(RunsSearch()))["data"]) == 3
    assert await world.engine.runs.rerun(original, new_run_id=first["runId"]) == first
    other = (await world.engine.runs.start(world.workflow, INPUT))["runId"]
    assert await refused(world.engine.runs.rerun(original, new_run_id=other)) is ErrorCode.RUN_CONFLICT


async def test_runs_are_found_by_what_they_are_and_when_they_came(world, manifest):
    newer, _ = await world.engine.deployments.register(manifest("1"))
    begun = world.clock.now
    runs = []
    for number in range(6):
        deployment = newer.id if number % 2 else None
        runs.append((await world.engine.runs.start(world.workflow, b"", deployment_id=deployment))["runId"])
        world.clock.tick(1000)
    for ended in runs[:2]:
        await world.engine.runs.cancel(ended)

    async def found(**search):
        page = await world.engine.runs.list(RunsSearch(sort_order="asc", **search))
        return [runs.index(run["runId"]) for run in page["data"]]

    assert await found() == [0, 1, 2, 3, 4, 5]
    assert await found(deployment_id=newer.id) == [1, 3, 5]
    assert await found(status=["cancelled", "pending"], deployment_id=newer.id) == [1, 3, 5]
    assert await found(status=["cancelled"]) == [0, 1]
    assert await found(created_after=begun + 2000) == [2, 3, 4, 5]
    assert await found(created_before=begun + 2000) == [0, 1]
    assert await found(created_after=begun + 1000, created_before=begun + 4000, deployment_id=newer.id) == [1, 3]
    assert await found(created_after=begun + 1001, created_before=begun + 1002) == []
    for bound in (0, 2**48, -5, 2**60):
        await found(created_after=bound)
        await found(created_before=bound)
    first = await world.engine.runs.list(RunsSearch(deployment_id=newer.id, limit=2))
    rest = await world.engine.runs.list(RunsSearch(deployment_id=newer.id, limit=2, cursor=first["cursor"]))
    assert [runs.index(run["runId"]) for run in first["data"] + rest["data"]] == [5, 3, 1]
    assert (first["hasMore"], rest["hasMore"]) == (True, False)


async def test_a_run_whose_id_was_drawn_at_another_time_is_found_by_when_it_came(world):
    early = f"wrun_{ULID.from_timestamp((world.clock.now - DAY + 1000) / 1000)}"
    late = f"wrun_{ULID.from_timestamp((world.clock.now + 299_000) / 1000)}"
    for run_id in (early, late):
        await world.create(run_id, "run_created", **world.run_data())
    search = RunsSearch(created_after=world.clock.now, created_before=world.clock.now + 1)
    assert {run["runId"] for run in (await world.engine.runs.list(search))["data"]} == {early, late}


async def test_named_sleeps_are_ended_and_the_others_go_on(world):
    run_id = await world.new_run()
    for number in range(3):
        await world.create(run_id, "wait_created", f"wait_{number}", resumeAt=world.clock.now + 3600_000)
    assert await world.engine.runs.wake(run_id, ["wait_1", "unknown", "wait_1"]) == 1
    assert await world.engine.runs.wake(run_id, ["wait_1"]) == 0
    log = (await world.call("events.list", runId=run_id))["data"]
    ended = [event["correlationId"] for event in log if event["eventType"] == "wait_completed"]
    assert ended == ["wait_1"]
    assert await world.engine.runs.wake(run_id) == 2
