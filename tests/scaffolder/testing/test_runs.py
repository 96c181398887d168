"""Runs in tests, against a worker that only answers."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from workflow_studio.client import ComputeClient
from workflow_studio.scaffolder.testing.runs import WorkflowFailure, WorkflowRun, Workflows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NAME = "workflow//./workflows/order//order"
THEN = "2026-11-22T10:00:00Z"


class Worker:
    """A worker whose runs end once enough time has been skipped."""

    def __init__(self) -> None:
        self.status = "running"
        self.skips: dict[str, int] = {"wrun_1": 0}
        self.run: dict[str, Any] = {"output": {"$type": "BigInt", "value": "7"}}
        self.others: list[dict[str, Any]] = []
        self.steps: list[dict[str, Any]] = []
        self.hooks: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.printed: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.workflows = (NAME, "workflow//./workflows/a//twin", "workflow//./workflows/b//twin")

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.requests.append(f"{request.method} {path}")
        if found := re.fullmatch(r"/v1/runs/(\w+)/skip", path):
            return httpx.Response(200, json={"runId": found[1], "skipped": self._skip(found[1])})
        body = json.loads(request.content) if request.content else None
        answers: dict[str, Callable[[], dict[str, Any]]] = {
            "GET /v1/runs/wrun_1": self._shown,
            "GET /v1/runs/wrun_1/steps": lambda: page(self.steps),
            "GET /v1/runs/wrun_1/hooks": lambda: page(self.hooks),
            "GET /v1/runs/wrun_1/events": lambda: page(self.events),
            "GET /v1/runs/wrun_1/output": lambda: page(self.printed) | {"finished": True},
            "GET /v1/runs": lambda: page(self.others),
            "POST /v1/runs": lambda: self._start(body),
            "POST /v1/runs/resume": lambda: self._resume(body),
        }
        known = answers.get(self.requests[-1])
        if known is None:
            return httpx.Response(409, json={"code": "run_finished", "message": "It is completed already."})
        return httpx.Response(200, json=known())

    def _start(self, body: Any) -> dict[str, Any]:
        self.started = body
        return {"runId": "wrun_1", "status": "pending", "deploymentId": "dep_1"}

    def _resume(self, body: Any) -> dict[str, Any]:
        self.resumed = body
        return {"accepted": True}

    def _shown(self) -> dict[str, Any]:
        run = {"runId": "wrun_1", "workflowName": NAME, "deploymentId": "dep_1", "createdAt": THEN, "createdBy": "k"}
        return run | {"status": self.status} | (self.run if self.status != "running" else {})

    def _skip(self, run_id: str) -> dict[str, Any] | None:
        if not self.skips.get(run_id):
            return None
        self.skips[run_id] -= 1
        if not any(self.skips.values()):
            self.status = "completed"
        return {"timer": "sleep", "correlationId": "wait_1", "milliseconds": 60_000}


def page(entries: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": entries, "cursor": None, "hasMore": False}


def printed(*texts: str) -> list[dict[str, Any]]:
    return [{"position": at, "level": "info", "at": THEN, "text": text} for at, text in enumerate(texts, 1)]


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
def client(worker: Worker) -> Iterator[ComputeClient]:
    with ComputeClient("http://worker.test", "k", transport=httpx.MockTransport(worker.answer)) as client:
        yield client


@pytest.fixture
def run(client: ComputeClient) -> WorkflowRun:
    return WorkflowRun(client, "wrun_1")


def test_a_workflow_is_started_by_the_name_of_its_function_or_by_its_id(worker: Worker, client: ComputeClient) -> None:
    workflows = Workflows(worker, client)  # type: ignore[arg-type]
    for name in ("order", NAME):
        assert workflows.start(name, 1, {"a": 2}).run_id == "wrun_1"
        assert worker.started == {"workflowName": NAME, "input": [1, {"a": 2}]}


def test_a_name_that_fits_none_or_several_is_refused_with_what_there_is(worker: Worker, client: ComputeClient) -> None:
    workflows = Workflows(worker, client)  # type: ignore[arg-type]
    with pytest.raises(LookupError, match=r"^The app has no workflow called ordr; it has order, twin, twin\.$"):
        workflows.start("ordr")
    with pytest.raises(LookupError, match=r"^Several workflows are called twin; give the id of one: .*a//twin, .*b//t"):
        workflows.start("twin")
    assert worker.requests == []


def test_waiting_skips_time_until_the_run_has_ended(worker: Worker, run: WorkflowRun) -> None:
    worker.skips["wrun_1"] = 3
    assert run.wait() is run
    assert worker.requests.count("POST /v1/runs/wrun_1/skip") >= 3
    assert run.result == 7


def test_time_of_runs_that_code_started_is_skipped_too_and_of_no_others(worker: Worker, run: WorkflowRun) -> None:
    entry = {"status": "running", "workflowName": NAME, "deploymentId": "dep_1", "createdAt": THEN}
    worker.others = [{**entry, "runId": "wrun_2"}, {**entry, "runId": "wrun_3", "createdBy": "k"}]
    worker.skips |= {"wrun_2": 2}
    run.wait()
    assert "POST /v1/runs/wrun_3/skip" not in worker.requests


def test_without_skipping_time_is_up_and_the_failure_says_what_the_run_waits_for(
    worker: Worker, run: WorkflowRun
) -> None:
    event = {"runId": "wrun_1", "createdAt": THEN}
    sleep = {"resumeAt": "2026-12-01T10:00:00Z"}
    worker.events = [
        {**event, "eventId": "evnt_1", "eventType": "run_created"},
        {**event, "eventId": "evnt_2", "eventType": "wait_created", "correlationId": "wait_1", "eventData": sleep},
    ]
    worker.hooks = [{"hookId": "hook_1", "runId": "wrun_1", "token": "approve-1", "isWebhook": False}]
    with pytest.raises(WorkflowFailure) as failure:
        run.wait(timeout=0, skip_sleeps=False)
    told = str(failure.value).splitlines()
    assert told[0] == "The run wrun_1 of order is still running after 0 s."
    assert told[2] == "It waits for:"
    assert told[3].startswith("  a sleep until 2026-12-01 ")
    assert told[4] == "  a hook: approve-1"
    assert not any(request.endswith("/skip") for request in worker.requests)


def test_a_failed_run_tells_its_error_where_it_was_thrown_its_steps_and_what_it_printed(
    worker: Worker, run: WorkflowRun
) -> None:
    worker.status = "failed"
    stack = (
        "Error: no stock\n    at refuse (workflows/order.ts:12:9)\n    at node:async_hooks:346:14\n"
        "    at run (/app/node_modules/workflow/x.js:1:1)"
    )
    worker.run = {"error": {"message": "no stock", "stack": stack, "code": "USER_ERROR"}}
    step = {"runId": "wrun_1", "createdAt": THEN}
    worker.steps = [
        {**step, "stepId": "step_1", "stepName": "step//./o//price", "status": "completed", "input": {"args": ["tea"]}},
        {
            **step,
            "stepId": "step_2",
            "stepName": "step//./o//refuse",
            "status": "failed",
            "attempt": 4,
            "error": {"message": "no stock"},
        },
    ]
    worker.printed = printed("about to refuse", "[Workflow] Error while running {", "  errorCode: 'X',", "}", "bye")
    assert run.error is not None
    assert run.error.message == "no stock"
    with pytest.raises(WorkflowFailure) as failure:
        _ = run.result
    assert str(failure.value).splitlines() == [
        "The run wrun_1 of order has no result: it is failed.",
        "  no stock (USER_ERROR)",
        "    at refuse (workflows/order.ts:12:9)",
        "",
        "Steps:",
        '  price: completed, with ["tea"]',
        "  refuse: failed, attempt 4",
        "",
        "It printed:",
        "  about to refuse",
        "  bye",
    ]


def test_the_result_of_a_run_that_goes_on_is_asked_for_too_early(run: WorkflowRun) -> None:
    with pytest.raises(WorkflowFailure, match=r"it is running\. Call wait\(\) first\."):
        _ = run.result


def test_what_does_not_sleep_cannot_be_woken(worker: Worker, run: WorkflowRun) -> None:
    worker.status = "completed"
    with pytest.raises(WorkflowFailure, match=r"^The run wrun_1 of order does not sleep; it is completed"):
        run.skip_sleep()


def test_a_hook_is_resumed_by_its_token_or_whatever_it_is(worker: Worker, run: WorkflowRun) -> None:
    worker.hooks = [{"hookId": f"hook_{token}", "runId": "wrun_1", "token": token} for token in "ab"]
    run.resume_hook("b", {"ok": True})
    assert (worker.resumed["hookId"], worker.resumed["payload"]) == ("hook_b", {"ok": True})
    run.resume_hook()
    assert worker.resumed["hookId"] == "hook_a"
    with pytest.raises(WorkflowFailure, match="does not wait for a hook with the token c; it is running"):
        run.resume_hook("c", timeout=0)


def test_a_run_that_has_ended_is_cancelled_without_complaint(run: WorkflowRun) -> None:
    run.cancel()
