"""``await run.returnValue`` in production builds of the three frameworks: one poll that waits, and no second one."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from statistics import quantiles
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.recorder import Recorder
from tests.e2e.support import FRAMEWORKS, ROTATING, App, upload, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import PreparedApp
    from tests.e2e.support import Worker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def recorder(worker: Worker) -> Iterator[Recorder]:
    with Recorder(worker.url).running() as running:
        yield running


VARIANTS = [
    pytest.param((name, maps), id=name + ("-source-maps" if maps else ""))
    for name in ROTATING
    for maps in (False, True)
]


@pytest.fixture(scope="module", params=VARIANTS)
def app(request: pytest.FixtureRequest, prepared_app: PreparedApp, worker: Worker, recorder: Recorder) -> Iterator[App]:
    name, source_maps = request.param
    directory = prepared_app(name)
    upload(directory, worker)
    app = App(FRAMEWORKS[name], directory, worker)
    options = {"NODE_OPTIONS": "--enable-source-maps"} if source_maps else {}
    app.env = {**app.env, "WORKFLOW_COMPUTE_BASE_URL": recorder.url, **options}
    app.start()
    try:
        yield app
    finally:
        app.close()


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as pool:
        yield pool


def begin(app: App, worker: Worker, token: str) -> str:
    """Start a run that goes on until it is told to end."""
    run_id = app.begin("approval", token)
    wait_until(lambda: worker.get(f"/v1/runs/{run_id}/hooks")["data"], what="the hook's creation")
    return run_id


def end(worker: Worker, run_id: str, token: str) -> None:
    for payload in ({"ok": True}, {"ok": False}):
        answer = worker.http.post("/v1/runs/resume", json={"runId": run_id, "token": token, "payload": payload})
        assert answer.status_code == 200, answer.text


def await_run(app: App, run_id: str, **query: str) -> Any:
    answer = app.http.get("/api/await", params={"id": run_id, **query})
    assert answer.status_code == 200, f"{answer.text}\n{app.log.read_text()}"
    return answer.json()


@pytest.mark.parametrize("trait", ["", "stackless", "prepared"])
def test_the_worker_is_asked_to_wait_and_asked_once(
    app: App, worker: Worker, recorder: Recorder, threads: ThreadPoolExecutor, trait: str
) -> None:
    token = f"wait-{app.http.base_url.port}-{trait}"
    run_id = begin(app, worker, token)
    waiting = threads.submit(await_run, app, run_id, **({trait: "1"} if trait else {}))
    [poll] = recorder.wait_for_reads(run_id, 1)
    assert poll.params == {"runId": run_id, "waitMs": 25_000}
    assert poll.status is None, "the worker waits"
    end(worker, run_id, token)
    assert waiting.result(60)["result"] == [True, False]
    # What is not encrypted needs no key, for which the SDK would read the finished run once more.
    assert [read.params for read in recorder.reads_of(run_id)] == [poll.params]


def test_a_look_at_the_status_is_answered_at_once(app: App, worker: Worker, recorder: Recorder) -> None:
    token = f"look-{app.http.base_url.port}"
    run_id = begin(app, worker, token)
    assert app.ask(run_id)["status"] == "running"
    assert [read.params for read in recorder.reads_of(run_id)] == [{"runId": run_id}]
    end(worker, run_id, token)
    worker.finished(run_id)


def test_a_proxy_that_cuts_what_is_quiet_does_not_end_the_wait(
    app: App, worker: Worker, recorder: Recorder, threads: ThreadPoolExecutor
) -> None:
    token = f"cut-{app.http.base_url.port}"
    run_id = begin(app, worker, token)
    recorder.answer = lambda asked: 504 if (asked.params or {}).get("waitMs", 0) > 20_000 else None
    waiting = threads.submit(await_run, app, run_id)
    try:
        polls = recorder.wait_for_reads(run_id, 3)
    finally:
        recorder.answer = lambda _: None
    assert [poll.params["waitMs"] for poll in polls[:2]] == [25_000, 0], "then the worker is asked whether it is there"
    end(worker, run_id, token)
    assert waiting.result(60)["result"] == [True, False]


def test_how_soon_a_finished_run_is_seen(
    app: App, worker: Worker, recorder: Recorder, threads: ThreadPoolExecutor, record_property: Any
) -> None:
    late: list[float] = []
    for number in range(20):
        token = f"soon-{app.http.base_url.port}-{number}"
        run_id = begin(app, worker, token)
        waiting = threads.submit(await_run, app, run_id)
        recorder.wait_for_reads(run_id, 1)
        end(worker, run_id, token)
        seen = waiting.result(60)["at"]
        completed = worker.events(run_id)[-1]["createdAt"]
        late.append(seen - datetime.fromisoformat(completed).timestamp() * 1000)
        assert len(recorder.reads_of(run_id)) == 1
    cuts = quantiles(late, n=20, method="inclusive")
    record_property("p50_ms", cuts[9])
    record_property("p95_ms", cuts[18])
