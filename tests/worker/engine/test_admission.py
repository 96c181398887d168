"""Which runs can be started at all, in the words of both lanes."""

from __future__ import annotations

import pytest

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.world_errors import EntityConflictError, WorldError
from workflow_studio.worker.engine import EngineError
from workflow_studio.worker.engine.params import RunsList
from workflow_studio.worker.ports import CallContext, Caller

OTHER = "workflow//./workflows/other//f"
BY = Caller("app-key", "shop", "req-1")


def start_message(world, run_id, *, workflow=None, deployment_id=None):
    """Return the message that ``start()`` publishes beside run_created."""
    return {
        "queueName": f"__wkf_workflow_{workflow or world.workflow}",
        "body": b"with runInput",
        "runId": run_id,
        "isWake": False,
        "deploymentId": deployment_id or world.deployment_id,
    }


async def refused(call):
    with pytest.raises(WorldError) as refusal:
        await call
    return refusal.value.status, refusal.value.code


async def nothing_is_left(world):
    return (await world.engine.runs.list(RunsList()))["data"] == [] and (await world.engine.queue.depth())["ready"] == 0


@pytest.mark.parametrize(
    ("workflow", "deployment_id", "expected"),
    [
        (OTHER, None, (404, "unknown_workflow")),
        (None, "dep_" + "0" * 32, (404, "deployment_not_found")),
        (None, "dep_x", (400, "invalid_deployment_id")),
    ],
)
async def test_neither_half_of_a_start_that_can_only_fail_is_taken(world, workflow, deployment_id, expected):
    run_id = world.new_run_id()
    named = {"deploymentId": deployment_id or world.deployment_id, "workflowName": workflow or world.workflow}
    message = start_message(world, run_id, workflow=workflow, deployment_id=deployment_id)
    assert await refused(world.create(run_id, "run_created", **world.run_data(**named))) == expected
    assert await refused(world.call("queue.publish", **message)) == expected
    assert await refused(world.create(run_id, "run_started", **world.run_data(**named))) == expected
    assert await nothing_is_left(world)


async def test_the_refusal_says_what_there_is(world):
    with pytest.raises(WorldError, match=f"has no workflow {OTHER}.* It has: {world.workflow}"):
        await world.create(world.new_run_id(), "run_created", **world.run_data(workflowName=OTHER))


async def test_both_halves_of_a_start_are_taken_in_either_order(world):
    first, second = world.new_run_id(), world.new_run_id()
    await world.create(first, "run_created", **world.run_data())
    await world.call("queue.publish", **start_message(world, first))
    await world.call("queue.publish", **start_message(world, second))
    await world.create(second, "run_created", **world.run_data())
    assert {delivery.run_id for delivery in await world.claim()} == {first, second}


async def test_a_run_that_exists_already_is_a_conflict_as_the_sdk_expects(world):
    run_id = await world.new_run()
    with pytest.raises(EntityConflictError):
        await world.create(run_id, "run_created", **world.run_data())


async def test_latest_is_the_active_deployment_on_the_world_lane(world, manifest):
    newer, _ = await world.engine.deployments.register(manifest("1"))
    await world.engine.deployments.activate(newer.id)
    created, started = world.new_run_id(), world.new_run_id()
    answer = await world.create(created, "run_created", **world.run_data(deploymentId="latest"))
    assert answer["run"]["deploymentId"] == newer.id
    (event,) = (await world.call("events.list", runId=created))["data"]
    assert event["eventData"]["deploymentId"] == newer.id
    answer = await world.create(started, "run_started", **world.run_data(deploymentId="latest"))
    assert answer["run"]["deploymentId"] == newer.id
    health = {"queueName": "__wkf_workflow_x", "body": b"", "isHealthCheck": True, "deploymentId": "latest"}
    await world.call("queue.publish", **health)
    assert {delivery.deployment_id for delivery in await world.claim()} == {newer.id}


async def test_latest_is_refused_where_nothing_is_active(engine, manifest):
    await engine.deployments.register(manifest())
    event = {"eventType": "run_created", "specVersion": 3}
    event["eventData"] = {"deploymentId": "latest", "workflowName": "workflow//x", "input": b""}
    call = engine.world.call("events.create", {"event": event}, CallContext())
    assert await refused(call) == (409, "no_active_deployment")
    with pytest.raises(EngineError) as refusal:
        await engine.runs.start("workflow//x", b"", deployment_id="latest")
    assert refusal.value.code is ErrorCode.NO_ACTIVE_DEPLOYMENT


async def test_latest_is_the_active_deployment_on_the_public_lane(world):
    run = await world.engine.runs.start(world.workflow, b"", deployment_id="latest")
    assert run["deploymentId"] == world.deployment_id


async def test_a_run_id_that_names_another_run_is_a_conflict(world, manifest):
    other, _ = await world.engine.deployments.register(manifest("1"))
    run = await world.engine.runs.start(world.workflow, b"")
    start, run_id = world.engine.runs.start, run["runId"]
    for asked in (start(OTHER, b"", run_id=run_id), start(world.workflow, b"", run_id=run_id, deployment_id=other.id)):
        with pytest.raises(EngineError) as refusal:
            await asked
        assert (refusal.value.code, refusal.value.status) == (ErrorCode.RUN_CONFLICT, 409)
    await world.engine.deployments.activate(other.id)
    for same in ({}, {"deployment_id": "latest"}, {"deployment_id": world.deployment_id}):
        assert await start(world.workflow, b"", run_id=run_id, **same) == run
    assert await world.log(run_id) == ["run_created"]


async def test_runs_and_events_say_whose_key_they_came_with(world):
    context = CallContext(caller=BY)
    first, second = world.new_run_id(), world.new_run_id()
    await world.create(first, "run_created", context=context, **world.run_data())
    await world.create(second, "run_started", context=context, **world.run_data())
    third = (await world.engine.runs.start(world.workflow, b"", caller=BY))["runId"]
    for run_id in (first, second, third):
        run = await world.engine.runs.get(run_id)
        assert (run["createdBy"], run["projectId"], "rerunOf" in run) == ("app-key", "shop", False)
    on_world = await world.call("runs.get", runId=first)
    assert not {"createdBy", "projectId", "rerunOf"} & set(on_world), "the SDK's runs have no such fields"
    plain = await world.engine.runs.get(await world.new_run())
    assert "createdBy" not in plain
