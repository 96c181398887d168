import pytest

from tests.worker.artifacts.archives import FILES, artifact, manifest_of, redigested
from tests.worker.routes.conftest import ADMIN, WORKFLOW, make_settings, running
from workflow_studio.client import AsyncComputeClient, ComputeClientError


async def test_an_upload_is_recorded_and_not_active(worker):
    response = await worker.post("/v1/deployments", content=artifact())
    assert response.status_code == 201
    body = response.json()
    created_at = body.pop("createdAt")
    assert created_at.endswith("Z")
    assert body == {
        "deploymentId": manifest_of()["deploymentId"],
        "status": "created",
        "digest": manifest_of()["digest"],
        "workflows": [WORKFLOW],
        "steps": ["step//./w//s"],
        "sdk": {"workflow": "4.8.9", "core": "4.8.9", "specVersion": 3},
        "node": ">=20",
        "environments": [],
        "liveRuns": 0,
        "createdBy": "admin",
    }
    refused = await worker.get("/v1/deployments/active")
    assert (refused.status_code, refused.json()["code"]) == (409, "no_active_deployment")
    assert "studio deploy" in refused.json()["recovery"]


async def test_the_same_artifact_again_is_the_same_deployment(worker):
    first = await worker.post("/v1/deployments", content=artifact())
    second = await worker.post("/v1/deployments", content=artifact())
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()


async def test_activation_moves_the_pointer_and_rollback_moves_it_back(worker):
    first = (await worker.post("/v1/deployments", content=artifact())).json()["deploymentId"]
    other = artifact(FILES | {"flow.js": b"exports.flow = 2;"})
    second = (await worker.post("/v1/deployments", content=other)).json()["deploymentId"]
    for chosen in (first, second, first):
        activated = await worker.post(f"/v1/deployments/{chosen}/activate")
        assert (activated.status_code, activated.json()["status"]) == (200, "active")
        assert (await worker.get("/v1/deployments/active")).json() == {
            "deploymentId": chosen,
            "environment": "production",
        }
        assert await worker.world("deployments.current") == {"deploymentId": chosen, "alias": "latest"}
    listed = (await worker.get("/v1/deployments")).json()
    assert {entry["deploymentId"]: entry["status"] for entry in listed["data"]} == {
        first: "active",
        second: "retired",
    }
    assert listed["hasMore"] is False


async def test_deployments_come_in_pages(worker):
    for number in range(3):
        await worker.post("/v1/deployments", content=artifact(FILES | {"flow.js": b"%d" % number}))
    first = (await worker.get("/v1/deployments", params={"limit": 2})).json()
    assert (len(first["data"]), first["hasMore"]) == (2, True)
    second = (await worker.get("/v1/deployments", params={"limit": 2, "cursor": first["cursor"]})).json()
    assert (len(second["data"]), second["hasMore"], second["cursor"]) == (1, False, None)
    for params in ({"limit": 0}, {"limit": 101}, {"limit": "x"}, {"cursor": "nothing"}):
        refused = await worker.get("/v1/deployments", params=params)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_request"), params


async def test_unknown_and_misspelt_deployments_are_told_apart(worker):
    for path in ("/v1/deployments/{}", "/v1/deployments/{}/activate"):
        verb = "POST" if path.endswith("activate") else "GET"
        missing = await worker.send(verb, path.format("dep_" + "0" * 32))
        assert (missing.status_code, missing.json()["code"]) == (404, "deployment_not_found")
        misspelt = await worker.send(verb, path.format("dep_x"))
        assert (misspelt.status_code, misspelt.json()["code"]) == (400, "invalid_deployment_id")


async def test_a_refused_upload_says_why_and_leaves_nothing(worker):
    newer = redigested(manifest_of(sdk={"workflow": "5.0.0", "core": "5.0.0", "specVersion": 7}))
    cases = [
        (b"not an archive", 400, "invalid_artifact"),
        (artifact(manifest=manifest_of(digest="sha256:" + "0" * 64)), 400, "digest_mismatch"),
        (artifact(manifest=newer), 400, "unsupported_artifact"),
    ]
    for content, status, code in cases:
        response = await worker.post("/v1/deployments", content=content)
        assert (response.status_code, response.json()["code"]) == (status, code)
        assert response.json()["recovery"]
    assert (await worker.get("/v1/deployments")).json()["data"] == []
    assert [entry.name for entry in worker.services.artifacts.directory.iterdir()] == [".database"]


async def test_the_client_deploys_activates_and_rolls_back(worker, tmp_path):
    archive = tmp_path / "artifact.tgz"
    archive.write_bytes(artifact())
    progress: list[tuple[int, int]] = []
    async with AsyncComputeClient("http://worker.test", ADMIN, transport=worker.transport, retries=0) as client:
        assert (await client.health()).healthy
        created = await client.create_deployment(archive, on_progress=lambda *step: progress.append(step))
        assert progress[-1] == (len(artifact()),) * 2
        assert (await client.activate_deployment(created.deployment_id)).status == "active"
        assert (await client.get_active_deployment()).deployment_id == created.deployment_id
        assert (await client.rollback_deployment(created.deployment_id)).status == "active"
        assert (await client.get_deployment(created.deployment_id)).status == "active"
        assert [entry.deployment_id for entry in (await client.list_deployments()).data] == [created.deployment_id]
        assert [entry.pid for entry in (await client.list_executors()).data] == [42]
        archive.write_bytes(b"broken")
        with pytest.raises(ComputeClientError) as caught:
            await client.create_deployment(archive)
        assert (caught.value.status, caught.value.code) == (400, "invalid_artifact")
        assert caught.value.recovery


async def test_an_executor_is_ready_for_what_is_activated(worker):
    first = await worker.deploy()
    other = (await worker.post("/v1/deployments", content=artifact(FILES | {"flow.js": b"2"}))).json()["deploymentId"]
    assert worker.pool.warmed == [first]
    assert (await worker.post(f"/v1/deployments/{other}/activate")).status_code == 200
    assert (await worker.post("/v1/deployments/rollback")).status_code == 200
    assert (await worker.post(f"/v1/deployments/{'dep_' + '9' * 32}/activate")).status_code == 404
    assert worker.pool.warmed == [first, other, first]


@pytest.mark.parametrize(("limit", "expected"), [(0, 0), (1, 1), (4, 2)])
async def test_executors_are_ready_when_the_worker_starts_for_what_was_activated_last(tmp_path, limit, expected):
    settings = make_settings(tmp_path / "data", warm_deployments=limit)
    async with running(settings) as worker:
        first = await worker.deploy()
        archive = artifact(FILES | {"flow.js": b"2"})
        other = (await worker.post("/v1/deployments", content=archive)).json()["deploymentId"]
        headers = {"x-workflow-studio-environment": "dev-ada"}
        assert (await worker.post(f"/v1/deployments/{other}/activate", headers=headers)).status_code == 200
        assert len(worker.pool.warmed) == (2 if limit else 0)
    async with running(settings) as worker:
        assert worker.pool.warmed == [other, first][:expected]
