"""The apps that the template makes, for real: installed, built, checked and served."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.support.rotation import part_of
from tests.support.template import files, render
from tests.template.ingress_routes import ROUTES, add_ingress
from tests.template.support import Answer, FakeWorker, Request, calls_of, cbor, each

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

START = {
    "nextjs": ["node_modules/.bin/next", "start"],
    "nitro": ["node", ".output/server/index.mjs"],
    "sveltekit": ["node", "build"],
}
TOKEN = "token-of-these-tests"


def environment(**extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WORKFLOW_", "NITRO_"))}
    return {**kept, "NEXT_TELEMETRY_DISABLED": "1", "NO_COLOR": "1", **extra}


@dataclass
class Built:
    """An app that is installed and built."""

    framework: str
    folder: Path

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command, cwd=self.folder, env=environment(), capture_output=True, text=True, check=False, timeout=400
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    @contextmanager
    def serve(self, command: list[str] | None = None, cwd: Path | None = None, **env: str) -> Iterator[httpx.Client]:
        """Start the production server; its output goes to ``server.log``."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = self.folder / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command or START[self.framework],
                cwd=cwd or self.folder,
                env=environment(PORT=str(port), NODE_ENV="production", **env),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            with httpx.Client(base_url=f"http://localhost:{port}", timeout=30) as client:
                self._wait(client, process, log)
                yield client
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _wait(self, client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
        for _ in range(300):
            assert process.poll() is None, log.read_text()
            try:
                client.get("/")
            except httpx.TransportError:
                time.sleep(0.1)
            else:
                return
        pytest.fail(f"The server did not start:\n{log.read_text()}")


@pytest.fixture(scope="module", params=part_of(START, 1))
def built(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp(request.param) / "orders"
    app = Built(request.param, render(template, folder, request.param))
    add_ingress(folder, request.param)
    app.run("npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
    made = files_of_the_template(folder)
    output = app.run("npm", "run", "build")
    assert "warning: dynamic" not in output.lower(), "the bundler traces the whole project"
    assert files_of_the_template(folder) == made, "the build rewrites what the template made"
    return app


def files_of_the_template(folder: Path) -> dict[str, bytes]:
    names = {path.name for path in folder.iterdir()} & {
        "workflow-studio", "workflow.config.ts", "package.json", "tsconfig.json", "app", "server", "workflows",
    }  # fmt: skip
    found = {}
    for name in names:
        path = folder / name
        found.update(files(path) if path.is_dir() else {name: path.read_bytes()})
    # The Workflow SDK writes its routes into the app folder while Next.js builds.
    return {name: content for name, content in found.items() if not name.startswith(".well-known/")}


def begin(client: httpx.Client) -> httpx.Response:
    return client.post("/api/orders", json={"customer": "ada", "items": ["tea", "biscuits"]})


def test_it_runs_in_the_app_as_long_as_nothing_else_is_said(built: Built) -> None:
    with built.serve(WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN=TOKEN) as client:
        begun = begin(client)
        assert begun.status_code == 202
        run_id = begun.json()["runId"]
        assert finished(client, run_id) == fulfilled(run_id)
        assert client.get("/api/orders/wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV").status_code == 404
        assert diagnostics(client)["executionMode"] == "local"


def finished(client: httpx.Client, run_id: str) -> Any:
    for _ in range(180):
        answer = client.get(f"/api/orders/{run_id}").json()
        if answer["status"] != "running" and answer["status"] != "pending":
            break
        time.sleep(0.5)
    return answer


def wait_for_local_event(built: Built, run_id: str, event_type: str) -> None:
    """Wait until the SDK's own World has written an event down."""
    for _ in range(240):
        for file in (built.folder / ".workflow-data" / "events").glob(f"{run_id}-*.json"):
            if json.loads(file.read_text())["eventType"] == event_type:
                return
        time.sleep(0.05)
    pytest.fail(f"{run_id} has no {event_type}")


def fulfilled(run_id: str) -> dict[str, Any]:
    return {
        "runId": run_id,
        "status": "completed",
        "result": {
            "customer": "ada",
            "total": 55,
            "payment": {"reference": "payment-of-ada", "amount": 55, "attempt": 2},
            "parcel": "2 item(s) for ada",
        },
    }


def diagnostics(client: httpx.Client) -> dict[str, Any]:
    path = "/api/workflow-studio/diagnostics/remote-ownership"
    assert client.get(path).status_code == 401
    report: dict[str, Any] = client.get(path, headers={"authorization": f"Bearer {TOKEN}"}).json()
    return report


def remote(worker: FakeWorker) -> dict[str, str]:
    return {
        "WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote",
        "WORKFLOW_COMPUTE_BASE_URL": worker.url,
        "WORKFLOW_COMPUTE_API_KEY": "key-of-these-tests",
        "WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN": TOKEN,
    }


def accept(request: Request) -> Answer:
    """Answer the calls of ``start()`` as a worker does."""
    if request.path == "/v1/world/deployment-id":
        return cbor({"deploymentId": "dep_1"})
    if request.path == "/v1/queue/publish":
        return cbor({"messageId": "msg_1"})
    if request.path == "/v1/world/events/create":
        return cbor({"run": {"runId": request.params["runId"], "status": "pending", "createdAt": 1, "updatedAt": 1}})
    return cbor({})


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    for server in FakeWorker().serve():
        server.answer = each(accept)
        yield server


def check_remote(client: httpx.Client, worker: FakeWorker) -> None:
    begun = begin(client)
    assert begun.status_code == 202, begun.text
    run_id = begun.json()["runId"]
    called = {call.path: call for request in worker.requests for call in calls_of(request)}
    event = called["/v1/world/events/create"].params
    assert event["runId"] == run_id
    assert event["event"]["eventType"] == "run_created"
    assert event["event"]["specVersion"] == 3
    assert event["event"]["eventData"]["deploymentId"] == "dep_1"
    assert event["event"]["eventData"]["workflowName"].endswith("workflows/order//fulfilOrder")
    message = called["/v1/queue/publish"].params
    assert (message["runId"], message["deploymentId"]) == (run_id, "dep_1")


def test_it_runs_on_the_worker_when_told(built: Built, worker: FakeWorker) -> None:
    with built.serve(**remote(worker)) as client:
        check_remote(client, worker)
        headers = {"x-workflow-message-id": "msg_1"}
        for route in ("flow", "step"):
            refused = client.post(f"/.well-known/workflow/v1/{route}", json={"runId": "wrun_1"}, headers=headers)
            assert refused.status_code == 409
            assert refused.json()["code"] == "remote_execution_enabled"
        report = diagnostics(client)
        assert report["executionMode"] == "remote"
        assert report["unexpectedHits"] == 2
        assert report["lastEvent"]["path"] == "/.well-known/workflow/v1/step"


def test_a_worker_that_is_down_is_named_in_the_log(built: Built) -> None:
    nowhere = FakeWorker()
    nowhere.close()
    with built.serve(**remote(nowhere)) as client:
        assert begin(client).status_code == 500
    log = (built.folder / "server.log").read_text()
    assert nowhere.url in log
    assert "nothing listens there" in log
    assert "studio worker start" in log
    assert "key-of-these-tests" not in log


@contextmanager
def configured(built: Built, before: str, after: str) -> Iterator[None]:
    config = built.folder / "workflow.config.ts"
    text = config.read_text()
    assert before in text
    config.write_text(text.replace(before, after))
    try:
        yield
    finally:
        config.write_text(text)


def test_what_the_worker_cannot_take_runs_here_and_stays_here(built: Built, worker: FakeWorker) -> None:
    nowhere = FakeWorker()
    nowhere.close()
    with configured(built, "failPolicy: 'error'", "failPolicy: 'fallback-local'"):
        with built.serve(**remote(nowhere)) as client:
            done = begin(client).json()["runId"]
            assert finished(client, done) == fulfilled(done)
            unfinished = begin(client).json()["runId"]
            # The SDK's own World writes a step and its event one after the other: a run whose app is killed in between
            # never ends. So it is killed while the run waits for a step's next attempt.
            wait_for_local_event(built, unfinished, "step_retrying")
            report = diagnostics(client)
            assert (report["status"], report["fallbacks"]) == ("warn", 2)
            assert client.post("/.well-known/workflow/v1/flow", json={"runId": done}).status_code == 409
        # The server was killed while the last run was under way.
        with built.serve(**remote(worker)) as client:
            assert client.get(f"/api/orders/{done}").json() == fulfilled(done)
            assert finished(client, unfinished) == fulfilled(unfinished)
            assert worker.requests == []
            check_remote(client, worker)
            assert diagnostics(client)["status"] == "pass"


def test_the_server_does_not_start_half_rerouted(built: Built) -> None:
    try:
        with configured(built, "// mode: 'remote'", "mode: 'remote'"):
            done = subprocess.run(
                START[built.framework],
                cwd=built.folder,
                env=environment(PORT="0", NODE_ENV="production", WORKFLOW_TARGET_WORLD="local"),
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
    except subprocess.TimeoutExpired as running:
        pytest.fail(f"it serves: {running.stdout!r}")
    assert done.returncode != 0
    assert "WORKFLOW_TARGET_WORLD must be workflow-studio/world-remote" in done.stdout + done.stderr


def test_moved_output_finds_its_world(built: Built, worker: FakeWorker, tmp_path: Path) -> None:
    if built.framework == "nitro":
        output, entry = built.folder / ".output", "server/index.mjs"
    elif built.framework == "nextjs":
        config = built.folder / "next.config.ts"
        before = config.read_text()
        config.write_text(before.replace("NextConfig = {}", "NextConfig = { output: 'standalone' }"))
        built.run("npm", "run", "build")
        config.write_text(before)
        output, entry = built.folder / ".next/standalone", "server.js"
    else:
        return  # adapter-node's output is not meant to be moved away from node_modules
    moved = tmp_path / "moved"
    shutil.copytree(output, moved, symlinks=True)
    server = moved / entry
    with built.serve(["node", str(server)], cwd=server.parent, **remote(worker)) as client:
        check_remote(client, worker)


def trigger(built: Built, client: httpx.Client) -> dict[str, Any]:
    payload = {
        "workflowName": ROUTES[built.framework]["workflow"],
        "input": [{"customer": "ada", "items": ["tea", "biscuits"]}],
    }
    answer = client.post("/api/ingress/trigger", json={"payload": payload, "idempotencyKey": "order-1"})
    assert answer.status_code == 200, answer.text
    run: dict[str, Any] = answer.json()
    return run


def call_webhook(client: httpx.Client, token: str) -> httpx.Response:
    headers = {"content-type": "application/octet-stream"}
    return client.post("/api/ingress/webhook?token=" + token, content=b"\0\xff", headers=headers)


def test_its_own_routes_start_runs_and_take_webhooks_in_the_app(built: Built) -> None:
    with built.serve() as client:
        run = trigger(built, client)
        assert trigger(built, client)["runId"] == run["runId"]
        assert run["deploymentId"].startswith("dpl_local@")
        assert finished(client, run["runId"]) == fulfilled(run["runId"])
        missing = call_webhook(client, "of-no-webhook")
        assert (missing.status_code, missing.json()["code"]) == (404, "hook_not_found")


def test_its_own_routes_hand_triggers_and_webhooks_to_the_worker(built: Built, worker: FakeWorker) -> None:
    def answer(request: Request) -> Answer:
        if request.path == "/v1/runs":
            body = b'{"runId": "wrun_1", "status": "pending", "deploymentId": "dep_1"}'
            return Answer(201, body, "application/json")
        if "/webhook/" in request.path:
            return Answer(203, b"\xff\0", "application/x-answer")
        return accept(request)

    worker.answer = answer
    with built.serve(**remote(worker)) as client:
        assert trigger(built, client) == {"runId": "wrun_1", "status": "pending", "deploymentId": "dep_1"}
        answered = call_webhook(client, "a-token")
    assert (answered.status_code, answered.content) == (203, b"\xff\0")
    assert answered.headers["content-type"] == "application/x-answer"
    called = worker.requests[-1]
    # The query goes along, as it does where webhooks are called directly.
    assert called.path == "/.well-known/workflow/v1/webhook/a-token?token=a-token"
    assert called.params == b"\0\xff"
