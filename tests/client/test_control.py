"""What the clients send to look after a worker: keys, variables, the audit log, reruns, filters."""

import json
from datetime import UTC, datetime

import httpx
import pytest

from workflow_studio.client import AsyncComputeClient, ComputeClient

KEY = {"keyId": "key_1", "projectId": "p", "environment": "e", "scopes": ["runs:read"], "state": "live"}
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
EMPTY = {"data": []}
RUN = {"runId": "wrun_2", "status": "pending", "deploymentId": "dep_1", "rerunOf": "wrun_1"}
DEPLOYMENT = {"deploymentId": "dep_1", "status": "active"}
LIMITS = {"limits": [{"name": "key:*", "most": 1, "fromSettings": True}]}
VARIABLES = {"deploymentId": "dep_1", "variables": [{"name": "A"}]}

# How it is called, what is sent, what comes back.
CALLS = [
    (
        lambda client: client.list_runs(
            status=["failed", "cancelled"], deployment_id="dep_1", created_after=NOON, created_before=NOON
        ),
        (
            "GET /v1/runs?status=failed&status=cancelled&deploymentId=dep_1"
            "&createdAfter=2026-01-02T12%3A00%3A00%2B00%3A00&createdBefore=2026-01-02T12%3A00%3A00%2B00%3A00"
        ),
        None,
        EMPTY,
    ),
    (lambda client: client.list_runs(status="failed"), "GET /v1/runs?status=failed", None, EMPTY),
    (lambda client: client.rerun_run("wrun_1"), "POST /v1/runs/wrun_1/rerun", {}, RUN),
    (
        lambda client: client.rerun_run("wrun_1", deployment_id="latest"),
        "POST /v1/runs/wrun_1/rerun",
        {"deploymentId": "latest"},
        RUN,
    ),
    (lambda client: client.rollback_deployment(), "POST /v1/deployments/rollback", None, DEPLOYMENT),
    (lambda client: client.rollback_deployment("dep_1"), "POST /v1/deployments/dep_1/rollback", None, DEPLOYMENT),
    (lambda client: client.delete_deployment("dep_1"), "DELETE /v1/deployments/dep_1", None, None),
    (lambda client: client.list_limits(), "GET /v1/limits", None, LIMITS),
    (
        lambda client: client.set_limits({"key:*": 1, "workflow:w": None}),
        "PUT /v1/limits",
        {"key:*": 1, "workflow:w": None},
        LIMITS,
    ),
    (lambda client: client.list_variables("dep_1"), "GET /v1/deployments/dep_1/env", None, VARIABLES),
    (
        lambda client: client.set_variables("dep_1", {"A": "1", "B": None}),
        "PUT /v1/deployments/dep_1/env",
        {"A": "1", "B": None},
        VARIABLES,
    ),
    (
        lambda client: client.create_key(["runs:read"], name="ci", expires_in_days=3),
        "POST /v1/keys",
        {"scopes": ["runs:read"], "name": "ci", "expiresInDays": 3},
        KEY | {"secret": "wfs_1"},
    ),
    (lambda client: client.list_keys(state="live"), "GET /v1/keys?state=live", None, EMPTY),
    (lambda client: client.get_key("key_1"), "GET /v1/keys/key_1", None, KEY),
    (lambda client: client.get_current_key(), "GET /v1/keys/current", None, KEY),
    (
        lambda client: client.rotate_key("key_1", overlap_seconds=0),
        "POST /v1/keys/key_1/rotate",
        {"overlapSeconds": 0},
        KEY | {"secret": "wfs_1"},
    ),
    (lambda client: client.revoke_key("key_1"), "POST /v1/keys/key_1/revoke", {}, KEY),
    (lambda client: client.revoke_key("key_1", force=True), "POST /v1/keys/key_1/revoke", {"force": True}, KEY),
    (
        lambda client: client.list_audit(actor="key_1", target="dep_1", after=NOON, limit=5),
        "GET /v1/audit?actor=key_1&target=dep_1&after=2026-01-02T12%3A00%3A00%2B00%3A00&limit=5",
        None,
        EMPTY,
    ),
]


@pytest.mark.parametrize(("call", "line", "body", "answer"), CALLS, ids=[line.split("?")[0] for _, line, _, _ in CALLS])
async def test_both_clients_send_the_same(call, line, body, answer):
    requests = []

    def worker(request):
        requests.append(request)
        return httpx.Response(204) if answer is None else httpx.Response(200, json=answer)

    with ComputeClient("http://worker.test", "k", transport=httpx.MockTransport(worker)) as client:
        one = call(client)
    async with AsyncComputeClient("http://worker.test", "k", transport=httpx.MockTransport(worker)) as client:
        other = await call(client)
    assert one == other
    for request in requests:
        assert f"{request.method} {request.url.raw_path.decode()}" == line
        assert (json.loads(request.content) if request.content else None) == body
        makes = line.endswith(("/rerun", "POST /v1/keys", "/rotate"))
        assert ("idempotency-key" in request.headers) is makes


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.rollback_deployment(),
        lambda client: client.create_key(["admin"]),
        lambda client: client.rotate_key("key_1"),
    ],
    ids=["rollback", "create_key", "rotate_key"],
)
def test_what_is_not_the_same_twice_is_not_repeated(call):
    requests = []

    def worker(request):
        requests.append(request)
        return httpx.Response(503, json={"code": "internal_error", "message": "No."})

    with (
        ComputeClient("http://worker.test", "k", transport=httpx.MockTransport(worker)) as client,
        pytest.raises(Exception, match="No"),
    ):
        call(client)
    assert len(requests) == 1


def test_the_secret_of_a_new_key_is_not_in_its_representation():
    answer = httpx.Response(201, json=KEY | {"secret": "wfs_the-secret"})
    with ComputeClient("http://worker.test", "k", transport=httpx.MockTransport(lambda _: answer)) as client:
        made = client.create_key(["runs:read"])
    assert made.secret == "wfs_the-secret"
    assert "wfs_the-secret" not in repr(made)


def test_a_moment_without_a_time_zone_is_refused():
    with ComputeClient("http://worker.test", "k") as client, pytest.raises(ValueError, match="no time zone"):
        client.list_runs(created_after=datetime(2026, 1, 2))  # noqa: DTZ001 - what is to be refused
