"""What holds for every address, taken from the app itself, so that a new one cannot be forgotten."""

import re

import pytest
from fastapi.routing import APIRoute

from tests.worker.routes.conftest import ADMIN, FakePool, make_settings, running
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.app import create_app
from workflow_studio.worker.auth import Needs
from workflow_studio.worker.engine import NewKey
from workflow_studio.worker.settings import WorkerSettings

ANY_KEY = {("GET", "/v1/keys/current")}
"""Addresses that need a key and no scope."""

WITHOUT_ENTRY = {"world", "webhooks"}
"""Tags of addresses that the audit log leaves out: what comes by them is in the logs of the runs."""


def is_public(path):
    return path in {"/v1/health", "/v1/health/ready"} or path.startswith("/.well-known/workflow/v1/webhook/")


def routes_of(router):
    for route in router.routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from routes_of(route.original_router)
        else:
            assert route.path == "/v1/openapi.json", "a kind of route this test does not know"


def scopes_of(dependant):
    own = [dependant.call.scope] if isinstance(dependant.call, Needs) else []
    return own + [scope for inner in dependant.dependencies for scope in scopes_of(inner)]


APP = create_app(WorkerSettings(), pool=FakePool())
GUARDED = {
    (verb, route.path): scopes_of(route.dependant)
    for route in routes_of(APP)
    for verb in route.methods
    if not is_public(route.path)
}
CHANGING = {
    (verb.upper(), path): operation["operationId"]
    for path, operations in APP.openapi()["paths"].items()
    for verb, operation in operations.items()
    if verb.upper() not in {"GET", "HEAD", "OPTIONS"} and not WITHOUT_ENTRY & set(operation["tags"])
}


def filled(path):
    """Return a path with something in each of its places, and without a wait for what never comes."""
    return re.sub(r"{[^}]*}", "x", path) + ("?follow=false" if path == "/v1/activity" else "")


@pytest.fixture(scope="module")
def quota():
    return {"rate_limit_per_minute": 100_000, "failed_logins_per_minute": 100_000}


@pytest.fixture
async def worker(tmp_path, quota):
    async with running(make_settings(tmp_path / "data", **quota)) as driver:
        yield driver


async def secret_with(worker, scopes):
    _, secret = await worker.services.engine.keys.create(NewKey("p", "e", scopes))
    return secret


def test_operations_have_ids_of_their_own_that_make_good_names():
    named = [operation["operationId"] for path in APP.openapi()["paths"].values() for operation in path.values()]
    assert len(named) == len(set(named))
    assert [name for name in named if not re.fullmatch(r"[a-z]+(_[a-z]+)*|[a-z]+\.[a-zA-Z]+", name)] == []


def test_every_address_names_one_scope_at_most_and_few_name_none():
    assert {name for name, scopes in GUARDED.items() if not scopes} == ANY_KEY
    assert {name: scopes for name, scopes in GUARDED.items() if len(set(scopes)) > 1} == {}


async def test_every_address_refuses_a_missing_a_malformed_a_revoked_and_an_expired_key(worker):
    keys = worker.services.engine.keys
    revoked, secret_of_revoked = await keys.create(NewKey("p", "e", list(ComputeScope)))
    await keys.revoke(revoked.key_id)
    expired, secret_of_expired = await keys.create(NewKey("p", "e", list(ComputeScope)))
    await keys.rotate(expired.key_id, overlap_ms=0)
    refused = [
        None,
        "",
        "Bearer",
        f"Basic {ADMIN}",
        ADMIN,
        f"Bearer {ADMIN}x",
        f"Bearer {ADMIN},",
        f"Bearer {secret_of_revoked}",
        f"Bearer {secret_of_expired}",
    ]
    for verb, path in GUARDED:
        for authorization in refused:
            headers = {} if authorization is None else {"authorization": authorization}
            response = await worker.send(verb, filled(path), key=None, headers=headers)
            assert (response.status_code, response.json()["code"]) == (401, "unauthorized"), (verb, path, authorization)
            assert response.headers["www-authenticate"] == "Bearer"
            assert response.headers["x-workflow-correlation-id"]


@pytest.mark.parametrize("scope", sorted({scope for scopes in GUARDED.values() for scope in scopes}))
async def test_the_scope_an_address_needs_opens_it_and_no_other_scope_does(worker, scope):
    enough = await secret_with(worker, [scope])
    others = await secret_with(worker, [other for other in ComputeScope if other not in {scope, ComputeScope.ADMIN}])
    for verb, path in [name for name, scopes in GUARDED.items() if scope in scopes]:
        refused = await worker.send(verb, filled(path), key=others)
        assert (refused.status_code, refused.json()["code"], refused.json()["required"]) == (
            403,
            "missing_scope",
            scope,
        ), (verb, path)
        let_in = await worker.send(verb, filled(path), key=enough)
        assert let_in.status_code not in {401, 403, 500}, (verb, path, let_in.text)


async def entries_of(worker):
    return (await worker.get("/v1/audit", params={"limit": 1000})).json()["data"]


@pytest.mark.parametrize(("verb", "path"), sorted(CHANGING))
async def test_every_call_that_may_change_something_leaves_one_entry_whatever_comes_of_it(worker, verb, path):
    await worker.deploy()
    powerless, secret = await worker.services.engine.keys.create(NewKey("p", "e", [ComputeScope.WORLD_PROXY]))
    body = {"scopes": ["runs:read"]} if path == "/v1/keys" else {}
    for key, actor, options in (
        (secret, powerless.key_id, {}),
        (ADMIN, "admin", {"json": body}),
        (ADMIN, "admin", {"content": b"{", "headers": {"content-type": "application/json"}}),
        (ADMIN, "admin", {"content": b"\xff" * 5000}),
    ):
        before = len(await entries_of(worker))
        response = await worker.send(verb, filled(path), key, **options)
        entries = await entries_of(worker)
        assert len(entries) == before + 1, (options, response.text)
        code = response.json().get("code") if response.status_code >= 400 else None
        entry = entries[0]
        assert (entry["actor"], entry["action"], entry["status"], entry.get("code")) == (
            actor,
            CHANGING[verb, path],
            response.status_code,
            code,
        )
        assert entry["requestId"] == response.headers["x-workflow-correlation-id"]
        assert entry["address"] == "127.0.0.1"
        if "{" in path:
            assert entry["target"] == "x"
