import asyncio
import inspect
import io
import logging
import re
import uuid
from types import SimpleNamespace

import pytest
from fastapi.routing import APIRoute

from tests.support.until import until
from tests.worker.routes.conftest import ADMIN, make_settings, running, secret_of
from workflow_studio.compute import wire
from workflow_studio.compute.scopes import ComputeScope
from workflow_studio.worker.auth import Needs
from workflow_studio.worker.engine import NewKey
from workflow_studio.worker.gate import WEBHOOK_PREFIX
from workflow_studio.worker.origin import name_requests_in_log
from workflow_studio.worker.routes.world import LANE

READ = {"name": "nothing-in-it-yet", "waitMs": 20_000}

SCOPES = {
    ("POST", "/v1/deployments"): "deploy:write",
    ("GET", "/v1/deployments"): "deploy:read",
    ("GET", "/v1/deployments/active"): "deploy:read",
    ("GET", "/v1/deployments/{deployment_id}"): "deploy:read",
    ("DELETE", "/v1/deployments/{deployment_id}"): "deploy:write",
    ("POST", "/v1/deployments/{deployment_id}/activate"): "deploy:write",
    ("POST", "/v1/deployments/{deployment_id}/rollback"): "deploy:write",
    ("POST", "/v1/deployments/rollback"): "deploy:write",
    ("GET", "/v1/environments"): "deploy:read",
    ("DELETE", "/v1/environments/{name}"): "deploy:write",
    ("GET", "/v1/deployments/{deployment_id}/env"): "deploy:read",
    ("PUT", "/v1/deployments/{deployment_id}/env"): "deploy:write",
    ("POST", "/v1/runs"): "trigger:write",
    ("GET", "/v1/runs"): "runs:read",
    ("GET", "/v1/runs/{run_id}"): "runs:read",
    ("POST", "/v1/runs/{run_id}/cancel"): "runs:write",
    ("POST", "/v1/runs/{run_id}/rerun"): "runs:write",
    ("POST", "/v1/runs/{run_id}/skip"): "runs:write",
    ("POST", "/v1/runs/{run_id}/wake"): "runs:write",
    ("POST", "/v1/runs/resume"): "runs:write",
    ("POST", "/v1/webhooks/{provider}"): "trigger:write",
    ("GET", "/v1/runs/{run_id}/steps"): "runs:read",
    ("GET", "/v1/runs/{run_id}/hooks"): "runs:read",
    ("GET", "/v1/runs/{run_id}/events"): "runs:read",
    ("GET", "/v1/runs/{run_id}/streams"): "runs:read",
    ("GET", "/v1/runs/{run_id}/streams/{name:path}"): "runs:read",
    ("GET", "/v1/steps/{step_id}"): "runs:read",
    ("GET", "/v1/hooks/{hook_id}"): "runs:read",
    ("GET", "/v1/events"): "runs:read",
    ("GET", "/v1/events/correlation/{correlation_id}"): "runs:read",
    ("GET", "/v1/runs/{run_id}/output"): "runs:read",
    ("GET", "/v1/activity"): "runs:read",
    ("GET", "/v1/executors"): "runs:read",
    ("GET", "/v1/workers"): "runs:read",
    ("GET", "/v1/queue/dead"): "runs:read",
    ("POST", "/v1/queue/dead/{message_id}/retry"): "runs:write",
    ("GET", "/v1/limits"): "admin",
    ("PUT", "/v1/limits"): "admin",
    ("POST", "/v1/keys"): "admin",
    ("GET", "/v1/keys"): "admin",
    ("GET", "/v1/keys/{key_id}"): "admin",
    ("POST", "/v1/keys/{key_id}/rotate"): "admin",
    ("POST", "/v1/keys/{key_id}/revoke"): "admin",
    ("GET", "/v1/audit"): "admin",
    ("GET", "/metrics"): "metrics:read",
    **{(endpoint.verb, endpoint.path): "world:proxy" for endpoint in wire.ENDPOINTS},
}


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


def scope_of(route):
    found = [dependency.call for dependency in route.dependant.dependencies if isinstance(dependency.call, Needs)]
    return found[0].scope if found else None


async def test_every_route_but_health_and_webhooks_names_the_scope_it_needs(worker):
    found = {}
    for route in routes_of(worker.app):
        for verb in route.methods:
            found[verb, route.path] = scope_of(route)
    assert found.pop(("GET", "/v1/keys/current")) is None, "any key may ask what it is"
    public = {name for name, scope in found.items() if scope is None}
    assert all(is_public(path) for _, path in public), public
    assert {name: scope for name, scope in found.items() if scope is not None} == SCOPES


def test_the_world_lane_is_answered_without_a_search_for_the_route():
    assert set(LANE) == {(endpoint.verb, endpoint.path) for endpoint in wire.ENDPOINTS}


async def test_no_request_waits_for_a_thread_to_learn_what_its_route_is_given(worker):
    def of(dependant):
        for dependency in dependant.dependencies:
            yield dependency.call
            yield from of(dependency)

    for route in routes_of(worker.app):
        for call in of(route.dependant):
            known = call if inspect.isfunction(call) else type(call).__call__
            assert inspect.iscoroutinefunction(known), (route.path, call)


async def test_no_address_answers_without_a_key_but_health_and_webhooks(tmp_path):
    async with running(make_settings(tmp_path, failed_logins_per_minute=10_000)) as worker:
        paths = {re.sub(r"{[^}]*}", "x", route.path) for route in routes_of(worker.app)}
        for path in {*paths, "/", "/nothing", "/v1/openapi.json", "/docs", "/v1", "/v1/health/", "/v1//health"}:
            if is_public(path):
                continue
            for verb in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"):
                response = await worker.send(verb, path, key=None)
                assert response.status_code == 401, (verb, path)
                assert response.headers["www-authenticate"] == "Bearer"


async def test_health_needs_no_key(worker):
    response = await worker.get("/v1/health", key=None)
    assert response.status_code == 200
    assert response.json() == {"healthy": True, "version": "0.1.0"}


async def test_a_wrong_key_is_refused_and_not_repeated(worker):
    wrong = ["", "Bearer", "Bearer ", f"Basic {ADMIN}", ADMIN, "Bearer wrong", f"Bearer {ADMIN}x", "Bearer \xe9"]
    for authorization in wrong:
        headers = {"authorization": authorization.encode("latin-1")}
        response = await worker.get("/v1/runs", key=None, headers=headers)
        assert response.status_code == 401, authorization
        assert response.json()["code"] == "unauthorized"
        assert response.json()["recovery"]
        assert ADMIN not in response.text


@pytest.mark.parametrize("scope", sorted(set(SCOPES.values())))
async def test_a_key_with_every_other_scope_is_refused(tmp_path, scope):
    others = [other for other in ComputeScope if other not in {scope, ComputeScope.ADMIN}]
    keys = [{"key_id": "k", "scopes": others, "secret": "all-the-other-scopes"}]
    async with running(make_settings(tmp_path, seed_api_keys=keys)) as worker:
        for verb, path in [name for name, needed in SCOPES.items() if needed == scope]:
            response = await worker.send(verb, path, key="all-the-other-scopes")
            assert response.status_code == 403, (verb, path)
            assert response.json() == {
                "code": "missing_scope",
                "message": f"The API key k lacks the scope {scope}.",
                "recovery": "Use a key that has it.",
                "required": scope,
            }


async def test_a_key_with_the_scope_may(worker):
    assert (await worker.get("/v1/runs", key=secret_of("runs:read"))).status_code == 200
    assert (await worker.get("/v1/deployments", key=secret_of("deploy:read"))).status_code == 200


async def test_a_revoked_key_is_refused_from_the_next_request_on(worker):
    assert (await worker.get("/v1/runs", key=secret_of("runs:read"))).status_code == 200
    await worker.services.engine.keys.revoke("runs:read")
    assert (await worker.get("/v1/runs", key=secret_of("runs:read"))).status_code == 401


async def test_every_answer_is_named(worker):
    for path, key in (("/v1/health", None), ("/v1/runs", None), ("/v1/runs", ADMIN), ("/nothing", ADMIN)):
        first, second = [(await worker.get(path, key)).headers["x-workflow-correlation-id"] for _ in range(2)]
        assert first != second
        assert uuid.UUID(first)


async def test_a_callers_name_is_kept(worker):
    response = await worker.get("/v1/runs", headers={"x-workflow-correlation-id": "order/17:a.b-c_d"})
    assert response.headers["x-workflow-correlation-id"] == "order/17:a.b-c_d"


async def test_a_name_that_could_do_harm_is_replaced(worker):
    for name in ("", " ", "x" * 129, "a b", "a\tb", "é", "<script>", '"'):
        response = await worker.get("/v1/runs", headers={"x-workflow-correlation-id": name.encode("latin-1")})
        assert uuid.UUID(response.headers["x-workflow-correlation-id"])


async def test_what_is_not_there_says_so(worker):
    response = await worker.get("/v1/nothing")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
    response = await worker.send("DELETE", "/v1/runs")
    assert (response.status_code, response.json()["code"]) == (405, "invalid_request")
    assert response.headers["allow"] == "GET, POST"
    assert response.json()["message"] == "This address takes other methods: GET, POST."


async def test_a_body_that_does_not_say_it_is_json_is_told_how_to(worker):
    for content_type in ({}, {"content-type": "application/x-www-form-urlencoded"}):
        headers = {"idempotency-key": "k", **content_type}
        response = await worker.send("POST", "/v1/runs", content=b'{"workflowName": "w"}', headers=headers)
        assert (response.status_code, response.json()["code"]) == (400, "invalid_request")
        assert "Content-Type: application/json" in response.json()["recovery"]
    response = await worker.send("POST", "/v1/runs", json=[1], headers={"idempotency-key": "k"})
    assert "recovery" not in response.json()


async def test_an_unforeseen_error_shows_nothing_of_itself(worker, monkeypatch, caplog):
    async def broken(*_args, **_more):
        raise RuntimeError("the word is swordfish")

    monkeypatch.setattr(worker.services.engine.runs, "list", broken)
    response = await worker.get("/v1/runs")
    assert (response.status_code, response.json()["code"]) == (500, "internal_error")
    assert "swordfish" not in response.text
    correlation_id = response.headers["x-workflow-correlation-id"]
    assert correlation_id in response.json()["message"]
    assert correlation_id in caplog.text
    assert "the word is swordfish" in caplog.text


async def test_an_address_cannot_write_a_log_line_of_its_own(worker, monkeypatch, caplog):
    async def broken(*_args, **_more):
        raise RuntimeError("no")

    monkeypatch.setattr(worker.services.engine.runs, "get", broken)
    assert (await worker.get("/v1/runs/x%0AERROR%20forged%1b[2J")).status_code == 500
    assert all("\n" not in message and "\x1b" not in message for message in caplog.messages)
    assert "/v1/runs/x%0AERROR%20forged" in caplog.text


async def test_the_token_of_a_webhook_is_not_logged(worker, monkeypatch, caplog):
    async def broken(*_args, **_more):
        raise RuntimeError("no")

    monkeypatch.setattr(type(worker.services), "world", broken)
    assert (await worker.post(WEBHOOK_PREFIX + "swordfish", key=None)).status_code == 500
    assert WEBHOOK_PREFIX in caplog.text
    assert "swordfish" not in caplog.text


async def test_a_long_body_is_refused_whether_or_not_it_says_so(tmp_path):
    async def chunks():
        for _ in range(20):
            yield b"x" * 100

    async with running(make_settings(tmp_path, max_body_bytes=1024)) as worker:
        for path, headers in (
            ("/v1/runs", {"content-type": "application/json"}),
            ("/v1/world/runs/list", {"content-type": "application/cbor"}),
            (WEBHOOK_PREFIX + "token", {}),
        ):
            for content in (b"x" * 1025, chunks()):
                response = await worker.post(path, content=content, headers=headers)
                if path.startswith(WEBHOOK_PREFIX) and not isinstance(content, bytes):
                    assert response.status_code == 404  # the body of an unknown webhook is never read
                    continue
                assert (response.status_code, response.json()["code"]) == (413, "request_too_large"), path


async def test_an_artifact_may_be_longer_than_other_bodies(tmp_path):
    async with running(make_settings(tmp_path, max_body_bytes=1024)) as worker:
        response = await worker.post("/v1/deployments", content=b"x" * 5000)
    assert response.json()["code"] == "invalid_artifact"


async def test_plain_http_is_refused_where_https_is_required(tmp_path):
    async with running(make_settings(tmp_path, require_https=True)) as worker:
        refused = await worker.get("/v1/runs")
        assert (refused.status_code, refused.json()["code"]) == (403, "https_required")
        assert (await worker.post(WEBHOOK_PREFIX + "x", key=None)).status_code == 403
        # Who forwarded it is for the server to know; a header that anyone may send is nothing.
        assert (await worker.get("/v1/runs", headers={"x-forwarded-proto": "https"})).status_code == 403
        assert (await worker.get("https://worker.test/v1/runs")).status_code == 200
        assert (await worker.get("/v1/health", key=None)).status_code == 200


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still, for the minutes that requests are counted in."""
    still = SimpleNamespace(now=1_800_000_010.0)
    still.time = lambda: still.now
    for module in ("limits.aio.storage.memory", "limits.aio.strategies", "workflow_studio.worker.limits"):
        monkeypatch.setattr(f"{module}.time", still)
    return still


async def test_requests_are_counted_per_key_and_every_answer_says_how_many_are_left(tmp_path, clock):
    async with running(make_settings(tmp_path, rate_limit_per_minute=3)) as worker:
        for left in (2, 1, 0):
            response = await worker.get("/v1/runs" if left else "/v1/nothing", key=secret_of("runs:read"))
            assert response.status_code == (200 if left else 404)
            assert response.headers["ratelimit-policy"] == '"key";q=3;w=60'
            assert re.fullmatch(rf'"key";r={left};t=\d+', response.headers["ratelimit"])
        refused = await worker.get("/v1/runs", key=secret_of("runs:read"))
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        wait = int(refused.headers["retry-after"])
        assert 1 <= wait <= 60
        assert refused.headers["ratelimit"] == f'"key";r=0;t={wait}'
        assert (await worker.get("/v1/runs")).status_code == 200, "another key has its own count"
        clock.now += wait - 2
        assert (await worker.get("/v1/runs", key=secret_of("runs:read"))).status_code == 429
        clock.now += 2
        assert (await worker.get("/v1/runs", key=secret_of("runs:read"))).status_code == 200


async def test_a_burst_at_the_turn_of_a_minute_is_not_twice_the_limit(tmp_path, clock):
    clock.now -= clock.now % 60
    clock.now += 59.9
    async with running(make_settings(tmp_path, rate_limit_per_minute=10)) as worker:
        before = [(await worker.get("/v1/runs", key=secret_of("runs:read"))).status_code for _ in range(10)]
        clock.now += 0.2
        after = [(await worker.get("/v1/runs", key=secret_of("runs:read"))).status_code for _ in range(10)]
    assert before == [200] * 10
    assert after.count(200) <= 1


async def test_webhook_calls_are_counted_per_address(tmp_path, clock):
    async with running(make_settings(tmp_path, rate_limit_per_minute=2)) as worker:
        answers = [await worker.post(WEBHOOK_PREFIX + "x", key=None) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [404, 404, 429]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"address";q=2;w=60'}
        assert (await worker.get("/v1/runs")).status_code == 200


async def test_who_guesses_keys_is_told_to_wait_and_who_has_one_is_not(tmp_path, clock):
    async with running(make_settings(tmp_path, failed_logins_per_minute=2)) as worker:
        answers = [await worker.get("/v1/runs", key="guess") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [401, 401, 429, 429]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"failed";q=2;w=60'}
        assert (await worker.get("/v1/runs")).status_code == 200
        assert "ratelimit" not in (await worker.get("/v1/health", key=None)).headers


async def test_a_key_has_so_many_long_polls_open_and_no_more(tmp_path):
    async with running(make_settings(tmp_path, max_streams_per_key=2)) as worker:
        run_id = await worker.start()
        held = worker.services.streams

        async def poll(key=ADMIN, wait_ms=20_000):
            return await worker.get(f"/v1/runs/{run_id}", key, params={"waitMs": wait_ms})

        polls = [asyncio.ensure_future(poll()), asyncio.ensure_future(worker.call("streams.read", READ))]
        await until(lambda: held.open("admin") == 2)
        refused = await poll()
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_streams")
        assert refused.headers["retry-after"] == "1"
        assert (await worker.call("streams.read", READ)).status_code == 429
        assert (await poll(wait_ms=0)).status_code == 200, "what does not wait holds nothing"
        assert (await poll(key=secret_of("runs:read"), wait_ms=1)).status_code == 200, "another key has its own"
        polls.pop().cancel()
        await until(lambda: held.open("admin") == 1)
        polls.append(asyncio.ensure_future(poll()))
        await until(lambda: held.open("admin") == 2)
        await worker.post(f"/v1/runs/{run_id}/cancel")
        assert [answer.json()["status"] for answer in await asyncio.gather(*polls)] == ["cancelled"] * 2
        assert held.open("admin") == 0


async def test_every_log_line_of_a_request_names_it_and_no_other_line_does(worker, monkeypatch):
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    name_requests_in_log()
    log = logging.getLogger("workflow_studio.worker.test")
    left_behind = []

    async def listing(*_args, **_more):
        log.error("during")
        go_on = asyncio.Event()

        async def later():
            await go_on.wait()
            log.error("after")

        left_behind.append((go_on, asyncio.ensure_future(later())))
        await worker.services.engine.keys.create(NewKey("p", "e", ["admin"]))
        return {"data": [], "cursor": None, "hasMore": False}

    monkeypatch.setattr(worker.services.engine.runs, "list", listing)
    await worker.get("/v1/runs", headers={"x-workflow-correlation-id": "order-17"})
    for go_on, task in left_behind:
        go_on.set()
        await task
    lines = written.getvalue().splitlines()
    assert [line.partition("ERROR ")[2] for line in lines] == [
        "workflow_studio.worker.test [order-17]: during",
        "workflow_studio.worker.test [-]: after",
    ]


async def test_websockets_are_refused(worker):
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await worker.app({"type": "websocket", "path": "/v1/runs", "headers": [], "query_string": b""}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1008}]
