"""Environments: what is active in one is nobody else's, and a run stays in the one it was started in."""

from __future__ import annotations

import pytest

from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine import EngineError, params
from workflow_studio.worker.engine.environment import VariableKeys
from workflow_studio.worker.ports import CallContext, Caller

DEV = "dev-ada"


def by(environment=None):
    return Caller("app", "shop", environment=environment)


def inside(environment):
    return CallContext(caller=by(environment))


async def refused(awaitable):
    with pytest.raises((EngineError, WorldError)) as refusal:
        await awaitable
    return refusal.value


@pytest.fixture
async def newer(world, manifest):
    """Return a second deployment, which is active in an environment of its own."""
    made, _ = await world.engine.deployments.register(manifest("1"))
    return await world.engine.deployments.activate(made.id, environment=DEV, by="ada")


@pytest.fixture
def active_in(world):
    async def look(environment):
        return (await world.call("deployments.current", context=inside(environment)))["deploymentId"]

    return look


async def test_each_environment_has_an_active_deployment_of_its_own(world, newer, active_in):
    assert (await active_in(None), await active_in(DEV)) == (world.deployment_id, newer.id)
    assert (newer.status, newer.environments) == ("active", (DEV,))
    listed = {entry.id: (entry.status, entry.environments) for entry in (await world.engine.deployments.list())[0]}
    assert listed == {newer.id: ("active", (DEV,)), world.deployment_id: ("active", ("production",))}


async def test_naming_the_default_environment_is_naming_none(world, active_in):
    assert await active_in("production") == await active_in(None) == world.deployment_id


async def test_a_deployment_can_be_active_in_several(world, newer):
    shared = await world.engine.deployments.activate(world.deployment_id, environment=DEV)
    assert (shared.status, shared.environments) == ("active", (DEV, "production"))
    assert (await world.engine.deployments.get(newer.id)).status == "retired"


async def test_an_environment_without_a_deployment_is_named_in_the_refusal(world):
    for call in (
        world.engine.environments.active_id("staging"),
        world.engine.runs.start(world.workflow, b"", caller=by("staging")),
    ):
        error = await refused(call)
        assert (error.status, error.code) == (409, "no_active_deployment")
        assert "staging" in error.message
        assert "--environment staging" in error.recovery
    error = await refused(world.call("deployments.current", context=inside("staging")))
    assert (error.status, error.code) == (409, "no_active_deployment")
    assert "staging" in error.message


async def test_a_rollback_goes_back_within_the_environment(world, newer, manifest):
    deployments = world.engine.deployments
    assert (await refused(deployments.rollback(environment=DEV))).code == "no_earlier_deployment"
    newest, _ = await deployments.register(manifest("2"))
    await deployments.activate(newest.id, environment=DEV)
    await deployments.activate(newest.id)
    assert (await deployments.rollback(environment=DEV)).id == newer.id
    assert (await deployments.get(newest.id)).environments == ("production",)
    assert (await deployments.rollback()).id == world.deployment_id
    assert (await deployments.get(newer.id)).environments == (DEV,)


async def test_a_rollback_passes_over_what_was_deleted(world, newer, manifest):
    deployments = world.engine.deployments
    for mark in "23":
        made, _ = await deployments.register(manifest(mark))
        world.clock.tick(1)
        await deployments.activate(made.id, environment=DEV)
    between = (await deployments.rollback(environment=DEV)).id
    await deployments.activate(made.id, environment=DEV)
    await deployments.delete(between)
    assert (await deployments.rollback(environment=DEV)).id == newer.id


async def test_environments_are_listed_with_who_activated_what(world, newer):
    found, cursor = await world.engine.environments.list()
    assert [(entry.name, entry.deployment_id, entry.activated_by) for entry in found] == [
        (DEV, newer.id, "ada"),
        ("production", world.deployment_id, None),
    ]
    assert cursor is None
    first, cursor = await world.engine.environments.list(1)
    assert [entry.name for entry in first] == [DEV]
    rest, cursor = await world.engine.environments.list(1, cursor)
    assert ([entry.name for entry in rest], cursor) == (["production"], None)


async def test_a_deleted_environment_is_gone_and_its_runs_go_on(world, newer, active_in):
    run = await world.engine.runs.start(world.workflow, b"", caller=by(DEV))
    await world.engine.environments.delete(DEV)
    assert (await refused(active_in(DEV))).code == "no_active_deployment"
    assert [entry.name for entry in (await world.engine.environments.list())[0]] == ["production"]
    assert (await world.engine.deployments.get(newer.id)).status == "draining"
    assert (await world.claim_one()).deployment_id == newer.id
    world.clock.tick(5)
    await world.create(run["runId"], "run_cancelled")
    found = await world.engine.deployments.get(newer.id)
    assert (found.status, found.retired_at) == ("retired", world.clock.now)
    assert (await refused(world.engine.environments.delete(DEV))).code == "environment_not_found"
    await world.engine.deployments.activate(newer.id, environment=DEV)
    assert (await refused(world.engine.deployments.rollback(environment=DEV))).code == "no_earlier_deployment"


async def test_the_default_environment_cannot_be_deleted(world):
    error = await refused(world.engine.environments.delete("production"))
    assert (error.status, error.code) == (409, "default_environment")
    assert (await refused(world.engine.environments.delete("No Name"))).code == "invalid_environment"


async def test_a_deployment_is_kept_and_named_as_long_as_any_environment_uses_it(world, newer):
    await world.engine.deployments.activate(newer.id, environment="staging")
    await world.engine.environments.delete(DEV)
    error = await refused(world.engine.deployments.delete(newer.id))
    assert error.code == "deployment_active"
    assert "staging" in error.message
    await world.engine.environments.delete("staging")
    await world.engine.deployments.delete(newer.id)


async def test_a_deployment_retires_when_the_last_environment_has_left_it(world, newer):
    await world.engine.deployments.activate(world.deployment_id, environment="staging")
    await world.engine.deployments.activate(newer.id)
    assert (await world.engine.deployments.get(world.deployment_id)).retired_at is None
    world.clock.tick(5)
    await world.engine.deployments.activate(newer.id, environment="staging")
    found = await world.engine.deployments.get(world.deployment_id)
    assert (found.status, found.retired_at) == ("retired", world.clock.now)


async def test_a_new_deployment_begins_with_the_variables_of_its_environments(world, newer, manifest, tmp_path):
    world.engine.environment._keys = VariableKeys(None, tmp_path / "key")
    await world.engine.environment.change(world.deployment_id, {"WHERE": "production"})
    await world.engine.environment.change(newer.id, {"WHERE": "at ada's"})
    for mark, environment, expected in (("2", "production", "production"), ("3", DEV, "at ada's")):
        made, _ = await world.engine.deployments.register(manifest(mark), environment=environment)
        assert await world.engine.environment.values(made.id) == {"WHERE": expected}
    made, _ = await world.engine.deployments.register(manifest("4"), environment="staging")
    assert await world.engine.environment.values(made.id) == {}


async def test_a_run_is_of_the_environment_it_is_started_in(world, newer):
    run = await world.engine.runs.start(world.workflow, b"", caller=by(DEV))
    assert run["deploymentId"] == newer.id
    other = await world.engine.runs.start(world.workflow, b"")
    assert other["deploymentId"] == world.deployment_id
    for environment, run_id in ((DEV, run["runId"]), ("production", other["runId"])):
        assert (await world.engine.runs.get(run_id))["environment"] == environment
        found = await world.engine.runs.list(params.RunsSearch(environment=environment))
        assert [entry["runId"] for entry in found["data"]] == [run_id]
    assert "environment" not in await world.call("runs.get", runId=run["runId"]), "the SDK's runs have no such field"


async def test_a_rerun_stays_in_the_environment_of_the_run_unless_another_is_named(world, newer):
    run = await world.engine.runs.start(world.workflow, b"", caller=by(DEV))
    again = await world.engine.runs.rerun(run["runId"], deployment_id="latest", caller=by())
    assert again["deploymentId"] == newer.id
    assert (await world.engine.runs.get(again["runId"]))["environment"] == DEV
    elsewhere = await world.engine.runs.rerun(run["runId"], deployment_id="latest", caller=by("production"))
    assert elsewhere["deploymentId"] == world.deployment_id
    assert (await world.engine.runs.get(elsewhere["runId"]))["environment"] == "production"


async def start_child(world, context):
    """Do what ``start()`` of the SDK does with ``deploymentId: 'latest'``."""
    child = world.new_run_id()
    message = {"queueName": f"__wkf_workflow_{world.workflow}", "body": b"child", "runId": child}
    await world.call("queue.publish", context=context, **message, deploymentId="latest")
    await world.create(child, "run_created", context=context, **world.run_data(deploymentId="latest"))
    return child


async def test_a_child_started_in_a_step_belongs_to_the_environment_of_its_parent(world, newer):
    run = await world.engine.runs.start(world.workflow, b"", caller=by(DEV))
    replay = await world.claim_one()
    await world.create(run["runId"], "run_started")
    await world.publish_step(run["runId"])
    step = await world.claim_one()
    for delivery in (replay, step):
        context = CallContext(executor_id="exe_1", delivery_id=delivery.id)
        assert await world.call("deployments.current", context=context) == {"deploymentId": newer.id, "alias": "latest"}
        child = await world.engine.runs.get(await start_child(world, context))
        assert (child["deploymentId"], child["environment"]) == (newer.id, DEV)


async def test_a_delivery_that_comes_before_its_run_makes_it_where_it_was_published(world, newer):
    run_id = world.new_run_id()
    message = {"queueName": f"__wkf_workflow_{world.workflow}", "body": b"first", "runId": run_id}
    await world.call("queue.publish", context=inside(DEV), **message, deploymentId=newer.id)
    delivery = await world.claim_one()
    context = CallContext(executor_id="exe_1", delivery_id=delivery.id)
    await world.create(run_id, "run_started", context=context, **world.run_data(deploymentId=newer.id))
    assert (await world.engine.runs.get(run_id))["environment"] == DEV


async def test_a_message_without_a_run_goes_to_the_active_deployment_of_its_environment(world, newer):
    health = {"queueName": f"__wkf_workflow_{world.workflow}", "body": b"ping", "isHealthCheck": True}
    for environment in (None, DEV):
        await world.call("queue.publish", context=inside(environment), **health)
    assert sorted(delivery.deployment_id for delivery in await world.claim()) == sorted([world.deployment_id, newer.id])
    assert (await refused(world.call("queue.publish", context=inside("staging"), **health))).status == 409
