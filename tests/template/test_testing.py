"""What apps' tests are given in JavaScript: runs that are waited for, and a worker as long as the tests."""

from __future__ import annotations

import json
import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.template.support import Answer, FakeWorker, Request, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App

pytestmark = pytest.mark.node

RUN = {"runId": "wrun_1", "workflowName": "workflow//./workflows/order//order", "createdAt": "2026-11-22T10:00:00Z"}
DOCUMENT = {"ok": True, "url": "http://worker", "apiKey": "k", "deploymentId": "dep_1", "workflows": ["w"]}
STUDIO = """
import json, os, sys
with open("calls", "a") as file:
    file.write(json.dumps([sys.argv[1:], os.environ.get("WORKFLOW_COMPUTE_API_KEY")]) + "\\n")
sys.stdout.write({document!r})
sys.stdout.flush()
if sys.argv[1] == "test-worker" and {stays}:
    sys.stdin.read()
    open("ended", "w").close()
"""


def json_answer(value: object) -> Answer:
    return Answer(200, json.dumps(value).encode(), "application/json")


class Worker(FakeWorker):
    """A worker with a run that sleeps so often."""

    def __init__(self, sleeps: int = 0) -> None:
        super().__init__()
        self.sleeps = sleeps
        self.ended = False
        self.answer = self.answered

    def answered(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        if path == "/v1/runs/wrun_1/skip":
            return json_answer({"runId": "wrun_1", "skipped": self.skipped()})
        status = "completed" if self.ended else "running"
        lists: dict[str, list[dict[str, Any]]] = {
            "/v1/runs": [],
            "/v1/runs/wrun_1/hooks": [{"hookId": f"hook_{token}", "token": token} for token in "ab"],
            "/v1/runs/wrun_1/steps": [
                {"stepName": "step//./o//charge", "status": "running", "error": {"message": "no"}}
            ],
        }
        if path in lists:
            return json_answer({"data": lists[path]})
        return json_answer({**RUN, "status": status} if path == "/v1/runs/wrun_1" else {"accepted": True})

    def skipped(self) -> dict[str, Any] | None:
        if self.sleeps == 0:
            return None
        self.sleeps -= 1
        self.ended = self.sleeps == 0
        return {"timer": "sleep", "correlationId": "wait_1", "milliseconds": 1000}

    def paths(self, method: str) -> list[str]:
        return [request.path.partition("?")[0] for request in self.requests if request.method == method]


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker()
    for _ in worker.serve():
        yield worker


def use(app: App, worker: Worker, code: str) -> dict[str, Any]:
    body = (
        "const kit = require('workflow-studio/testing');"
        "const run = { runId: 'wrun_1', returnValue: Promise.resolve('result') };"
    )
    return app.node(body + code, WORKFLOW_COMPUTE_BASE_URL=worker.url, WORKFLOW_COMPUTE_API_KEY="the-key")


def test_waiting_skips_time_until_the_run_has_ended(app: App, worker: Worker) -> None:
    worker.sleeps = 2
    assert use(app, worker, "return kit.waitForRun(run)") == {"value": "result"}
    assert worker.paths("POST").count("/v1/runs/wrun_1/skip") >= 2
    assert {request.headers["authorization"] for request in worker.requests} == {"Bearer the-key"}


def test_without_skipping_time_is_up_and_the_run_is_told(app: App, worker: Worker) -> None:
    answer = use(app, worker, "return kit.waitForRun(run, { timeout: 0, skipSleeps: false })")
    assert answer["error"]["message"].splitlines() == [
        "The run wrun_1 of order is still running after 0 ms.",
        "  step charge: running, no",
        "  waits for the hook a",
        "  waits for the hook b",
    ]
    assert worker.paths("POST") == []


def test_a_sleep_is_skipped_by_itself(app: App, worker: Worker) -> None:
    worker.sleeps = 1
    answer = use(app, worker, "return [await kit.skipSleep(run), await kit.skipSleep(run, {}).catch(String)]")
    skipped, problem = answer["value"]
    assert skipped == {"timer": "sleep", "correlationId": "wait_1", "milliseconds": 1000}
    assert "Error: The run wrun_1 of order does not sleep; it is completed." in problem


def test_a_hook_is_resumed_by_its_token_or_whatever_it_is(app: App, worker: Worker) -> None:
    code = (
        "await kit.resumeHook(run, { ok: true }, { token: 'b' }); await kit.resumeHook('wrun_1');"
        "await kit.resumeHook(run, 1, { token: 'c', timeout: 0 });"
    )
    message = use(app, worker, code)["error"]["message"]
    sent = [json.loads(request.params) for request in worker.requests if request.path == "/v1/runs/resume"]
    assert sent == [
        {"runId": "wrun_1", "hookId": "hook_b", "payload": {"ok": True}},
        {"runId": "wrun_1", "hookId": "hook_a"},
    ]
    assert message.startswith("The run wrun_1 of order does not wait for a hook with the token c; it is running.")


def test_what_the_worker_refuses_is_said_in_its_words(app: App, worker: Worker) -> None:
    worker.answers(refusal(404, "run_not_found", recovery="Check the id."))
    answer = use(app, worker, "return kit.waitForRun(run)")
    assert answer["error"]["message"] == "Workflow Studio: refused with run_not_found Check the id."


def test_without_a_worker_it_is_said_where_one_comes_from(app: App) -> None:
    message = app.error("await require('workflow-studio/testing').waitForRun('wrun_1')")["message"]
    assert "Add workflowStudio() of workflow-studio/vitest to the plugins of vitest.config.ts." in message


def start(app: App, document: object, code: str, *, stays: bool = True) -> dict[str, Any]:
    app.write("studio.py", STUDIO.format(document=json.dumps(document, indent=2), stays=stays))
    app.write("studio", f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$PWD/studio.py" "$@"\n')
    command = app.folder / "studio"
    command.chmod(0o755)
    body = "const worker = await require('workflow-studio/testing').startTestWorker({ envFile: '.env.test' });"
    return app.node(body + code, STUDIO_COMMAND=str(command))


def test_a_worker_runs_until_it_is_stopped_and_deploys_again(app: App) -> None:
    code = "await worker.deploy(); await worker.stop(); await worker.stop(); return worker.url"
    assert start(app, DOCUMENT, code) == {"value": "http://worker"}
    calls = [json.loads(line) for line in (app.folder / "calls").read_text().splitlines()]
    folder = str(app.folder)
    assert calls == [
        [["test-worker", "-C", folder, "--env-file", ".env.test", "--json"], None],
        [["deploy", "-C", folder, "--url", "http://worker", "--json"], "k"],
    ]
    assert (app.folder / "ended").exists()


def test_a_worker_that_does_not_start_says_why(app: App) -> None:
    refused = {
        "ok": False,
        "error": {"code": "no_workflows", "message": "No workflow was found.", "hint": "Write one."},
    }
    error = start(app, refused, "")["error"]
    assert error["code"] == "test_worker_failed"
    assert error["message"] == ("Workflow Studio: the worker of the tests failed. No workflow was found.\nWrite one.")
    assert "ended with status 0" in start(app, None, "", stays=False)["error"]["message"]


def test_a_command_that_is_missing_is_named(app: App) -> None:
    code = "await require('workflow-studio/testing').startTestWorker({ command: 'no-such-studio' })"
    assert "There is no command no-such-studio. Run: pip install" in app.error(code)["message"]
