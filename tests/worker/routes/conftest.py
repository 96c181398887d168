import time
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.worker.artifacts.archives import artifact
from workflow_studio.compute import wire
from workflow_studio.compute.payload import dumps_arguments
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.app import create_app
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.execution import ExecutorStatus
from workflow_studio.worker.ports import Handled, WebResponse
from workflow_studio.worker.settings import WorkerSettings

WORKFLOW = "workflow//./w//f"
ADMIN = "admin-key-of-the-tests"


class FakePool:
    """Takes every delivery at once and does nothing about it; answers webhooks with what it was given."""

    def __init__(self):
        self.deliveries = []
        self.requests = []
        self.answer = WebResponse(200, (("content-type", "text/plain"),), b"thanks")
        self.closed = False
        self.refreshed = []
        self.warmed = []

    def ready(self, delivery):
        return None

    async def deliver(self, delivery):
        self.deliveries.append(delivery)
        return Handled()

    async def request(self, deployment_id, request):
        self.requests.append((deployment_id, request))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def warm(self, deployment_id):
        self.warmed.append(deployment_id)

    async def refresh(self, deployment_id):
        self.refreshed.append(deployment_id)

    def abandon(self):
        self.deliveries.clear()

    def status(self):
        return [ExecutorStatus("exe_1", "dep_" + "0" * 32, 42, 1_700_000_000.5, 1, 1000)]

    async def close(self, *, grace):
        self.closed = True


def secret_of(scope):
    return f"key-with-{scope}-only"


def make_settings(folder, **changes):
    keys = [{"key_id": "admin", "scopes": ["admin"], "secret": ADMIN}]
    keys += [
        {"key_id": scope, "scopes": [scope], "secret": secret_of(scope)} for scope in ComputeScope if scope != "admin"
    ]
    return WorkerSettings(**{"data_dir": folder, "seed_api_keys": keys, "shutdown_grace": 1} | changes)


class Driver:
    """Talks to a worker in this process, as an admin unless told otherwise."""

    def __init__(self, app, pool):
        self.app = app
        self.pool = pool
        self.services = app.state.services
        self.transport = httpx.ASGITransport(app)
        self.http = httpx.AsyncClient(transport=self.transport, base_url="http://worker.test")

    async def send(self, verb, path, key=ADMIN, **options):
        headers = {"authorization": f"Bearer {key}"} if key else {}
        headers |= options.pop("headers", {})
        return await self.http.request(verb, path, headers=headers, **options)

    async def get(self, path, key=ADMIN, **options):
        return await self.send("GET", path, key, **options)

    async def post(self, path, key=ADMIN, **options):
        return await self.send("POST", path, key, **options)

    async def call(self, method, params=None, key=ADMIN, headers=None):
        (endpoint,) = [endpoint for endpoint in wire.ENDPOINTS if endpoint.method == method]
        if endpoint.verb == "GET":
            return await self.get(endpoint.path, key, headers=headers or {})
        headers = {"content-type": "application/cbor"} | (headers or {})
        return await self.post(endpoint.path, key, content=wire.encode(params or {}), headers=headers)

    async def world(self, method, params=None, **options):
        response = await self.call(method, params, **options)
        assert response.status_code == 200, response.text
        return wire.decode(response.content)

    async def event(self, run_id, kind, correlation_id=None, **data):
        event = {"eventType": kind, "specVersion": 3}
        event |= {"correlationId": correlation_id} if correlation_id else {}
        event |= {"eventData": data} if data else {}
        return await self.world("events.create", {"runId": run_id, "event": event})

    async def deploy(self):
        created = await self.post("/v1/deployments", content=artifact())
        assert created.status_code in {200, 201}, created.text
        deployment_id = created.json()["deploymentId"]
        assert (await self.post(f"/v1/deployments/{deployment_id}/activate")).status_code == 200
        return deployment_id

    async def start(self, arguments=()):
        """Create a run and have it started, with one step done and one hook open."""
        deployment_id = await self.deploy()
        run_id = new_id("wrun", time.time_ns() // 1_000_000)
        await self.event(
            run_id,
            "run_created",
            deploymentId=deployment_id,
            workflowName=WORKFLOW,
            input=dumps_arguments(list(arguments)),
        )
        await self.event(run_id, "run_started")
        return run_id


@asynccontextmanager
async def running(settings):
    pool = FakePool()
    app = create_app(settings, pool=pool)
    async with app.router.lifespan_context(app):
        driver = Driver(app, pool)
        async with driver.http:
            yield driver
    assert pool.closed


@pytest.fixture
async def worker(tmp_path):
    async with running(make_settings(tmp_path / "data")) as driver:
        yield driver
