"""Environments over HTTP: named by a header, listed, deleted."""

from __future__ import annotations

import pytest

from tests.worker.artifacts.archives import FILES, artifact, manifest_of
from tests.worker.routes.conftest import ADMIN

HEADER = "x-workflow-studio-environment"
ADA = {HEADER: "dev-ada"}
CHANGED = FILES | {"flow.js": b"exports.flow = 2;"}


@pytest.fixture
async def deployed(worker):
    """Return the ids of a deployment that is active in the default environment, and of one that is in another."""
    first = await worker.deploy()
    made = (await worker.post("/v1/deployments", content=artifact(CHANGED), headers=ADA)).json()
    await worker.post(f"/v1/deployments/{made['deploymentId']}/activate", headers=ADA)
    return first, made["deploymentId"]


async def test_the_header_says_which_environment_is_meant(worker, deployed):
    first, second = deployed
    for headers, name, active in (({}, "production", first), (ADA, "dev-ada", second)):
        answer = (await worker.get("/v1/deployments/active", headers=headers)).json()
        assert answer == {"deploymentId": active, "environment": name}
    listed = {
        entry["deploymentId"]: entry["environments"] for entry in (await worker.get("/v1/deployments")).json()["data"]
    }
    assert listed == {first: ["production"], second: ["dev-ada"]}
    refused = await worker.get("/v1/deployments/active", headers={HEADER: "staging"})
    assert (refused.status_code, refused.json()["code"]) == (409, "no_active_deployment")
    assert "staging" in refused.json()["message"]
    assert "--environment staging" in refused.json()["recovery"]


async def test_the_world_lane_knows_the_environment(worker, deployed):
    _, second = deployed
    assert await worker.world("deployments.current", headers=ADA) == {"deploymentId": second, "alias": "latest"}
    refused = await worker.call("deployments.current", headers={HEADER: "staging"})
    assert (refused.status_code, refused.json()["code"]) == (409, "no_active_deployment")
    assert "--environment staging" in refused.json()["recovery"]


@pytest.mark.parametrize("name", ["", "Dev", "-a", "a_b", "a" * 64, "a b", "a,b", "ä".encode()])
@pytest.mark.parametrize("path", ["/v1/deployments/active", "/v1/runs", "/v1/executors"])
async def test_what_is_no_name_is_refused_everywhere(worker, name, path):
    refused = await worker.get(path, headers={HEADER: name})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_environment")
    assert refused.json()["recovery"]


async def test_an_environment_that_is_named_twice_is_refused(worker):
    headers = [("authorization", f"Bearer {ADMIN}"), (HEADER, "a"), (HEADER, "b")]
    refused = await worker.http.get("/v1/executors", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_environment")


async def test_a_run_says_its_environment_and_is_found_by_it(worker, deployed):
    _, second = deployed
    workflow = {"workflowName": manifest_of()["workflows"][0]}
    started = []
    for headers in ({}, ADA):
        answer = await worker.post("/v1/runs", json=workflow, headers={"idempotency-key": "the same", **headers})
        assert answer.status_code == 201, answer.text
        started.append(answer.json())
    assert started[0]["runId"] != started[1]["runId"], "a key counts per environment"
    assert started[1]["deploymentId"] == second
    found = (await worker.get("/v1/runs", params={"environment": "dev-ada"})).json()["data"]
    assert [(run["runId"], run["environment"]) for run in found] == [(started[1]["runId"], "dev-ada")]


async def test_environments_are_listed_and_deleted(worker, deployed):
    first, second = deployed
    listed = (await worker.get("/v1/environments")).json()
    assert [(entry["name"], entry["deploymentId"], entry["activatedBy"]) for entry in listed["data"]] == [
        ("dev-ada", second, "admin"),
        ("production", first, "admin"),
    ]
    assert (await worker.send("DELETE", "/v1/environments/dev-ada")).status_code == 204
    for name, status, code in (
        ("dev-ada", 404, "environment_not_found"),
        ("production", 409, "default_environment"),
        ("No%20Name", 400, "invalid_environment"),
    ):
        refused = await worker.send("DELETE", f"/v1/environments/{name}")
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert refused.json()["recovery"]


async def test_the_audit_log_names_the_environment(worker, deployed):
    _, second = deployed
    await worker.send("DELETE", "/v1/environments/dev-ada")
    entries = (await worker.get("/v1/audit", params={"limit": 3})).json()["data"]
    assert [(entry["action"], entry["target"], entry.get("details")) for entry in entries] == [
        ("delete_environment", "dev-ada", {"replaced": second}),
        ("activate_deployment", second, {"environment": "dev-ada"}),
        ("create_deployment", second, {"environment": "dev-ada"}),
    ]


async def test_an_upload_may_leave_out_what_its_base_has(worker):
    base = await worker.deploy()
    short = artifact({"flow.js": CHANGED["flow.js"]}, manifest_of(CHANGED))
    made = await worker.post("/v1/deployments", params={"base": base}, content=short)
    assert (made.status_code, made.json()["deploymentId"]) == (201, manifest_of(CHANGED)["deploymentId"])
    for name, status, code in (("dep_" + "0" * 32, 409, "base_not_found"), ("..", 400, "invalid_deployment_id")):
        refused = await worker.post("/v1/deployments", params={"base": name}, content=short)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
