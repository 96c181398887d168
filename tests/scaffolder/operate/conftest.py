"""A real worker in this process, on a real socket, that executes nothing: the tests say what happens to its runs."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import httpx
import pytest
import uvicorn

from tests.worker.artifacts.archives import FILES, artifact
from tests.worker.routes.conftest import ADMIN, WORKFLOW, FakePool, make_settings
from workflow_studio.compute import wire
from workflow_studio.compute.payload import dumps, dumps_arguments
from workflow_studio.worker.app import create_app
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.ports import Delivery, Line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workflow_studio.worker.engine import Engine
    from workflow_studio.worker.ports import Level

STEP = "step//./w//charge"


@dataclass
class LiveWorker:
    """A worker and what tests do to it, over HTTP."""

    url: str
    http: httpx.Client
    engine: Engine
    loop: asyncio.AbstractEventLoop

    def event(self, run_id: str, kind: str, correlation_id: str | None = None, **data: Any) -> None:
        event: dict[str, Any] = {"eventType": kind, "specVersion": 3}
        event |= {"correlationId": correlation_id} if correlation_id else {}
        event |= {"eventData": data} if data else {}
        (endpoint,) = [endpoint for endpoint in wire.ENDPOINTS if endpoint.method == "events.create"]
        answer = self.http.post(
            endpoint.path,
            content=wire.encode({"runId": run_id, "event": event}),
            headers={"content-type": wire.CBOR_MEDIA_TYPE},
        )
        assert answer.status_code == 200, answer.text

    def deploy(self, *, salt: str = "", activate: bool = True) -> str:
        answer = self.http.post(
            "/v1/deployments", content=artifact({**FILES, "flow.js": f"exports.f = '{salt}'".encode()})
        )
        assert answer.status_code in {200, 201}, answer.text
        deployment: str = answer.json()["deploymentId"]
        if activate:
            self.http.post(f"/v1/deployments/{deployment}/activate").raise_for_status()
        return deployment

    def start(self, *arguments: Any) -> str:
        """Start a run of the deployment that is active, without executing it."""
        deployment = self.http.get("/v1/deployments/active").json()["deploymentId"]
        run = new_id("wrun", time.time_ns() // 1_000_000)
        self.event(
            run,
            "run_created",
            deploymentId=deployment,
            workflowName=WORKFLOW,
            input=dumps_arguments(list(arguments)),
        )
        self.event(run, "run_started")
        return run

    def step(self, run: str, step: str = "step_1", *, fails: str = "") -> None:
        """Have a run execute a step."""
        self.event(run, "step_created", step, stepName=STEP, input=dumps_arguments([7]))
        self.event(run, "step_started", step)
        if fails:
            self.event(run, "step_failed", step, error=fails)
        else:
            self.event(run, "step_completed", step, result=dumps("charged"))

    def prints(self, run: str, *lines: tuple[Level, str], step: str | None = "step_1", dropped: int = 0) -> None:
        """Have a step of a run, or its workflow function, print lines."""
        kind: Literal["step", "workflow"] = "step" if step else "workflow"
        delivery = Delivery("dlv_1", "msg_1", kind, "queue", "dep_1", 1, b"", run_id=run, step_id=step)
        made = [Line(time.time_ns() // 1_000_000, level, text) for level, text in lines]
        appending = self.engine.output.append(delivery, made, dropped=dropped)
        asyncio.run_coroutine_threadsafe(appending, self.loop).result(30)

    def complete(self, run: str, result: Any = None) -> None:
        self.event(run, "run_completed", output=dumps(result))

    def fail(self, run: str, message: str) -> None:
        self.event(run, "run_failed", error={"message": message}, errorCode="USER_ERROR")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveWorker]:
    app = create_app(make_settings(tmp_path_factory.mktemp("worker") / "data"), pool=FakePool())
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    ready = threading.Event()
    startup = server.startup

    loops: list[asyncio.AbstractEventLoop] = []

    async def started(sockets: Any = None) -> None:
        loops.append(asyncio.get_running_loop())
        await startup(sockets)
        ready.set()

    server.startup = started  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(30)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, headers={"authorization": f"Bearer {ADMIN}"}, trust_env=False) as http:
            yield LiveWorker(url, http, app.state.services.engine, loops[0])
    finally:
        app.state.services.stopping.set()
        server.should_exit = True
        thread.join(30)


@pytest.fixture
def worker(server: LiveWorker, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LiveWorker:
    """The worker, named by the environment, as seen from an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKFLOW_COMPUTE_BASE_URL", server.url)
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", ADMIN)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("WORKFLOW_STUDIO_PROFILE", raising=False)
    return server
