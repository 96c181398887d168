"""What a start() that cannot reach the worker does with ``execution.failPolicy: 'fallback-local'``."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.template.local_world import install_local_world
from tests.template.support import Answer, FakeWorker, Request, calls_of, cbor, each, refusal
from workflow_studio.compute.world_errors import HookNotFoundError, WorldError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App

pytestmark = pytest.mark.node

RUN = "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV"
OTHER = "wrun_01BX5ZZKBKACTAV9WEVGEMMVRZ"
LOCAL = "dpl_local@4.4.1"
STREAM = "strm_01BX5ZZKBKACTAV9WEVGEMMVS0"
# What start() does, in its order (source: @workflow/core 4.8.9, runtime/start.js).
PRELUDE = """
const world = require('workflow-studio/world-remote').createWorld();
const bytes = (text) => new TextEncoder().encode(`devl${text}`);
const begin = async (runId, input = '') => {
  const deploymentId = await world.getDeploymentId();
  await world.getEncryptionKeyForRun(runId, { deploymentId });
  const about = { deploymentId, workflowName: 'w', input: bytes(input) };
  const [created, queued] = await Promise.all([
    world.events.create(runId, { eventType: 'run_created', specVersion: 3, eventData: about }, {}),
    world.queue('__wkf_workflow_w', { runId, runInput: about }, { deploymentId, specVersion: 3 }),
  ]);
  return { deploymentId, created: created.run.runId, ...queued };
};
const local = (...methods) => (globalThis.localCalls ?? []).filter(([method]) => methods.includes(method));
"""


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    for server in FakeWorker().serve():
        server.answer = accept
        yield server


@each
def accept(request: Request) -> Answer:
    """Answer as a worker does that has every run it is asked for."""
    if request.path == "/v1/world/deployment-id":
        return cbor({"deploymentId": "dep_1"})
    if request.path == "/v1/queue/publish":
        return cbor({"messageId": "msg_remote"})
    if request.path.endswith("/list"):
        return cbor({"data": [], "cursor": None, "hasMore": False})
    run_id = request.params.get("runId", RUN)
    return cbor({"runId": run_id, "run": {"runId": run_id, "status": "pending"}})


def paths(worker: FakeWorker) -> list[str]:
    return [request.path for request in worker.requests]


@pytest.fixture
def fallback(app: App) -> App:
    install_local_world(app)
    configure(app)
    return app


def configure(app: App, **settings: Any) -> None:
    execution = {"failPolicy": "fallback-local", "retries": 0, **settings}
    app.write("workflow.config.json", json.dumps({"execution": execution}))


def env(url: str) -> dict[str, str]:
    return {
        "WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote",
        "WORKFLOW_COMPUTE_BASE_URL": url,
        "WORKFLOW_COMPUTE_API_KEY": "key-of-these-tests",
        "NODE_ENV": "development",
    }


@pytest.fixture
def nowhere() -> dict[str, str]:
    """An environment in which nothing listens at the worker's address."""
    dead = FakeWorker()
    dead.close()
    return env(dead.url)


def test_a_start_that_finds_nobody_runs_here(fallback: App, nowhere: dict[str, str]) -> None:
    value = fallback.value(
        f"{PRELUDE} const begun = await begin('{RUN}');"
        "return { begun, calls: local('start', 'events.create', 'queue').map(([method, id]) => [method, id]) }",
        **nowhere,
    )
    assert value["begun"] == {"deploymentId": LOCAL, "created": RUN, "messageId": "msg_local"}
    assert value["calls"] == [["start", None], ["events.create", RUN], ["queue", "__wkf_workflow_w"]]


def test_with_the_policy_error_nothing_runs_here(app: App, nowhere: dict[str, str]) -> None:
    install_local_world(app)
    app.write("workflow.config.json", '{"execution": {"retries": 0}}')
    value = app.value(
        f"{PRELUDE} const failed = await begin('{RUN}').catch((error) => error.code);"
        "return [failed, globalThis.localCalls ?? null]",
        **nowhere,
    )
    assert value == ["TRANSPORT", None]


@pytest.mark.parametrize(
    "answer",
    [
        refusal(401, "unauthorized"),
        refusal(403, "missing_scope"),
        refusal(409, "no_active_deployment"),
        refusal(429, "rate_limited"),
        refusal(500, "internal_error"),
        Answer(404, b"<html>", "text/html"),
        Answer(200, b"<html>", "text/html"),
        Answer(302, b"", "text/html", {"location": "https://login.example.com/"}),
    ],
    ids=lambda answer: f"{answer.status} {answer.type}",
)
def test_an_answer_is_no_reason_to_run_here(fallback: App, worker: FakeWorker, answer: Answer) -> None:
    worker.answers(answer)
    value = fallback.value(
        f"{PRELUDE} const failed = await begin('{RUN}').catch((error) => error.name);"
        "return [failed, globalThis.localCalls ?? null]",
        **env(worker.url),
    )
    assert value == ["ThrottleError" if answer.status == 429 else "WorkflowWorldError", None]


@pytest.mark.parametrize("status", [502, 503, 504])
def test_a_proxy_without_its_worker_is_a_reason(fallback: App, worker: FakeWorker, status: int) -> None:
    worker.answers(Answer(status, b"<html>", "text/html"))
    assert fallback.value(f"{PRELUDE} return world.getDeploymentId()", **env(worker.url)) == LOCAL


def test_a_timeout_is_a_reason(fallback: App, worker: FakeWorker) -> None:
    configure(fallback, timeoutMs=200)

    def late(_: object) -> Answer:
        time.sleep(1)
        return cbor({"deploymentId": "dep_1"})

    worker.answer = late
    assert fallback.value(f"{PRELUDE} return world.getDeploymentId()", **env(worker.url)) == LOCAL


def test_the_latest_deployment_is_the_local_one_too(fallback: App, nowhere: dict[str, str]) -> None:
    assert fallback.value(f"{PRELUDE} return world.resolveLatestDeploymentId()", **nowhere) == LOCAL


def test_a_start_that_is_pinned_to_the_worker_is_not_moved(fallback: App, nowhere: dict[str, str]) -> None:
    message = "{runId: '" + RUN + "'}, {deploymentId: 'dep_1'}"
    error = fallback.error(f"{PRELUDE} await world.queue('__wkf_workflow_w', {message})", **nowhere)
    assert error["code"] == "TRANSPORT"


def test_a_run_never_changes_its_world(fallback: App, worker: FakeWorker) -> None:
    # The worker is away for the first question only.
    worker.answer = lambda request: Answer(502, b"", "text/html") if len(worker.requests) == 1 else accept(request)
    value = fallback.value(
        f"{PRELUDE} const here = await begin('{RUN}'), there = await begin('{OTHER}');"
        f"for (const id of ['{RUN}', '{OTHER}']) {{"
        "  await world.runs.get(id); await world.steps.list({ runId: id }); await world.events.list({ runId: id });"
        "  await world.events.create(id, { eventType: 'run_cancelled' });"
        "  await world.queue('__wkf_step_s', { workflowRunId: id, stepId: 's' }, { idempotencyKey: 's' });"
        "  await world.listStreamsByRunId(id);"
        "}"
        "const methods = ['runs.get', 'steps.list', 'events.list', 'listStreamsByRunId'];"
        "return { here, there, asked: local(...methods).map(([method, of]) => [method, of.runId ?? of]),"
        "  written: local('events.create', 'queue').length }",
        **env(worker.url),
    )
    assert value["here"]["deploymentId"] == LOCAL
    assert value["there"] == {"deploymentId": "dep_1", "created": OTHER, "messageId": "msg_remote"}
    asked = [call for call in value["asked"] if call != ["runs.get", OTHER]]
    assert asked == [[method, RUN] for method in ("runs.get", "steps.list", "events.list", "listStreamsByRunId")]
    assert value["written"] == 4, "created, queued, cancelled, step queued"
    asked_of_worker = [call for request in worker.requests if request.method == "POST" for call in calls_of(request)]
    assert all(call.params.get("runId") == OTHER for call in asked_of_worker)


def test_runs_are_known_after_a_restart(fallback: App, worker: FakeWorker, nowhere: dict[str, str]) -> None:
    fallback.value(f"{PRELUDE} return begin('{RUN}')", **nowhere)
    value = fallback.value(
        f"{PRELUDE} const run = await world.runs.get('{RUN}'); await world.runs.get('{OTHER}');"
        f"await world.events.create('{RUN}', {{ eventType: 'run_cancelled' }});"
        "return [run.workflowName, local('events.create').length]",
        **env(worker.url),
    )
    assert value == ["w", 1]
    assert [request.params["runId"] for request in worker.requests] == [OTHER]


@pytest.mark.parametrize("run_id", ["../../etc/passwd", "wrun_", "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV.json"])
def test_only_run_ids_are_looked_for_in_the_local_storage(fallback: App, worker: FakeWorker, run_id: str) -> None:
    worker.answer = lambda _: refusal(404, "world_error", error=WorldError("no").to_wire())
    value = fallback.value(
        f"{PRELUDE} await world.runs.get('{run_id}').catch(() => {{}}); return globalThis.localCalls ?? null",
        **env(worker.url),
    )
    assert value is None
    assert len(worker.requests) == 1


def test_listings_are_the_workers(fallback: App, worker: FakeWorker) -> None:
    value = fallback.value(
        f"{PRELUDE} await world.runs.list({{}}); await world.hooks.list({{}}); return globalThis.localCalls ?? null",
        **env(worker.url),
    )
    assert value is None
    assert paths(worker) == ["/v1/world/runs/list", "/v1/world/hooks/list"]


SERVE = """
const handled = [];
const { createQueueHandler } = world;
const handle = createQueueHandler('__wkf_workflow_', async (message) => { handled.push(message.runId); });
const deliver = (headers) => handle(new Request('http://app/.well-known/workflow/v1/flow', {
  method: 'POST', body: JSON.stringify({ runId: '%s' }),
  headers: { 'content-type': 'application/json', 'x-workflow-message-id': 'm', ...headers },
}));
""".replace("%s", RUN)
REPORT = (
    "const report = await (await require('workflow-studio').createOwnershipDiagnosticsHandler()"
    "(new Request('http://app/'))).json();"
)


def test_only_messages_of_the_local_queue_are_executed(fallback: App, nowhere: dict[str, str]) -> None:
    value = fallback.value(
        f"{PRELUDE} {SERVE} await begin('{RUN}'); const [[, , , {{ headers }}]] = local('queue');"
        "const [name] = Object.keys(headers); const statuses = [];"
        "for (const given of [headers, {}, { [name]: 'x' }, { [name]: headers[name].replace(/./, 'x') }])"
        "  statuses.push((await deliver(given)).status);"
        f"{REPORT} return [statuses, handled, report.unexpectedHits, report.refusedRequests]",
        **nowhere,
    )
    assert value == [[200, 409, 409, 409], [RUN], 3, 3]


def test_the_report_tells_that_runs_are_executed_here(fallback: App, nowhere: dict[str, str]) -> None:
    report: dict[str, Any] = fallback.value(f"{PRELUDE} await begin('{RUN}'); {REPORT} return report", **nowhere)
    assert (report["status"], report["failPolicy"], report["fallbacks"]) == ("warn", "fallback-local", 1)
    assert "nothing listens there" in report["lastFallback"]["reason"]
    assert any("started in this app" in problem for problem in report["problems"])


def test_an_outage_and_its_end_are_each_told_once(fallback: App, worker: FakeWorker) -> None:
    worker.answer = lambda request: Answer(503, b"", "text/html") if len(worker.requests) < 3 else accept(request)
    told = fallback.value(
        f"{PRELUDE} const told = []; console.warn = (text) => told.push(text);"
        f"await begin('{RUN}'); await begin('{OTHER}'); await world.getDeploymentId(); await world.getDeploymentId();"
        "return told",
        **env(worker.url),
    )
    assert len(told) == 2
    assert "executed in this app" in told[0]
    assert "answers again" in told[1]


def test_a_hook_is_looked_for_at_the_worker_first(fallback: App, worker: FakeWorker) -> None:
    missing = HookNotFoundError("here").to_wire()
    worker.answer = lambda request: (
        refusal(404, "world_error", error=missing) if request.path.endswith("/by-token") else accept(request)
    )
    value = fallback.value(
        f"{PRELUDE} const hook = await world.hooks.getByToken('here');"
        "await world.events.create(hook.runId, { eventType: 'hook_received', correlationId: hook.hookId });"
        "const unknown = await world.hooks.getByToken('elsewhere').catch((error) => error.name);"
        "return [hook.runId, local('events.create').length, unknown]",
        **env(worker.url),
    )
    assert value == [RUN, 1, "HookNotFoundError"]


def test_a_hook_is_found_while_the_worker_is_away(fallback: App, nowhere: dict[str, str]) -> None:
    value = fallback.value(
        f"{PRELUDE} const hook = await world.hooks.getByToken('here');"
        "const unknown = await world.hooks.getByToken('elsewhere').catch((error) => error.code);"
        "return [hook.runId, unknown]",
        **nowhere,
    )
    assert value == [RUN, "TRANSPORT"], "whether the worker knows the other one cannot be said"


def test_streams_of_a_local_run_are_local(fallback: App, nowhere: dict[str, str]) -> None:
    own = RUN.replace("wrun_", "strm_") + "_user"
    value = fallback.value(
        f"{PRELUDE} await begin('{RUN}');"
        f"const writes = ['a', 'b', 'c'].map((chunk) => world.writeToStream('{own}', '{RUN}', chunk));"
        f"await Promise.all([...writes, world.closeStream('{own}', '{RUN}')]);"
        f"const text = await new Response(await world.readFromStream('{own}')).text();"
        f"await world.getStreamInfo('{own}', '{RUN}'); await world.getStreamChunks('{own}', '{RUN}');"
        "return [text, local('writeToStream', 'closeStream').map(([method, , , chunk]) => chunk ?? method)]",
        **nowhere,
    )
    assert value == ["a,b,c", ["a", "b", "c", "closeStream"]]


def test_an_argument_stream_is_written_before_its_run_exists(fallback: App, nowhere: dict[str, str]) -> None:
    value = fallback.value(
        f"{PRELUDE} const deploymentId = await world.getDeploymentId();"
        f"await world.getEncryptionKeyForRun('{RUN}', {{ deploymentId }});"
        f"await world.writeToStream('{STREAM}', '{RUN}', 'early');"
        f"return new Response(await world.readFromStream('{STREAM}')).text()",
        **nowhere,
    )
    assert value == "early"


def test_a_stream_that_is_opened_before_it_is_named_is_found(fallback: App, nowhere: dict[str, str]) -> None:
    # A WritableStream among the arguments: the SDK reads its stream at once and names it in run_created.
    value = fallback.value(
        f"{PRELUDE} const reading = world.readFromStream('{STREAM}');"
        f"await begin('{RUN}', '{STREAM}'); await reading; return local('readFromStream').length",
        **nowhere,
    )
    assert value == 1


def test_a_stream_of_the_worker_is_read_there(fallback: App, worker: FakeWorker) -> None:
    worker.answer = lambda request: (
        cbor({"chunks": [b"far"], "nextIndex": 1, "done": True}) if request.path.endswith("/read") else accept(request)
    )
    value = fallback.value(
        f"{PRELUDE} await begin('{RUN}', '{STREAM}');"
        f"return [await new Response(await world.readFromStream('{STREAM}')).text(), local('readFromStream').length]",
        **env(worker.url),
    )
    assert value == ["far", 0]


def test_runs_left_unfinished_are_picked_up_once_the_app_serves(
    fallback: App, worker: FakeWorker, nowhere: dict[str, str]
) -> None:
    fallback.value(f"{PRELUDE} return begin('{RUN}')", **nowhere)
    code = (
        f"{PRELUDE} await world.start(); const sleep = require('node:timers/promises').setTimeout; await sleep(400);"
        "const before = local('queue').length; const server = require('node:http').createServer().listen(0);"
        "for (let n = 0; n < 40 && !local('queue').length; n += 1) await sleep(50);"
        "server.close(); return [before, local('queue').map(([, name, message, { headers }]) =>"
        " [name, message.runId, Object.keys(headers).length])]"
    )
    assert fallback.value(code, **env(worker.url)) == [0, [["w", RUN, 1]]]
    assert fallback.value(code, **env(worker.url), WORKFLOW_LOCAL_RECOVER_ACTIVE_RUNS="false") == [0, []]


def test_data_that_cannot_be_kept_here_is_said_with_the_outage(fallback: App, nowhere: dict[str, str]) -> None:
    fallback.write("occupied", "a file where a folder is to be")
    error = fallback.error(
        f"{PRELUDE} await world.getDeploymentId()", **nowhere, WORKFLOW_LOCAL_DATA_DIR="occupied/data"
    )
    assert error["code"] == "TRANSPORT"
    assert "cannot be reached" in error["message"]
    assert "Nor can it run in this app" in error["message"]


def test_closing_the_world_closes_the_local_one(fallback: App, nowhere: dict[str, str]) -> None:
    value = fallback.value(
        f"{PRELUDE} await begin('{RUN}'); await world.close(); return local('close').length", **nowhere
    )
    assert value == 1


@pytest.mark.parametrize(("version", "says"), [(None, "cannot be found"), ("5.0.0-beta.46", "5.0.0-beta.46")])
def test_an_app_that_cannot_fall_back_does_not_start(
    app: App, nowhere: dict[str, str], version: str | None, says: str
) -> None:
    app.write("workflow.config.json", '{"execution": {"failPolicy": "fallback-local"}}')
    if version:
        install_local_world(app, version)
    for code in ("require('workflow-studio').assertRemoteReroute()", f"{PRELUDE} await world.getDeploymentId()"):
        error = app.error(code, **nowhere)
        assert error["code"] == "invalid_config"
        assert "fallback-local" in error["message"]
        assert "@workflow/world-local" in error["message"]
        assert says in error["message"]
