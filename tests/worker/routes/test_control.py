"""Deployments, their variables, reruns and streams, over HTTP."""

import asyncio
import base64
import json
import os
import time

import pytest

from tests.worker.artifacts.archives import FILES, artifact, manifest_of, redigested
from tests.worker.routes.conftest import ADMIN, WORKFLOW, Driver, make_settings, running, secret_of
from workflow_studio.compute.payload import dumps, dumps_arguments
from workflow_studio.worker.app import create_app
from workflow_studio.worker.engine import following
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.routes import lasting
from workflow_studio.worker.upkeep import put_in_order

OTHER = artifact(FILES | {"flow.js": b"exports.flow = 2;"})
SECRET = "a-value-that-nobody-may-see"


async def tidy(worker):
    services = worker.services
    await put_in_order(services.engine, services.artifacts, services.unpacking, services.pool)


async def upload(worker, content=OTHER):
    response = await worker.post("/v1/deployments", content=content)
    assert response.status_code in {200, 201}, response.text
    return response.json()["deploymentId"]


async def put(worker, path, body, key=ADMIN):
    return await worker.send("PUT", path, key, json=body)


def code_of(response, status):
    assert response.status_code == status, response.text
    return response.json()["code"]


# Deployments


async def test_a_deployments_life_is_shown_with_who_did_what(worker):
    run_id = await worker.start()
    newer = await upload(worker)
    activated = await worker.post(f"/v1/deployments/{newer}/activate", secret_of("deploy:write"))
    assert activated.json()["activatedBy"] == "deploy:write"
    older = (await worker.get("/v1/deployments")).json()["data"][-1]
    assert (older["status"], older["liveRuns"], "retiredAt" in older) == ("draining", 1, False)
    await worker.post(f"/v1/runs/{run_id}/cancel")
    older = (await worker.get(f"/v1/deployments/{older['deploymentId']}")).json()
    run = (await worker.get(f"/v1/runs/{run_id}")).json()
    assert (older["status"], older["liveRuns"], older["retiredAt"]) == ("retired", 0, run["completedAt"])


async def test_a_rollback_with_and_without_an_id(worker):
    older, newer = await worker.deploy(), await upload(worker)
    assert code_of(await worker.post("/v1/deployments/rollback"), 409) == "no_earlier_deployment"
    await worker.post(f"/v1/deployments/{newer}/activate")
    back = (await worker.post("/v1/deployments/rollback")).json()
    assert (back["deploymentId"], back["status"], back["activatedBy"]) == (older, "active", "admin")
    forth = (await worker.post(f"/v1/deployments/{newer}/rollback")).json()
    assert (forth["deploymentId"], forth["status"]) == (newer, "active")
    assert code_of(await worker.post("/v1/deployments/dep_x/rollback"), 400) == "invalid_deployment_id"


async def test_a_deleted_deployment_leaves_nothing_and_can_come_again(worker):
    older = await worker.deploy()
    path = f"/v1/deployments/{older}"
    assert code_of(await worker.send("DELETE", path), 409) == "deployment_active"
    await put(worker, f"{path}/env", {"A": SECRET})
    run = (await worker.post("/v1/runs", json={"workflowName": WORKFLOW}, headers={"idempotency-key": "k"})).json()
    await worker.post(f"/v1/deployments/{await upload(worker)}/activate")
    assert code_of(await worker.send("DELETE", path), 409) == "deployment_in_use"
    await worker.post(f"/v1/runs/{run['runId']}/cancel")
    folder = worker.services.artifacts.path(older)
    assert folder.is_dir()
    deleted = await worker.send("DELETE", path)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert not folder.exists()
    assert older in worker.pool.refreshed
    for verb, at in (("GET", path), ("DELETE", path), ("GET", f"{path}/env"), ("POST", f"{path}/activate")):
        assert code_of(await worker.send(verb, at), 404) == "deployment_not_found"
    again = await worker.post("/v1/deployments", content=artifact())
    assert (again.status_code, again.json()["deploymentId"], again.json()["status"]) == (201, older, "created")
    assert folder.is_dir()
    assert SECRET not in (await worker.get(f"{path}/env")).text


async def test_uploads_and_deletions_at_once_leave_no_deployment_without_its_artifact(worker):
    await upload(worker)
    await worker.post(f"/v1/deployments/{await upload(worker)}/activate")
    contested = artifact()
    name = manifest_of()["deploymentId"]
    for _ in range(5):
        posts = [worker.post("/v1/deployments", content=contested) for _ in range(3)]
        deletions = [worker.send("DELETE", f"/v1/deployments/{name}") for _ in range(2)]
        answers = await asyncio.gather(*posts, *deletions)
        assert {answer.status_code for answer in answers} <= {200, 201, 204, 404}
        await tidy(worker)
        known = (await worker.get(f"/v1/deployments/{name}")).status_code == 200
        assert not known or worker.services.artifacts.path(name).is_dir()


async def test_an_artifact_whose_deployment_is_gone_is_removed_at_the_next_start(tmp_path):
    async with running(make_settings(tmp_path / "data")) as worker:
        kept, orphan = await worker.deploy(), await upload(worker)
        artifacts = worker.services.artifacts
        # As after a crash between the two halves of a deletion.
        await worker.services.engine.deployments.delete(orphan)
        for name in (kept, orphan):
            os.utime(artifacts.path(name), (time.time() - 7200,) * 2)
    async with running(make_settings(tmp_path / "data")) as worker:
        async with asyncio.timeout(10):
            while worker.services.artifacts.path(orphan).exists():  # noqa: ASYNC110  # the file system tells nobody
                await asyncio.sleep(0.01)
        assert worker.services.artifacts.path(kept).is_dir()
        assert (await worker.get("/v1/deployments/active")).json()["deploymentId"] == kept


async def test_a_worker_with_another_database_leaves_the_artifacts_in_its_data_folder_alone(tmp_path):
    data = tmp_path / "data"
    async with running(make_settings(data)) as worker:
        name = await worker.deploy()
        artifacts = worker.services.artifacts
        os.utime(artifacts.path(name), (time.time() - 7200,) * 2)
    async with running(make_settings(data, database_url=f"sqlite:///{tmp_path / 'other.db'}")) as worker:
        await tidy(worker)
        assert await worker.services.engine.identity() != (data / "artifacts" / ".database").read_text().strip()
    assert artifacts.path(name).is_dir()
    async with running(make_settings(data)) as worker:
        assert await worker.services.engine.identity() == (data / "artifacts" / ".database").read_text().strip()
        assert (await worker.get("/v1/deployments/active")).json()["deploymentId"] == name


async def test_a_worker_refuses_code_for_another_nodejs(worker):
    worker.services.artifacts._nodes = [(24, 1, 0), (20, 20, 0)]
    refused = await worker.post("/v1/deployments", content=artifact(manifest=redigested(manifest_of(node=">=22 <23"))))
    assert code_of(refused, 400) == "unsupported_artifact"
    assert ">=22 <23" in refused.json()["message"]
    assert "24.1.0 or 20.20.0" in refused.json()["message"]


# Variables


async def test_variables_are_set_and_never_read_back(worker, caplog):
    caplog.set_level("DEBUG")
    path = f"/v1/deployments/{await worker.deploy()}/env"
    answers = [
        await put(worker, path, {"TOKEN": SECRET, "OLD": "x"}, secret_of("deploy:write")),
        await put(worker, path, {"OLD": None}),
        await worker.get(path, secret_of("deploy:read")),
        await put(worker, path, {"NODE_OPTIONS": SECRET}),
        await put(worker, path, {"TOKEN": [SECRET]}),
        await put(worker, path, {"TOKEN": SECRET * 10_000}),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 400, 400]
    assert [answer.json()["code"] for answer in answers[3:]] == [
        "invalid_variable",
        "invalid_request",
        "invalid_variable",
    ]
    listed = answers[2].json()
    assert [entry["name"] for entry in listed["variables"]] == ["TOKEN"]
    assert listed["variables"][0]["updatedBy"] == "deploy:write"
    assert worker.pool.refreshed == [listed["deploymentId"]] * 2
    assert not any(SECRET in answer.text for answer in answers)
    assert SECRET not in caplog.text
    assert await worker.services.engine.environment.values(listed["deploymentId"]) == {"TOKEN": SECRET}
    audit = await worker.get("/v1/audit")
    assert "set_variables" in audit.text
    assert SECRET not in audit.text


@pytest.mark.parametrize("body", [None, [], {}, "x", {"A": 1}, {"A": {"b": "c"}}, {"A": True}])
async def test_what_is_no_map_of_text_is_refused(worker, body):
    path = f"/v1/deployments/{await worker.deploy()}/env"
    assert code_of(await put(worker, path, body), 400) == "invalid_request"
    assert (await worker.get(path)).json()["variables"] == []


async def test_without_a_master_key_the_key_file_is_beside_the_database(worker, tmp_path):
    await put(worker, f"/v1/deployments/{await worker.deploy()}/env", {"A": "x"})
    assert (tmp_path / "data" / "variables-key").stat().st_mode & 0o777 == 0o600


# Runs


async def rerun(worker, run_id, body=None, key="again"):
    options = {} if body is None else {"json": body}
    return await worker.post(f"/v1/runs/{run_id}/rerun", headers={"idempotency-key": key}, **options)


async def test_a_run_is_rerun_with_or_without_a_body(worker):
    run_id = await worker.start(["an argument", 7])
    older = (await worker.get(f"/v1/runs/{run_id}")).json()["deploymentId"]
    newer = await upload(worker)
    await worker.post(f"/v1/deployments/{newer}/activate")
    first = await rerun(worker, run_id)
    assert first.status_code == 201
    body = first.json()
    assert (body["status"], body["deploymentId"], body["rerunOf"]) == ("pending", older, run_id)
    shown = (await worker.get(f"/v1/runs/{body['runId']}")).json()
    assert (shown["input"], shown["rerunOf"], shown["createdBy"], shown["projectId"]) == (
        ["an argument", 7],
        run_id,
        "admin",
        "default",
    )
    assert (await rerun(worker, run_id)).json() == body
    assert code_of(await rerun(worker, run_id, {"deploymentId": "latest"}), 409) == "idempotency_conflict"
    latest = await rerun(worker, run_id, {"deploymentId": "latest"}, key="another")
    assert latest.json()["deploymentId"] == newer


async def test_a_bad_rerun_says_what_is_wrong(worker):
    run_id = await worker.start()
    unnamed = await worker.post(f"/v1/runs/{run_id}/rerun")
    assert code_of(unnamed, 400) == "idempotency_required"
    missing = new_id("wrun", time.time_ns() // 1_000_000)
    assert code_of(await rerun(worker, missing), 404) == "run_not_found"
    assert code_of(await rerun(worker, run_id, {"deploymentId": "dep_" + "0" * 32}), 404) == "deployment_not_found"
    assert code_of(await rerun(worker, run_id, {"deployment": "x"}), 400) == "invalid_request"
    assert code_of(await rerun(worker, run_id, {"runId": run_id}), 409) == "run_conflict"


async def test_a_run_id_of_another_workflow_is_refused(worker):
    run_id = await worker.start()
    other = {"workflowName": "workflow//./w//g", "runId": run_id}
    refused = await worker.post("/v1/runs", json=other, headers={"idempotency-key": "k"})
    assert code_of(refused, 409) == "run_conflict"
    same = {"workflowName": WORKFLOW, "runId": run_id, "deploymentId": "latest"}
    answered = await worker.post("/v1/runs", json=same, headers={"idempotency-key": "k2"})
    assert (answered.status_code, answered.json()["runId"]) == (201, run_id)


async def test_runs_are_searched(worker):
    older = await worker.start()
    newer_deployment = await upload(worker)
    body = {"workflowName": WORKFLOW, "deploymentId": newer_deployment}
    newer = (await worker.post("/v1/runs", json=body, headers={"idempotency-key": "k"})).json()["runId"]
    created = [(await worker.get(f"/v1/runs/{run_id}")).json()["createdAt"] for run_id in (older, newer)]

    async def found(**params):
        response = await worker.get("/v1/runs", params=params)
        assert response.status_code == 200, response.text
        return [run["runId"] for run in response.json()["data"]]

    assert await found(status=["running", "pending"]) == [newer, older]
    assert await found(status="running") == [older]
    assert await found(deploymentId=newer_deployment) == [newer]
    assert older in await found(createdAfter=created[0])
    assert older not in await found(createdBefore=created[0])
    assert await found(createdAfter="2999-01-01T00:00:00Z") == []
    assert await found(createdBefore="1960-01-01T00:00:00+01:00") == []
    for wrong in ({"createdAfter": "2026-01-01T00:00:00"}, {"createdAfter": "soon"}, {"status": ["no"]}):
        assert code_of(await worker.get("/v1/runs", params=wrong), 400) == "invalid_request"


async def test_named_sleeps_are_woken(worker):
    run_id = await worker.start()
    resume_at = time.time_ns() // 1_000_000 + 3_600_000
    for name in ("wait_a", "wait_b"):
        await worker.event(run_id, "wait_created", name, resumeAt=resume_at)
    path = f"/v1/runs/{run_id}/wake"
    named = await worker.post(path, json={"correlationIds": ["wait_b", "wait_c"]})
    assert named.json() == {"runId": run_id, "wokenWaits": 1}
    assert code_of(await worker.post(path, json={"correlationIds": []}), 400) == "invalid_request"
    assert (await worker.post(path)).json() == {"runId": run_id, "wokenWaits": 1}


async def test_a_runs_log_is_at_its_own_address(worker):
    run_id = await worker.start([1])
    at = (await worker.get(f"/v1/runs/{run_id}/events", params={"resolveData": "all"})).json()
    assert at == (await worker.get("/v1/events", params={"runId": run_id, "resolveData": "all"})).json()
    assert [event["eventType"] for event in at["data"]] == ["run_created", "run_started"]
    missing = new_id("wrun", time.time_ns() // 1_000_000)
    for part in ("events", "streams", "streams/x"):
        assert code_of(await worker.get(f"/v1/runs/{missing}/{part}"), 404) == "run_not_found"


# Streams


def frame(content):
    return len(content).to_bytes(4, "big") + content


async def write(worker, run_id, *chunks, name="strm_1_user", sequence=0):
    written = {"name": name, "runId": run_id, "chunks": list(chunks), "writerId": "w", "sequence": sequence}
    await worker.world("streams.write", written)


async def close(worker, run_id, name="strm_1_user"):
    await worker.world("streams.close", {"name": name, "runId": run_id})


async def somebody_reads(worker):
    while not worker.services.engine.streams.grown.listeners:  # noqa: ASYNC110  # nobody is told of a listener
        await asyncio.sleep(0)


async def test_a_runs_streams_are_listed(worker):
    run_id = await worker.start()
    await write(worker, run_id, b"a", b"b")
    await close(worker, run_id, name="other/name")
    listed = (await worker.get(f"/v1/runs/{run_id}/streams")).json()
    assert [(entry["name"], entry["tailIndex"], entry["done"]) for entry in listed["data"]] == [
        ("other/name", -1, True),
        ("strm_1_user", 1, False),
    ]
    assert listed["data"][0]["createdAt"]
    assert (await worker.get(f"/v1/runs/{run_id}/streams/other/name")).text == '{"done":true,"nextIndex":0}\n'


async def test_a_stream_is_read_as_json_or_as_bytes(worker):
    run_id = await worker.start()
    chunks = [frame(dumps({"a": [1, None]})), frame(b"\x00bytes"), b"raw", frame(b"encr" + bytes(40)), frame(b"devl[")]
    await write(worker, run_id, *chunks)
    await close(worker, run_id)
    path = f"/v1/runs/{run_id}/streams/strm_1_user"
    response = await worker.get(path, secret_of("runs:read"))
    assert response.headers["content-type"] == "application/x-ndjson"
    *lines, last = [json.loads(line) for line in response.text.splitlines() if line]
    assert [line["index"] for line in lines] == [0, 1, 2, 3, 4]
    assert [line["value"] for line in lines[:4]] == [
        {"a": [1, None]},
        {"$type": "Uint8Array", "base64": base64.b64encode(b"\x00bytes").decode()},
        {"$type": "Uint8Array", "base64": base64.b64encode(b"raw").decode()},
        {"$type": "Encrypted", "size": 44},
    ]
    assert lines[4]["value"]["$type"] == "Unreadable"
    assert last == {"done": True, "nextIndex": 5}
    raw = await worker.get(path, params={"format": "raw", "startIndex": 1})
    assert raw.headers["content-type"] == "application/octet-stream"
    assert raw.content == b"\x00bytes" + b"raw" + b"encr" + bytes(40) + b"devl["
    tail = await worker.get(path, params={"startIndex": -1})
    assert json.loads(tail.text.splitlines()[0])["index"] == 4
    for wrong in ({"format": "xml"}, {"startIndex": "x"}, {"startIndex": 2**60}, {"wait": 1}):
        assert code_of(await worker.get(path, params=wrong), 400) == "invalid_request"
    assert code_of(await worker.get(f"/v1/runs/{run_id}/streams/nothing"), 404) == "not_found"


async def test_an_open_stream_is_read_to_what_there_is_or_live(worker, monkeypatch):
    monkeypatch.setattr(following, "_AFTER_END_SECONDS", 0.01)
    run_id = await worker.start()
    await write(worker, run_id, frame(dumps("a")))
    path = f"/v1/runs/{run_id}/streams/strm_1_user"
    now = await worker.get(path, params={"follow": "false"})
    assert [json.loads(line) for line in now.text.splitlines() if line] == [
        {"index": 0, "value": "a"},
        {"done": False, "nextIndex": 1},
    ]
    live = asyncio.create_task(worker.get(path))
    await somebody_reads(worker)
    await write(worker, run_id, frame(dumps("b")), sequence=1)
    await worker.post(f"/v1/runs/{run_id}/cancel")
    async with asyncio.timeout(10):
        lines = [json.loads(line) for line in (await live).text.splitlines() if line]
    assert lines[-1] == {"done": False, "nextIndex": 2}
    assert [line["value"] for line in lines[:-1]] == ["a", "b"]


async def test_an_open_stream_ends_when_its_key_is_revoked(worker, monkeypatch):
    monkeypatch.setattr(lasting, "_KEY_CHECKED_EVERY", 0)
    keys, first_is_let_out = worker.services.engine.keys, asyncio.Event()
    is_live = keys.is_live

    async def looked_at(key_id):
        answer = await is_live(key_id)
        first_is_let_out.set()
        return answer

    monkeypatch.setattr(keys, "is_live", looked_at)
    run_id = await worker.start()
    await write(worker, run_id, frame(dumps("a")))
    live = asyncio.create_task(worker.get(f"/v1/runs/{run_id}/streams/strm_1_user", key=secret_of("runs:read")))
    async with asyncio.timeout(10):
        await first_is_let_out.wait()
    assert (await worker.post("/v1/keys/runs:read/revoke")).status_code == 200
    await write(worker, run_id, frame(dumps("secret")), sequence=1)
    async with asyncio.timeout(10):
        answer = await live
    assert [json.loads(line) for line in answer.text.splitlines() if line] == [{"index": 0, "value": "a"}]
    assert worker.services.engine.streams.grown.listeners == 0


async def test_a_key_that_is_revoked_before_a_stream_begins_is_refused(worker, monkeypatch):
    monkeypatch.setattr(lasting, "_KEY_CHECKED_EVERY", 0)
    run_id = await worker.start()
    await write(worker, run_id, frame(dumps("secret")))
    keys, is_of_run = worker.services.engine.keys, worker.services.engine.streams.is_of_run

    async def revoking(*arguments):
        await keys.revoke("runs:read")  # the gate has let the request in
        return await is_of_run(*arguments)

    monkeypatch.setattr(worker.services.engine.streams, "is_of_run", revoking)
    answer = await worker.get(f"/v1/runs/{run_id}/streams/strm_1_user", key=secret_of("runs:read"))
    assert code_of(answer, 401) == "unauthorized"
    assert worker.services.engine.streams.grown.listeners == 0


async def test_open_streams_count_against_the_limit_of_their_key(tmp_path):
    async with running(make_settings(tmp_path / "data", max_streams_per_key=1)) as worker:
        run_id = await worker.start()
        await write(worker, run_id, frame(dumps_arguments([])))
        path = f"/v1/runs/{run_id}/streams/strm_1_user"
        live = asyncio.create_task(worker.get(path))
        await somebody_reads(worker)
        assert code_of(await worker.get(path), 429) == "too_many_streams"
        await close(worker, run_id)
        assert (await live).status_code == 200
        assert (await worker.get(path)).status_code == 200


async def test_a_stream_is_given_in_clear_where_it_is_stored_sealed(tmp_path):
    master = base64.b64encode(bytes(32)).decode()
    async with running(make_settings(tmp_path / "data", master_key=master)) as worker:
        run_id = await worker.start()
        await write(worker, run_id, b"in clear")
        await close(worker, run_id)
        read = await worker.get(f"/v1/runs/{run_id}/streams/strm_1_user", params={"format": "raw"})
        assert read.content == b"in clear"


@pytest.mark.node
async def test_a_deployments_code_sees_its_variables_as_they_are_now(tmp_path):
    show = b"module.exports.POST = async () => Response.json({ ok: true });"
    files = {
        "flow.js": show,
        "step.js": show,
        "webhook.js": b"exports.GET = async () => new Response(JSON.stringify([process.env.A, process.env.B]));",
    }
    env_file = tmp_path / "app.env"
    env_file.write_text("A=file\nB=file\n")
    app = create_app(make_settings(tmp_path / "data", env_file=env_file, shutdown_grace=5))
    async with app.router.lifespan_context(app):
        worker = Driver(app, None)
        async with worker.http:
            name = await upload(worker, artifact(files))
            await worker.post(f"/v1/deployments/{name}/activate")
            started = {"workflowName": WORKFLOW}
            run = await worker.post("/v1/runs", json=started, headers={"idempotency-key": "k"})
            await worker.event(run.json()["runId"], "hook_created", "hook_1", token="a-token", isWebhook=True)

            async def seen():
                return (await worker.get("/.well-known/workflow/v1/webhook/a-token", key=None)).json()

            assert await seen() == ["file", "file"]
            await put(worker, f"/v1/deployments/{name}/env", {"B": SECRET})
            assert await seen() == ["file", SECRET]
            await put(worker, f"/v1/deployments/{name}/env", {"B": None})
            assert await seen() == ["file", "file"]
            older = artifact(manifest=redigested(manifest_of(node="<20")))
            assert code_of(await worker.post("/v1/deployments", content=older), 400) == "unsupported_artifact"
