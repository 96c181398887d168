"""An engine over a database of its own, with a clock that stands still."""

from __future__ import annotations

import time

import pytest
from ulid import ULID

from workflow_studio.compute.manifest import REQUIRED_FILES, ArtifactFile, Manifest, SdkVersions
from workflow_studio.worker.engine import Engine
from workflow_studio.worker.ports import CallContext

WORKFLOW = "workflow//./workflows/demo//twoStep"


class Clock:
    """A clock that only moves when told to."""

    def __init__(self):
        self.now = time.time_ns() // 1_000_000

    def __call__(self):
        return self.now

    def tick(self, milliseconds):
        self.now += milliseconds


def make_manifest(mark="0", workflows=(WORKFLOW,)):
    return Manifest.describe(
        files=tuple(ArtifactFile(path=path, sha256=mark * 64, size=1) for path in sorted(REQUIRED_FILES)),
        workflows=workflows,
        steps=("step//./workflows/demo//add",),
        classes=(),
        sdk=SdkVersions(workflow="4.8.9", core="4.8.9", spec_version=3),
        node=">=20",
    )


class Driver:
    """Calls the World as an app or an executor does."""

    workflow = WORKFLOW

    def __init__(self, engine, clock, deployment_id):
        self.engine = engine
        self.clock = clock
        self.deployment_id = deployment_id

    async def call(self, method, *, context=None, **params):
        return await self.engine.world.call(method, params, context or CallContext())

    async def create(self, run_id, event_type, correlation_id=None, *, context=None, spec_version=3, **data):
        event = {"eventType": event_type, "specVersion": spec_version}
        if correlation_id is not None:
            event["correlationId"] = correlation_id
        if data:
            event["eventData"] = data
        return await self.call("events.create", context=context, runId=run_id, event=event)

    def run_data(self, **more):
        return {"deploymentId": self.deployment_id, "workflowName": WORKFLOW, "input": b"devl[[1],2]", **more}

    def new_run_id(self):
        return f"wrun_{ULID.from_timestamp(self.clock.now / 1000)}"

    async def new_run(self, *, started=True):
        run_id = self.new_run_id()
        await self.create(run_id, "run_created", **self.run_data())
        if started:
            await self.create(run_id, "run_started")
        return run_id

    async def log(self, run_id):
        page = await self.call("events.list", runId=run_id, limit=1000)
        return [event["eventType"] for event in page["data"]]

    async def wake(self, run_id, **more):
        envelope = {"queueName": f"__wkf_workflow_{WORKFLOW}", "body": b"wake", "runId": run_id, "isWake": True}
        return (await self.call("queue.publish", **envelope, **more))["messageId"]

    async def publish_step(self, run_id, step_id="step_1", **more):
        envelope = {
            "queueName": "__wkf_step_add",
            "body": b"step",
            "runId": run_id,
            "stepId": step_id,
            "idempotencyKey": step_id,
        }
        return (await self.call("queue.publish", **{**envelope, **more}))["messageId"]

    async def claim(self, workflow=10, step=10):
        claim = await self.engine.leases.claim({"workflow": workflow, "step": step})
        return list(claim.deliveries)

    async def claim_one(self):
        (delivery,) = await self.claim()
        return delivery


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def manifest():
    return make_manifest


@pytest.fixture
async def database(place):
    opened = place.open()
    yield opened
    await opened.close()


@pytest.fixture
async def engine(database, clock):
    return Engine(database, clock=clock)


@pytest.fixture
async def world(engine, clock):
    deployment, _ = await engine.deployments.register(make_manifest())
    await engine.deployments.activate(deployment.id)
    return Driver(engine, clock, deployment.id)


@pytest.fixture
async def after_crash(world, place):
    """Open the database as ``kill -9`` leaves it in a new worker."""
    opened = []

    async def crash():
        database = place.crash()
        opened.append(database)
        return type(world)(Engine(database, clock=world.clock), world.clock, world.deployment_id)

    yield crash
    for database in opened:
        await database.close()


@pytest.fixture(scope="session")
def helpers():
    """Return the classes above, for tests that make their own."""
    return Clock, Driver, make_manifest
