"""What a workflow can do, each on the worker, asked for through the app's own routes."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.e2e.support import wait_until

if TYPE_CHECKING:
    from tests.e2e.support import App, Worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


def test_a_fatal_error_fails_the_run_without_a_retry(nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("doomed")
    finished = worker.finished(run_id)
    assert finished["status"] == "failed"
    assert "The card is stolen" in finished["error"]["message"]
    assert [step["attempt"] for step in worker.steps(run_id)] == [1]


def test_an_uncaught_error_fails_the_run_with_its_message(nitro_app: App, worker: Worker) -> None:
    finished = worker.finished(nitro_app.begin("broken"))
    assert finished["status"] == "failed"
    assert "Nobody catches me" in finished["error"]["message"]
    assert finished["error"]["code"] == "USER_ERROR"


def test_a_hook_is_resumed_from_the_app_twice(nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("approval", "approve-1")

    def hook_is_there() -> bool:
        return bool(worker.get(f"/v1/runs/{run_id}/hooks")["data"])

    wait_until(hook_is_there, what="the hook's creation")
    assert nitro_app.resume("approve-1", {"ok": True}).json() == {"resumed": True}
    assert nitro_app.resume("approve-1", {"ok": False}).json() == {"resumed": True}
    worker.finished(run_id)
    assert nitro_app.ask(run_id)["result"] == [True, False]


def test_a_hook_that_is_no_webhook_cannot_be_called_from_outside(nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("approval", "approve-2")
    wait_until(lambda: worker.get(f"/v1/runs/{run_id}/hooks")["data"], what="the hook's creation")
    answer = httpx.post(f"{worker.url}/.well-known/workflow/v1/webhook/approve-2", json={"ok": True})
    assert answer.status_code == 404
    worker.http.post(f"/v1/runs/{run_id}/cancel")


def test_a_webhook_answers_the_caller_at_the_workers_address(nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("callback")
    url = nitro_app.http.get("/api/stream", params={"id": run_id, "limit": "1"}).json()["chunks"][0]
    assert url.startswith(f"{worker.url}/.well-known/workflow/v1/webhook/")
    answer = httpx.post(url, content="the parcel", timeout=30)
    assert (answer.status_code, answer.text) == (202, "thanks for the parcel")
    worker.finished(run_id)
    assert nitro_app.ask(run_id)["result"] == "the parcel"


def test_a_stream_is_read_through_the_app_from_the_start_and_from_the_middle(nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("counting", 20)
    assert nitro_app.http.get("/api/stream", params={"id": run_id}).json()["chunks"] == list(range(20))
    worker.finished(run_id)
    assert nitro_app.http.get("/api/stream", params={"id": run_id, "from": "17"}).json()["chunks"] == [17, 18, 19]
    assert nitro_app.http.get("/api/stream", params={"id": run_id, "from": "-2"}).json()["chunks"] == [18, 19]


def test_runs_that_steps_start_with_a_key_keep_to_its_limit_together(nitro_app: App, worker: Worker) -> None:
    at = datetime.fromisoformat
    assert worker.http.put("/v1/limits", json={"key:acme": 1}).status_code == 200
    parents = [nitro_app.begin("delegating", "acme") for _ in range(2)]
    for run_id in parents:
        worker.finished(run_id)
    children = [nitro_app.ask(run_id)["result"] for run_id in parents]
    times = []
    for run_id in children:
        worker.finished(run_id)
        run = worker.run(run_id)
        assert (run["concurrencyKey"], run["priority"]) == ("acme", 7)
        times += [(at(step["startedAt"]), at(step["completedAt"])) for step in worker.steps(run_id)]
    assert len(times) == 8
    for (_, over), (begun, _) in pairwise(sorted(times)):
        assert over <= begun, "one at a time, whichever run it is of"


def test_a_sleeping_run_is_cancelled(nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("patient")
    wait_until(lambda: worker.run(run_id)["status"] == "running", what="the run's start")
    assert worker.http.post(f"/v1/runs/{run_id}/cancel").status_code == 200
    assert worker.finished(run_id)["status"] == "cancelled"
    assert nitro_app.ask(run_id)["status"] == "cancelled"


def test_a_wide_fan_out_replays_a_handful_of_times(nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("order", "wide", list(range(40)))
    assert worker.finished(run_id)["status"] == "completed"
    types: list[Any] = [event["eventType"] for event in worker.events(run_id)]
    assert types.count("step_completed") == 41
    assert types.count("run_started") == 1
