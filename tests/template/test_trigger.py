"""Starting runs by workflow name: both adapter modes, both execution modes, both fail policies."""

from __future__ import annotations

import json
import shutil
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from tests.template.ingress_app import configure, install_sdk, url_of_nobody
from tests.template.support import Answer, FakeWorker, refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App

pytestmark = pytest.mark.node

STARTED = Answer(201, b'{"runId": "wrun_1", "status": "pending", "deploymentId": "dep_1"}', "application/json")
ON_WORKER = {"runId": "wrun_1", "status": "pending", "deploymentId": "dep_1"}
IN_APP = {"runId": "wrun_app_1", "status": "pending", "deploymentId": "dpl_app"}


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    for worker in FakeWorker().serve():
        worker.answers(STARTED)
        yield worker


@pytest.fixture(autouse=True)
def sdk(app: App) -> None:
    install_sdk(app)


def trigger(
    app: App, request: str = "{payload: {workflowName: 'w', input: [1]}}", options: str = "{}"
) -> dict[str, Any]:
    return app.node(
        f"const answer = await require('workflow-studio').proxyTrigger({request}, {options});"
        "return [answer, globalThis.sdkCalls ?? []]",
        WORKFLOW_COMPUTE_API_KEY="key",
    )


def code(answer: dict[str, Any]) -> str:
    assert answer["error"]["name"] == "WorkflowStudioTriggerError"
    return str(answer["error"]["code"])


@pytest.mark.parametrize(
    ("execution", "mode", "policy", "answers"),
    list(
        product(("local", "remote"), (None, "proxy-trigger", "passthrough"), ("error", "fallback-local"), (True, False))
    ),
)
def test_a_run_starts_where_the_modes_say(
    app: App, worker: FakeWorker, execution: str, mode: str | None, policy: str, answers: bool
) -> None:
    configure(app, mode=execution, failPolicy=policy, remoteWorkerUrl=worker.url if answers else url_of_nobody())
    answer = trigger(app, options=json.dumps({"mode": mode} if mode else {}))
    if mode == "passthrough":
        assert code(answer) == "ingress_disabled"
    elif execution == "local" or (not answers and policy == "fallback-local"):
        assert answer["value"] == [IN_APP, [["start", "w", [1]]]]
    elif answers:
        assert answer["value"] == [ON_WORKER, []]
    else:
        assert code(answer) == "unreachable"
    assert len(worker.requests) == (execution == "remote" and answers and mode != "passthrough")


def test_the_worker_gets_the_name_the_input_and_the_keys(app: App, worker: FakeWorker) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url)
    trigger(app, "{payload: {workflowName: 'w', input: [1]}, idempotencyKey: 'k'}")
    [request] = worker.requests
    assert (request.method, request.path, json.loads(request.params)) == (
        "POST",
        "/v1/runs",
        {"workflowName": "w", "input": [1]},
    )
    assert (request.headers["idempotency-key"], request.headers["authorization"]) == ("k", "Bearer key")
    assert "x-workflow-studio-environment" not in request.headers


def test_the_worker_gets_the_environment(app: App, worker: FakeWorker) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url, environment="dev-ada")
    trigger(app)
    assert worker.requests[0].headers["x-workflow-studio-environment"] == "dev-ada"


@pytest.mark.parametrize(
    ("input_", "arguments"),
    [
        ("[1, {a: undefined}]", [1, {}]),
        ("'one'", ["one"]),
        ("null", [None]),
        ("undefined", []),
        ("[[1, 2]]", [[1, 2]]),
        ("new Date(0)", ["1970-01-01T00:00:00.000Z"]),
    ],
)
def test_the_app_makes_of_the_input_what_the_worker_does(app: App, input_: str, arguments: list[object]) -> None:
    configure(app, mode="local")
    assert trigger(app, f"{{payload: {{workflowName: 'w', input: {input_}}}}}")["value"][1] == [
        ["start", "w", arguments]
    ]


def test_a_temporary_failure_is_tried_again_with_the_same_key(app: App, worker: FakeWorker) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url, retries=2)
    worker.answers(refusal(503, "executor_unavailable"), Answer(502, b"<html>", "text/html"), STARTED)
    assert trigger(app)["value"][0] == ON_WORKER
    assert len({request.headers["idempotency-key"] for request in worker.requests}) == 1
    assert len(worker.requests) == 3


def test_a_refusal_is_told_as_it_is(app: App, worker: FakeWorker) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url, retries=2, failPolicy="fallback-local")
    worker.answers(refusal(409, "idempotency_conflict", recovery="Take a new key."))
    error = trigger(app)["error"]
    assert (error["code"], error["status"], len(worker.requests)) == ("idempotency_conflict", 409, 1)
    assert error["message"].endswith("Take a new key.")


@pytest.mark.parametrize("answer", [Answer(200, b"<html>", "text/html"), Answer(302, b""), Answer(200, b"{}")])
def test_what_is_no_worker_is_named(app: App, worker: FakeWorker, answer: Answer) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url, failPolicy="fallback-local")
    worker.answers(answer)
    error = trigger(app)["error"]
    assert (error["code"], error["status"]) == ("unexpected_response", answer.status)
    assert "WORKFLOW_COMPUTE_BASE_URL" in error["message"]


def test_what_may_have_arrived_does_not_run_in_the_app_too(app: App, worker: FakeWorker) -> None:
    configure(app, mode="remote", remoteWorkerUrl=worker.url, failPolicy="fallback-local", timeoutMs=300)
    answer = app.node(
        "const server = require('node:http').createServer(() => {});"
        "await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));"
        "const execution = {remoteWorkerUrl: `http://127.0.0.1:${server.address().port}`};"
        "return require('workflow-studio').proxyTrigger({payload: {workflowName: 'w'}}, {execution})"
        ".finally(() => server.closeAllConnections()).finally(() => server.close())"
    )
    assert code(answer) == "timeout"


def test_without_the_worker_s_url_nothing_is_sent(app: App) -> None:
    configure(app, mode="remote")
    assert code(trigger(app)) == "no_worker_url"


def test_a_key_that_is_repeated_in_the_app_gets_the_run_it_has(app: App) -> None:
    configure(app, mode="local")
    assert app.value(
        "const { proxyTrigger } = require('workflow-studio');"
        "const ask = (input, idempotencyKey) => proxyTrigger({payload: {workflowName: 'w', input}, idempotencyKey});"
        "const [a, b] = await Promise.all([ask([1], 'k'), ask([1], 'k')]);"
        "const other = await ask([1], 'l');"
        "const refused = await ask([2], 'k').catch((error) => [error.code, error.status]);"
        "return [a.runId, b.runId, other.runId, refused, globalThis.sdkCalls.length]"
    ) == ["wrun_app_1", "wrun_app_1", "wrun_app_2", ["idempotency_conflict", 409], 2]


def test_a_start_that_fails_in_the_app_leaves_its_key_free(app: App) -> None:
    configure(app, mode="local")
    assert app.value(
        "const { proxyTrigger } = require('workflow-studio');"
        "const ask = () => proxyTrigger({payload: {workflowName: 'fails'}, idempotencyKey: 'k'});"
        "return [await ask().catch((error) => error.message), (await ask()).runId]"
    ) == ["the SDK failed", "wrun_app_2"]


@pytest.mark.parametrize(
    ("payload", "expected"),
    [("{workflowName: 'w', runId: 'wrun_1'}", "not_supported_in_app"), ("{}", "invalid_request")],
)
def test_what_the_app_cannot_do_is_refused(app: App, payload: str, expected: str) -> None:
    configure(app, mode="local")
    assert code(trigger(app, f"{{payload: {payload}}}")) == expected


def test_a_bundled_sdk_needs_no_packages_beside_it(app: App) -> None:
    configure(app, mode="local")
    app.write("node_modules/workflow/runtime.js", "throw new Error('it is not there')")
    world = "{ runs: { get: async () => ({ status: 'pending', deploymentId: 'dpl_bundled' }) } }"
    app.write("node_modules/workflow/api.js", f"export const start = async () => ({{ runId: 'w', world: {world} }});")
    assert trigger(app)["value"][0] == {"runId": "w", "status": "pending", "deploymentId": "dpl_bundled"}


def test_an_app_without_its_packages_says_so(app: App) -> None:
    configure(app, mode="local")
    shutil.rmtree(app.folder / "node_modules/workflow")
    error = trigger(app)["error"]
    assert error["code"] == "sdk_not_found"
    assert str(app.folder) in error["message"]
