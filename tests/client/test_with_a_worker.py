"""The clients and a real worker: what neither can show alone."""

from __future__ import annotations

import httpx
import pytest

from tests.client.conftest import WORKFLOW
from tests.worker.routes.conftest import ADMIN, make_settings, running, secret_of
from workflow_studio.client import (
    AsyncComputeClient,
    ComputeClient,
    ComputeClientError,
    ResumeRequest,
    ScopeError,
    TriggerRequest,
    WebRequest,
)
from workflow_studio.compute import wire
from workflow_studio.compute.ids import LATEST, RunId
from workflow_studio.compute.messages import WORKFLOW_QUEUE


def world(url, method, **params):
    """Call the World as an app does."""
    headers = {"authorization": f"Bearer {ADMIN}", "content-type": "application/cbor"}
    path = f"{url}/v1/world/{method.replace('.', '/')}"
    httpx.post(path, content=wire.encode(params), headers=headers).raise_for_status()


def test_a_stream_is_read_as_it_is_written(url):
    with ComputeClient(url, ADMIN) as client:
        run_id = client.trigger(WORKFLOW).run_id
        world(url, "streams.write", name="s", runId=run_id, chunks=[b"one"], writerId="w", sequence=0)
        lines = client.read_run_stream(run_id, "s")
        assert next(lines).value == {"$type": "Uint8Array", "base64": "b25l"}
        world(url, "streams.write", name="s", runId=run_id, chunks=[b"two"], writerId="w", sequence=1)
        assert next(lines).index == 1
        world(url, "streams.close", name="s", runId=run_id)
        assert list(lines) == []
        assert [(stream.name, stream.done) for stream in client.iter_run_streams(run_id)] == [("s", True)]


def test_lists_are_read_over_their_pages(url):
    with ComputeClient(url, ADMIN) as client:
        started = [client.trigger(WORKFLOW, [number]).run_id for number in range(5)]
        assert [run.run_id for run in client.iter_runs(limit=2)] == started[::-1]
        assert [run.run_id for run in client.iter_runs(limit=2, sort_order="asc", status="pending")] == started
        assert [entry.target for entry in client.iter_audit(limit=2, action="trigger")] == started[::-1]
        with pytest.raises(TypeError, match="colour"):
            client.list_runs(colour="green")  # type: ignore[call-arg]


@pytest.fixture
async def worker(tmp_path):
    async with running(make_settings(tmp_path / "data")) as driver:
        yield driver


async def test_an_app_publishes_messages_and_learns_the_deployment(worker):
    run_id = await worker.start()
    options = {"transport": worker.transport}
    async with AsyncComputeClient("http://worker.test", secret_of("world:proxy"), **options) as client:
        active = await client.get_deployment_id()
        published = await client.publish(WORKFLOW_QUEUE + "workflow//./w//f", {"runId": run_id})
    assert active == (await worker.world("runs.get", {"runId": run_id}))["deploymentId"]
    assert published.message_id.startswith("msg_")
    async with AsyncComputeClient("http://worker.test", secret_of("runs:write"), **options) as client:
        with pytest.raises(ScopeError) as refused:
            await client.get_deployment_id()
    assert refused.value.required == "world:proxy"


async def test_requests_as_a_whole_do_what_their_methods_do(worker):
    deployment_id = await worker.deploy()
    async with AsyncComputeClient("http://worker.test", ADMIN, transport=worker.transport) as client:
        request = TriggerRequest(workflow_name="workflow//./w//f", input=[1], deployment_id=LATEST)
        started = await client.trigger(request, idempotency_key="mine")
        assert started.deployment_id == deployment_id
        assert await client.trigger(request, idempotency_key="mine") == started
        with pytest.raises(ValueError, match="says itself"):
            await client.trigger(request, [2])
        with pytest.raises(ComputeClientError) as refused:
            await client.resume(ResumeRequest(run_id=started.run_id, token="none"))
        assert refused.value.status == 404


async def test_the_answer_of_a_webhook_comes_back_whatever_it_is(worker):
    run_id = await worker.start()
    await worker.event(run_id, "hook_created", "hook_1", token="the token/1", isWebhook=True)
    call = WebRequest(
        "PUT", "https://app.test/api/hooks?a=1&b=%2F", (("X-Signed", "yes"), ("Host", "app.test"), ("TE", "x")), b"body"
    )
    async with AsyncComputeClient("http://worker.test", "not-a-key", transport=worker.transport) as client:
        answer = await client.call_webhook("the token/1", call)
        assert (answer.status, answer.body, answer.header("content-type")) == (200, b"thanks", "text/plain")
        unknown = await client.call_webhook("another", call)
        assert unknown.status == 404
    ((_, handed),) = worker.pool.requests
    assert (handed.method, handed.body) == ("PUT", b"body")
    assert handed.url.endswith("/the%20token%2F1?a=1&b=%2F")
    assert handed.header("x-signed") == "yes"
    assert handed.header("authorization") is None
    assert "app.test" not in str(handed.headers)


async def test_variables_are_set_keys_are_made_and_ended_and_refusals_are_told(worker):
    deployment_id = await worker.deploy()
    async with AsyncComputeClient("http://worker.test", ADMIN, transport=worker.transport) as client:
        with pytest.raises(ComputeClientError, match="Activate another") as refused:
            await client.delete_deployment(deployment_id)
        assert refused.value.code == "deployment_active"
        assert (await client.set_variables(deployment_id, {"A": "1"})).variables[0].name == "A"
        made = await client.create_key(["runs:read"], name="ci", expires_in_days=1)
        assert made.secret
        assert (await client.rotate_key(made.key_id, overlap_seconds=0)).replaces == made.key_id
        assert (await client.get_key(made.key_id)).state == "expired"
        assert {key.key_id for key in [key async for key in client.iter_keys(limit=2)]} >= {made.key_id, "admin"}
        assert (await client.get_current_key()).key_id == "admin"
        with pytest.raises(ComputeClientError) as unknown:
            await client.wait_for_run(RunId("wrun_0"))
        assert unknown.value.code == "run_not_found"
