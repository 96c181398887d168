"""What holds in an app of every framework. Each framework's module makes a test class of it."""

from __future__ import annotations

import shutil
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import uuid4

import httpx
import pytest

from tests.e2e.matrix.serving import changed_settings, serving
from tests.e2e.matrix.starter import OPEN
from tests.e2e.support import free_port, run, studio, wait_until
from tests.support.releases import NEWS, change, next_release

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.matrix.starter import Starter
    from tests.e2e.support import App, Worker

# Not UTF-8, and with what a form decoder would change: a webhook's body is the sender's, byte by byte.
FORM = b"payload=%7B%7D&plus=a+b&raw=\xff\xfe"
NOT_SOURCE = ("node_modules", ".output", ".next", ".nuxt", ".svelte-kit", "dist", "build", ".workflow-data")
FORM_TYPE = "application/x-www-form-urlencoded"
WEBHOOKS = "/api/workflow-studio/webhook"
CLOSED = "This app's adapter mode is 'passthrough'"


@pytest.mark.e2e
@pytest.mark.timeout(900)
class Checks:
    """The checks; ``starter`` says of which app."""

    starter: ClassVar[Starter]

    def test_types_are_right(self, starter: Starter, folder: Path, environment: dict[str, str]) -> None:
        run(*starter.typecheck, cwd=folder, env=environment)

    def test_a_run_in_the_app(self, local: App, worker: Worker) -> None:
        before = len(worker.get("/v1/runs")["data"])
        take_the_tour(local)
        see_its_own_routes_refuse(local)
        assert len(worker.get("/v1/runs")["data"]) == before

    def test_its_own_routes_start_runs_and_take_webhooks_in_the_app(
        self, starter: Starter, folder: Path, worker: Worker, environment: dict[str, str]
    ) -> None:
        before = len(worker.get("/v1/runs")["data"])
        with serving(starter, folder, worker, {**environment, **OPEN}) as app:
            started = take_the_tour_by_its_own_routes(app)
            find_no_webhook(app)
        assert started["deploymentId"].startswith("dpl_local@")
        assert len(worker.get("/v1/runs")["data"]) == before

    def test_a_run_on_the_worker(self, remote: App, worker: Worker) -> None:
        run_id = take_the_tour(remote)
        assert worker.run(run_id)["status"] == "completed"
        steps = worker.steps(run_id)
        assert {step["stepName"].rpartition("//")[2] for step in steps} == {"greet", "tell", "bytesOf", "end"}

    def test_its_own_routes_start_runs_and_take_webhooks_on_the_worker(self, remote: App, worker: Worker) -> None:
        started = take_the_tour_by_its_own_routes(remote)
        find_no_webhook(remote)
        run = worker.run(started["runId"])
        assert (run["status"], run["deploymentId"]) == ("completed", started["deploymentId"])

    def test_its_own_routes_start_nothing_on_the_worker_when_they_are_closed(
        self, starter: Starter, folder: Path, worker: Worker, environment: dict[str, str]
    ) -> None:
        before = len(worker.get("/v1/runs")["data"])
        with serving(starter, folder, worker, environment, remote=True) as app:
            see_its_own_routes_refuse(app)
        assert len(worker.get("/v1/runs")["data"]) == before

    def test_a_run_that_the_worker_cannot_take_stays_in_the_app(
        self, starter: Starter, folder: Path, environment: dict[str, str], worker: Worker
    ) -> None:
        nobody = {**environment, **OPEN, "WORKFLOW_COMPUTE_BASE_URL": f"http://127.0.0.1:{free_port()}"}
        with (
            changed_settings(
                folder, ("failPolicy: 'error'", "failPolicy: 'fallback-local'"), ("retries: 3", "retries: 1")
            ),
            serving(starter, folder, worker, nobody, remote=True) as app,
        ):
            take_the_tour(app)
            started = take_the_tour_by_its_own_routes(app)
        assert started["deploymentId"].startswith("dpl_local@")

    @pytest.mark.parametrize("route", ["flow", "step"])
    def test_queue_routes_refuse_while_the_worker_executes(self, remote: App, route: str) -> None:
        refused = remote.http.post(f"/.well-known/workflow/v1/{route}", json={}, headers={"x-workflow-message-id": "m"})
        assert (refused.status_code, refused.json()["code"]) == (409, "remote_execution_enabled")

    def test_diagnostics_tell_who_executes(self, remote: App) -> None:
        path = "/api/workflow-studio/diagnostics/remote-ownership"
        assert remote.http.get(path).status_code == 401
        report = remote.http.get(path, headers={"authorization": "Bearer token-of-the-tests"}).json()
        assert report["targetWorld"] == "workflow-studio/world-remote"

    def test_an_update_brings_the_news_and_keeps_edits(
        self, folder: Path, environment: dict[str, str], tmp_path: Path
    ) -> None:
        app = tmp_path / "app"
        shutil.copytree(folder, app, symlinks=True, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        config = app / "workflow.config.ts"
        change(config, "retries: 3", "retries: 7, // ours")
        release = next_release(tmp_path / "release")
        updated = studio("update", cwd=app, env={**environment, "STUDIO_TEMPLATE": str(release)})
        assert updated["manual"] == []
        assert "retries: 7, // ours" in config.read_text()
        assert NEWS in (app / "workflow-studio/index.cjs").read_text()
        assert "_commit: v0.2.0" in (app / ".copier-answers.yml").read_text()


def take_the_tour(app: App, webhooks: str = "") -> str:
    """Start the tour through the app and see it through; return the run's id.

    Args:
        app: The app.
        webhooks: What the URL of the webhook begins with.
    """
    token = f"tour-{uuid4()}"
    run_id = app.begin("tour", "Ada", token)

    def send(url: str) -> httpx.Response:
        assert url.startswith(webhooks)
        return httpx.post(url, content=FORM, headers={"content-type": FORM_TYPE}, timeout=60)

    see_the_tour_through(app, run_id, token, send)
    return run_id


def take_the_tour_by_its_own_routes(app: App) -> dict[str, str]:
    """Start the tour by its name and hand its webhook on; return what was answered to the start."""
    token = f"tour-{uuid4()}"
    sent = {"args": ["Ada", token]}
    started, again = (
        app.http.post("/api/trigger", json=sent, headers={"idempotency-key": f"start-{token}"}) for _ in range(2)
    )
    assert started.status_code == 202, f"{started.status_code} {started.text}\n{app.log.read_text()}"
    run: dict[str, str] = started.json()
    assert again.json()["runId"] == run["runId"]

    def send(url: str) -> httpx.Response:
        webhook = f"{WEBHOOKS}/{url.rpartition('/')[2]}"
        return app.http.post(webhook, content=FORM, headers={"content-type": FORM_TYPE})

    see_the_tour_through(app, run["runId"], token, send)
    return run


def see_the_tour_through(app: App, run_id: str, token: str, send: Callable[[str], httpx.Response]) -> None:
    """Do what the tour waits for, and look at its end.

    Args:
        app: The app.
        run_id: The run.
        token: The token of its hook.
        send: Sends :data:`FORM` to the webhook of a URL.
    """
    with httpx.stream("GET", f"{app.url}/api/stream", params={"id": run_id}, timeout=60) as stream:
        lines = stream.iter_lines()
        assert next(lines) == "hello Ada"
        assert next(lines) == "hook"
        wait_until(lambda: app.resume(token, {"answer": 42}).is_success, what="the hook")
        url = next(lines)
        assert "/.well-known/workflow/v1/webhook/" in url
        accepted = send(url)
        assert accepted.status_code == 202, f"{accepted.status_code} {accepted.text}\n{app.log.read_text()}"
        assert list(lines) == []

    def ended() -> Any:
        answer = app.ask(run_id)
        return answer if answer["status"] in {"completed", "failed"} else None

    assert wait_until(ended, what=f"the end of {run_id}") == {
        "status": "completed",
        "result": {"greeting": "hello Ada", "answer": 42, "method": "POST", "type": FORM_TYPE, "body": list(FORM)},
    }


def find_no_webhook(app: App) -> None:
    """Hand on a call to a webhook that is not there, and see that the answer comes back as it is."""
    answer = app.http.post(f"{WEBHOOKS}/of-nobody", content=FORM, headers={"content-type": FORM_TYPE})
    assert (answer.status_code, answer.json()["code"]) == (404, "hook_not_found"), answer.text


def see_its_own_routes_refuse(app: App) -> None:
    """See that the app's own routes start nothing and hand nothing on, and that somebody is told why."""
    for path in ("/api/trigger", f"{WEBHOOKS}/of-nobody"):
        logged = app.log.read_text().count(CLOSED)
        refused = app.http.post(path, json={"args": ["Ada", "of-nobody"]})
        assert refused.status_code == 500, f"{refused.status_code} {refused.text}"
        if CLOSED not in refused.text:
            wait_until(partial(logs_more_than, app, logged), what=f"the reason why {path} is closed", seconds=10)


def logs_more_than(app: App, times: int) -> bool:
    return app.log.read_text().count(CLOSED) > times
