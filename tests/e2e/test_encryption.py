"""With a master key, what users pass to functions and get from them is unreadable where it is stored.

The key that opens it leaves the worker only for those who may act as the World: the app, its executors and the SDK's
tools.
"""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.e2e.conftest import running_app
from tests.e2e.sdk_tools import WorkflowCommand
from tests.e2e.support import Worker, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.support import App

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

MARK = "plum-blossom"
"""Part of everything that the tests pass, return, send and write; of no code, no name and no token."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    master_key = base64.b64encode(secrets.token_bytes(32)).decode()
    server = Worker(tmp_path_factory.mktemp("worker"), WORKFLOW_STUDIO_WORKER_MASTER_KEY=master_key)
    server.start()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def app(prepared_app: PreparedApp, worker: Worker) -> Iterator[App]:
    yield from running_app("nitro", prepared_app, worker)


@pytest.fixture(scope="module")
def order(app: App, worker: Worker) -> str:
    """A run with arguments, steps, step results, a retry and a result."""
    run_id = app.begin("order", f"{MARK} the customer", [1])
    worker.finished(run_id)
    return run_id


@pytest.fixture(scope="module")
def approved(app: App, worker: Worker) -> str:
    """A run that people gave payloads to: one through the app, one through the worker's own API."""
    run_id = app.begin("approval", "a-token")
    wait_until(lambda: worker.get(f"/v1/runs/{run_id}/hooks")["data"], what="the hook's creation")
    assert app.resume("a-token", {"ok": True, "note": f"{MARK} through the app"}).json() == {"resumed": True}
    request = {"runId": run_id, "token": "a-token", "payload": {"ok": False, "note": f"{MARK} through the API"}}
    assert worker.http.post("/v1/runs/resume", json=request).status_code == 200
    worker.finished(run_id)
    return run_id


@pytest.fixture(scope="module")
def called(app: App, worker: Worker) -> str:
    """A run that wrote a stream, was called from outside, and answered."""
    run_id = app.begin("callback")
    url = app.http.get("/api/stream", params={"id": run_id, "limit": "1"}).json()["chunks"][0]
    answer = httpx.post(url, content=f"{MARK} from outside", timeout=30)
    assert answer.text == f"thanks for {MARK} from outside"
    worker.finished(run_id)
    return run_id


@pytest.fixture(scope="module")
def triggered(app: App, worker: Worker) -> str:
    """A run that the worker's own API started, from JSON."""
    answer = worker.http.post(
        "/v1/runs",
        headers={"idempotency-key": "start-it"},
        json={"workflowName": "workflow//./workflows/features//order", "input": [f"{MARK} by the API", [2]]},
    )
    assert answer.status_code == 201, answer.text
    run_id: str = answer.json()["runId"]
    worker.finished(run_id)
    return run_id


def test_runs_work_as_they_do_in_clear(app: App, order: str, approved: str, called: str, triggered: str) -> None:
    assert app.ask(order)["result"]["receipt"] == f"receipt for {MARK} the customer"
    assert app.ask(approved)["result"] == [True, False]
    assert app.ask(called)["result"] == f"{MARK} from outside"
    assert app.ask(triggered)["result"]["receipt"] == f"receipt for {MARK} by the API"


@pytest.mark.usefixtures("order", "approved", "called", "triggered")
def test_nothing_that_users_pass_or_get_is_readable_on_the_disk(worker: Worker) -> None:
    data = worker.cwd / "data"
    files = [file for file in data.rglob("*") if file.is_file() and data / "artifacts" not in file.parents]
    assert data / "worker.db" in files
    for file in [*files, worker.log]:
        content = file.read_bytes()
        assert MARK.encode() not in content, f"{file.name} has it in clear"
        assert base64.b64encode(MARK.encode())[:12] not in content, f"{file.name} has it in base64"
        # What the SDK writes in clear starts with these letters; so this finds what carries no mark, too.
        assert b"devl[" not in content, f"{file.name} has a payload in clear"


def test_the_workers_own_api_says_what_is_encrypted(worker: Worker, order: str) -> None:
    found = worker.run(order)
    assert found["input"]["$type"] == "Encrypted"
    assert found["output"]["$type"] == "Encrypted"
    steps = worker.get(f"/v1/runs/{order}/steps", resolveData="all")["data"]
    assert [step["output"]["$type"] for step in steps] == ["Encrypted", "Encrypted"]


def test_the_sdks_tools_show_it_only_when_asked_to(app: App, worker: Worker, order: str) -> None:
    workflow = WorkflowCommand(app, worker)
    hidden = workflow.json("inspect", "run", order)
    assert "Encrypted" in hidden["input"]
    assert "Encrypted" in hidden["output"]
    shown = workflow.json("inspect", "run", order, "--decrypt")
    assert shown["input"] == [f"{MARK} the customer", [1]]
    assert shown["output"]["receipt"] == f"receipt for {MARK} the customer"


def test_the_sdks_tools_decrypt_steps_events_and_streams(app: App, worker: Worker, order: str, approved: str) -> None:
    workflow = WorkflowCommand(app, worker)
    counted = app.begin("counting", 3)
    steps = workflow.json("inspect", "steps", "--run", order, "--withData", "--decrypt")
    assert {step["stepName"].rpartition("//")[2]: step["input"]["args"][0] for step in steps} == {
        "price": 1,
        "charge": f"{MARK} the customer",
    }
    events = workflow.json("inspect", "events", "--run", approved, "--withData", "--sort", "asc", "--decrypt")
    payloads = [event["eventData"]["payload"] for event in events if event["eventType"] == "hook_received"]
    assert payloads == [
        {"ok": True, "note": f"{MARK} through the app"},
        {"ok": False, "note": f"{MARK} through the API"},
    ]
    stream = f"strm_{counted.removeprefix('wrun_')}_user"
    shown = workflow("inspect", "stream", stream, "--run", counted, "--json", "--decrypt")
    assert shown.out.split() == ["0", "1", "2"]
