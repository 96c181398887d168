"""``studio runs``: the whole output and exit code of each command, against a real worker."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.scaffolder.operate.support import studio, studio_json
from tests.worker.routes.conftest import WORKFLOW
from workflow_studio.client import ComputeClient
from workflow_studio.compute.payload import dumps_arguments
from workflow_studio.scaffolder.cli import main

if TYPE_CHECKING:
    from tests.scaffolder.operate.conftest import LiveWorker

    Capture = pytest.CaptureFixture[str]

UNKNOWN = "wrun_" + "0" * 26


@pytest.fixture(scope="module")
def deployment(server: LiveWorker) -> str:
    return server.deploy()


@pytest.fixture
def run(worker: LiveWorker, deployment: str) -> str:
    run = worker.start("order-17")
    worker.step(run)
    return run


# show ---------------------------------------------------------------------------------------------------------------


def test_show_a_run_that_completed(worker: LiveWorker, run: str, deployment: str, capsys: Capture) -> None:
    worker.complete(run, {"charged": True})
    out, err = studio(capsys, "runs", "show", run)
    bar = out[8].split(" ", 5)[-1]
    assert set(bar) <= set("█·")
    assert out == [
        f"Run {run}",
        f"Workflow {WORKFLOW}",
        "Status completed",
        f"Deployment {deployment}",
        "Created T",
        "Ended T, after L",
        "",
        "step status attempts started took",
        f"charge completed 1 +L L {bar}",
        "",
        'Arguments ["order-17"]',
        'Result {"charged": true}',
    ]
    assert err == []


def test_show_without_payloads(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.complete(run, {"charged": True})
    out, _ = studio(capsys, "runs", "show", run, "--no-data")
    assert not any(line.startswith(("Arguments", "Result")) for line in out)
    document = studio_json(capsys, "runs", "show", run, "--no-data")
    assert "input" not in document["run"]


def test_show_a_run_that_failed_with_the_step_that_did(worker: LiveWorker, deployment: str, capsys: Capture) -> None:
    run = worker.start()
    worker.step(run, fails="card refused")
    worker.fail(run, "card refused")
    out, _ = studio(capsys, "runs", "show", run)
    assert out[-3:] == [
        "Arguments []",
        "Error card refused (USER_ERROR)",
        "In charge, attempt 1: card refused",
    ]


def test_show_as_json_has_everything_and_no_token_unless_asked(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.event(run, "hook_created", "hook_1", token="the-secret-token", isWebhook=False)
    document = studio_json(capsys, "runs", "show", run)
    assert document["ok"] is True
    assert document["run"]["runId"] == run
    assert document["run"]["input"] == ["order-17"]
    assert [step["status"] for step in document["steps"]] == ["completed"]
    assert [event["eventType"] for event in document["events"]][:2] == ["run_created", "run_started"]
    assert [hook["hookId"] for hook in document["hooks"]] == ["hook_1"]
    assert "the-secret-token" not in json.dumps(document)
    assert studio_json(capsys, "runs", "show", run, "--tokens")["hooks"][0]["token"] == "the-secret-token"


def test_show_a_run_that_waits_for_a_hook(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.event(run, "hook_created", "hook_1", token="another-secret-token", isWebhook=False)
    out, _ = studio(capsys, "runs", "show", run)
    assert out[-5:-2] == ["", "hook kind waits since", "hook_1 hook T"]
    out, _ = studio(capsys, "runs", "show", run, "--tokens")
    assert out[-4:-2] == ["hook kind waits since token", "hook_1 hook T another-secret-token"]


def test_show_a_run_that_sleeps_says_until_when(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.event(run, "wait_created", "wait_1", resumeAt=4_070_908_800_000)
    worker.event(run, "hook_created", "hook_2", token="a-token-that-is-secret", isWebhook=False)
    out, _ = studio(capsys, "runs", "show", run)
    shown = {line.split()[0]: line.split()[1:3] for line in out[8:10]}
    assert shown == {"sleep": ["until", "T"], "hook": ["waiting", "-"]}


# list ---------------------------------------------------------------------------------------------------------------


def test_list_is_newest_first_and_says_when_there_are_more(
    worker: LiveWorker, deployment: str, capsys: Capture
) -> None:
    older, newer = worker.start(), worker.start()
    worker.complete(newer)
    out, err = studio(capsys, "runs", "list", "--limit", "2")
    assert out == [
        "run workflow status created took deployment",
        f"{newer} f completed T L {deployment}",
        f"{older} f running T L {deployment}",
    ]
    assert err == ["These are the newest 2; --limit shows more."]


def test_list_filters_by_status_and_by_the_functions_name(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.fail(run, "no")
    found = studio_json(capsys, "runs", "list", "--status", "failed", "--workflow", "f", "--limit", "1")["runs"]
    assert [entry["runId"] for entry in found] == [run]
    assert studio_json(capsys, "runs", "list", "--workflow", "workflow//./w//g")["runs"] == []
    out, err = studio(capsys, "runs", "list", "--workflow", "workflow//./w//g")
    assert (out, err) == ([], ["There is no such run."])


def test_a_function_that_no_deployment_has_is_named(worker: LiveWorker, run: str, capsys: Capture) -> None:
    document = studio_json(capsys, "runs", "list", "--workflow", "nothing", expect=2)
    assert document["error"]["code"] == "unknown_workflow"
    assert document["error"]["hint"]


def test_list_follows_pages(worker: LiveWorker, run: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workflow_studio.scaffolder.operate.fetch.PAGE", 2)
    others = [worker.start() for _ in range(4)]
    found = studio_json(capsys, "runs", "list", "--limit", "5")["runs"]
    assert [entry["runId"] for entry in found] == [*reversed(others), run]


def test_list_filters_by_deployment_and_time(worker: LiveWorker, run: str, deployment: str, capsys: Capture) -> None:
    def found(*arguments: str) -> bool:
        listed = studio_json(capsys, "runs", "list", "--limit", "1000", *arguments)["runs"]
        return run in [entry["runId"] for entry in listed]

    assert found("--deployment", deployment, "--since", "10m")
    assert found("--status", "failed", "--status", "running", "--since", "2020-01-01")
    assert not found("--status", "failed", "--status", "completed")
    assert not found("--until", "10m")
    assert not found("--deployment", "dep_" + "0" * 32)
    assert not found("--since", "2999-01-01T00:00:00Z")
    error = studio_json(capsys, "runs", "list", "--since", "yesterday", expect=2)["error"]
    assert "24h" in error["message"]


# rerun --------------------------------------------------------------------------------------------------------------


def test_rerun_starts_a_run_with_the_same_input(worker: LiveWorker, run: str, deployment: str, capsys: Capture) -> None:
    (again,), err = studio(capsys, "runs", "rerun", run)
    assert err == []
    assert studio_json(capsys, "runs", "show", again)["run"]["input"] == ["order-17"]
    document = studio_json(capsys, "runs", "rerun", run, "--deployment", "latest")
    assert (document["rerunOf"], document["deploymentId"]) == (run, deployment)


def test_rerun_and_watch_until_the_new_run_ends(
    worker: LiveWorker, run: str, deployment: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    rerun_run = ComputeClient.rerun_run

    def rerun_and_complete(client: ComputeClient, *arguments: Any, **options: Any) -> Any:
        started = rerun_run(client, *arguments, **options)
        worker.event(started.run_id, "run_started")
        worker.fail(started.run_id, "card refused again")
        return started

    monkeypatch.setattr(ComputeClient, "rerun_run", rerun_and_complete)
    out, err = studio(capsys, "runs", "rerun", run, "--watch", expect=1)
    assert err[0].endswith(f" on {deployment}")
    assert out[-2:] == ["f failed after L", "Error card refused again (USER_ERROR)"]


# cancel and wake ----------------------------------------------------------------------------------------------------


def test_cancel_several(worker: LiveWorker, run: str, capsys: Capture) -> None:
    other = worker.start()
    out, err = studio(capsys, "runs", "cancel", run, other)
    assert (out, err) == ([f"{run} cancelled", f"{other} cancelled"], [])
    document = studio_json(capsys, "runs", "cancel", worker.start())
    assert [entry["status"] for entry in document["runs"]] == ["cancelled"]


def test_cancel_goes_on_after_runs_that_cannot_be_cancelled(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.complete(run)
    first, second, third = worker.start(), worker.start(), worker.start()
    out, err = studio(capsys, "runs", "cancel", first, run, "wrun_nope", second, expect=1)
    assert out == [f"{first} cancelled", f"{second} cancelled"]
    assert err == [
        f"The run {run} is completed already.",
        "This worker has no run wrun_nope.",
        "Error: 2 of 4 runs were not cancelled.",
    ]
    document = studio_json(capsys, "runs", "cancel", run, third, expect=1)
    assert (document["ok"], document["error"]["code"]) == (False, "not_all_cancelled")
    assert [entry["runId"] for entry in document["runs"]] == [third]
    assert [entry["code"] for entry in document["failures"]] == ["run_finished"]


def test_a_run_that_has_ended_sends_nobody_to_the_log(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.complete(run)
    document = studio_json(capsys, "runs", "cancel", run, expect=1)
    assert document["error"]["code"] == "run_finished"
    assert "log" not in document["error"]["hint"]


def test_wake_says_how_many_sleeps_ended(worker: LiveWorker, run: str, capsys: Capture) -> None:
    out, err = studio(capsys, "runs", "wake", run)
    assert (out, err) == ([f"{run}: 0 sleeps ended"], [])
    worker.event(run, "wait_created", "wait_1", resumeAt=4_070_908_800_000)
    assert studio_json(capsys, "runs", "wake", run) == {"ok": True, "runId": run, "wokenWaits": 1}


# watch --------------------------------------------------------------------------------------------------------------


def test_watch_a_run_that_has_ended_shows_it_whole(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.complete(run, "done")
    out, err = studio(capsys, "runs", "watch", run)
    assert out == [
        "T run_created",
        "T run_started",
        "T step_created charge",
        "T step_started charge",
        "T step_completed charge",
        "T run_completed",
        "",
        "f completed after L",
        'Result "done"',
    ]
    assert err == []


def test_watch_numbers_the_attempts_of_a_step(worker: LiveWorker, deployment: str, capsys: Capture) -> None:
    run = worker.start()
    worker.event(run, "step_created", "step_1", stepName="step//./w//charge", input=dumps_arguments([7]))
    worker.event(run, "step_started", "step_1")
    worker.event(run, "step_retrying", "step_1", error="not yet", retryAfter=0)
    worker.event(run, "step_started", "step_1")
    worker.event(run, "wait_created", "wait_1", resumeAt=4_070_908_800_000)
    worker.complete(run)
    out, _ = studio(capsys, "runs", "watch", run)
    assert [line for line in out if "started charge" in line] == [
        "T step_started charge",
        "T step_started charge (attempt 2)",
    ]
    assert "T wait_created until T" in out


def test_watch_shows_why_an_attempt_failed(worker: LiveWorker, deployment: str, capsys: Capture) -> None:
    run = worker.start()
    worker.event(run, "step_created", "step_1", stepName="step//./w//charge", input=dumps_arguments([7]))
    for end, error in (("step_retrying", "not\nyet"), ("step_failed", "never")):
        worker.event(run, "step_started", "step_1")
        worker.event(run, end, "step_1", error=error)
    worker.complete(run)
    out, _ = studio(capsys, "runs", "watch", run)
    assert out[out.index("T step_retrying charge") + 1] == "not yet"
    assert out[out.index("T step_failed charge") + 1] == "never"
    assert main(["runs", "watch", run, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    failed = [
        line["event"] for line in lines if line["type"] == "event" and "error" in line["event"].get("eventData", {})
    ]
    assert [event["eventData"]["error"] for event in failed] == ["not\nyet", "never"]


@pytest.mark.parametrize("end", ["fail", "cancel"])
def test_watch_tells_by_its_exit_code_that_a_run_did_not_complete(
    worker: LiveWorker, run: str, capsys: Capture, end: str
) -> None:
    if end == "fail":
        worker.fail(run, "card refused")
        out, _ = studio(capsys, "runs", "watch", run, expect=1)
        assert out[-2:] == ["f failed after L", "Error card refused (USER_ERROR)"]
    else:
        main(["runs", "cancel", run])
        out, _ = studio(capsys, "runs", "watch", run, expect=1)
        assert out[-1] == "f cancelled after L"


def test_watch_shows_what_happens_while_it_watches(worker: LiveWorker, run: str, capsys: Capture) -> None:
    def go_on() -> None:
        worker.step(run, "step_2")
        worker.event(run, "wait_created", "wait_1", resumeAt=4_070_908_800_000)
        worker.complete(run)

    later = threading.Timer(0.3, go_on)
    later.start()
    out, _ = studio(capsys, "runs", "watch", run, "--interval", "0.05")
    later.join()
    assert [line.split()[1] for line in out[: out.index("")]] == [
        "run_created",
        "run_started",
        *("step_created", "step_started", "step_completed") * 2,
        "wait_created",
        "run_completed",
    ]
    assert "T wait_created until T" in out


def test_watch_with_json_is_one_object_a_line(worker: LiveWorker, run: str, capsys: Capture) -> None:
    later = threading.Timer(0.3, lambda: worker.complete(run, 1))
    later.start()
    assert main(["runs", "watch", run, "--json", "--interval", "0.05"]) == 0
    later.join()
    out, err = capsys.readouterr()
    assert err == ""
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["type"] for line in lines] == ["run", *["event"] * 6, "end"]
    assert lines[0]["run"]["status"] == "running"
    assert [line.get("step") for line in lines[1:7]] == [None, None, "charge", "charge", "charge", None]
    assert lines[-1]["ok"] is True
    assert lines[-1]["run"]["output"] == 1


def test_an_error_while_watching_is_a_line_too(worker: LiveWorker, capsys: Capture) -> None:
    assert main(["runs", "watch", UNKNOWN, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["error"]["code"] == "run_not_found"


# logs ---------------------------------------------------------------------------------------------------------------


def test_logs_say_when_how_urgent_and_by_which_step(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.prints(run, ("info", "about to charge"), ("warn", "slow card"))
    worker.prints(run, ("error", "now what"), step=None)
    out, err = studio(capsys, "runs", "logs", run)
    assert out == [
        "T info charge: about to charge",
        "T warn charge: slow card",
        "T error workflow: now what",
    ]
    assert err == []
    assert studio(capsys, "runs", "logs", run, "--level", "warn")[0] == out[1:]
    assert studio(capsys, "runs", "logs", run, "--step", "charge")[0] == out[:2]
    document = studio_json(capsys, "runs", "logs", run, "--step", "step_1", "--level", "warn")
    assert [line["text"] for line in document["lines"]] == ["slow card"]
    assert document["dropped"] == 0


def test_logs_of_a_silent_run_and_of_one_that_said_too_much(worker: LiveWorker, run: str, capsys: Capture) -> None:
    assert studio(capsys, "runs", "logs", run) == ([], ["The run has printed nothing."])
    worker.prints(run, ("info", "the last words"), dropped=7)
    out, err = studio(capsys, "runs", "logs", run)
    assert out == ["T info charge: the last words"]
    assert err == ["The oldest 7 lines of this run are not kept."]


def test_logs_follow_a_run_until_it_ends(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.prints(run, ("info", "first"))

    def go_on() -> None:
        worker.prints(run, ("info", "second"))
        worker.complete(run)

    later = threading.Timer(0.3, go_on)
    later.start()
    assert main(["runs", "logs", run, "--follow", "--json"]) == 0
    later.join()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["type"], line["line"]["text"]) for line in lines] == [("output", "first"), ("output", "second")]


def test_watch_shows_output_where_it_happened(worker: LiveWorker, run: str, capsys: Capture) -> None:
    worker.prints(run, ("error", "card refused"))
    worker.complete(run)
    out, _ = studio(capsys, "runs", "watch", run)
    assert out[4:7] == ["T step_completed charge", "T error charge: card refused", "T run_completed"]
    assert main(["runs", "watch", run, "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["type"] for line in lines][5:] == ["output", "event", "end"]
    assert lines[5]["line"]["text"] == "card refused"


# refusals -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["show", "watch", "logs", "cancel", "rerun", "wake"])
def test_a_run_that_is_not_there(worker: LiveWorker, capsys: Capture, command: str) -> None:
    out, err = studio(capsys, "runs", command, UNKNOWN, expect=1)
    assert out == []
    assert err[0].startswith("Error: ")
    assert len(err) == 2, "a message and a hint"
    assert studio_json(capsys, "runs", command, UNKNOWN, expect=1)["error"]["code"] == "run_not_found"


def test_a_missing_scope_is_named(
    worker: LiveWorker, run: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKFLOW_COMPUTE_API_KEY", "key-with-runs:read-only")
    assert studio_json(capsys, "runs", "show", run)["run"]["runId"] == run
    error = studio_json(capsys, "runs", "cancel", run, expect=1)["error"]
    assert error["code"] == "missing_scope"
    assert "runs:write" in error["message"] + error["hint"]


@pytest.mark.parametrize("nonsense", ["", ".", "..", "../../x", "a b"])
@pytest.mark.parametrize(
    "command", [("runs", "show"), ("runs", "cancel"), ("deployments", "show"), ("keys", "show")], ids=" ".join
)
def test_what_can_be_no_id_is_a_wrong_command_line(capsys: Capture, command: tuple[str, ...], nonsense: str) -> None:
    out, err = studio(capsys, *command, nonsense, "--url", "http://127.0.0.1:1", expect=2)
    assert out == []
    assert err[0].endswith(f"{nonsense!r} is no id.")


def test_without_an_argument_the_usage_is_an_error(capsys: Capture) -> None:
    assert main(["runs", "show"]) == 2
    err = capsys.readouterr().err
    assert "Missing argument 'RUN'" in err
