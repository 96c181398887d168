"""``run.returnValue`` against a real HTTP server: polls that wait, and what may come between."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.template.local_world import install_local_world
from tests.template.support import Answer, FakeWorker, Request, cbor, refusal
from workflow_studio.compute.world_errors import RunNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App

pytestmark = pytest.mark.node

RUN = "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV"
# As in the SDK, but for its pause of a second (source: @workflow/core 4.8.9, runtime/run.js).
PRELUDE = f"""
const world = require('workflow-studio/world-remote').createWorld();
class Run {{
  get returnValue() {{ return this.pollReturnValue(); }}
  async pollReturnValue() {{
    while (true) {{
      const run = await world.runs.get('{RUN}');
      if (run.status === 'completed') return run.output;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }}
  }}
}}
"""
AWAIT = PRELUDE + "return new Run().returnValue"
RUNNING = cbor({"runId": RUN, "status": "running"})
COMPLETED = cbor({"runId": RUN, "status": "completed", "output": 5})


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    yield from FakeWorker().serve()


def environment(worker: FakeWorker) -> dict[str, str]:
    return {
        "WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote",
        "WORKFLOW_COMPUTE_BASE_URL": worker.url,
        "WORKFLOW_COMPUTE_API_KEY": "key-of-these-tests",
    }


def config(app: App, **execution: Any) -> None:
    app.write("workflow.config.json", json.dumps({"execution": execution}))


def waits(worker: FakeWorker) -> list[Any]:
    return [request.params.get("waitMs") for request in worker.requests]


def test_the_worker_is_asked_to_wait(app: App, worker: FakeWorker) -> None:
    worker.answers(COMPLETED)
    assert app.value(AWAIT, **environment(worker)) == 5
    assert [request.params for request in worker.requests] == [{"runId": RUN, "waitMs": 25_000}]


def test_a_worker_that_is_slower_than_other_calls_may_be_is_waited_for(app: App, worker: FakeWorker) -> None:
    config(app, retries=0, timeoutMs=100)
    late = threading.Event()

    def answer(_: Request) -> Answer:
        late.wait(0.5)
        return COMPLETED

    worker.answer = answer
    assert app.value(AWAIT, **environment(worker)) == 5
    assert waits(worker) == [25_000]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_poll_that_a_proxy_ends_is_followed_by_a_plain_read(app: App, worker: FakeWorker, status: int) -> None:
    config(app, retries=0)
    worker.answers(Answer(status, b"<html>", "text/html"), RUNNING, COMPLETED)
    assert app.value(AWAIT, **environment(worker)) == 5
    assert waits(worker) == [25_000, 0, 25_000]


def test_a_connection_that_is_cut_is_followed_by_a_plain_read(app: App, worker: FakeWorker) -> None:
    config(app, retries=0)
    answers = [RUNNING, COMPLETED]

    def answer(request: Request) -> Answer:
        if len(worker.requests) == 1:
            raise ConnectionAbortedError("the worker is killed")
        return answers.pop(0)

    worker.answer = answer
    assert app.value(AWAIT, **environment(worker)) == 5
    assert waits(worker) == [25_000, 0, 25_000]


def test_a_worker_that_stays_away_is_asked_as_often_as_by_any_other_call(app: App, worker: FakeWorker) -> None:
    config(app, retries=2)
    worker.answers(Answer(502, b"<html>", "text/html"))
    error = app.error(AWAIT, **environment(worker))
    assert (error["name"], error["code"]) == ("WorkflowWorldError", "TRANSPORT")
    assert waits(worker) == [25_000, 0, 0, 0]


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "missing_scope")])
def test_a_refused_key_ends_the_wait_at_once(app: App, worker: FakeWorker, status: int, code: str) -> None:
    worker.answers(refusal(status, code))
    assert app.error(AWAIT, **environment(worker))["status"] == status
    assert waits(worker) == [25_000]


def test_an_unknown_run_is_known_to_be_unknown_at_once(app: App, worker: FakeWorker) -> None:
    worker.answers(refusal(404, "world_error", error=RunNotFoundError(RUN).to_wire()))
    error = app.error(AWAIT, **environment(worker))
    assert (error["name"], error["runId"]) == ("WorkflowRunNotFoundError", RUN)
    assert waits(worker) == [25_000]


def test_with_a_local_world_behind_it_the_worker_is_asked_to_wait_for_its_own_runs(
    app: App, worker: FakeWorker
) -> None:
    install_local_world(app)
    config(app, failPolicy="fallback-local")
    worker.answers(COMPLETED)
    assert app.value(AWAIT, **environment(worker)) == 5
    assert waits(worker) == [25_000]
    status = PRELUDE + f"return (await world.runs.get('{RUN}')).status"
    assert app.value(status, **environment(worker)) == "completed"
    assert waits(worker) == [25_000, None]


def test_a_stream_outlives_a_proxy_that_cuts_what_is_quiet(app: App, worker: FakeWorker) -> None:
    config(app, retries=0)
    worker.answers(
        cbor({"chunks": [], "nextIndex": 0, "done": False}),  # no answer that lasts
        Answer(504, b"<html>", "text/html"),
        cbor({"chunks": [], "nextIndex": 0, "done": False}),
        cbor({"chunks": [b"a"], "nextIndex": 1, "done": True}),
    )
    code = PRELUDE + "const all = []; for await (const chunk of await world.readFromStream('s')) all.push(...chunk);"
    assert app.value(code + "return all", **environment(worker)) == [97]
    assert waits(worker) == [None, 25_000, 0, 25_000]


def test_a_run_of_the_local_world_is_awaited_there(app: App, worker: FakeWorker) -> None:
    install_local_world(app)
    config(app, failPolicy="fallback-local")
    worker.answers(Answer(502, b"<html>", "text/html"))
    code = f"""
    const deploymentId = await world.getDeploymentId();
    const about = {{ deploymentId, workflowName: 'w', input: new Uint8Array(1) }};
    await world.events.create('{RUN}', {{ eventType: 'run_created', specVersion: 3, eventData: about }}, {{}});
    const {{ world: local }} = await require('./node_modules/workflow-studio/lib/local-world.cjs').openLocalWorld();
    local.runs.get = async function (...args) {{
      return {{ status: 'completed', output: [this === local.runs, ...args] }};
    }};
    """
    assert app.value(PRELUDE + code + "return new Run().returnValue", **environment(worker)) == [True, RUN]
    assert all(request.path != "/v1/world/runs/get" for request in worker.requests)
