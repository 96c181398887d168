"""Deployments, keys and runs, as the public lane uses them."""

from __future__ import annotations

import pytest

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT
from workflow_studio.worker.engine import EngineError
from workflow_studio.worker.engine.params import HooksGet, HooksList, OfRun, RunsList, StepsGet


def code_of(refusal):
    return refusal.value.code


# Deployments


async def test_the_same_artifact_is_the_same_deployment(engine, manifest):
    first, created = await engine.deployments.register(manifest())
    again, repeated = await engine.deployments.register(manifest())
    assert (created, repeated) == (True, False)
    assert first == again
    assert (first.status, first.manifest) == ("created", manifest())


async def test_activation_and_rollback_move_the_pointer(engine, clock, manifest):
    old, _ = await engine.deployments.register(manifest("0"))
    new, _ = await engine.deployments.register(manifest("1"))
    assert await engine.environments.list() == ([], None)
    assert (await engine.deployments.activate(old.id)).status == "active"
    clock.tick(5)
    assert (await engine.deployments.activate(new.id)).activated_at == clock.now
    assert (await engine.deployments.get(old.id)).status == "retired"
    await engine.deployments.activate(old.id)
    assert await engine.environments.active_id(DEFAULT_ENVIRONMENT) == old.id
    assert (await engine.deployments.get(new.id)).status == "retired"


async def test_deployments_are_listed_newest_first_in_pages(engine, clock, manifest):
    made = []
    for mark in "0123456":
        made.append((await engine.deployments.register(manifest(mark)))[0].id)
        clock.tick(int(mark) % 2)
    found, cursor = [], None
    for _ in range(10):
        page, cursor = await engine.deployments.list(2, cursor)
        found += [deployment.id for deployment in page]
        if cursor is None:
            break
    assert sorted(found) == sorted(made)
    assert found[0] == max(made[-1:])
    with pytest.raises(EngineError) as refusal:
        await engine.deployments.list(2, "dep_nope")
    assert code_of(refusal) is ErrorCode.INVALID_REQUEST


async def test_an_unknown_or_malformed_deployment_is_refused(engine):
    for identifier, expected in (
        ("dep_x", ErrorCode.INVALID_DEPLOYMENT_ID),
        ("dep_" + "0" * 32, ErrorCode.DEPLOYMENT_NOT_FOUND),
    ):
        for method in (engine.deployments.get, engine.deployments.activate):
            with pytest.raises(EngineError) as refusal:
                await method(identifier)
            assert code_of(refusal) is expected
            assert refusal.value.recovery
    assert await engine.environments.list() == ([], None)


# Runs


async def test_a_started_run_has_its_event_and_its_message(world):
    run = await world.engine.runs.start(world.workflow, b"devl[[]]")
    assert (run["status"], run["deploymentId"], run["specVersion"]) == ("pending", world.deployment_id, 3)
    assert await world.log(run["runId"]) == ["run_created"]
    assert (await world.claim_one()).run_id == run["runId"]
    stored = await world.engine.runs.get(run["runId"])
    assert stored["input"] == b"devl[[]]"
    assert stored["executionContext"]["workflowCoreVersion"] == "4.8.9"


async def test_starting_with_the_same_run_id_again_starts_nothing(world):
    run_id = world.new_run_id()
    first = await world.engine.runs.start(world.workflow, b"", run_id=run_id)
    assert await world.engine.runs.start(world.workflow, b"", run_id=run_id) == first
    assert await world.log(run_id) == ["run_created"]
    assert len(await world.claim()) == 1


async def test_a_run_may_name_another_deployment(world, manifest):
    other, _ = await world.engine.deployments.register(manifest("1"))
    run = await world.engine.runs.start(world.workflow, b"", deployment_id=other.id)
    assert run["deploymentId"] == other.id
    assert (await world.claim_one()).deployment_id == other.id


async def test_without_an_active_deployment_no_run_is_started(engine):
    with pytest.raises(EngineError) as refusal:
        await engine.runs.start("workflow//x", b"")
    assert (code_of(refusal), refusal.value.status) == (ErrorCode.NO_ACTIVE_DEPLOYMENT, 409)
    assert "studio deploy" in refusal.value.recovery


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"workflow_name": "workflow//nope"}, ErrorCode.UNKNOWN_WORKFLOW),
        ({"deployment_id": "dep_x"}, ErrorCode.INVALID_DEPLOYMENT_ID),
        ({"deployment_id": "dep_" + "0" * 32}, ErrorCode.DEPLOYMENT_NOT_FOUND),
        ({"run_id": "run-1"}, ErrorCode.INVALID_REQUEST),
        ({"run_id": "wrun_" + "0" * 26}, ErrorCode.INVALID_REQUEST),
        ({"run_id": "wrun_" + "Z" * 26}, ErrorCode.INVALID_REQUEST),
        ({"spec_version": 99}, ErrorCode.INVALID_REQUEST),
    ],
)
async def test_a_bad_start_is_refused_and_leaves_nothing(world, change, expected):
    with pytest.raises(EngineError) as refusal:
        await world.engine.runs.start(**{"workflow_name": world.workflow, "input": b"", **change})
    assert code_of(refusal) is expected
    assert (await world.engine.runs.list(RunsList()))["data"] == []
    assert (await world.engine.queue.depth())["ready"] == 0


async def test_cancelling_ends_a_run_once(world):
    run_id = await world.new_run()
    assert (await world.engine.runs.cancel(run_id))["status"] == "cancelled"
    assert (await world.engine.runs.cancel(run_id))["status"] == "cancelled"
    assert (await world.log(run_id)).count("run_cancelled") == 1


async def test_a_finished_run_is_not_cancelled_woken_or_resumed(world):
    run_id = await world.new_run()
    await world.create(run_id, "run_completed")
    for method in (world.engine.runs.cancel, world.engine.runs.wake, world.engine.runs.resume):
        with pytest.raises(EngineError) as refusal:
            await method(run_id)
        assert (code_of(refusal), refusal.value.status) == (ErrorCode.RUN_FINISHED, 409)


async def test_an_unknown_run_is_not_found_whatever_is_asked(world):
    runs, run_id = world.engine.runs, world.new_run_id()
    asked = [
        runs.get(run_id),
        runs.cancel(run_id),
        runs.wake(run_id),
        runs.resume(run_id),
        runs.steps(OfRun(run_id=run_id)),
        runs.events(OfRun(run_id=run_id)),
        runs.hooks(HooksList(run_id=run_id)),
    ]
    for question in asked:
        with pytest.raises(EngineError) as refusal:
            await question
        assert (code_of(refusal), refusal.value.status) == (ErrorCode.RUN_NOT_FOUND, 404)


async def test_waking_ends_all_sleeps_and_replays(world):
    run_id = await world.new_run()
    resume_at = world.clock.now + 3600_000
    for number in range(3):
        await world.create(run_id, "wait_created", f"wait_{number}", resumeAt=resume_at)
    await world.create(run_id, "wait_completed", "wait_0", resumeAt=resume_at)
    assert await world.engine.runs.wake(run_id) == 2
    log = await world.call("events.list", runId=run_id)
    assert [event["eventData"] for event in log["data"][-2:]] == [{"resumeAt": resume_at}] * 2
    assert (await world.claim_one()).run_id == run_id
    assert await world.engine.runs.wake(run_id) == 0


async def test_resuming_replays_and_lets_sleeps_be(world):
    run_id = await world.new_run()
    await world.create(run_id, "wait_created", "wait_1", resumeAt=world.clock.now + 3600_000)
    await world.engine.runs.resume(run_id)
    assert (await world.claim_one()).run_id == run_id
    assert "wait_completed" not in await world.log(run_id)


async def test_details_are_refused_in_the_public_lanes_words(world):
    with pytest.raises(EngineError) as refusal:
        await world.engine.runs.step(StepsGet(step_id="step_x"))
    assert (code_of(refusal), refusal.value.status) == (ErrorCode.NOT_FOUND, 404)
    with pytest.raises(EngineError) as refusal:
        await world.engine.runs.hook(HooksGet(hook_id="hook_x"))
    assert (code_of(refusal), refusal.value.status) == (ErrorCode.HOOK_NOT_FOUND, 404)
    with pytest.raises(EngineError) as refusal:
        await world.engine.runs.list(RunsList(cursor="garbage"))
    assert (code_of(refusal), refusal.value.status) == (ErrorCode.INVALID_REQUEST, 400)
