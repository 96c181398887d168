"""The World of the app, against a real HTTP server."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.template.remote_world import KEY, RUN, WORLD, config, environment
from tests.template.support import Answer, FakeWorker, cbor, refusal
from workflow_studio.compute import wire
from workflow_studio.compute.world_errors import EntityConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App

pytestmark = pytest.mark.node


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    yield from FakeWorker().serve()


def test_the_factory_is_synchronous_and_reads_nothing(app: App) -> None:
    app.write("workflow.config.json", "this is not JSON")
    assert app.value(
        "const make = require('workflow-studio/world-remote'); const world = make();"
        "return [typeof make.createWorld, typeof make.default, typeof world.createQueueHandler, typeof world.then]"
    ) == ["function", "function", "function", "undefined"]


@pytest.mark.parametrize(("version", "spec"), [("4.8.9", 3), ("5.0.0-beta.55", 7), (None, 3)])
def test_the_spec_version_follows_the_core_of_the_app(app: App, version: str | None, spec: int) -> None:
    if version:
        app.write("node_modules/workflow/package.json", "{}")
        app.write("node_modules/@workflow/core/package.json", f'{{"version": "{version}"}}')
    assert app.value(f"{WORLD} return world.specVersion") == spec


def test_nothing_secret_can_be_read_off_the_world(app: App, worker: FakeWorker) -> None:
    worker.answers(cbor({"deploymentId": "dep_1"}))
    shown = app.value(
        f"{WORLD} await world.getDeploymentId();"
        "return require('node:util').inspect(world, {depth: 9, showHidden: true}) + JSON.stringify(world)",
        **environment(worker),
    )
    assert KEY not in shown
    assert worker.url not in shown


def test_a_read_carries_the_key_and_gets_dates(app: App, worker: FakeWorker) -> None:
    worker.answers(cbor({"runId": RUN, "status": "running", "createdAt": 1_700_000_000_123, "input": b"\x00\xff"}))
    value = app.value(
        f"{WORLD} const run = await world.runs.get('{RUN}');"
        "return [run.createdAt instanceof Date, run.createdAt.getTime(), [...run.input], 'startedAt' in run]",
        **environment(worker),
    )
    assert value == [True, 1_700_000_000_123, [0, 255], False]
    [request] = worker.requests
    assert (request.method, request.path) == ("POST", "/v1/world/runs/get")
    assert request.params == {"runId": RUN}
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert "idempotency-key" not in request.headers


def test_every_method_of_the_protocol_has_its_path(app: App) -> None:
    paths = app.value("return require('./node_modules/workflow-studio/lib/connection.cjs').PATHS")
    assert paths == {endpoint.method: endpoint.path for endpoint in wire.ENDPOINTS}


def test_the_active_deployment_is_remembered_for_a_moment_only(app: App, worker: FakeWorker) -> None:
    worker.answers(cbor({"deploymentId": "dep_old"}), cbor({"deploymentId": "dep_new"}))
    value = app.value(
        f"{WORLD} const other = require('workflow-studio/world-remote').createWorld();"
        "const burst = await Promise.all([world.getDeploymentId(), world.getDeploymentId(), other.getDeploymentId()]);"
        "await new Promise((done) => setTimeout(done, 1050));"
        "return [...burst, await world.getDeploymentId()]",
        **environment(worker),
    )
    assert value == ["dep_old", "dep_old", "dep_old", "dep_new"]
    assert [(request.method, request.path) for request in worker.requests] == [("GET", "/v1/world/deployment-id")] * 2


def test_every_call_names_the_environment_of_the_app(app: App, worker: FakeWorker) -> None:
    worker.answers(cbor({"deploymentId": "dep_1"}), cbor({"messageId": "msg_1"}))
    calls = f"{WORLD} await world.getDeploymentId(); await world.queue('__wkf_workflow_w', {{runId: '{RUN}'}});"
    app.value(f"{calls} return null", **environment(worker, WORKFLOW_COMPUTE_ENVIRONMENT="dev-ada"))
    app.value(f"{calls} return null", **environment(worker))
    named = [request.headers.get("x-workflow-studio-environment") for request in worker.requests]
    assert named == ["dev-ada", "dev-ada", None, None]


def test_a_failure_to_learn_the_deployment_is_not_remembered(app: App, worker: FakeWorker) -> None:
    worker.answers(refusal(409, "no_active_deployment"), cbor({"deploymentId": "dep_new"}))
    assert (
        app.value(
            f"{WORLD} await world.getDeploymentId().catch(() => undefined); return world.getDeploymentId()",
            **environment(worker),
        )
        == "dep_new"
    )


def test_a_write_is_repeated_with_the_key_it_had(app: App, worker: FakeWorker) -> None:
    worker.answers(Answer(502, b"<html>Bad Gateway</html>", "text/html"), cbor({"messageId": "msg_1"}))
    value = app.value(
        f"{WORLD} const send = () => world.queue('__wkf_workflow_demo', {{runId: '{RUN}'}});"
        "return [await send(), await send()]",
        **environment(worker),
    )
    assert value == [{"messageId": "msg_1"}, {"messageId": "msg_1"}]
    keys = [request.headers["idempotency-key"] for request in worker.requests]
    assert len(keys) == 3
    assert keys[0] == keys[1] != keys[2], "one key per call, kept over its attempts"


def test_the_error_of_the_world_is_rebuilt_and_not_repeated(app: App, worker: FakeWorker) -> None:
    error = EntityConflictError("Run exists already.").to_wire()
    worker.answers(refusal(409, "world_error", error=error))
    refused = app.error(
        f"{WORLD} await world.events.create('{RUN}', {{eventType: 'run_started'}})", **environment(worker)
    )
    assert (refused["name"], refused["message"]) == ("EntityConflictError", "Run exists already.")
    assert len(worker.requests) == 1


@pytest.mark.parametrize("status", [200, 302, 404, 502])
def test_a_page_in_place_of_the_worker_is_a_matter_of_transport(app: App, worker: FakeWorker, status: int) -> None:
    config(app, retries=0)
    headers = {"location": "https://login.example.com/"} if status == 302 else {}
    worker.answers(Answer(status, b"<html>Sign in</html>", "text/html; charset=utf-8", headers))
    error = app.error(f"{WORLD} await world.runs.get('{RUN}')", **environment(worker))
    assert (error["name"], error["code"]) == ("WorkflowWorldError", "TRANSPORT")
    assert worker.url in error["message"]
    assert "Sign in" not in error["message"]


def test_a_body_that_only_claims_to_be_cbor_is_a_matter_of_transport(app: App, worker: FakeWorker) -> None:
    config(app, retries=0)
    worker.answers(Answer(200, b"\xff\xff"))
    assert app.error(f"{WORLD} await world.runs.get('{RUN}')", **environment(worker))["code"] == "TRANSPORT"


def test_nobody_listening_names_the_address_and_what_to_do(app: App) -> None:
    config(app, retries=1, remoteWorkerUrl="http://127.0.0.1:9")
    error = app.error(f"{WORLD} await world.getDeploymentId()")
    assert (error["name"], error["code"]) == ("WorkflowWorldError", "TRANSPORT")
    assert "http://127.0.0.1:9" in error["message"]
    assert "studio worker start" in error["message"]


def test_no_answer_in_time_is_a_timeout(app: App, worker: FakeWorker) -> None:
    config(app, retries=0, timeoutMs=100)

    def late(_: object) -> Answer:
        time.sleep(0.5)
        return cbor({})

    worker.answer = late
    error = app.error(f"{WORLD} await world.runs.get('{RUN}')", **environment(worker))
    assert (error["name"], error["code"]) == ("WorkflowWorldError", "TIMEOUT")
    assert "100 ms" in error["message"]


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "missing_scope")])
def test_a_refused_key_says_which_variable_holds_it(app: App, worker: FakeWorker, status: int, code: str) -> None:
    worker.answers(refusal(status, code))
    error = app.error(f"{WORLD} await world.runs.get('{RUN}')", **environment(worker))
    assert (error["name"], error["status"]) == ("WorkflowWorldError", status)
    assert "code" not in error, "the SDK would take it for a matter of transport"
    assert "WORKFLOW_COMPUTE_API_KEY" in error["message"]
    assert KEY not in error["message"]
    assert len(worker.requests) == 1


def test_no_active_deployment_keeps_the_advice_of_the_worker(app: App, worker: FakeWorker) -> None:
    worker.answers(refusal(409, "no_active_deployment", recovery="Run studio deploy."))
    error = app.error(f"{WORLD} await world.getDeploymentId()", **environment(worker))
    assert (error["name"], error["status"]) == ("WorkflowWorldError", 409)
    assert error["message"].endswith("Run studio deploy.")
    assert len(worker.requests) == 1


def test_a_rate_limit_is_waited_out(app: App, worker: FakeWorker) -> None:
    worker.answers(refusal(429, "rate_limited", headers={"retry-after": "1"}), cbor({"deploymentId": "dep_1"}))
    started = time.monotonic()
    assert app.value(f"{WORLD} return world.getDeploymentId()", **environment(worker)) == "dep_1"
    assert time.monotonic() - started >= 1


def test_a_rate_limit_that_stays_is_a_throttle_error(app: App, worker: FakeWorker) -> None:
    config(app, retries=0)
    worker.answers(refusal(429, "rate_limited", headers={"retry-after": "7"}))
    error = app.error(f"{WORLD} await world.getDeploymentId()", **environment(worker))
    assert (error["name"], error["retryAfter"]) == ("ThrottleError", 7)


def test_an_internal_error_is_repeated_and_then_reported_with_its_status(app: App, worker: FakeWorker) -> None:
    config(app, retries=2)
    worker.answers(refusal(500, "internal_error"))
    error = app.error(f"{WORLD} await world.runs.get('{RUN}')", **environment(worker))
    assert (error["name"], error["status"]) == ("WorkflowWorldError", 500)
    assert len(worker.requests) == 3


def test_no_worker_url_says_what_to_set(app: App) -> None:
    error = app.error(f"{WORLD} await world.getDeploymentId()")
    assert error["name"] == "WorkflowWorldError"
    assert "WORKFLOW_COMPUTE_BASE_URL" in error["message"]


def test_the_queue_handler_never_executes(app: App) -> None:
    value = app.value(
        f"{WORLD} const {{ createQueueHandler }} = world; let ran = false;"
        "const handle = createQueueHandler('__wkf_step_', async () => { ran = true; });"
        "const request = new Request('http://app/.well-known/workflow/v1/step', {method: 'POST', body: '{}'});"
        "const answer = await handle(request);"
        "return [answer.status, (await answer.json()).code, ran]"
    )
    assert value == [409, "remote_execution_enabled", False]
