"""Starts and hooks: which requests the World of the app makes of what the SDK calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.sdk import installed_sdk
from tests.template.remote_world import RUN, WORLD, a_run, environment, know_everything
from tests.template.support import Answer, FakeWorker, Request, calls_of, cbor, each, refusal
from workflow_studio.compute import wire
from workflow_studio.compute.world_errors import EntityConflictError, HookNotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.template.support import App

pytestmark = pytest.mark.node


@pytest.fixture
def worker() -> Iterator[FakeWorker]:
    yield from FakeWorker().serve()


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
