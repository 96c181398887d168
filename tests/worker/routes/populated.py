"""A worker that holds some of everything, for tests that need answers about real things.

It runs in a thread behind a real HTTP server, with executors that do nothing.
"""

import asyncio
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
import uvicorn
from sqlalchemy import update

from tests.worker.artifacts.archives import FILES, artifact
from tests.worker.routes.conftest import ADMIN, WORKFLOW, FakePool, make_settings
from workflow_studio.compute import wire
from workflow_studio.compute.payload import dumps, dumps_arguments
from workflow_studio.worker.app import create_app
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.store import tables


@dataclass
class Populated:
    """The worker, and the names of what it holds by the parameters that take them."""

    app: object
    url: str = ""
    known: dict[str, list[str]] = field(default_factory=dict)
    streams: list[tuple[str, str]] = field(default_factory=list)
    hooks: list[dict[str, str]] = field(default_factory=list)
    server: uvicorn.Server | None = None

    def __post_init__(self):
        self.http = httpx.Client(headers={"authorization": f"Bearer {ADMIN}"}, timeout=30)

    def know(self, name, value):
        """Have the tests use a name, the newest ones first: older things may have been brought to their end."""
        known = self.known.setdefault(name, [])
        known.append(value)
        del known[:-8]
        return value

    def send(self, verb, path, **options):
        response = self.http.request(verb, self.url + path, **options)
        assert response.status_code < 300, (verb, path, response.text)
        return response.json()

    def world(self, path, params):
        response = self.http.post(
            f"{self.url}/v1/{path}", content=wire.encode(params), headers={"content-type": wire.CBOR_MEDIA_TYPE}
        )
        assert response.status_code == 200, (path, response.text)
        return wire.decode(response.content)

    def event(self, run_id, kind, correlation_id=None, **data):
        event = {"eventType": kind, "specVersion": 3}
        event |= {"correlationId": correlation_id} if correlation_id else {}
        event |= {"eventData": data} if data else {}
        self.world("world/events/create", {"runId": run_id, "event": event})

    def replenish(self):
        """Add one of everything: the tests bring things to their end."""
        self.deploy()  # one that can be deleted
        self.deploy()
        self.key()
        for ends in (False, True):
            self.run(ends=ends)
        self.kill_messages()

    def deploy(self, mark=None):
        content = artifact(FILES | {"webhook.js": (mark or new_id("x", 0)).encode()})
        created = self.send("POST", "/v1/deployments", content=content, headers={"content-type": "application/gzip"})
        deployment_id = self.know("deployment_id", created["deploymentId"])
        self.send("PUT", f"/v1/deployments/{deployment_id}/env", json={"STRIPE_KEY": "sk"})
        return deployment_id

    def key(self):
        self.know("key_id", self.send("POST", "/v1/keys", json={"scopes": ["runs:read"], "name": "one"})["keyId"])

    def run(self, *, ends):
        self.send("POST", f"/v1/deployments/{self.deployment_id}/activate")
        started = self.send(
            "POST",
            "/v1/runs",
            json={"workflowName": WORKFLOW, "input": ["order-17", {"n": 1}]},
            headers={"idempotency-key": new_id("k", 0)},
        )
        run_id = self.know("run_id", started["runId"])
        self.event(run_id, "run_started")
        step, failed, hook, wait = (
            self.know("correlation_id", new_id(kind, time.time_ns() // 1_000_000))
            for kind in ("step", "step", "hook", "wait")
        )
        for name in (step, failed):
            self.know("step_id", name)
            self.event(run_id, "step_created", name, stepName="step//./w//s", input=dumps_arguments([1]))
            self.event(run_id, "step_started", name)
        self.event(run_id, "step_completed", step, result=dumps({"charged": True}))
        self.event(run_id, "step_failed", failed, error={"message": "no"}, stack="no")
        self.event(run_id, "hook_created", hook, token=f"token-of-{hook}", isWebhook=True, metadata=dumps({"a": 1}))
        if not ends:
            self.hooks.append({"runId": run_id, "hookId": hook, "token": f"token-of-{hook}"})
        self.know("hook_id", hook)
        self.know("event_id", f"evnt_{len(self.hooks) % 9 + 1:026d}")
        self.know("token", f"token-of-{hook}")
        self.event(run_id, "wait_created", wait, resumeAt=(time.time_ns() // 1_000_000) + 3_600_000)
        stream = self.know("name", f"strm_{new_id('s', 0)}_user")
        chunk = dumps({"word": "hello"})
        written = {"name": stream, "runId": run_id, "chunks": [chunk, b"x"], "writerId": "w", "sequence": 0}
        self.world("world/streams/write", written)
        self.streams.append((run_id, stream))
        if ends:
            self.world("world/streams/close", {"name": stream, "runId": run_id})
            self.event(run_id, "run_completed", output=dumps("done"))

    def kill_messages(self):
        """Have a message that the dispatcher never gets to see alive."""
        publish = {"queueName": "__wkf_step_s", "body": b"", "runId": "r", "stepId": "step_1", "delaySeconds": 3600}
        message_id = self.know("message_id", self.world("queue/publish", publish)["messageId"])
        engine = self.app.state.services.engine
        die = update(tables.messages).where(tables.messages.c.message_id == message_id)
        die = die.values(status="dead", attempt=50, failures=50, last_error="no such module")
        self.loop_of_server(engine.queue._database.write(lambda transaction: transaction.execute(die)))

    def loop_of_server(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.app.state.loop).result(30)

    @property
    def deployment_id(self):
        return self.known["deployment_id"][-1]


@contextmanager
def populated(folder, **changes):
    settings = make_settings(folder, rate_limit_per_minute=10_000_000, failed_logins_per_minute=10_000_000, **changes)
    app = create_app(settings, pool=FakePool())
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="on", log_level="critical", loop="asyncio"))

    async def serve():
        app.state.loop = asyncio.get_running_loop()
        await server.serve()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    worker = Populated(app, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
    try:
        worker.replenish()
        yield worker
    finally:
        worker.http.close()
        server.should_exit = True
        thread.join()
