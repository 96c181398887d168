"""The World of the app, against a real HTTP server."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.sdk import installed_sdk
from tests.template.support import Answer, FakeWorker, Request, calls_of, cbor, each, refusal
from workflow_studio.compute import wire
from workflow_studio.compute.world_errors import EntityConflictError, HookNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App

pytestmark = pytest.mark.node

KEY = "key-of-these-tests"
RUN = "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV"
WORLD = "const world = require('workflow-studio/world-remote').createWorld();"


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    yield from FakeWorker().serve()


def environment(worker: FakeWorker, **more: str) -> dict[str, str]:
    return {
        "WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote",
        "WORKFLOW_COMPUTE_BASE_URL": worker.url + "/",
        "WORKFLOW_COMPUTE_API_KEY": KEY,
        **more,
    }


def config(app: App, **execution: Any) -> None:
    app.write("workflow.config.json", json.dumps({"execution": execution}))


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


START = f"""
const start = (runId = '{RUN}') => Promise.allSettled([
  world.events.create(runId, {{eventType: 'run_created', eventData: {{deploymentId: 'dep_1', workflowName: 'w'}}}}),
  world.queue('__wkf_workflow_w', {{runId, runInput: {{deploymentId: 'dep_1'}}}}, {{deploymentId: 'dep_1'}}),
]);
"""
RESUME = """
const resume = async (token = 'token-1') => {
  const hook = await world.hooks.getByToken(token);
  const run = await world.runs.get(hook.runId);
  await world.getEncryptionKeyForRun(run);
  await new Promise((done) => setTimeout(done, 5));
  const event = {eventType: 'hook_received', correlationId: hook.hookId, eventData: {token}};
  await world.events.create(hook.runId, event);
  await import('node:path');
  const {traceCarrier} = run.executionContext;
  const queued = await world.queue('__wkf_workflow_w', {runId: hook.runId, traceCarrier}, {deploymentId: 'dep_1'});
  return {hook, run, queued};
};
"""


def a_run(status: str = "running", **more: Any) -> dict[str, Any]:
    context = {"traceCarrier": {"traceparent": "00-1-2-01"}, "workflowCoreVersion": "4.8.9"}
    run = {"runId": RUN, "status": status, "workflowName": "w", "deploymentId": "dep_1", "executionContext": context}
    return {**run, **more}


@each
def know_everything(request: Request) -> Answer:
    """Answer as a worker does that does not encrypt and has one run, which waits for a hook."""
    clear = {"x-workflow-studio-encryption": "none"}
    if request.path == "/v1/world/runs/get":
        return cbor(a_run(), **clear)
    if request.path == "/v1/world/hooks/by-token":
        hook = {"hookId": "hook_1", "runId": RUN, "token": request.params["token"]}
        return cbor({**hook, "run": a_run()} if request.params.get("withRun") else hook, **clear)
    if request.path == "/v1/queue/publish":
        return cbor({"messageId": "msg_1"}, **clear)
    return cbor({"run": {"runId": RUN, "status": "pending"}, "deploymentId": "dep_1"}, **clear)


def of_old(answer: Any) -> Any:
    """Return how a worker answers that is older than batches."""

    def answering(request: Request) -> Answer:
        if request.path == "/v1/world/batch":
            return refusal(404, "not_found")
        request.params.pop("withRun", None) if isinstance(request.params, dict) else None
        answered = answer(request)
        return Answer(answered.status, answered.body, answered.type)

    return answering


def test_a_run_is_started_by_one_request(app: App, worker: FakeWorker) -> None:
    worker.answer = know_everything
    value = app.value(
        f"{WORLD} {START} await world.getDeploymentId();"
        f"const key = await world.getEncryptionKeyForRun('{RUN}'); return [key ?? 'none', await start()]",
        **environment(worker),
    )
    assert value[0] == "none", "the worker said that there are no keys"
    created, queued = value[1]
    assert created["value"]["run"]["status"] == "pending"
    assert queued["value"] == {"messageId": "msg_1"}
    assert [request.path for request in worker.requests] == ["/v1/world/deployment-id", "/v1/world/batch"]
    assert "idempotency-key" not in worker.requests[1].headers
    calls = calls_of(worker.requests[1])
    assert [call.path for call in calls] == ["/v1/world/events/create", "/v1/queue/publish"]
    assert len({call.headers["idempotency-key"] for call in calls}) == 2


def test_runs_started_at_once_are_each_a_request(app: App, worker: FakeWorker) -> None:
    worker.answer = know_everything
    app.value(f"{WORLD} {START} await Promise.all([start('{RUN}'), start('{RUN}X')])", **environment(worker))
    started = [{call.params["runId"] for call in calls_of(request)} for request in worker.requests]
    assert sorted(started, key=str) == [{RUN}, {RUN + "X"}]


LATER = "const now = Date.now; Date.now = () => now() + {seconds} * 1000;"
STARTED = """
const started = async (runId, named) => {
  const deploymentId = named ?? await world.getDeploymentId();
  await world.getEncryptionKeyForRun(runId, {deploymentId});
  const executionContext = {traceCarrier: {traceparent: '00-1-2-01'}};
  const eventData = {deploymentId, workflowName: 'w', input: new Uint8Array(3), executionContext};
  await Promise.all([
    world.events.create(runId, {eventType: 'run_created', eventData}),
    world.queue('__wkf_workflow_w', {runId, runInput: eventData}, {deploymentId}),
  ]);
  return deploymentId;
};
"""


@each
def with_alias(request: Request) -> Answer:
    """Answer as a worker does that takes ``latest`` for its active deployment."""
    clear = {"x-workflow-studio-encryption": "none"}
    if request.path == "/v1/world/deployment-id":
        return cbor({"deploymentId": "dep_1", "alias": "latest"}, **clear)
    return know_everything(request)


def test_a_worker_that_has_an_alias_for_its_active_deployment_is_asked_once(app: App, worker: FakeWorker) -> None:
    worker.answer = with_alias
    told = app.value(
        f"{WORLD} {STARTED} const first = await started('{RUN}');"
        f"{LATER.format(seconds=3600)} return [first, await started('{RUN}X')]",
        **environment(worker),
    )
    assert told == ["latest", "latest"]
    paths = [request.path for request in worker.requests]
    assert paths == ["/v1/world/deployment-id", "/v1/world/batch", "/v1/world/batch"], "nor is a key asked for"
    for request in worker.requests[1:]:
        created, queued = calls_of(request)
        assert created.params["event"]["eventData"]["deploymentId"] == "latest"
        assert queued.params["isWake"] is True
        run_id = created.params["runId"]
        message = {"runId": run_id, "traceCarrier": {"traceparent": "00-1-2-01"}}
        assert wire.decode(queued.params["body"]) == message, "the input is in the event"
        assert created.headers == queued.headers == {}, "both can be repeated as they are"


def test_without_batches_the_message_has_all_that_is_in_the_event(app: App, worker: FakeWorker) -> None:
    worker.answer = lambda request: (
        refusal(404, "not_found") if request.path == "/v1/world/batch" else with_alias(request)
    )
    app.value(f"{WORLD} {STARTED} return started('{RUN}')", **environment(worker))
    created, queued = worker.requests[-2:]
    assert wire.decode(queued.params["body"])["runInput"] == created.params["event"]["eventData"]
    assert created.headers["idempotency-key"] != queued.headers["idempotency-key"]


def test_an_app_that_names_deployments_is_told_ids_for_a_minute(app: App, worker: FakeWorker) -> None:
    worker.answer = with_alias
    told = app.value(
        f"{WORLD} {STARTED} const told = [await started('{RUN}')]; await started('{RUN}X', 'dep_2');"
        f"told.push(await started('{RUN}Y')); {LATER.format(seconds=61)} return [...told, await started('{RUN}Z')]",
        **environment(worker),
    )
    assert told == ["latest", "dep_1", "latest"]
    named = [calls_of(request)[0].params["event"]["eventData"]["deploymentId"] for request in worker.requests[1:]]
    assert named == ["latest", "dep_2", "dep_1", "latest"]


def test_a_connection_is_kept_as_long_as_its_server_says(app: App, worker: FakeWorker) -> None:
    def answer(request: Request) -> Answer:
        hint = {"keep-alive": "timeout=75"} if "X" in request.params["runId"] else {}
        return cbor(a_run(), **hint)

    worker.answer = answer
    kept = app.value(
        f"{WORLD} const {{Socket}} = require('node:net'); const {{setTimeout: original}} = Socket.prototype;"
        "const last = []; let set;"
        "Socket.prototype.setTimeout = function (ms, ...more) { set = ms; return original.call(this, ms, ...more); };"
        f"for (const runId of ['{RUN}', '{RUN}X', '{RUN}']) {{ await world.runs.get(runId);"
        " await new Promise(setImmediate); last.push(set); } return last",
        **environment(worker),
    )
    assert kept == [4_000, 74_000, 4_000]


def test_each_of_the_two_calls_is_refused_in_its_own_words(app: App, worker: FakeWorker) -> None:
    conflict = EntityConflictError("Run exists already.").to_wire()
    worker.answers(cbor({"results": [{"error": conflict}, {"value": {"messageId": "msg_1"}}]}))
    code = (
        f"{WORLD} {START} const [a, b] = await start();"
        "return [a.reason?.name, a.reason?.message, b.value?.messageId, b.reason?.message]"
    )
    assert app.value(code, **environment(worker)) == ["EntityConflictError", "Run exists already.", "msg_1", None]
    worker.answers(refusal(401, "unauthorized"))
    name, message, _, queued = app.value(code, **environment(worker))
    assert (name, "refused the API key" in message, queued) == ("WorkflowWorldError", True, message)


def test_a_batch_that_is_repeated_is_the_same_to_the_byte(app: App, worker: FakeWorker) -> None:
    answers = [Answer(502, b"<html>Bad Gateway</html>", "text/html")]
    worker.answer = lambda request: answers.pop() if answers else know_everything(request)
    app.value(f"{WORLD} {START} return start()", **environment(worker))
    first, again = worker.requests
    assert first.params == again.params


def test_a_worker_that_knows_no_batches_gets_the_calls_one_by_one(app: App, worker: FakeWorker) -> None:
    worker.answer = of_old(know_everything)
    value = app.value(f"{WORLD} {START} return [await start(), await start()]", **environment(worker))
    assert [result["status"] for pair in value for result in pair] == ["fulfilled"] * 4
    paths = ["/v1/world/events/create", "/v1/queue/publish"]
    assert [request.path for request in worker.requests] == ["/v1/world/batch", *paths, *paths], "asked once"
    batch, created, queued = worker.requests[:3]
    keys = [request.headers["idempotency-key"] for request in (created, queued)]
    assert keys == [call.headers["idempotency-key"] for call in calls_of(batch)], "it may have been done"


def test_a_long_input_is_not_sent_in_a_batch(app: App, worker: FakeWorker) -> None:
    worker.answer = know_everything
    app.value(
        f"{WORLD} const input = new Uint8Array(2_000_000);"
        f"await Promise.all([world.events.create('{RUN}', {{eventType: 'run_created', eventData: {{input}}}}),"
        f" world.queue('__wkf_workflow_w', {{runId: '{RUN}'}})])",
        **environment(worker),
    )
    assert [request.path for request in worker.requests] == ["/v1/world/events/create", "/v1/queue/publish"]


def test_a_run_that_is_created_and_not_queued_is_created(app: App, worker: FakeWorker) -> None:
    worker.answer = know_everything
    run = app.value(f"{WORLD} return world.events.create('{RUN}', {{eventType: 'run_created'}})", **environment(worker))
    assert run["run"]["runId"] == RUN
    assert [request.path for request in worker.requests] == ["/v1/world/events/create"]


def test_a_hook_is_resumed_by_two_requests(app: App, worker: FakeWorker) -> None:
    worker.answer = know_everything
    value = app.value(f"{WORLD} {RESUME} return resume()", **environment(worker))
    assert value["hook"] == {"hookId": "hook_1", "runId": RUN, "token": "token-1"}
    assert value["run"]["workflowName"] == "w"
    assert value["queued"] == {"messageId": "msg_1"}
    assert [request.path for request in worker.requests] == ["/v1/world/hooks/by-token", "/v1/world/batch"]
    received, woken = calls_of(worker.requests[1])
    assert received.params["event"]["eventType"] == "hook_received"
    assert woken.params["isWake"] is True
    assert woken.params["deploymentId"] == "dep_1"
    message = wire.decode(woken.params["body"])
    assert message == {"runId": RUN, "traceCarrier": {"traceparent": "00-1-2-01"}}


def test_an_old_worker_is_asked_for_all_that_resumes_a_hook(app: App, worker: FakeWorker) -> None:
    worker.answer = of_old(know_everything)
    assert app.value(f"{WORLD} {RESUME} return resume()", **environment(worker))["queued"] == {"messageId": "msg_1"}
    paths = ["hooks/by-token", "runs/get", "encryption-key", "batch", "events/create"]
    assert [request.path for request in worker.requests] == [
        *(f"/v1/world/{path}" for path in paths),
        "/v1/queue/publish",
    ]


@pytest.mark.parametrize(
    ("between", "queue"),
    [
        (f"await world.events.create('{RUN}', {{eventType: 'wait_completed', correlationId: 'w'}});", ""),
        ("", f"await world.queue('__wkf_workflow_w', {{runId: '{RUN}', requestedAt: 1}}, {{deploymentId: 'dep_1'}});"),
        ("", "await resume().then(() => world.queue('__wkf_workflow_w', {runId: 'wrun_2'}));"),
    ],
    ids=["after another event", "another message", "another run"],
)
def test_only_the_wake_up_that_was_sent_is_not_sent_again(
    app: App, worker: FakeWorker, between: str, queue: str
) -> None:
    worker.answer = know_everything
    wake = f"await world.queue('__wkf_workflow_w', {{runId: '{RUN}', traceCarrier}}, {{deploymentId: 'dep_1'}});"
    event = "{eventType: 'hook_received', correlationId: 'hook_1'}"
    app.value(
        f"{WORLD} {RESUME} const {{executionContext: {{traceCarrier}}}} = await world.runs.get('{RUN}');"
        f"await world.events.create('{RUN}', {event}); {between} {queue or wake} return null",
        **environment(worker),
    )
    assert worker.requests[-1].path == "/v1/queue/publish"


def test_a_hook_that_is_gone_is_refused_as_ever(app: App, worker: FakeWorker) -> None:
    gone = {"error": HookNotFoundError("token-1").to_wire()}
    worker.answer = lambda request: (
        cbor({"results": [gone, {"value": {"messageId": "msg_1"}}]})
        if request.path.endswith("/batch")
        else know_everything(request)
    )
    assert app.error(f"{WORLD} {RESUME} await resume()", **environment(worker))["name"] == "HookNotFoundError"


def test_a_run_that_came_with_its_hook_is_read_anew_later(app: App, worker: FakeWorker) -> None:
    worker.answer = know_everything
    app.value(
        f"{WORLD} const {{runId}} = await world.hooks.getByToken('t'); await new Promise(setImmediate);"
        "return world.runs.get(runId)",
        **environment(worker),
    )
    assert [request.path for request in worker.requests] == ["/v1/world/hooks/by-token", "/v1/world/runs/get"]


def test_the_end_of_a_run_is_not_read_twice(app: App, worker: FakeWorker) -> None:
    worker.answers(cbor(a_run("completed", output=b"devl1"), x_workflow_studio_encryption="none"))
    code = f"const a = await world.runs.get('{RUN}'); const b = await world.runs.get('{RUN}');"
    value = app.value(f"{WORLD} {code} return [a.status, b.status, a !== b]", **environment(worker))
    assert value == ["completed", "completed", True]
    assert len(worker.requests) == 1


def test_keys_are_asked_for_again_as_soon_as_an_answer_does_not_say_otherwise(app: App, worker: FakeWorker) -> None:
    clear = {"x_workflow_studio_encryption": "none"}
    worker.answers(cbor({"deploymentId": "dep_1"}, **clear), cbor(a_run()), cbor({"key": bytes(32)}))
    value = app.value(
        f"{WORLD} await world.getDeploymentId(); const before = await world.getEncryptionKeyForRun('{RUN}');"
        f"await world.runs.get('{RUN}'); const after = await world.getEncryptionKeyForRun('{RUN}');"
        "return [before ?? null, after.length]",
        **environment(worker),
    )
    assert value == [None, 32]


def test_connections_are_kept_and_one_that_was_closed_is_no_failure(app: App, worker: FakeWorker) -> None:
    config(app, retries=0)
    value = app.value(
        f"""
        const net = require('node:net');
        let connections = 0, requests = 0;
        const server = net.createServer((socket) => {{
          connections += 1;
          socket.on('error', () => {{}});
          socket.on('data', () => {{
            requests += 1;
            // The third request finds its connection reset.
            if (requests === 3) return socket.resetAndDestroy();
            const body = Buffer.from('a16474657374f5', 'hex');
            socket.write('HTTP/1.1 200 OK\\r\\ncontent-type: application/cbor\\r\\n');
            socket.write(`content-length: ${{body.length}}\\r\\n\\r\\n`);
            socket.write(body);
          }});
        }});
        await new Promise((done) => server.listen(0, '127.0.0.1', done));
        process.env.WORKFLOW_COMPUTE_BASE_URL = `http://127.0.0.1:${{server.address().port}}`;
        {WORLD}
        for (let n = 0; n < 3; n += 1) await world.steps.get('{RUN}', 'step_1');
        server.close();
        return [connections, requests];
        """,
        WORKFLOW_TARGET_WORLD="workflow-studio/world-remote",
    )
    assert value == [2, 4]


def test_an_app_that_has_its_requests_go_another_way_is_obeyed(app: App, worker: FakeWorker) -> None:
    worker.answers(cbor({"deploymentId": "dep_1"}))
    value = app.value(
        f"""
        {WORLD}
        await fetch('data:,').catch(() => {{}});
        const name = Symbol.for('undici.globalDispatcher.1');
        const usual = globalThis[name];
        let dispatched = 0;
        class ProxyAgent {{
          dispatch(...args) {{ dispatched += 1; return usual.dispatch(...args); }}
        }}
        globalThis[name] = new ProxyAgent();
        return [await world.getDeploymentId(), dispatched];
        """,
        **environment(worker),
    )
    assert value == ["dep_1", 1]


def test_the_sdk_itself_needs_no_more_requests_than_that(app: App, worker: FakeWorker) -> None:
    @each
    def answering(request: Request) -> Answer:
        event = request.params.get("event", {}) if request.method == "POST" else {}
        if event.get("eventType") == "run_created":
            return cbor({"run": {"runId": request.params["runId"], "status": "pending"}})
        if request.path == "/v1/world/runs/get":
            run = a_run("completed", runId=request.params["runId"], output=b"devl[5]")
            return cbor(run, x_workflow_studio_encryption="none")
        return know_everything(request)

    worker.answer = answering
    sdk = installed_sdk()
    value = app.value(
        f"""
        const {{start, resumeHook}} = await import('{(sdk / "workflow/dist/api.js").as_uri()}');
        const fn = Object.assign(() => {{}}, {{workflowId: 'workflow//./workflows/w//f'}});
        await start(fn, [1]);
        const run = await start(fn, [2]);
        const value = await run.returnValue;
        const hook = await resumeHook('token-1', {{approved: true}});
        return [value, hook.hookId];
        """,
        **environment(worker),
    )
    assert value == [5, "hook_1"]
    lane = "/v1/world"
    assert [request.path for request in worker.requests] == [
        *(f"{lane}/deployment-id", f"{lane}/batch"),
        f"{lane}/batch",
        f"{lane}/runs/get",
        *(f"{lane}/hooks/by-token", f"{lane}/batch"),
    ]
