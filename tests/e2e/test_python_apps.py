"""Apps in Python, made by the template and installed: their routes start runs on a real worker, and follow them."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.support import KEY, STUDIO, Server, Worker, clean_environment, free_port, run, studio, wait_until
from tests.support.rotation import part_of
from tests.support.template import PYTHON, ROOT, copy_template, render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import PreparedApp

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

WORKFLOWS = Path(__file__).parent / "workflows"
ORDER = {"customer": "ada", "items": ["tea", "biscuits"]}
TOKEN = "token-of-the-tests"
DIAGNOSTICS = "/api/workflow-studio/diagnostics/remote-ownership"


@dataclass(frozen=True)
class Served:
    """A framework and a server.

    Attributes:
        framework: The framework's id.
        module: The server.
        options: Its options; PORT is replaced.
    """

    framework: str
    module: str
    options: tuple[str, ...]

    def command(self, folder: Path, port: int) -> tuple[str, ...]:
        options = (option.replace("PORT", str(port)) for option in self.options)
        return (str(python_of(folder)), "-m", self.module, *options)


UVICORN, GUNICORN = ("--port", "PORT"), ("--threads", "8", "--bind", "127.0.0.1:PORT")
SERVED = {
    "fastapi": Served("fastapi", "uvicorn", ("app.main:app", *UVICORN)),
    "flask": Served("flask", "gunicorn", (*GUNICORN, "app.main:app")),
    "django-asgi": Served("django", "uvicorn", ("config.asgi:application", *UVICORN)),
    "django-wsgi": Served("django", "gunicorn", (*GUNICORN, "config.wsgi")),
}


class PythonApp(Server):
    """The app, served as its README says."""

    def __init__(self, served: Served, folder: Path, worker: Worker, port: int, **env: str) -> None:
        super().__init__(
            command=served.command(folder, port),
            cwd=folder,
            env={"WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN": TOKEN, **worker.cli, **env},
            log=worker.cwd / f"app-{port}.log",
            url=f"http://localhost:{port}",
        )
        self.http = httpx.Client(base_url=self.url, timeout=60)


def python_of(folder: Path) -> Path:
    return folder / ".venv/bin/python"


def make(folder: Path, framework: str) -> None:
    template = copy_template(folder.parent / f"template-of-{framework}")
    render(template, folder, framework, project_name="orders")
    shutil.rmtree(template)
    shutil.copy(WORKFLOWS / "webhooks.ts", folder / "workflows/webhooks.ts")
    run("npm", "install", "--prefer-offline", "--no-audit", "--no-fund", cwd=folder)
    run("npm", "run", "typecheck", cwd=folder)
    studio("build", cwd=folder)
    run(sys.executable, "-m", "venv", ".venv", cwd=folder)
    packages = [option for part in ("compute", "client") for option in ("-e", str(ROOT / "runtime" / part))]
    server = [] if framework == "fastapi" else ["gunicorn"]
    pip = (str(python_of(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, *packages, "-e", ".[dev]", *server, cwd=folder)


@pytest.fixture(scope="module", params=[name for name in SERVED if SERVED[name].framework in part_of(PYTHON, 1)])
def served(request: pytest.FixtureRequest) -> Served:
    return SERVED[request.param]


@pytest.fixture(scope="module")
def port(served: Served) -> int:
    """The app's port, known before the worker starts: its webhook addresses name the app."""
    return free_port()


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Worker]:
    public = {"WORKFLOW_STUDIO_WORKER_PUBLIC_URL": f"http://localhost:{port}"}
    server = Worker(tmp_path_factory.mktemp("worker"), **public)
    server.start()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def folder(prepared_app: PreparedApp, worker: Worker, served: Served) -> Path:
    made = prepared_app(f"python-{served.framework}", lambda folder: make(folder, served.framework))
    assert studio("deploy", cwd=made, env=worker.cli)["deploymentId"].startswith("dep_")
    return made


@pytest.fixture(scope="module")
def app(served: Served, folder: Path, worker: Worker, port: int) -> Iterator[PythonApp]:
    server = PythonApp(served, folder, worker, port)
    server.start()
    try:
        yield server
    finally:
        server.close()


def begin(app: PythonApp, **headers: str) -> str:
    answer = app.http.post("/api/orders", json=ORDER, headers=headers)
    assert answer.status_code == 202, answer.text
    run_id: str = answer.json()["runId"]
    return run_id


def test_the_javascript_is_formatted(folder: Path) -> None:
    paths = ("package.json", "tsconfig.json", "workflows")
    run("npx", "--yes", "prettier@3.10.1", "--single-quote", "--check", *paths, cwd=folder)


@pytest.mark.parametrize("command", [("ruff", "check"), ("ruff", "format", "--check"), ("mypy",), ("pytest", "-q")])
def test_the_app_passes_its_own_checks_where_it_is_installed(folder: Path, command: tuple[str, ...]) -> None:
    run(str(python_of(folder)), "-m", *command, cwd=folder)


def test_an_order_is_fulfilled_on_the_worker_and_told_about_while_it_is(app: PythonApp, worker: Worker) -> None:
    run_id = begin(app)
    with app.http.stream("GET", f"/api/orders/{run_id}/events") as events:
        lines = list(events.iter_lines())
    assert [json.loads(line[6:]) for line in lines if line.startswith("data: ")] == [
        "It costs 55.",
        "It is paid.",
        "It is on its way.",
        {},
    ]
    assert [line for line in lines if line.startswith(("id: ", "event: "))] == ["id: 0", "id: 1", "id: 2", "event: end"]
    worker.finished(run_id)
    assert app.http.get(f"/api/orders/{run_id}").json() == {
        "runId": run_id,
        "status": "completed",
        "result": {
            "customer": "ada",
            "total": 55,
            "payment": {"reference": "payment-of-ada", "amount": 55, "attempt": 2},
            "parcel": "2 item(s) for ada",
        },
    }


def test_a_repeated_order_is_one_run(app: PythonApp) -> None:
    headers = {"idempotency-key": "order-of-ada"}
    assert begin(app, **headers) == begin(app, **headers)
    other = app.http.post("/api/orders", json={**ORDER, "customer": "bob"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")


def test_a_lost_connection_goes_on_where_it_was(app: PythonApp, worker: Worker) -> None:
    run_id = begin(app)
    worker.finished(run_id)
    rest = app.http.get(f"/api/orders/{run_id}/events", headers={"last-event-id": "1"})
    assert rest.text == 'id: 2\ndata: "It is on its way."\n\nevent: end\ndata: {}\n\n'


def test_orders_that_are_none_are_not_found(app: PythonApp, worker: Worker) -> None:
    other = start(worker, "webhookStatic")
    for run_id in (other, "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV", "nothing"):
        assert app.http.get(f"/api/orders/{run_id}").status_code == 404
        assert app.http.get(f"/api/orders/{run_id}/events").status_code == 404


def start(worker: Worker, workflow: str) -> str:
    answer = worker.http.post(
        "/v1/runs",
        json={"workflowName": f"workflow//./workflows/webhooks//{workflow}", "input": []},
        headers={"idempotency-key": f"{workflow}-{free_port()}"},
    )
    assert answer.status_code == 201, answer.text
    run_id: str = answer.json()["runId"]
    return run_id


def webhook_of(worker: Worker, app: PythonApp, workflow: str) -> tuple[str, str]:
    """Start a workflow that waits for a webhook; return the run and the address that it gives away."""
    run_id = start(worker, workflow)

    def announced() -> str | None:
        stream = f"/v1/runs/{run_id}/streams/strm_{run_id[5:]}_user"
        answer = worker.http.get(stream, params={"follow": "false"})
        lines = [json.loads(line) for line in answer.text.splitlines()] if answer.status_code == 200 else []
        return next((line["value"] for line in lines if "value" in line), None)

    url: str = wait_until(announced, what="the webhook's address")
    assert url.startswith(f"{app.url}/.well-known/workflow/v1/webhook/"), "it names the app"
    return run_id, url


def result(worker: Worker, run_id: str) -> Any:
    found = worker.finished(run_id)
    assert found["status"] == "completed", found
    return found["output"]


def test_a_webhook_is_answered_by_default(app: PythonApp, worker: Worker) -> None:
    run_id, url = webhook_of(worker, app, "webhookByDefault")
    answer = httpx.post(f"{url}?a=1&b=%2F", json={"n": 1}, headers={"x-zoo": "lion"})
    assert answer.status_code == 202
    assert result(worker, run_id) == {
        "method": "POST",
        "path": True,
        "query": "?a=1&b=%2F",
        "header": "lion",
        "body": {"n": 1},
    }


def test_a_webhook_is_answered_by_what_was_made_beforehand(app: PythonApp, worker: Worker) -> None:
    run_id, url = webhook_of(worker, app, "webhookStatic")
    answer = httpx.put(url, content="hello")
    assert (answer.status_code, answer.json(), answer.headers["x-zoo"]) == (201, {"accepted": True}, "turtle")
    assert result(worker, run_id) == "hello"


def test_a_webhook_is_answered_by_a_step_of_its_workflow(app: PythonApp, worker: Worker) -> None:
    run_id, url = webhook_of(worker, app, "webhookManual")
    answer = httpx.post(url, content=iter([b"one ", b"two"]), timeout=60)
    assert (answer.status_code, answer.text, answer.headers["x-zoo"]) == (418, "You said one two", "parrot")
    assert result(worker, run_id) == "one two"


def test_a_webhook_gets_every_byte(app: PythonApp, worker: Worker) -> None:
    run_id, url = webhook_of(worker, app, "webhookBytes")
    body = bytes(range(256)) * 1_000
    assert httpx.post(url, content=body).status_code == 202
    assert worker.finished(run_id)["status"] == "completed"
    assert base64.b64decode(worker.run(run_id)["output"]["base64"]) == body


def test_a_webhook_that_nobody_has_is_not_found(app: PythonApp) -> None:
    answer = app.http.post("/.well-known/workflow/v1/webhook/nobody")
    assert (answer.status_code, answer.json()["code"]) == (404, "hook_not_found")


def test_the_app_is_found_to_leave_execution_to_the_worker(app: PythonApp, worker: Worker) -> None:
    command = ("compute", "validate-ownership", "--strict", "--app-url", app.url)
    done = subprocess.run(
        [STUDIO, *command, "--json"],
        cwd=app.cwd,
        env=clean_environment(WORKFLOW_STUDIO_DIAGNOSTICS_TOKEN=TOKEN, **worker.cli),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_key_is_a_clean_error(served: Served, folder: Path, worker: Worker) -> None:
    app = PythonApp(served, folder, worker, free_port(), WORKFLOW_COMPUTE_API_KEY="a-key-that-nobody-gave-out")
    app.start()
    try:
        answer = app.http.post("/api/orders", json=ORDER)
        assert (answer.status_code, answer.json()["code"]) == (502, "unauthorized")
        report = app.http.get(DIAGNOSTICS, headers={"authorization": f"Bearer {TOKEN}"}).json()
    finally:
        app.close()
    assert (report["status"], report["worker"]["access"]["status"]) == ("fail", "refused")
    log = app.log.read_text()
    assert "unauthorized" in log
    assert "Traceback" not in log
    assert "a-key-that-nobody-gave-out" not in log + answer.text + json.dumps(report)


def test_a_key_with_two_scopes_is_enough(served: Served, folder: Path, worker: Worker) -> None:
    made = worker.http.post("/v1/keys", json={"name": "app", "scopes": ["trigger:write", "runs:read"]})
    assert made.status_code == 201, made.text
    key = made.json()["secret"]
    app = PythonApp(served, folder, worker, free_port(), WORKFLOW_COMPUTE_API_KEY=key)
    app.start()
    try:
        run_id = begin(app)
        with app.http.stream("GET", f"/api/orders/{run_id}/events") as events:
            assert "data: {}" in list(events.iter_lines())
        report = app.http.get(DIAGNOSTICS, headers={"authorization": f"Bearer {TOKEN}"}).json()
    finally:
        app.close()
    assert report["status"] == "pass", report
    assert key not in json.dumps(report)
    assert key != KEY
