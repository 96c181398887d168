import asyncio
import base64
import time

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tests.worker.routes.conftest import ADMIN, WORKFLOW, make_settings, running, secret_of
from workflow_studio.client import AsyncComputeClient, ComputeClientError, IdempotencyError
from workflow_studio.compute.payload import dumps, loads
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.engine.runs import Runs


def a_run_id():
    return new_id("wrun", time.time_ns() // 1_000_000)


async def trigger(worker, key="k", **body):
    body = {"workflowName": WORKFLOW} | body
    return await worker.post("/v1/runs", json=body, headers={"idempotency-key": key})


async def test_a_run_is_started_with_its_arguments_and_delivered(worker):
    deployment_id = await worker.deploy()
    response = await trigger(worker, input=[{"a": 1}, None])
    assert response.status_code == 201
    started = response.json()
    assert started["deploymentId"] == deployment_id
    assert started["status"] == "pending"
    run = (await worker.get(f"/v1/runs/{started['runId']}")).json()
    assert run["input"] == [{"a": 1}, None]
    assert run["workflowName"] == WORKFLOW
    assert run["createdAt"].endswith("Z")
    assert "output" not in run
    for _ in range(100):
        if worker.pool.deliveries:
            break
        await asyncio.sleep(0.01)
    assert worker.pool.deliveries[0].run_id == started["runId"]


async def test_a_run_has_its_priority_and_its_key_and_a_rerun_has_them_too(worker):
    await worker.deploy()
    first = (await trigger(worker, priority=-3, concurrencyKey="customer 7")).json()["runId"]
    again = await worker.post(f"/v1/runs/{first}/rerun", json={}, headers={"idempotency-key": "again"})
    for run_id in (first, again.json()["runId"]):
        run = (await worker.get(f"/v1/runs/{run_id}")).json()
        assert (run["priority"], run["concurrencyKey"]) == (-3, "customer 7")
    assert (await trigger(worker, key="2", priority=101)).status_code == 400


@pytest.mark.parametrize(
    ("body", "arguments"),
    [({}, []), ({"input": []}, []), ({"input": None}, [None]), ({"input": "x"}, ["x"]), ({"input": [[1]]}, [[1]])],
)
async def test_the_input_is_the_arguments(worker, body, arguments):
    await worker.deploy()
    run_id = (await trigger(worker, **body)).json()["runId"]
    assert (await worker.get(f"/v1/runs/{run_id}")).json()["input"] == arguments


async def test_a_repeat_gets_the_same_answer_and_starts_nothing(worker):
    await worker.deploy()
    first = await trigger(worker, key="order-17", input=[1])
    again = await worker.post(
        "/v1/runs",
        content=b'{"input": [1], "workflowName": "%s"}' % WORKFLOW.encode(),
        headers={"idempotency-key": "order-17", "content-type": "application/json"},
    )
    assert (again.status_code, again.json()) == (201, first.json())
    assert len((await worker.get("/v1/runs")).json()["data"]) == 1
    assert (await trigger(worker, key="order-18", input=[1])).json()["runId"] != first.json()["runId"]


async def test_a_key_used_for_another_request_is_refused(worker):
    await worker.deploy()
    await trigger(worker, key="order-17", input=[1])
    response = await trigger(worker, key="order-17", input=[2])
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_conflict")


async def test_ten_repeats_at_once_start_one_run(worker):
    await worker.deploy()
    answers = await asyncio.gather(*(trigger(worker, key="same") for _ in range(10)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["runId"] for answer in answers}) == 1
    assert len((await worker.get("/v1/runs")).json()["data"]) == 1


async def test_idempotency_is_per_project(tmp_path):
    keys = [
        {"key_id": name, "project_id": name, "scopes": ["admin"], "secret": f"secret-of-project-{name}"}
        for name in ("a", "b")
    ]
    async with running(
        make_settings(tmp_path, seed_api_keys=[*keys, {"key_id": "admin", "scopes": ["admin"], "secret": ADMIN}])
    ) as worker:
        await worker.deploy()
        headers = {"idempotency-key": "same"}
        runs = [
            (
                await worker.post(
                    "/v1/runs", f"secret-of-project-{name}", json={"workflowName": WORKFLOW}, headers=headers
                )
            ).json()
            for name in ("a", "b")
        ]
    assert runs[0]["runId"] != runs[1]["runId"]


async def test_a_refused_start_may_be_repeated(worker):
    refused = await trigger(worker, key="early")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_active_deployment")
    await worker.deploy()
    assert (await trigger(worker, key="early")).status_code == 201


async def test_bad_starts_say_what_is_wrong(worker):
    await worker.deploy()
    missing = await worker.post("/v1/runs", json={"workflowName": WORKFLOW})
    assert (missing.status_code, missing.json()["code"]) == (400, "idempotency_required")
    cases = [
        ({"workflowName": "workflow//./w//g"}, 404, "unknown_workflow"),
        ({"deploymentId": "dep_" + "0" * 32}, 404, "deployment_not_found"),
        ({"deploymentId": "x"}, 400, "invalid_deployment_id"),
        ({"runId": "x"}, 400, "invalid_request"),
        ({"runId": "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, 400, "invalid_request"),
        ({"workflowName": ""}, 400, "invalid_request"),
        ({"workflowName": 5}, 400, "invalid_request"),
        ({"extra": 1}, 400, "invalid_request"),
        ({"input": [2**60]}, 400, "invalid_request"),
        ({"input": {"__proto__": 1}}, 400, "invalid_request"),
        ({"specVersion": "3"}, 400, "invalid_request"),
        ({"specVersion": 99}, 400, "invalid_request"),
        ({"specVersion": -1}, 400, "invalid_request"),
    ]
    for number, (body, status, code) in enumerate(cases):
        response = await trigger(worker, key=f"bad-{number}", **body)
        assert (response.status_code, response.json()["code"]) == (status, code), body
    for content in (b"{", b"", b"[]", b"\xff", b"[" * 100_000):
        headers = {"idempotency-key": "x", "content-type": "application/json"}
        response = await worker.post("/v1/runs", content=content, headers=headers)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request"), content[:40]
    for key in ("", "x" * 201, "\xe9"):
        response = await worker.post(
            "/v1/runs", json={"workflowName": WORKFLOW}, headers={"idempotency-key": key.encode("latin-1")}
        )
        assert response.status_code == 400, key


async def test_runs_are_listed_by_name_and_status(worker):
    run_id = await worker.start()
    other = (await trigger(worker)).json()["runId"]
    await worker.post(f"/v1/runs/{other}/cancel")

    async def ids(**params):
        return [run["runId"] for run in (await worker.get("/v1/runs", params=params)).json()["data"]]

    assert await ids() == [other, run_id]
    assert await ids(sortOrder="asc") == [run_id, other]
    assert await ids(status="running") == [run_id]
    assert await ids(status="cancelled", workflowName=WORKFLOW) == [other]
    assert await ids(workflowName="workflow//./w//g") == []
    page = (await worker.get("/v1/runs", params={"limit": 1})).json()
    assert (len(page["data"]), page["hasMore"]) == (1, True)
    assert await ids(cursor=page["cursor"]) == [run_id]
    assert "input" not in page["data"][0]
    for params in ({"status": "asleep"}, {"limit": 0}, {"limit": 1001}, {"cursor": "x"}, {"colour": "red"}):
        refused = await worker.get("/v1/runs", params=params)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request"), params


async def test_a_run_is_cancelled_once(worker):
    run_id = await worker.start()
    for _ in range(2):
        response = await worker.post(f"/v1/runs/{run_id}/cancel")
        assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    refused = await worker.post(f"/v1/runs/{run_id}/wake")
    assert (refused.status_code, refused.json()["code"]) == (409, "run_finished")


async def test_a_sleeping_run_is_woken(worker):
    run_id = await worker.start()
    await worker.event(run_id, "wait_created", "wait_1", resumeAt=int(time.time() * 1000) + 3_600_000)
    assert (await worker.post(f"/v1/runs/{run_id}/wake")).json() == {"runId": run_id, "wokenWaits": 1}
    assert (await worker.post(f"/v1/runs/{run_id}/wake")).json() == {"runId": run_id, "wokenWaits": 0}


async def test_the_time_of_a_run_at_rest_is_skipped(worker):
    await worker.deploy()
    run_id = (await trigger(worker)).json()["runId"]
    while any((await worker.services.engine.queue.depth()).values()):
        pass  # its first message is on its way
    path = f"/v1/runs/{run_id}/skip"
    assert (await worker.post(path)).json() == {"runId": run_id, "skipped": None}, "it waits for no time"
    await worker.event(run_id, "run_started")
    await worker.event(run_id, "wait_created", "wait_1", resumeAt=int(time.time() * 1000) + 3_600_000)
    skipped = (await worker.post(path)).json()["skipped"]
    assert (skipped["timer"], skipped["correlationId"]) == ("sleep", "wait_1")
    assert 3_500_000 < skipped["milliseconds"] <= 3_600_000
    await worker.post(f"/v1/runs/{run_id}/cancel")
    assert (await worker.post(path)).json() == {"runId": run_id, "skipped": None}


async def test_what_is_unknown_is_not_found(worker):
    missing = a_run_id()
    cases = [
        ("GET", f"/v1/runs/{missing}", "run_not_found"),
        ("GET", "/v1/runs/x", "run_not_found"),
        ("GET", f"/v1/runs/{missing}/steps", "run_not_found"),
        ("GET", f"/v1/runs/{missing}/hooks", "run_not_found"),
        ("GET", f"/v1/events?runId={missing}", "run_not_found"),
        ("POST", f"/v1/runs/{missing}/cancel", "run_not_found"),
        ("POST", f"/v1/runs/{missing}/wake", "run_not_found"),
        ("POST", f"/v1/runs/{missing}/skip", "run_not_found"),
        ("GET", "/v1/hooks/x", "hook_not_found"),
        ("GET", "/v1/steps/x", "not_found"),
    ]
    for verb, path, code in cases:
        response = await worker.send(verb, path)
        assert (response.status_code, response.json()["code"]) == (404, code), path
    assert (await worker.get("/v1/events/correlation/x")).json()["data"] == []
    assert (await worker.get("/v1/events")).status_code == 400


async def a_run_with_everything(worker):
    run_id = await worker.start([7])
    arguments = dumps({"args": [1], "closureVars": {}})
    await worker.event(run_id, "step_created", "step_1", stepName="step//./w//s", input=arguments)
    await worker.event(run_id, "step_started", "step_1")
    await worker.event(run_id, "step_completed", "step_1", result=b'devl[["Date","2026-01-02T03:04:05.000Z"]]')
    await worker.event(run_id, "step_created", "step_2", stepName="step//./w//s", input=b"encr" + bytes(60))
    await worker.event(run_id, "step_started", "step_2")
    await worker.event(run_id, "step_failed", "step_2", error="no luck", stack="Error: no luck\n at s")
    await worker.event(run_id, "hook_created", "hook_1", token="secret-token", metadata=b"junk", isWebhook=False)
    await worker.event(run_id, "run_failed", error={"message": "boom", "stack": "Error: boom"}, errorCode="USER_ERROR")
    return run_id


async def test_a_runs_story_can_be_read(worker):
    run_id = await a_run_with_everything(worker)
    run = (await worker.get(f"/v1/runs/{run_id}")).json()
    assert run["status"] == "failed"
    assert run["error"] == {"message": "boom", "stack": "Error: boom", "code": "USER_ERROR"}
    assert run["completedAt"] >= run["startedAt"]

    steps = (await worker.get(f"/v1/runs/{run_id}/steps", params={"sortOrder": "asc", "resolveData": "all"})).json()
    first, second = steps["data"]
    assert (first["stepId"], first["status"], first["attempt"]) == ("step_1", "completed", 1)
    assert first["input"] == {"args": [1], "closureVars": {}}
    assert first["output"] == {"$type": "Date", "value": "2026-01-02T03:04:05.000Z"}
    assert first["startedAt"] <= first["completedAt"]
    assert second["input"] == {"$type": "Encrypted", "size": 64}
    assert second["error"] == {"message": "no luck", "stack": "Error: no luck\n at s"}
    lean = (await worker.get(f"/v1/runs/{run_id}/steps")).json()["data"]
    assert all("input" not in step and "output" not in step for step in lean)
    one = (await worker.get("/v1/steps/step_1", params={"runId": run_id})).json()
    assert one == first
    assert "input" not in (await worker.get("/v1/steps/step_1", params={"resolveData": "none"})).json()

    events = (await worker.get("/v1/events", params={"runId": run_id, "resolveData": "all"})).json()["data"]
    assert [event["eventType"] for event in events][:4] == [
        "run_created",
        "run_started",
        "step_created",
        "step_started",
    ]
    assert events[0]["eventData"]["input"] == [7]
    correlated = (await worker.get("/v1/events/correlation/step_1", params={"runId": run_id})).json()["data"]
    assert [event["eventType"] for event in correlated] == ["step_created", "step_started", "step_completed"]
    assert all("input" not in event.get("eventData", {}) for event in correlated)


async def test_tokens_are_shown_to_those_who_may_use_them(worker):
    run_id = await worker.start()
    await worker.event(run_id, "hook_created", "hook_1", token="secret-token", metadata=b"junk")
    paths = (
        f"/v1/runs/{run_id}/hooks",
        "/v1/hooks/hook_1",
        f"/v1/events?runId={run_id}",
        "/v1/events/correlation/hook_1",
    )
    for path in paths:
        assert "secret-token" in (await worker.get(path)).text
        reader = await worker.get(path, secret_of("runs:read"))
        assert reader.status_code == 200
        assert "secret-token" not in reader.text
    hook = (await worker.get("/v1/hooks/hook_1")).json()
    assert hook["isWebhook"] is True
    assert hook["metadata"]["$type"] == "Unreadable"


@pytest.mark.parametrize("name", [{"token": "secret-token"}, {"hookId": "hook_1"}])
async def test_a_waiting_run_is_resumed_with_a_payload(worker, name):
    run_id = await worker.start()
    await worker.event(run_id, "hook_created", "hook_1", token="secret-token", isWebhook=False)
    response = await worker.post("/v1/runs/resume", json={"runId": run_id, "payload": {"ok": True}, **name})
    assert (response.status_code, response.json()) == (200, {"accepted": True})
    event = (await worker.get("/v1/events", params={"runId": run_id, "resolveData": "all"})).json()["data"][-1]
    assert (event["eventType"], event["correlationId"]) == ("hook_received", "hook_1")
    assert event["eventData"]["payload"] == {"ok": True}
    assert await delivered(worker, run_id)


async def delivered(worker, run_id):
    for _ in range(200):
        if any(delivery.run_id == run_id for delivery in worker.pool.deliveries):
            return True
        await asyncio.sleep(0.01)
    return False


async def test_a_payload_is_accepted_even_if_the_run_ends_by_it_at_once(worker, monkeypatch):
    run_id = await worker.start()
    await worker.event(run_id, "hook_created", "hook_1", token="secret-token", isWebhook=False)
    resume = Runs.resume

    async def ended_first(runs, identifier):
        await worker.event(identifier, "run_completed", output=b"devl[1]")
        await resume(runs, identifier)

    monkeypatch.setattr(Runs, "resume", ended_first)
    response = await worker.post("/v1/runs/resume", json={"runId": run_id, "token": "secret-token", "payload": 1})
    assert (response.status_code, response.json()) == (200, {"accepted": True})


async def test_a_hook_that_is_not_there_cannot_be_resumed(worker):
    run_id = await worker.start()
    other = (await trigger(worker)).json()["runId"]
    await worker.event(run_id, "hook_created", "hook_1", token="secret-token")
    cases = [
        ({"runId": run_id, "token": "wrong"}, 404, "hook_not_found"),
        ({"runId": run_id, "hookId": "hook_2"}, 404, "hook_not_found"),
        ({"runId": other, "token": "secret-token"}, 404, "hook_not_found"),
        ({"runId": other, "hookId": "hook_1"}, 404, "hook_not_found"),
        ({"runId": a_run_id(), "token": "secret-token"}, 404, "run_not_found"),
        ({"runId": run_id}, 400, "invalid_request"),
        ({"runId": run_id, "token": "secret-token", "hookId": "hook_1"}, 400, "invalid_request"),
    ]
    for body, status, code in cases:
        response = await worker.post("/v1/runs/resume", json=body)
        assert (response.status_code, response.json()["code"]) == (status, code), body


async def test_the_client_runs_the_whole_lane(worker):
    await worker.deploy()
    async with AsyncComputeClient("http://worker.test", ADMIN, transport=worker.transport, retries=0) as client:
        started = await client.trigger(WORKFLOW, [1, {"a": None}], idempotency_key="mine")
        assert await client.trigger(WORKFLOW, [1, {"a": None}], idempotency_key="mine") == started
        with pytest.raises(IdempotencyError):
            await client.trigger(WORKFLOW, [2], idempotency_key="mine")
        run = await client.get_run(started.run_id)
        assert (run.input, run.status, run.finished) == ([1, {"a": None}], "pending", False)
        assert [entry.run_id for entry in (await client.list_runs(status="pending")).data] == [run.run_id]
        story = await a_run_with_everything(worker)
        assert [step.status for step in (await client.list_run_steps(story)).data] == ["failed", "completed"]
        assert (await client.get_run_step("step_1", run_id=story)).attempt == 1
        assert (await client.list_run_timeline(story)).data[0].event_type == "run_created"
        assert len((await client.list_events_by_correlation_id("step_1")).data) == 3
        assert (await client.get_run(story)).error.message == "boom"
        assert (await client.list_run_hooks(run.run_id)).data == ()
        assert (await client.wake_run(run.run_id)).woken_waits == 0
        assert (await client.cancel_run(run.run_id)).status == "cancelled"
        with pytest.raises(ComputeClientError) as caught:
            await client.resume_run(run.run_id, {"ok": True}, token="t")
        assert caught.value.code == "hook_not_found"


async def test_with_a_master_key_what_comes_as_json_is_stored_encrypted(tmp_path):
    master_key = base64.b64encode(b"m" * 32).decode()
    async with running(make_settings(tmp_path, master_key=master_key)) as worker:
        await worker.deploy()
        run_id = (await trigger(worker, input=["plum"])).json()["runId"]
        await worker.event(run_id, "hook_created", "hook_1", token="a-token")
        resumed = await worker.post("/v1/runs/resume", json={"runId": run_id, "token": "a-token", "payload": "cherry"})
        assert resumed.status_code == 200
        run = await worker.world("runs.get", {"runId": run_id})
        assert run["executionContext"]["features"] == {"encryption": True}
        key = (await worker.world("encryption.key", {"runId": run_id}))["key"]
        events = (await worker.world("events.list", {"runId": run_id}))["data"]
        (payload,) = [event["eventData"]["payload"] for event in events if event["eventType"] == "hook_received"]
        for stored, value in ((run["input"], ["plum"]), (payload, "cherry")):
            assert stored[:4] == b"encr"
            assert loads(AESGCM(key).decrypt(stored[4:16], stored[16:], None)) == value
        assert (await worker.get(f"/v1/runs/{run_id}")).json()["input"]["$type"] == "Encrypted"
