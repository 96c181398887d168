import asyncio
import base64
import time

import pytest

from tests.support.until import until
from tests.worker.routes.conftest import ADMIN, WORKFLOW, make_settings, running, secret_of
from workflow_studio.compute import wire
from workflow_studio.compute.payload import dumps_arguments
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.ports import ExecutorUnavailableError, NoAnswerError, WebResponse

WEBHOOK = "/.well-known/workflow/v1/webhook/"


def a_run_id():
    return new_id("wrun", time.time_ns() // 1_000_000)


async def test_every_method_of_the_world_has_an_address(worker):
    await worker.deploy()
    for endpoint in wire.ENDPOINTS:
        response = await worker.call(endpoint.method, {})
        assert response.status_code in {200, 400}, (endpoint, response.text)
        if response.status_code == 400:
            assert response.json()["error"]["message"].startswith("Invalid parameter"), endpoint


async def test_a_whole_run_by_hand(worker):
    run_id = await worker.start([2])
    run = await worker.world("runs.get", {"runId": run_id})
    assert run["input"] == dumps_arguments([2])
    assert isinstance(run["startedAt"], int)
    result = await worker.event(run_id, "step_created", "step_1", stepName="s", input=b"devl[[]]")
    assert result["step"]["status"] == "pending"
    assert (await worker.event(run_id, "step_started", "step_1"))["step"]["input"] == b"devl[[]]"
    await worker.world(
        "queue.publish",
        {
            "queueName": f"__wkf_workflow_{WORKFLOW}",
            "body": b"x",
            "runId": run_id,
            "isWake": True,
            "isHealthCheck": False,
        },
    )
    page = await worker.world("events.list", {"runId": run_id})
    assert [event["eventType"] for event in page["data"]] == [
        "run_created",
        "run_started",
        "step_created",
        "step_started",
    ]
    assert page["hasMore"] is False


async def test_a_refusal_of_the_world_names_its_error(worker):
    run_id = await worker.start()
    missing = a_run_id()
    response = await worker.call("runs.get", {"runId": missing})
    assert (response.status_code, response.json()["code"]) == (404, "run_not_found")
    assert response.json()["error"]["name"] == "WorkflowRunNotFoundError"
    assert response.json()["error"]["runId"] == missing
    await worker.event(run_id, "step_created", "step_1", stepName="s", input=b"")
    again = {
        "runId": run_id,
        "event": {"eventType": "step_created", "correlationId": "step_1", "eventData": {"stepName": "s", "input": b""}},
    }
    response = await worker.call("events.create", again)
    assert (response.status_code, response.json()["error"]["name"]) == (409, "EntityConflictError")
    await worker.event(run_id, "step_started", "step_1")
    await worker.event(run_id, "step_retrying", "step_1", error="e", retryAfter=int(time.time() * 1000) + 60_000)
    early = {"runId": run_id, "event": {"eventType": "step_started", "correlationId": "step_1"}}
    response = await worker.call("events.create", early)
    assert (response.status_code, response.json()["error"]["name"]) == (425, "TooEarlyError")
    assert 58 <= int(response.headers["retry-after"]) <= 60


async def test_without_an_active_deployment_the_app_is_told_what_to_do(worker):
    response = await worker.call("deployments.current")
    assert (response.status_code, response.json()["code"]) == (409, "no_active_deployment")
    assert "studio deploy" in response.json()["recovery"]
    assert response.json()["error"]["status"] == 409


async def test_bodies_that_are_not_cbor_maps_are_refused(worker):
    path = "/v1/world/runs/get"
    cbor = {"content-type": "application/cbor"}
    for content in (
        b"",
        b"\xff",
        b"\x80",
        b"\x01",
        b"\xa1\x01\x02",
        wire.encode({"runId": "x"}) + b"\x00",
        b"\x81" * 10_000,
        b"\xbb" + b"\xff" * 8,
    ):
        response = await worker.post(path, content=content, headers=cbor)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request"), content[:20]
    for kind in ("application/json", "", "application/cborx"):
        response = await worker.post(path, content=wire.encode({"runId": "x"}), headers={"content-type": kind})
        assert (response.status_code, response.json()["code"]) == (415, "invalid_request"), kind
    response = await worker.post(
        path, content=wire.encode({"runId": "x"}), headers={"content-type": "Application/CBOR; x=y"}
    )
    assert response.status_code == 404


async def a_hook(worker, run_id):
    await worker.event(run_id, "hook_created", "hook_1", token="t", isWebhook=False)
    return {
        "runId": run_id,
        "event": {
            "eventType": "hook_received",
            "correlationId": "hook_1",
            "eventData": {"payload": b"devl[1]"},
            "specVersion": 3,
        },
    }


async def received(worker, run_id):
    page = await worker.world("events.list", {"runId": run_id})
    return sum(event["eventType"] == "hook_received" for event in page["data"])


async def test_a_repeated_write_is_done_once_and_answered_alike(worker):
    run_id = await worker.start()
    params = await a_hook(worker, run_id)
    answers = await asyncio.gather(
        *(worker.call("events.create", params, headers={"idempotency-key": "request-1"}) for _ in range(5))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert {answer.headers["content-type"] for answer in answers} == {"application/cbor"}
    assert await received(worker, run_id) == 1
    await worker.call("events.create", params, headers={"idempotency-key": "request-2"})
    assert await received(worker, run_id) == 2
    await worker.call("events.create", params)
    assert await received(worker, run_id) == 3


async def test_a_repeat_with_another_body_is_refused(worker):
    run_id = await worker.start()
    params = await a_hook(worker, run_id)
    headers = {"idempotency-key": "request-1"}
    assert (await worker.call("events.create", params, headers=headers)).status_code == 200
    params["event"]["eventData"]["payload"] = b"devl[2]"
    response = await worker.call("events.create", params, headers=headers)
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_conflict")
    publish = {"queueName": "__wkf_workflow_x", "body": b"", "isWake": False, "isHealthCheck": False, "runId": run_id}
    first = await worker.call("queue.publish", publish, headers=headers)
    assert first.status_code == 200, "a key counts per method"
    assert (await worker.call("queue.publish", publish, headers=headers)).content == first.content


async def test_a_refused_write_may_be_sent_again(worker):
    run_id = await worker.start()
    event = {"runId": run_id, "event": {"eventType": "step_started", "correlationId": "step_1", "specVersion": 3}}
    headers = {"idempotency-key": "request-1"}
    assert (await worker.call("events.create", event, headers=headers)).status_code != 200
    await worker.event(run_id, "step_created", "step_1", stepName="s", input=b"")
    assert (await worker.call("events.create", event, headers=headers)).status_code == 200


async def test_a_read_is_never_answered_from_a_record(worker):
    run_id = await worker.start()
    seen = []
    for kind in ("run_cancelled", None):
        answer = await worker.call("runs.get", {"runId": run_id}, headers={"idempotency-key": "x"})
        seen.append(wire.decode(answer.content)["status"])
        if kind:
            await worker.event(run_id, kind)
    assert seen == ["running", "cancelled"]


async def test_a_reader_waits_for_the_next_chunk(worker):
    run_id = await worker.start()
    reading = asyncio.create_task(worker.world("streams.read", {"name": "s", "startIndex": 0, "waitMs": 20_000}))
    await asyncio.sleep(0.1)
    assert not reading.done()
    written = {"name": "s", "runId": run_id, "chunks": [b"one", b"two"], "writerId": "w", "sequence": 0}
    await worker.world("streams.write", written)
    answer = await asyncio.wait_for(reading, 5)
    assert (answer["chunks"], answer["nextIndex"], answer["done"]) == ([b"one", b"two"], 2, False)
    await worker.world("streams.close", {"name": "s", "runId": run_id})
    assert (await worker.world("streams.read", {"name": "s", "startIndex": 2, "waitMs": 20_000}))["done"] is True


async def test_with_a_master_key_runs_have_keys_of_their_own(tmp_path):
    master_key = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
    async with running(make_settings(tmp_path, master_key=master_key)) as worker:
        first, again, other = [
            (await worker.world("encryption.key", {"runId": name}))["key"] for name in ("a", "a", "b")
        ]
    assert len(first) == 32
    assert first == again != other


async def a_webhook(worker, **changes):
    run_id = await worker.start()
    await worker.event(run_id, "hook_created", "hook_1", **({"token": "order/17 ü", "isWebhook": True} | changes))
    return (await worker.world("runs.get", {"runId": run_id}))["deploymentId"]


@pytest.mark.parametrize("verb", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_a_webhook_reaches_the_code_of_its_runs_deployment(worker, verb):
    deployment_id = await a_webhook(worker)
    worker.pool.answer = WebResponse(
        202,
        (
            ("Content-Type", "text/x"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Connection", "close"),
            ("Content-Length", "99"),
        ),
        b"thanks",
    )
    response = await worker.send(
        verb,
        f"{WEBHOOK}order%2F17%20%C3%BC?a=1&b=%20",
        key=None,
        content=b"hello",
        headers={"x-signature": "s", "authorization": "Basic theirs", "connection": "keep-alive", "te": "trailers"},
    )
    assert response.status_code == 202
    assert response.content == (b"" if verb == "HEAD" else b"thanks")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers["content-length"] == "6"
    assert "connection" not in response.headers
    assert "x-workflow-correlation-id" in response.headers
    ((used, request),) = worker.pool.requests
    assert used == deployment_id
    assert (request.method, request.body) == (verb, b"hello")
    assert request.url == f"http://localhost:8787{WEBHOOK}order%2F17%20%C3%BC?a=1&b=%20"
    headers = dict(request.headers)
    assert (headers["x-signature"], headers["authorization"]) == ("s", "Basic theirs")
    assert not headers.keys() & {"connection", "te"}


async def test_tokens_that_name_no_webhook_are_not_found(worker):
    await a_webhook(worker, token="internal", isWebhook=False)
    for token in ("internal", "unknown", "", "..", "../../../../v1/runs", "%00"):
        response = await worker.post(f"{WEBHOOK}{token}", key=None)
        assert response.status_code in {404, 401}, token
        assert worker.pool.requests == []


async def test_a_webhook_whose_code_cannot_run_may_be_sent_again_and_learns_no_more(worker, caplog):
    await a_webhook(worker, token="t")
    worker.pool.answer = ExecutorUnavailableError("Error: no DATABASE_URL\n    at /srv/app/step.js:1:1")
    response = await worker.post(f"{WEBHOOK}t", key=None)
    assert (response.status_code, response.json()["code"]) == (503, "executor_unavailable")
    assert response.headers["retry-after"] == "1"
    assert "DATABASE_URL" not in response.text
    assert "/srv" not in response.text
    assert "no DATABASE_URL" in caplog.text


async def test_a_webhook_that_is_never_answered_is_no_invitation_to_send_it_again(worker):
    await a_webhook(worker, token="t")
    worker.pool.answer = NoAnswerError("The webhook handler did not answer within 300 s.")
    response = await worker.post(f"{WEBHOOK}t", key=None)
    assert (response.status_code, response.json()["code"]) == (504, "executor_unavailable")
    assert "retry-after" not in response.headers


async def test_an_answer_with_headers_that_would_break_the_connection_is_cleaned(worker):
    await a_webhook(worker, token="t")
    worker.pool.answer = WebResponse(
        200, (("x-ok", "1"), ("x-split", "a\r\nset-cookie: b"), ("bad name", "x"), ("x-wide", "\u20ac")), b""
    )
    response = await worker.post(f"{WEBHOOK}t", key=None)
    assert response.status_code == 200
    assert response.headers["x-ok"] == "1"
    assert not response.headers.keys() & {"x-split", "bad name", "x-wide", "set-cookie"}


async def test_the_world_is_not_open_to_public_lane_keys(worker):
    assert (await worker.call("runs.list", {}, key=secret_of("runs:read"))).status_code == 403
    assert (await worker.call("runs.list", {}, key=ADMIN)).status_code == 200


def starting(deployment_id, run_id, workflow=WORKFLOW):
    """The two calls that `start()` makes."""
    data = {"deploymentId": deployment_id, "workflowName": workflow, "input": b"devl[[]]"}
    event = {"eventType": "run_created", "specVersion": 3, "eventData": data}
    queue = {"queueName": f"__wkf_workflow_{workflow}", "body": b"x", "runId": run_id, "deploymentId": deployment_id}
    return {"runId": run_id, "event": event}, queue | {"isWake": False, "isHealthCheck": False}


def batched(method, params, key=None):
    return {"method": method, "params": wire.encode(params)} | ({"idempotencyKey": key} if key else {})


async def test_a_run_is_created_and_queued_by_one_request(worker):
    run_id = a_run_id()
    event, message = starting(await worker.deploy(), run_id)
    calls = [batched("events.create", event), batched("queue.publish", message)]
    created, queued = (await worker.world("batch", {"calls": calls}))["results"]
    assert created["value"]["run"]["status"] == "pending"
    assert queued["value"]["messageId"].startswith("msg_")
    await until(lambda: worker.pool.deliveries)
    assert worker.pool.deliveries[0].run_id == run_id


async def test_a_run_is_created_with_a_key_and_a_priority(worker):
    deployment_id, run_id = await worker.deploy(), a_run_id()
    created, woken = starting(deployment_id, run_id)
    options = {"concurrencyKey": "acme", "priority": 5.0}
    calls = [batched("events.create", created | options), batched("queue.publish", woken)]
    answer = await worker.world("batch", {"calls": calls})
    assert [list(result) for result in answer["results"]] == [["value"], ["value"]]
    run = (await worker.get(f"/v1/runs/{run_id}")).json()
    assert (run["concurrencyKey"], run["priority"]) == ("acme", 5)


@pytest.mark.parametrize("options", [{"concurrencyKey": ""}, {"concurrencyKey": "x" * 257}, {"priority": 101}])
async def test_a_run_with_options_that_make_no_sense_is_not_created(worker, options):
    created, _ = starting(await worker.deploy(), a_run_id())
    refused = await worker.call("events.create", created | options)
    assert (refused.status_code, refused.json()["error"]["name"]) == (400, "WorkflowWorldError")
    assert next(iter(options)) in refused.json()["message"]


async def test_a_batch_that_is_repeated_changes_nothing_more_and_is_answered_alike(worker):
    event, message = starting(await worker.deploy(), a_run_id())
    calls = [batched("events.create", event, "key-1"), batched("queue.publish", message, "key-2")]
    first = await worker.world("batch", {"calls": calls})
    assert await worker.world("batch", {"calls": calls}) == first
    alone = await worker.world("queue.publish", message, headers={"idempotency-key": "key-2"})
    assert alone == first["results"][1]["value"], "the same key names the same call, wherever it is sent"
    assert (
        await worker.world("events.create", event, headers={"idempotency-key": "key-1"}) == first["results"][0]["value"]
    )
    other = {**message, "body": b"another"}
    refused = await worker.call("batch", {"calls": [batched("queue.publish", other, "key-2")]})
    assert (refused.status_code, refused.json()["code"]) == (409, "idempotency_conflict")


async def test_each_call_of_a_batch_is_refused_in_its_own_words(worker):
    deployment_id = await worker.deploy()
    event, message = starting(deployment_id, a_run_id())
    calls = [batched("events.create", event), batched("events.create", event), batched("queue.publish", message)]
    created, again, queued = (await worker.world("batch", {"calls": calls}))["results"]
    assert "value" in created
    assert again["error"]["name"] == "EntityConflictError"
    assert "value" in queued
    event, message = starting(deployment_id, a_run_id(), "workflow//./w//unknown")
    for sent in (message, {**message, "isWake": True, "deploymentId": None}):
        calls = [batched("events.create", event), batched("queue.publish", sent)]
        results = (await worker.world("batch", {"calls": calls}))["results"]
        assert [result["error"]["code"] for result in results] == ["unknown_workflow"] * 2


async def test_a_batch_that_makes_no_sense_is_refused(worker):
    publish = {"queueName": "__wkf_workflow_f", "body": b"x"}
    for calls in (
        [batched("runs.get", {})],
        [{"method": "queue.publish", "params": publish}],
        [batched("queue.publish", publish)] * 9,
        [{"method": "queue.publish", "params": b"\xff"}],
        [batched("queue.publish", [])],
        [batched("queue.publish", publish, "\n")],
    ):
        assert (await worker.call("batch", {"calls": calls})).status_code == 400, calls
    started = {"runId": a_run_id(), "event": {"eventType": "run_started"}}
    [result] = (await worker.world("batch", {"calls": [batched("events.create", started)]}))["results"]
    assert "run_started" in result["error"]["message"]


async def test_a_hook_comes_with_its_run_if_that_is_asked_for(worker):
    run_id = await worker.start([2])
    await worker.event(run_id, "hook_created", "hook_9", token="token-9")
    hook = await worker.world("hooks.getByToken", {"token": "token-9", "withRun": True})
    assert hook.pop("run") == await worker.world("runs.get", {"runId": run_id})
    assert hook == await worker.world("hooks.getByToken", {"token": "token-9"})
    bare = await worker.world("hooks.getByToken", {"token": "token-9", "withRun": True, "resolveData": "none"})
    assert "input" not in bare["run"]


async def test_answers_say_whether_there_are_keys_to_ask_for(worker, tmp_path):
    assert (await worker.call("runs.list", {})).headers["x-workflow-studio-encryption"] == "none"
    async with running(
        make_settings(tmp_path / "encrypting", master_key=base64.b64encode(bytes(32)).decode())
    ) as encrypting:
        assert "x-workflow-studio-encryption" not in (await encrypting.call("runs.list", {})).headers


async def test_a_caller_waits_for_the_end_of_a_run(worker):
    run_id = await worker.start()
    waiting = asyncio.create_task(worker.world("runs.get", {"runId": run_id, "waitMs": 20_000}))
    await until(lambda: worker.services.engine.ended.listeners)
    await worker.event(run_id, "run_cancelled")
    assert (await asyncio.wait_for(waiting, 10))["status"] == "cancelled"
    unknown = await worker.call("runs.get", {"runId": new_id("wrun", 0), "waitMs": 20_000})
    assert unknown.json()["error"]["name"] == "WorkflowRunNotFoundError"


@pytest.mark.parametrize("wait_ms", [-1, "long", float("nan")])
async def test_a_wait_that_makes_no_sense_is_refused(worker, wait_ms):
    refused = await worker.call("runs.get", {"runId": "wrun_1", "waitMs": wait_ms})
    assert refused.json()["error"]["status"] == 400


async def test_those_who_wait_are_answered_when_the_worker_stops(worker):
    run_id = await worker.start()
    waiting = asyncio.create_task(worker.world("runs.get", {"runId": run_id, "waitMs": 20_000}))
    public = asyncio.create_task(worker.get(f"/v1/runs/{run_id}?waitMs=20000"))
    await until(lambda: worker.services.engine.ended.listeners == 2)
    worker.services.stopping.set()
    assert (await asyncio.wait_for(waiting, 10))["status"] == "running"
    assert (await asyncio.wait_for(public, 10)).json()["status"] == "running"
    assert (await worker.world("runs.get", {"runId": run_id, "waitMs": 20_000}))["status"] == "running"
    assert worker.services.engine.ended.listeners == 0


@pytest.mark.parametrize("how", ["world", "public"])
async def test_a_client_that_leaves_is_not_waited_for(worker, how):
    run_id = await worker.start()
    body = wire.encode({"runId": run_id, "waitMs": 20_000})
    leaves = asyncio.Event()
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        if messages:
            return messages.pop()
        await leaves.wait()
        return {"type": "http.disconnect"}

    async def send(_message):
        """Nobody is there to hear it."""

    world = how == "world"
    scope = {
        "type": "http",
        "method": "POST" if world else "GET",
        "path": "/v1/world/runs/get" if world else f"/v1/runs/{run_id}",
        "query_string": b"" if world else b"waitMs=20000",
        "headers": [(b"authorization", f"Bearer {ADMIN}".encode()), (b"content-type", b"application/cbor")],
    }
    answering = asyncio.create_task(worker.app(scope, receive, send))
    await until(lambda: worker.services.engine.ended.listeners)
    leaves.set()
    await asyncio.wait_for(answering, 10)
    assert worker.services.engine.ended.listeners == 0
