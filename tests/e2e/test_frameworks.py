"""An unchanged app of each framework: scaffolded, built, deployed, and its runs executed by the worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.conftest import running_app
from tests.e2e.support import KEY, ROTATING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.support import App, Worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module", params=ROTATING)
def app(request: pytest.FixtureRequest, prepared_app: PreparedApp, worker: Worker) -> Iterator[App]:
    yield from running_app(request.param, prepared_app, worker)


def test_an_ordinary_request_runs_the_workflow_on_the_worker(app: App, worker: Worker) -> None:
    run_id = app.begin("order", "ada", [1, 2, 3])
    finished = worker.finished(run_id)

    assert finished["status"] == "completed"
    answer = app.ask(run_id)
    assert answer["status"] == "completed"
    result = answer["result"]
    pids = set(result.pop("pids"))
    assert result == {"customer": "ada", "total": 60, "attempt": 2, "receipt": "receipt for ada"}

    steps = worker.steps(run_id)
    assert [step["stepName"].rpartition("//")[2] for step in steps] == ["price", "price", "price", "charge"]
    assert [step["attempt"] for step in steps] == [1, 1, 1, 2]
    assert all(step["status"] == "completed" and step["completedAt"] >= step["startedAt"] for step in steps)
    executors = {int(step["executorId"].rpartition("-")[2]) for step in steps}
    assert pids == executors, "the steps ran in the worker's executors"
    assert not pids & app.processes(), "no step ran in the app's process"


def test_the_log_tells_the_whole_story_in_order(app: App, worker: Worker) -> None:
    run_id = app.begin("order", "bob", [4])
    worker.finished(run_id)
    events = worker.events(run_id)
    assert [event["eventType"] for event in events] == [
        "run_created",
        "run_started",
        "step_created",
        "step_started",
        "step_completed",
        "wait_created",
        "wait_completed",
        "step_created",
        "step_started",
        "step_retrying",
        "step_started",
        "step_completed",
        "run_completed",
    ]
    assert [int(event["eventId"].removeprefix("evnt_")) for event in events] == list(range(1, len(events) + 1))


@pytest.mark.parametrize("route", ["flow", "step"])
def test_the_app_refuses_to_execute_and_reports_the_attempt(app: App, route: str) -> None:
    refused = app.http.post(
        f"/.well-known/workflow/v1/{route}",
        json={"runId": "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV"},
        headers={"x-workflow-message-id": "msg_1", "x-vqs-queue-name": "__wkf_workflow_x"},
    )
    assert refused.status_code == 409
    assert refused.json()["code"] == "remote_execution_enabled"

    path = "/api/workflow-studio/diagnostics/remote-ownership"
    assert app.http.get(path).status_code == 401, "in production the diagnostics need their token"
    report: dict[str, Any] = app.http.get(path, headers={"authorization": "Bearer token-of-the-tests"}).json()
    assert report["targetWorld"] == "workflow-studio/world-remote"
    assert report["lastEvent"]["path"].endswith(f"/{route}")


def test_no_key_reaches_the_page_or_the_log(app: App) -> None:
    assert KEY not in app.http.get("/").text
    assert KEY not in app.log.read_text()
