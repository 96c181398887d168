import json
from datetime import datetime, timedelta

import pytest

from tests.worker.artifacts.archives import FILES, artifact
from tests.worker.routes.conftest import ADMIN, WORKFLOW, make_settings, running, secret_of
from workflow_studio.worker.store import StoreError


async def audited(worker, **query):
    response = await worker.get("/v1/audit", params=query)
    assert response.status_code == 200, response.text
    return response.json()["data"]


async def test_a_deployments_story_can_be_told(worker):
    deployment_id = await worker.deploy()
    await worker.post("/v1/deployments", content=artifact())
    story = [(e["action"], e["target"], e["status"], e["actor"]) for e in await audited(worker, target=deployment_id)]
    assert story == [
        ("create_deployment", deployment_id, 200, "admin"),
        ("activate_deployment", deployment_id, 200, "admin"),
        ("create_deployment", deployment_id, 201, "admin"),
    ]


async def test_an_entry_says_which_deployment_took_the_place_of_which(worker):
    older = await worker.deploy()
    newer = (await worker.post("/v1/deployments", content=artifact(FILES | {"flow.js": b"2"}))).json()["deploymentId"]
    await worker.post(f"/v1/deployments/{newer}/activate")
    await worker.post(f"/v1/deployments/{newer}/activate")
    await worker.post("/v1/deployments/rollback")
    entries = [(e["action"], e["target"], e.get("details")) for e in await audited(worker, limit=3)]
    assert entries == [
        ("rollback", older, {"environment": "production", "replaced": newer}),
        ("activate_deployment", newer, {"environment": "production"}),
        ("activate_deployment", newer, {"environment": "production", "replaced": older}),
    ]


async def test_an_entry_says_which_variables_were_changed_and_no_value(worker):
    path = f"/v1/deployments/{await worker.deploy()}/env"
    await worker.send("PUT", path, json={"B": "swordfish", "A": "swordfish", "C": None})
    await worker.send("PUT", path, json={"LD_PRELOAD": "swordfish"})
    refused, changed = await audited(worker, action="set_variables")
    assert changed["details"] == {"set": ["A", "B"], "unset": ["C"]}
    assert (refused["code"], "details" in refused) == ("invalid_variable", False)
    assert "swordfish" not in json.dumps([refused, changed])


async def test_a_runs_story_can_be_told(worker):
    await worker.deploy()
    headers = {"idempotency-key": "one", "x-workflow-correlation-id": "order-17"}
    started = await worker.post("/v1/runs", json={"workflowName": WORKFLOW, "input": ["swordfish"]}, headers=headers)
    run_id = started.json()["runId"]
    await worker.post("/v1/runs", json={"workflowName": WORKFLOW, "input": ["swordfish"]}, headers=headers)
    await worker.post(f"/v1/runs/{run_id}/cancel", key=secret_of("runs:read"))
    await worker.post(f"/v1/runs/{run_id}/cancel")
    await worker.post(f"/v1/runs/{run_id}/wake")
    await worker.post("/v1/runs/resume", json={"runId": run_id, "hookId": "hook_1", "payload": "swordfish"})
    entries = await audited(worker, target=run_id)
    assert [(e["action"], e["status"], e.get("code"), e["actor"]) for e in reversed(entries)] == [
        ("trigger", 201, None, "admin"),
        ("trigger", 201, None, "admin"),
        ("cancel_run", 403, "missing_scope", "runs:read"),
        ("cancel_run", 200, None, "admin"),
        ("wake_run", 409, "run_finished", "admin"),
        ("resume_run", entries[0]["status"], entries[0]["code"], "admin"),
    ]
    assert entries[0]["status"] >= 400
    assert entries[-1]["requestId"] == "order-17"
    assert "swordfish" not in json.dumps(entries)


async def test_no_secret_is_in_the_log(worker):
    made = (await worker.post("/v1/keys", json={"scopes": ["runs:read"], "name": "dash"})).json()
    await worker.post(f"/v1/keys/{made['keyId']}/rotate")
    response = await worker.get("/v1/audit")
    assert made["secret"] not in response.text
    rotated, created = response.json()["data"]
    assert (created["action"], created["target"], created["details"]) == (
        "create_api_key",
        made["keyId"],
        {"scopes": ["runs:read"], "name": "dash"},
    )
    assert (rotated["action"], rotated["target"]) == ("rotate_api_key", made["keyId"])
    assert rotated["details"]["made"].startswith("key_")


async def test_a_change_and_its_entry_are_one(worker, monkeypatch):
    """A worker that dies between the change and the answer has written the entry."""
    deployment_id = (await worker.post("/v1/deployments", content=artifact())).json()["deploymentId"]

    async def dies(*_):
        raise StoreError("The database is gone.")

    monkeypatch.setattr(worker.services.engine.audit, "settle", dies)
    assert (await worker.post(f"/v1/deployments/{deployment_id}/activate")).status_code == 200
    assert (await audited(worker))[0]["action"] == "activate_deployment"


async def test_what_cannot_be_noted_is_not_done(worker, monkeypatch):
    deployment_id = (await worker.post("/v1/deployments", content=artifact())).json()["deploymentId"]

    def fails(*_):
        raise RuntimeError("no room")

    monkeypatch.setattr(worker.services.engine.audit, "_add", fails)
    with pytest.raises(RuntimeError):
        await worker.post(f"/v1/deployments/{deployment_id}/activate")
    monkeypatch.undo()
    assert (await worker.get("/v1/deployments/active")).json()["code"] == "no_active_deployment"


async def test_a_refusal_is_answered_even_if_it_cannot_be_noted(worker, monkeypatch, caplog):
    async def dies(*_):
        raise StoreError("The database is gone.")

    monkeypatch.setattr(worker.services.engine.audit, "settle", dies)
    response = await worker.post("/v1/runs/nope/cancel")
    assert (response.status_code, response.json()["code"]) == (404, "run_not_found")
    assert "The audit log could not be written" in caplog.text


async def test_reads_unknown_addresses_and_what_the_gate_refuses_leave_nothing(tmp_path):
    async with running(make_settings(tmp_path, rate_limit_per_minute=8)) as worker:
        await worker.get("/v1/runs")
        await worker.post("/v1/nothing")
        await worker.send("DELETE", "/v1/runs")
        await worker.post("/v1/runs/x/cancel", key="wrong")
        await worker.world("runs.list")
        for _ in range(9):
            refused = await worker.post("/v1/runs/x/cancel", key=secret_of("runs:read"))
        assert refused.status_code == 429
        entries = await audited(worker)
        assert {entry["action"] for entry in entries} == {"cancel_run"}
        assert len(entries) == 8


async def test_the_log_is_read_by_admins_page_by_page_and_filtered(worker):
    for number in range(5):
        await worker.post(f"/v1/runs/r{number}/cancel", key=secret_of("runs:write") if number % 2 else ADMIN)
    assert (await worker.get("/v1/audit", key=secret_of("runs:write"))).status_code == 403
    first = (await worker.get("/v1/audit", params={"limit": 3})).json()
    rest = (await worker.get("/v1/audit", params={"limit": 3, "cursor": first["cursor"]})).json()
    assert [entry["target"] for entry in first["data"] + rest["data"]] == ["r4", "r3", "r2", "r1", "r0"]
    assert (first["hasMore"], rest["hasMore"]) == (True, False)
    assert [entry["target"] for entry in await audited(worker, actor="runs:write")] == ["r3", "r1"]
    assert [entry["target"] for entry in await audited(worker, target="r2")] == ["r2"]
    assert len(await audited(worker, action="cancel_run")) == 5
    assert await audited(worker, action="wake_run") == []
    newest = datetime.fromisoformat(first["data"][0]["at"])
    oldest = datetime.fromisoformat(rest["data"][-1]["at"])
    assert len(await audited(worker, after=oldest.isoformat())) == 5
    assert await audited(worker, after=(newest + timedelta(seconds=1)).isoformat()) == []
    assert await audited(worker, before=oldest.isoformat()) == []
    for wrong in ({"after": "yesterday"}, {"after": "2026-01-01"}, {"cursor": "x"}, {"limit": 0}, {"unknown": "x"}):
        assert (await worker.get("/v1/audit", params=wrong)).status_code == 400, wrong


async def test_a_hostile_address_does_not_keep_the_entry_out(worker):
    for target in ("%00", "%ff%fe", "%ed%a0%80", "x" * 3000, "%F0%9F%92%A9"):
        assert (await worker.post(f"/v1/runs/{target}/cancel")).status_code == 404
    entries = await audited(worker)
    assert len(entries) == 5
    assert max(len(entry["target"]) for entry in entries) == 200


async def test_events_say_which_request_they_came_by_and_whose(worker):
    run_id = await worker.start()
    await worker.post(f"/v1/runs/{run_id}/cancel", headers={"x-workflow-correlation-id": "the-end"})
    events = (await worker.get("/v1/events", params={"runId": run_id})).json()["data"]
    assert events[-1]["eventType"] == "run_cancelled"
    assert events[-1]["requestId"] == "the-end"
    assert {event["createdBy"] for event in events} == {"admin"}
    assert len({event["requestId"] for event in events}) == 3
    seen = await worker.world("events.list", {"runId": run_id})
    assert not {"requestId", "createdBy"} & {name for event in seen["data"] for name in event}
