"""A World as a Compute, over the engine of a real worker."""

from __future__ import annotations

import pytest

from tests.support.until import until
from tests.worker.routes.conftest import WORKFLOW, make_settings, running
from workflow_studio.compute.api import ResumeRequest, TriggerRequest
from workflow_studio.compute.ids import LATEST, DeploymentId, HookId, RunId
from workflow_studio.compute.interface import CanClose, CanResume, CanStart, CanTrigger, CanWaitUntil, Compute
from workflow_studio.compute.messages import WORKFLOW_QUEUE
from workflow_studio.compute.payload import loads
from workflow_studio.compute.world_adapter import create_world_compute_adapter
from workflow_studio.compute.world_errors import EntityConflictError, HookNotFoundError, WorldError
from workflow_studio.worker.ports import CallContext


@pytest.fixture
async def worker(tmp_path):
    async with running(make_settings(tmp_path / "data")) as driver:
        yield driver


@pytest.fixture
def compute(worker):
    class World:
        async def call(self, method, params):
            return await worker.services.engine.world.call(method, params, CallContext())

    return create_world_compute_adapter(World())


async def delivered(worker, run_id):
    """Return the deliveries of a run, once there is one."""

    def found():
        return [delivery for delivery in worker.pool.deliveries if delivery.run_id == run_id]

    await until(found)
    return found()


def test_what_it_can_do_shows(compute):
    assert isinstance(compute, Compute)
    assert isinstance(compute, CanTrigger)
    assert isinstance(compute, CanResume)
    assert not isinstance(compute, CanWaitUntil | CanStart | CanClose)


async def test_new_runs_use_the_active_deployment(worker, compute):
    with pytest.raises(WorldError, match="active"):
        await compute.get_deployment_id()
    deployment_id = await worker.deploy()
    assert await compute.get_deployment_id() == deployment_id


@pytest.mark.parametrize("named", [None, LATEST, "its own"])
async def test_a_run_is_created_with_its_arguments_and_delivered(worker, compute, named):
    deployment_id = await worker.deploy()
    named = DeploymentId(deployment_id) if named == "its own" else named
    request = TriggerRequest(workflow_name=WORKFLOW, input=["order-17", {"a": None}], deployment_id=named)
    started = await compute.trigger(request)
    assert started.deployment_id == deployment_id
    run = await worker.world("runs.get", {"runId": started.run_id})
    assert loads(run["input"]) == ["order-17", {"a": None}]
    (delivery,) = await delivered(worker, started.run_id)
    assert (delivery.queue_name, delivery.deployment_id) == (WORKFLOW_QUEUE + WORKFLOW, deployment_id)


async def test_the_same_run_twice_is_one_run(worker, compute):
    run_id = await worker.start()
    again = await compute.trigger(TriggerRequest(workflow_name=WORKFLOW, run_id=RunId(run_id)))
    assert (again.run_id, again.status) == (run_id, "running")
    with pytest.raises(EntityConflictError):
        await compute.trigger(TriggerRequest(workflow_name="workflow//./w//other", run_id=RunId(run_id)))


@pytest.mark.parametrize("by", ["token", "hook_id"])
async def test_a_payload_reaches_its_hook_and_the_run_goes_on(worker, compute, by):
    run_id = await worker.start()
    await worker.event(run_id, "hook_created", "hook_1", token="the-token")
    named = {"token": "the-token"} if by == "token" else {"hook_id": HookId("hook_1")}
    answer = await compute.resume(ResumeRequest(run_id=RunId(run_id), payload={"ok": [1]}, **named))
    assert answer.accepted
    log = (await worker.world("events.list", {"runId": run_id}))["data"]
    assert loads(log[-1]["eventData"]["payload"]) == {"ok": [1]}
    assert await delivered(worker, run_id)


async def test_a_token_of_another_run_is_none(worker, compute):
    first = await worker.start()
    await worker.event(first, "hook_created", "hook_1", token="the-token")
    second = await worker.start()
    with pytest.raises(HookNotFoundError):
        await compute.resume(ResumeRequest(run_id=RunId(second), token="the-token"))


async def test_a_published_message_is_handed_to_a_consumer_as_it_was(worker, compute):
    run_id = await worker.start()
    published = await compute.publish(WORKFLOW_QUEUE + WORKFLOW, {"runId": run_id, "replayDivergence": {"count": 1}})
    found = await delivered(worker, run_id)
    assert published.message_id in {one.message_id for one in found}
