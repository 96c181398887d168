import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from tests.worker.routes.conftest import ADMIN, make_settings, running, secret_of
from workflow_studio.compute.api import ApiKey, CreatedApiKey, Page


async def make(worker, **body):
    response = await worker.post("/v1/keys", json={"scopes": ["runs:read"]} | body)
    assert response.status_code == 201, response.text
    return CreatedApiKey.model_validate_json(response.content)


async def test_a_key_is_made_with_its_secret_and_shown_without_it_ever_after(worker):
    made = await make(worker, name="dash", projectId="shop", environment="test", scopes=["runs:read", "deploy:read"])
    assert (made.state, made.created_by, made.project_id, made.environment, made.name) == (
        "live",
        "admin",
        "shop",
        "test",
        "dash",
    )
    assert made.scopes == ("deploy:read", "runs:read")
    assert made.secret.startswith("wfs_")
    assert made.secret not in repr(made)
    assert (await worker.get("/v1/runs", key=made.secret)).status_code == 200
    assert (await worker.get("/v1/keys", key=made.secret)).json()["required"] == "admin"
    for path in (f"/v1/keys/{made.key_id}", "/v1/keys", "/v1/audit"):
        response = await worker.get(path)
        assert response.status_code == 200, response.text
        assert made.secret not in response.text
    shown = ApiKey.model_validate_json((await worker.get(f"/v1/keys/{made.key_id}")).content)
    assert shown.last_used_at is not None
    assert not shown.from_settings


async def test_a_key_belongs_to_its_makers_project_unless_told_otherwise(worker):
    made = await make(worker)
    assert (made.project_id, made.environment) == ("default", "production")


async def test_any_key_may_ask_what_it_is(worker):
    answer = (await worker.get("/v1/keys/current", key=secret_of("world:proxy"))).json()
    assert (answer["keyId"], answer["scopes"], answer["state"], answer["fromSettings"]) == (
        "world:proxy",
        ["world:proxy"],
        "live",
        True,
    )
    assert (await worker.get("/v1/keys/current", key=None)).status_code == 401


async def test_a_repeated_request_makes_one_key_and_shows_its_secret_once(worker):
    headers = {"idempotency-key": "again"}
    first = await worker.post("/v1/keys", json={"scopes": ["admin"]}, headers=headers)
    second = await worker.post("/v1/keys", json={"scopes": ["admin"]}, headers=headers)
    assert second.status_code == 201
    assert "secret" not in second.json()
    assert second.json()["keyId"] == first.json()["keyId"]
    other = await worker.post("/v1/keys", json={"scopes": ["runs:read"]}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    rotate = f"/v1/keys/{first.json()['keyId']}/rotate"
    replaced = [(await worker.post(rotate, headers=headers)).json() for _ in range(2)]
    assert replaced[0]["keyId"] == replaced[1]["keyId"]
    assert ["secret" in answer for answer in replaced] == [True, False]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"scopes": []},
        {"scopes": ["everything"]},
        {"scopes": ["admin"], "name": ""},
        {"scopes": ["admin"], "name": "x" * 101},
        {"scopes": ["admin"], "expiresInDays": 0},
        {"scopes": ["admin"], "expiresInDays": 3651},
        {"scopes": ["admin"], "expiresInDays": True},
        {"scopes": ["admin"], "expiresAt": "2020-01-01T00:00:00Z"},
        {"scopes": ["admin"], "expiresAt": "2100-01-01T00:00:00"},
        {"scopes": ["admin"], "expiresAt": "2100-01-01T00:00:00Z", "expiresInDays": 1},
        {"scopes": ["admin"], "secret": "my-own"},
        {"scopes": ["admin"], "name": "\ud800"},
    ],
)
async def test_a_key_that_makes_no_sense_is_not_made(worker, body):
    response = await worker.post(
        "/v1/keys", content=json.dumps(body).encode(), headers={"content-type": "application/json"}
    )
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request"), response.text


async def test_a_key_lives_as_long_as_it_was_told_to(worker):
    made = await make(worker, expiresInDays=2)
    assert timedelta(days=2) - timedelta(minutes=1) < made.expires_at - datetime.now(UTC) < timedelta(days=2)
    moment = datetime(2099, 1, 1, 12, tzinfo=UTC)
    assert (await make(worker, expiresAt=moment.isoformat())).expires_at == moment


async def test_who_sends_an_expired_key_is_told_so(worker):
    made = await make(worker)
    await worker.post(f"/v1/keys/{made.key_id}/rotate", json={"overlapSeconds": 0})
    response = await worker.get("/v1/runs", key=made.secret)
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["code"] == "unauthorized"
    assert "has expired" in response.json()["message"]
    assert made.secret not in response.text


async def test_a_revoked_key_is_not_told_from_one_that_never_was(worker):
    made = await make(worker)
    await worker.post(f"/v1/keys/{made.key_id}/revoke")
    assert (await worker.get("/v1/runs", key=made.secret)).json() == (await worker.get("/v1/runs", key="x" * 47)).json()


async def test_a_key_is_rotated_without_a_gap(worker):
    old = await make(worker, name="ci", scopes=["deploy:read"])
    response = await worker.post(f"/v1/keys/{old.key_id}/rotate", json={"overlapSeconds": 3600})
    new = CreatedApiKey.model_validate_json(response.content)
    assert (response.status_code, new.replaces, new.scopes, new.name) == (201, old.key_id, ("deploy:read",), "ci")
    left = new.replaced_expires_at - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)
    for secret in (old.secret, new.secret):
        assert (await worker.get("/v1/deployments", key=secret)).status_code == 200


async def test_the_settings_rotate_their_own_keys(worker):
    response = await worker.post("/v1/keys/runs:read/rotate")
    assert (response.status_code, response.json()["code"]) == (409, "key_from_settings")
    response = await worker.post("/v1/keys/runs:read/rotate", json={"overlapSeconds": -1})
    assert response.status_code == 400


async def test_a_key_is_revoked_at_once_and_once(worker):
    made = await make(worker, scopes=["runs:read"])
    assert (await worker.get("/v1/runs", key=made.secret)).status_code == 200
    answers = [(await worker.post(f"/v1/keys/{made.key_id}/revoke")).json() for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0]["state"] == "revoked"
    assert (await worker.get("/v1/runs", key=made.secret)).status_code == 401


async def test_the_last_admin_key_stays_unless_forced(worker):
    refused = await worker.post("/v1/keys/admin/revoke")
    assert (refused.status_code, refused.json()["code"]) == (409, "last_admin_key")
    assert (await worker.post("/v1/keys/admin/revoke", json={"force": True})).status_code == 200
    assert (await worker.get("/v1/keys")).status_code == 401


async def test_keys_are_listed(worker):
    made = await make(worker, projectId="shop")
    await worker.post("/v1/keys/runs:write/revoke")
    page = Page[ApiKey].model_validate_json((await worker.get("/v1/keys", params={"limit": 2})).content)
    assert page.has_more
    assert page.data[0].key_id == made.key_id
    listed = {"projectId": "shop"}, {"state": "revoked"}, {"state": "expired"}, {"environment": "nowhere"}
    found = [[key["keyId"] for key in (await worker.get("/v1/keys", params=query)).json()["data"]] for query in listed]
    assert found == [[made.key_id], ["runs:write"], [], []]
    for query in ({"state": "dead"}, {"limit": 0}, {"limit": 1001}, {"cursor": "nope"}, {"unknown": 1}):
        assert (await worker.get("/v1/keys", params=query)).status_code == 400, query


async def test_unknown_keys_are_not_found(worker):
    for verb, path in (("GET", "/v1/keys/x"), ("POST", "/v1/keys/x/rotate"), ("POST", "/v1/keys/x/revoke")):
        response = await worker.send(verb, path)
        assert (response.status_code, response.json()["code"]) == (404, "key_not_found")


async def test_keys_come_and_go_with_the_settings(tmp_path):
    app = {"key_id": "app", "scopes": ["runs:read"], "secret": "the-apps-own-secret"}
    admin = {"key_id": "admin", "scopes": ["admin"], "secret": ADMIN}
    changed = app | {"secret": "the-apps-new-secret"}
    for named, status in (([admin, app], 200), ([admin], 401), ([admin, app], 200), ([admin, changed], 401)):
        async with running(make_settings(tmp_path, seed_api_keys=named)) as worker:
            assert (await worker.get("/v1/runs", key="the-apps-own-secret")).status_code == status, named
            state = "disabled" if len(named) == 1 else "live"
            if len(named) == 1:
                assert (await worker.get("/v1/keys/app")).json()["state"] == state
    async with running(make_settings(tmp_path, seed_api_keys=[admin, changed])) as worker:
        assert (await worker.get("/v1/runs", key="the-apps-new-secret")).status_code == 200


async def test_a_key_that_the_worker_made_may_also_be_in_its_environment(tmp_path):
    async with running(make_settings(tmp_path, seed_api_keys=[])) as worker:
        secret = worker.services.settings.api_key_path.read_text().strip()
    async with running(make_settings(tmp_path, seed_api_keys=[], compute_api_key=secret)) as worker:
        assert (await worker.get("/v1/keys/current", key=secret)).json()["keyId"] == "first"


async def test_whoever_revoked_the_last_key_by_force_finds_a_new_one_on_the_machine(tmp_path):
    settings = make_settings(tmp_path, seed_api_keys=[])
    async with running(settings) as worker:
        lost = settings.api_key_path.read_text().strip()
        assert (await worker.post("/v1/keys/first/revoke", key=lost, json={"force": True})).status_code == 200
    async with running(settings) as worker:
        found = settings.api_key_path.read_text().strip()
        assert found != lost
        assert (await worker.get("/v1/keys", key=found)).status_code == 200
        assert (await worker.get("/v1/keys", key=lost)).status_code == httpx.codes.UNAUTHORIZED
