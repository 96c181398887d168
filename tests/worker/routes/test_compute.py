"""A custom Compute in the place of the worker's own."""

import asyncio
import sys
import time
import types

import pytest

from tests.worker.routes.conftest import WORKFLOW, make_settings, running, secret_of
from workflow_studio.compute import wire
from workflow_studio.compute.api import ResumeResponse, WebhookResponse
from workflow_studio.compute.ids import DeploymentId, EventId, MessageId
from workflow_studio.compute.interface import MessageMeta, Published
from workflow_studio.compute.messages import create_consumer, delivery
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.engine.errors import EngineError

DEPLOYMENT = "dep_" + "c" * 32


class Minimal:
    """Has what is required and remembers what it was asked."""

    def __init__(self, context):
        self.context = context
        self.asked = []
        self.consumers = {}
        self.problem = None

    def _ask(self, *what):
        self.asked.append(what)
        if self.problem is not None:
            raise self.problem

    async def get_deployment_id(self):
        self._ask("deployment")
        return DeploymentId(DEPLOYMENT)

    async def publish(self, queue_name, message, options=None, /):
        self._ask("publish", queue_name, message, options)
        return Published(MessageId(f"msg_{len(self.asked)}"))

    def create_consumer(self, prefix, handler, /):
        self.consumers[prefix] = create_consumer(prefix, handler)
        return self.consumers[prefix]


class Full(Minimal):
    """Has all that is optional, too; hands starts and resumes to the worker's own Compute."""

    def __init__(self, context):
        super().__init__(context)
        self.life = []
        self.gate = None

    async def start(self):
        self.life.append("start")

    async def close(self):
        self.life.append("close")

    async def trigger(self, request, /):
        self._ask("trigger", request)
        if self.gate is not None:
            await self.gate.wait()
        return await self.context.default.trigger(request)

    async def resume(self, request, /):
        self._ask("resume", request)
        return ResumeResponse(accepted=False)

    async def webhook_ingress(self, provider, request, /):
        self._ask("webhook", provider, request)
        return WebhookResponse(accepted=True, event_id=EventId("evt_1"))


@pytest.fixture
def installed(monkeypatch):
    """Make a module of parts that settings can name; return what its factories made."""
    made = []
    module = types.ModuleType("parts_of_the_tests")

    def remembering(kind):
        def make(context):
            made.append(kind(context))
            return made[-1]

        return make

    module.minimal, module.full = remembering(Minimal), remembering(Full)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return made


@pytest.fixture
async def minimal(tmp_path, installed):
    async with running(make_settings(tmp_path / "data", compute="parts_of_the_tests:minimal")) as worker:
        worker.compute = installed[0]
        yield worker


@pytest.fixture
async def full(tmp_path, installed):
    async with running(make_settings(tmp_path / "data", compute="parts_of_the_tests:full")) as worker:
        worker.compute = installed[0]
        yield worker


async def trigger(worker, key="k", **body):
    body = {"workflowName": WORKFLOW} | body
    return await worker.post("/v1/runs", json=body, headers={"idempotency-key": key})


def calls(worker, kind):
    return [what for what in worker.compute.asked if what[0] == kind]


async def test_it_is_started_before_the_worker_answers_and_closed_in_the_end(tmp_path, installed):
    async with running(make_settings(tmp_path / "data", compute="parts_of_the_tests:full")):
        (compute,) = installed
        assert compute.life == ["start"]
        assert compute.context.data_dir == tmp_path / "data"
    assert compute.life == ["start", "close"]


async def test_it_says_which_deployment_new_runs_use(minimal):
    assert await minimal.world("deployments.current") == {"deploymentId": DEPLOYMENT}


async def test_it_is_handed_messages_as_they_were_published(minimal):
    message = {"runId": "wrun_1", "stepId": "step_1", "blob": b"\x00\xff"}
    envelope = {
        "queueName": "__wkf_step_add",
        "body": wire.encode(message),
        "runId": "wrun_1",
        "stepId": "step_1",
        "idempotencyKey": "step_1",
        "delaySeconds": 2.5,
        "headers": {"a": "b"},
    }
    assert await minimal.world("queue.publish", envelope) == {"messageId": "msg_1"}
    ((_, queue_name, published, options),) = calls(minimal, "publish")
    assert (queue_name, published) == ("__wkf_step_add", message)
    assert (options.run_id, options.step_id, options.idempotency_key) == ("wrun_1", "step_1", "step_1")
    assert (options.delay_seconds, options.headers, options.deployment_id) == (2.5, {"a": "b"}, None)


async def test_a_repeated_publish_is_one_call(minimal):
    envelope = {"queueName": f"__wkf_workflow_{WORKFLOW}", "body": wire.encode({"runId": "wrun_1"})}
    answers = await asyncio.gather(
        *(minimal.world("queue.publish", envelope, headers={"idempotency-key": "same"}) for _ in range(5))
    )
    assert {answer["messageId"] for answer in answers} == {"msg_1"}
    assert len(calls(minimal, "publish")) == 1


async def test_what_is_no_message_is_not_handed_on(minimal):
    for body in (b"\xff\xff", wire.encode("text")):
        envelope = {"queueName": f"__wkf_workflow_{WORKFLOW}", "body": body}
        assert (await minimal.call("queue.publish", envelope)).status_code == 400
    assert calls(minimal, "publish") == []


async def test_what_it_delivers_to_its_consumer_is_the_workers_from_then_on_and_but_once(minimal):
    started = await minimal.start()
    minimal.pool.deliveries.clear()
    consumer = minimal.compute.consumers["__wkf_step_"]
    message = {"workflowRunId": started, "stepId": "step_1"}
    meta = MessageMeta("__wkf_step_add", MessageId("elsewhere-1"), 1)
    for _ in range(2):
        answer = await consumer(delivery("https://x.test", meta, wire.encode(message)))
        assert (answer.status, answer.body) == (200, b'{"ok":true}')
    async with asyncio.timeout(10):
        while not minimal.pool.deliveries:  # noqa: ASYNC110  # the pool tells nobody of a delivery
            await asyncio.sleep(0.01)
    (delivered,) = minimal.pool.deliveries
    assert (delivered.run_id, delivered.step_id, delivered.queue_name) == (started, "step_1", "__wkf_step_add")
    assert wire.decode(delivered.body) == message


async def test_what_it_lacks_the_worker_does_itself(minimal):
    deployment_id = await minimal.deploy()
    started = await trigger(minimal)
    assert (started.status_code, started.json()["deploymentId"]) == (201, deployment_id)
    refused = await minimal.post("/v1/runs/resume", json={"runId": started.json()["runId"], "token": "none"})
    assert (refused.status_code, refused.json()["code"]) == (404, "hook_not_found")
    refused = await minimal.post("/v1/webhooks/stripe", content=b"{}")
    assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
    assert minimal.compute.asked == []


async def test_a_start_goes_through_it_and_carries_its_caller(full):
    await full.deploy()
    started = await trigger(full, input=[1])
    assert started.status_code == 201, started.text
    ((_, request),) = calls(full, "trigger")
    assert (request.workflow_name, request.input) == (WORKFLOW, [1])
    assert request.run_id == started.json()["runId"]
    run = (await full.get(f"/v1/runs/{request.run_id}")).json()
    assert run["input"] == [1]
    entry = (await full.get("/v1/audit")).json()["data"][0]
    assert (entry["action"], entry["target"]) == ("trigger", request.run_id)


async def test_the_same_key_gets_the_same_answer_and_ten_at_once_are_one_call(full):
    await full.deploy()
    full.compute.gate = asyncio.Event()
    asking = [asyncio.ensure_future(trigger(full)) for _ in range(10)]
    async with asyncio.timeout(10):
        while not full.compute.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    other = await trigger(full, input=[2])
    full.compute.gate.set()
    answers = await asyncio.gather(*asking)
    answers.append(await trigger(full))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert len(calls(full, "trigger")) == 1
    late = await trigger(full, input=[2])
    assert {(r.status_code, r.json()["code"]) for r in (other, late)} == {(409, "idempotency_conflict")}


async def test_a_start_that_broke_off_is_repeated_with_the_same_run_id(full):
    await full.deploy()
    full.compute.problem = RuntimeError("gone, secret-of-somebody")
    broken = await trigger(full)
    assert (broken.status_code, broken.json()["code"]) == (502, "compute_failed")
    assert "secret" not in broken.text
    full.compute.problem = None
    repeated = await trigger(full)
    assert repeated.status_code == 201
    first, second = [request.run_id for _, request in calls(full, "trigger")]
    assert first == second == repeated.json()["runId"]


async def test_a_start_that_was_refused_leaves_no_record(full):
    await full.deploy()
    refused = await trigger(full, workflowName="workflow//./w//none")
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_workflow")
    assert (await trigger(full)).status_code == 201


async def test_a_resume_goes_through_it(full):
    answer = await full.post("/v1/runs/resume", json={"runId": "wrun_" + "0" * 26, "token": "t", "payload": 1})
    assert (answer.status_code, answer.json()) == (200, {"accepted": False})


async def test_webhook_calls_reach_it_without_the_workers_key(full):
    answer = await full.send(
        "POST",
        "/v1/webhooks/stripe?x=%20",
        secret_of("trigger:write"),
        content=b"\x00raw",
        headers={"content-type": "application/octet-stream", "stripe-signature": "s"},
    )
    assert (answer.status_code, answer.json()) == (200, {"accepted": True, "eventId": "evt_1"})
    ((_, provider, request),) = calls(full, "webhook")
    assert (provider, request.method, request.body) == ("stripe", "POST", b"\x00raw")
    assert request.url == "http://localhost:8787/v1/webhooks/stripe?x=%20"
    assert request.header("stripe-signature") == "s"
    assert request.header("authorization") is None


class ElsewhereError(Exception):
    """What another worker said, as the client raises it."""

    def __init__(self, status, code):
        super().__init__("said elsewhere")
        self.status, self.code, self.recovery = status, code, "do this"


@pytest.mark.parametrize(
    ("problem", "status", "code"),
    [
        (ValueError("secret"), 502, "compute_failed"),
        (TimeoutError("secret"), 502, "compute_failed"),
        (EngineError("run_conflict", "no", status=409), 409, "run_conflict"),
        (WorldError("no", status=404), 404, "world_error"),
        (ElsewhereError(409, "no_active_deployment"), 409, "no_active_deployment"),
        (ElsewhereError(401, "unauthorized"), 502, "compute_failed"),
        (ElsewhereError(None, "TRANSPORT"), 502, "compute_failed"),
        (ElsewhereError(500, "internal_error"), 502, "compute_failed"),
    ],
)
async def test_what_it_raises_becomes_a_documented_body(full, problem, status, code):
    full.compute.problem = problem
    for answer in (
        await trigger(full),
        await full.post("/v1/runs/resume", json={"runId": "wrun_" + "0" * 26, "token": "t"}),
        await full.post("/v1/webhooks/x"),
        await full.call("deployments.current"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert "secret" not in answer.text


async def test_an_answer_of_another_kind_is_its_failure_too(full, monkeypatch):
    async def trigger_nothing(request, /):
        return None

    monkeypatch.setattr(full.compute, "trigger", trigger_nothing)
    answer = await trigger(full)
    assert (answer.status_code, answer.json()["code"]) == (502, "compute_failed")


async def test_a_caller_that_leaves_does_not_end_the_call(full):
    await full.deploy()
    full.compute.gate = asyncio.Event()
    asking = asyncio.ensure_future(trigger(full))
    async with asyncio.timeout(10):
        while not full.compute.asked:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    full.compute.gate.set()
    answer = await trigger(full)
    assert answer.status_code == 201
    assert len(calls(full, "trigger")) == 1


async def test_a_batch_hands_its_messages_to_the_compute_and_the_rest_to_the_world(minimal):
    run_id = new_id("wrun", time.time_ns() // 1_000_000)
    deployment_id = await minimal.deploy()
    data = {"deploymentId": deployment_id, "workflowName": WORKFLOW, "input": b"devl[[]]"}
    event = {"runId": run_id, "event": {"eventType": "run_created", "specVersion": 3, "eventData": data}}
    message = {"queueName": f"__wkf_workflow_{WORKFLOW}", "body": wire.encode({"runId": run_id}), "runId": run_id}
    calls = [
        {"method": "events.create", "params": wire.encode(event), "idempotencyKey": "key-1"},
        {"method": "events.create", "params": wire.encode(event), "idempotencyKey": "key-2"},
        {"method": "queue.publish", "params": wire.encode(message), "idempotencyKey": "key-3"},
    ]
    answer = await minimal.world("batch", {"calls": calls})
    created, refused, published = answer["results"]
    assert created["value"]["run"]["runId"] == run_id
    assert refused["error"]["name"] == "EntityConflictError"
    assert published == {"value": {"messageId": "msg_1"}}
    assert await minimal.world("batch", {"calls": calls}) == answer
    assert [name for name, *_ in minimal.compute.asked] == ["publish"]
