"""The SDK's own tools, its command and its web UI, look into a worker and act on it as on the SDK's own Worlds."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.sdk_tools import BACKEND, WebUi, WorkflowCommand, browsing
from tests.e2e.support import KEY, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.sdk_tools import Browser
    from tests.e2e.support import App, Worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

FEATURES = "workflow//./workflows/features//"
STARTED = ("order", "doomed", "counting", "approval", "patient")


@pytest.fixture(scope="module")
def workflow(nitro_app: App, worker: Worker) -> WorkflowCommand:
    return WorkflowCommand(nitro_app, worker)


@pytest.fixture(scope="module")
def runs(nitro_app: App, worker: Worker) -> dict[str, str]:
    """One run of each kind: completed, failed, streamed, waiting for a person, asleep. No test changes them."""
    arguments: dict[str, list[object]] = {
        "order": ["alice", [1, 2, 3]],
        "doomed": [],
        "counting": [3],
        "approval": ["the-token"],
        "patient": [],
    }
    started = {name: nitro_app.begin(name, *arguments[name]) for name in STARTED}
    for name in ("order", "doomed", "counting"):
        worker.finished(started[name])
    wait_for_hook(worker, started["approval"])
    wait_until(lambda: worker.events(started["patient"])[2:], what="the sleep")
    return started


def wait_for_hook(worker: Worker, run_id: str) -> str:
    hooks = wait_until(lambda: worker.get(f"/v1/runs/{run_id}/hooks")["data"], what="the hook's creation")
    hook_id: str = hooks[0]["hookId"]
    return hook_id


def short(name: str) -> str:
    return name.rpartition("//")[2]


# --- health


def test_health_checks_both_endpoints_through_the_queue(workflow: WorkflowCommand) -> None:
    found = workflow.json("health")
    assert found["allHealthy"] is True
    assert [(result["endpoint"], result["healthy"]) for result in found["results"]] == [
        ("workflow", True),
        ("step", True),
    ]


def test_health_says_what_is_wrong_with_the_key(workflow: WorkflowCommand) -> None:
    wrong = "a-key-that-was-mistyped-0123456789"
    output = workflow("health", "--endpoint", "step", "--verbose", expect=1, WORKFLOW_COMPUTE_API_KEY=wrong)
    assert "refused the API key" in output.out
    assert "WORKFLOW_COMPUTE_API_KEY" in output.out
    assert wrong not in output.out + output.err


# --- inspect


def test_runs_are_listed_newest_first_and_page_by_page(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    newest = list(reversed(runs.values()))
    first = workflow.json("inspect", "runs", "--limit", "2")
    assert [run["runId"] for run in first["data"]] == newest[:2]
    assert first["hasMore"] is True
    rest = workflow.json("inspect", "runs", "--limit", "3", "--cursor", first["cursor"])
    assert [run["runId"] for run in rest["data"]] == newest[2:5]
    assert all("input" not in run for run in rest["data"])


def test_runs_are_listed_oldest_first_with_their_data(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    listed = workflow.json("inspect", "runs", "--sort", "asc", "--limit", "3", "--withData")["data"]
    assert [(run["runId"], run["input"]) for run in listed] == [
        (runs["order"], ["alice", [1, 2, 3]]),
        (runs["doomed"], []),
        (runs["counting"], [3]),
    ]
    assert listed[0]["output"]["total"] == 60
    assert listed[1]["error"]["message"] == "The card is stolen"


def test_runs_are_filtered_by_status_and_by_workflow(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    (failed,) = workflow.json("inspect", "runs", "--status", "failed")["data"]
    assert failed["runId"] == runs["doomed"]
    (asleep,) = workflow.json("inspect", "runs", "--workflowName", f"{FEATURES}patient", "--status", "running")["data"]
    assert asleep["runId"] == runs["patient"]


def test_runs_are_shown_as_a_table(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    table = workflow("inspect", "runs", "--sort", "asc", "--limit", "5").out
    rows = [line.split() for line in table.splitlines() if line.startswith((*runs.values(), "..."))]
    assert [row[1] for row in rows] == list(STARTED)
    assert [row[2][0].upper() for row in rows] == ["C", "F", "C", "R", "R"]


def test_a_run_is_shown_with_its_arguments_result_and_times(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    run = workflow.json("inspect", "run", runs["order"])
    assert run["status"] == "completed"
    assert run["workflowName"] == f"{FEATURES}order"
    assert run["input"] == ["alice", [1, 2, 3]]
    assert run["output"]["receipt"] == "receipt for alice"
    assert run["createdAt"] <= run["startedAt"] <= run["completedAt"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", run["completedAt"])


def test_decrypting_changes_nothing_where_nothing_is_encrypted(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    assert workflow.json("inspect", "run", runs["counting"], "--decrypt")["output"] == 3


def test_steps_are_listed_in_order_and_page_by_page(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    some = ("inspect", "steps", "--run", runs["order"], "--withData", "--sort", "asc")
    first = workflow.json(*some, "--limit", "2")
    rest = workflow.json(*some, "--cursor", first[-1]["stepId"])
    assert [(short(step["stepName"]), step["status"], step["attempt"]) for step in [*first, *rest]] == [
        ("price", "completed", 1),
        ("price", "completed", 1),
        ("price", "completed", 1),
        ("charge", "completed", 2),
    ]
    assert [step["input"]["args"] for step in first] == [[1], [2]]
    assert rest[0]["output"]["amount"] == 30


def test_a_step_is_shown_with_its_last_error(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    (listed,) = workflow.json("inspect", "steps", "--run", runs["doomed"])
    assert "input" not in listed
    step = workflow.json("inspect", "step", listed["stepId"], "--run", runs["doomed"])
    assert (short(step["stepName"]), step["status"], step["attempt"]) == ("refuse", "failed", 1)
    assert step["error"]["message"] == "The card is stolen"


def test_events_are_listed_in_order_with_their_data(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    events = workflow.json("inspect", "events", "--run", runs["counting"], "--sort", "asc", "--withData")
    assert [event["eventType"] for event in events] == [
        "run_created",
        "run_started",
        "step_created",
        "step_started",
        "step_completed",
        "run_completed",
    ]
    assert events[0]["eventData"]["input"] == [3]
    assert events[-1]["eventData"]["output"] == 3


def test_events_are_listed_newest_first_page_by_page_and_by_step(
    workflow: WorkflowCommand, runs: dict[str, str]
) -> None:
    newest = workflow.json("inspect", "events", "--run", runs["counting"], "--limit", "2")
    assert [event["eventType"] for event in newest] == ["run_completed", "step_completed"]
    step_id = newest[1]["correlationId"]
    earlier = ("--cursor", newest[1]["eventId"], "--step", step_id)
    found = workflow.json("inspect", "events", "--run", runs["counting"], *earlier)
    assert [event["eventType"] for event in found] == ["step_started", "step_created"]
    assert "input" not in found[1].get("eventData", {})


def test_hooks_are_listed_and_shown(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    listed = workflow.json("inspect", "hooks", "--run", runs["approval"])
    (hook,) = listed["data"]
    assert listed["hasMore"] is False
    shown = workflow.json("inspect", "hook", hook["hookId"])
    assert shown == hook
    assert (shown["runId"], shown["token"], shown["isWebhook"]) == (runs["approval"], "the-token", False)


def test_sleeps_are_listed(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    (asleep,) = workflow.json("inspect", "sleeps", "--runId", runs["patient"])
    assert asleep["resumeAt"] > asleep["createdAt"]
    assert "completedAt" not in asleep
    (over,) = workflow.json("inspect", "sleeps", "--runId", runs["order"])
    assert over["completedAt"] >= over["resumeAt"]


def test_streams_are_listed_and_read_to_their_end(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    (stream,) = workflow.json("inspect", "streams", "--run", runs["counting"])
    assert stream["runId"] == runs["counting"]
    shown = workflow("inspect", "stream", stream["streamId"], "--run", runs["counting"], "--json")
    assert shown.out.split() == ["0", "1", "2"]


def test_a_stream_is_followed_while_it_is_open(workflow: WorkflowCommand, nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("callback")
    name = f"strm_{run_id.removeprefix('wrun_')}_user"
    command = ("node_modules/.bin/workflow", "inspect", "stream", name, "--run", run_id, "--json", *BACKEND)
    follower = subprocess.Popen(command, cwd=nitro_app.cwd, env=workflow.environment(), stdout=subprocess.PIPE)
    try:
        assert follower.stdout is not None
        assert follower.stdout.readline().startswith(f'"{worker.url}/.well-known/workflow/v1/webhook/'.encode())
        assert follower.poll() is None
    finally:
        follower.kill()
        follower.communicate()
        worker.http.post(f"/v1/runs/{run_id}/cancel")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "wrun_00000000000000000000000000"), 'Workflow run "wrun_00000000000000000000000000" not found'),
        (("hook", "hook_00000000000000000000000000"), "Hook not found"),
        (("runs", "--cursor", "not-a-cursor"), "The cursor is not one of this list"),
    ],
    ids=["run", "hook", "cursor"],
)
def test_what_is_not_there_is_said_in_a_sentence(
    workflow: WorkflowCommand, arguments: tuple[str, ...], message: str
) -> None:
    output = workflow("inspect", *arguments, expect=1)
    assert message in output.err
    assert "    at " not in output.err


def test_a_worker_that_is_not_there_is_said_in_a_sentence(workflow: WorkflowCommand) -> None:
    output = workflow("inspect", "runs", "--verbose", expect=1, WORKFLOW_COMPUTE_BASE_URL="http://localhost:1")
    assert "http://localhost:1 cannot be reached" in output.err


def test_the_key_comes_from_the_apps_env_file(workflow: WorkflowCommand, runs: dict[str, str]) -> None:
    file = workflow.app.cwd / ".env.local"
    file.write_text(f"WORKFLOW_COMPUTE_API_KEY={KEY}\nWORKFLOW_COMPUTE_BASE_URL={workflow.worker.url}\n")
    nothing = {"WORKFLOW_COMPUTE_API_KEY": "", "WORKFLOW_COMPUTE_BASE_URL": ""}
    try:
        assert workflow.json("inspect", "run", runs["counting"], **nothing)["runId"] == runs["counting"]
    finally:
        file.unlink()


# --- start, cancel


def test_a_run_is_started_by_the_workflows_name(
    workflow: WorkflowCommand, runs: dict[str, str], worker: Worker
) -> None:
    started = workflow("start", f"{FEATURES}counting", "5", "--json").json
    assert started["runId"] not in runs.values()
    found = worker.finished(started["runId"])
    assert (found["status"], found["input"], found["output"]) == ("completed", [5], 5)
    worker_fields = {"specVersion", "streamFlushIntervalMs", "runs", "steps", "events", "hooks", "streams"}
    assert set(started["world"]) == worker_fields, "the World that is printed holds nothing of the app's settings"


def test_a_run_is_started_as_another_was(workflow: WorkflowCommand, runs: dict[str, str], worker: Worker) -> None:
    printed = workflow("start", runs["counting"], "2").out
    (run_id,) = set(re.findall(r"wrun_\w{26}", printed)) - {runs["counting"]}
    assert worker.finished(run_id)["output"] == 2
    assert worker.url not in printed


def test_a_workflow_that_never_ran_cannot_be_started_by_name(workflow: WorkflowCommand) -> None:
    workflow("start", f"{FEATURES}unheard-of", "1", expect=1)


def test_a_run_is_cancelled_and_stays_so(workflow: WorkflowCommand, nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("patient")
    assert f"Cancelled run {run_id}" in workflow("cancel", run_id).out
    assert worker.run(run_id)["status"] == "cancelled"
    workflow("cancel", run_id)
    assert worker.run(run_id)["status"] == "cancelled"


def test_a_finished_run_is_not_cancelled(workflow: WorkflowCommand, runs: dict[str, str], worker: Worker) -> None:
    workflow("cancel", runs["counting"], expect=1)
    assert worker.run(runs["counting"])["status"] == "completed"


def test_all_runs_of_a_workflow_are_cancelled_at_once(
    workflow: WorkflowCommand, nitro_app: App, worker: Worker, runs: dict[str, str]
) -> None:
    waiting = [nitro_app.begin("callback") for _ in range(3)]
    for run_id in waiting:
        wait_for_hook(worker, run_id)
    output = workflow("cancel", "--status", "running", "--workflowName", f"{FEATURES}callback", "-y").out
    assert "3 cancelled" in output
    assert {worker.run(run_id)["status"] for run_id in waiting} == {"cancelled"}
    assert worker.run(runs["patient"])["status"] == "running"


# --- the web UI


@pytest.fixture(scope="module")
def web(nitro_app: App, worker: Worker) -> Iterator[WebUi]:
    server = WebUi(nitro_app, worker)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        assert KEY not in server.log.read_text()


@pytest.fixture(scope="module")
def a_browser(web: WebUi) -> Iterator[Browser]:
    yield from browsing(web.url)


@pytest.fixture
def browser(a_browser: Browser) -> Iterator[Browser]:
    """The browser, which may complain of nothing, and in which the API key may never arrive."""
    yield a_browser
    assert KEY not in a_browser.source
    assert a_browser.errors() == []


def test_the_web_ui_lists_runs(browser: Browser, runs: dict[str, str]) -> None:
    browser.open("/")
    shown = browser.reads("Connected to: workflow-studio/world-remote", "Page 1 of")
    assert "No runs found" not in shown
    browser.click("Newest")
    shown = browser.reads(*runs.values(), "Completed", "Failed", "Running")
    assert [name for name in shown.split() if name in STARTED][:5] == list(STARTED)


def test_the_web_ui_shows_a_run_with_its_steps(browser: Browser, runs: dict[str, str]) -> None:
    browser.open(f"/?resource=run&id={runs['order']}")
    browser.reads(runs["order"], "Completed", "order", "sleep · Sleeping", "charge", "Retry wait", "End of run")
    browser.click("charge")
    browser.reads("step_01", "./workflows/features", "step_retrying", "Input (2 arguments)", "Output")
    if target := os.environ.get("STUDIO_TEST_SCREENSHOT"):
        browser.screenshot(Path(target))


def test_the_web_ui_shows_a_runs_log(browser: Browser, runs: dict[str, str]) -> None:
    browser.open(f"/run/{runs['order']}")
    browser.click("Events", "tab")
    browser.reads("19 events loaded", "Run Created", "Step Started", "evnt_00000000000000000000000001")


def test_the_web_ui_shows_streams(browser: Browser, runs: dict[str, str]) -> None:
    browser.open(f"/run/{runs['counting']}")
    browser.click("Streams", "tab")
    browser.reads("Streams (1)")
    browser.click_words(f"strm_{runs['counting'].removeprefix('wrun_')}_user")
    browser.reads("Stream Chunks", "(3)", "[2]")


def test_the_web_ui_gives_a_payload_to_a_hook(browser: Browser, nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("approval", "token-of-the-browser")
    hook_id = wait_for_hook(worker, run_id)
    browser.open("/")
    browser.click("Hooks", "tab")
    browser.reads(hook_id, run_id)
    browser.open(f"/run/{run_id}")
    browser.click("token-of-the-browser")
    browser.click("Resolve Hook")
    browser.type('{"ok": true}', "textarea")
    browser.click("Send Payload")
    browser.reads("The payload has been sent and the hook resolved.")
    browser.reads("hook_received")
    nitro_app.resume("token-of-the-browser", {"ok": False})
    worker.finished(run_id)
    assert nitro_app.ask(run_id)["result"] == [True, False]


def test_the_web_ui_reenqueues_a_run_and_ends_its_sleep(browser: Browser, nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("patient")
    browser.open(f"/run/{run_id}")
    browser.reads("Running", "Sleeping")
    browser.open_menu()
    browser.click("Re-enqueue")
    browser.reads("Run re-enqueued")
    assert worker.run(run_id)["status"] == "running"
    browser.open_menu()
    browser.click("Cancel Active Sleeps")
    browser.reads("Cancelled 1 active sleep")
    assert worker.finished(run_id)["status"] == "completed"


def test_the_web_ui_cancels_a_run(browser: Browser, nitro_app: App, worker: Worker) -> None:
    run_id = nitro_app.begin("patient")
    browser.open(f"/run/{run_id}")
    browser.reads("Running", "Sleeping")
    browser.click("Cancel")
    browser.reads("Keep Running")
    browser.click("Cancel Run")
    assert worker.finished(run_id)["status"] == "cancelled"


def test_the_web_ui_starts_a_run_again(browser: Browser, runs: dict[str, str], worker: Worker) -> None:
    def of_counting() -> list[str]:
        listed = worker.get("/v1/runs", workflowName=f"{FEATURES}counting", limit="100")["data"]
        return [run["runId"] for run in listed]

    before = of_counting()
    browser.open(f"/run/{runs['counting']}")
    browser.reads("Completed", "End of run")
    browser.click("Replay")
    browser.reads("Replay Run?")
    browser.click("Replay Run")
    wait_until(lambda: len(of_counting()) > len(before), what="the new run")
    (again,) = set(of_counting()) - set(before)
    assert worker.finished(again)["input"] == [3]


def test_the_web_ui_checks_the_health_of_both_endpoints(browser: Browser) -> None:
    browser.open("/")
    browser.click("Health Check")
    browser.reads("All endpoints healthy", "Workflow and Step endpoints are responding")
