import http.server
import inspect
import json
import threading

import httpx
import pytest

import workflow_studio.client
from tests.support import blocking_client
from workflow_studio.client import (
    AsyncComputeClient,
    ComputeClient,
    ComputeClientError,
    IdempotencyError,
    RateLimitedError,
    ScopeError,
    TransportError,
    UnauthorizedError,
    WebRequest,
)

RUN = {"runId": "wrun_1", "status": "running", "workflowName": "workflow//./w//f", "deploymentId": "dep_1"}
STARTED = {"runId": "wrun_1", "status": "pending", "deploymentId": "dep_1"}


class Worker:
    """Answers requests from a list, the last one for ever, and remembers them."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        request.read()
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def client(self, **options) -> ComputeClient:
        options = {"api_key": "secret-key", "retries": 2} | options
        return ComputeClient("http://worker.test/base/", transport=httpx.MockTransport(self), **options)


def refusal(status, code, headers=None, **more):
    return httpx.Response(status, json={"code": code, "message": "No.", **more}, headers=headers)


@pytest.fixture(autouse=True)
def naps(monkeypatch):
    taken: list[float] = []

    async def nap(seconds):
        taken.append(seconds)

    monkeypatch.setattr("workflow_studio.client._sync.base.time.sleep", taken.append)
    monkeypatch.setattr("workflow_studio.client._async.base.anyio.sleep", nap)
    return taken


def test_a_call_sends_the_key_a_correlation_id_and_nothing_else_of_note():
    worker = Worker(httpx.Response(200, json=RUN))
    run = worker.client().get_run("wrun_1")
    (request,) = worker.requests
    assert str(request.url) == "http://worker.test/base/v1/runs/wrun_1?resolveData=all"
    assert request.headers["authorization"] == "Bearer secret-key"
    assert len(request.headers["x-workflow-correlation-id"]) == 36
    assert (run.run_id, run.status, run.finished) == ("wrun_1", "running", False)


def test_without_a_key_no_authorization_is_sent():
    worker = Worker(httpx.Response(200, json={"healthy": True, "version": "1"}))
    assert worker.client(api_key=None).health().healthy
    assert "authorization" not in worker.requests[0].headers


class _Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{"healthy": true, "version": "1"}'
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


async def test_the_key_of_a_worker_on_this_machine_goes_through_no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with http.server.HTTPServer(("127.0.0.1", 0), _Health) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,)).start()
        try:
            url = f"http://localhost:{server.server_port}"
            with ComputeClient(url, "k" * 20, retries=0) as client:
                assert client.health().healthy
            async with AsyncComputeClient(url, "k" * 20, retries=0) as client:
                assert (await client.health()).healthy
        finally:
            server.shutdown()


def test_answers_may_hold_fields_the_client_does_not_know():
    worker = Worker(httpx.Response(200, json={**RUN, "colour": "green"}))
    assert worker.client().get_run("wrun_1").deployment_id == "dep_1"


def test_ids_cannot_lead_to_another_route():
    worker = Worker(httpx.Response(200, json=RUN))
    worker.client().get_run("../deployments?x=1#")
    assert worker.requests[0].url.raw_path == b"/base/v1/runs/..%2Fdeployments%3Fx%3D1%23?resolveData=all"
    with pytest.raises(ValueError, match="is not an id"):
        worker.client().get_run("..")


def test_trigger_keeps_one_idempotency_key_over_its_attempts(naps):
    worker = Worker(httpx.Response(502), httpx.ConnectError("refused"), httpx.Response(201, json=STARTED))
    assert worker.client().trigger("workflow//./w//f", [1, {"a": None}]).run_id == "wrun_1"
    assert len({request.headers["idempotency-key"] for request in worker.requests}) == 1
    assert len({request.headers["x-workflow-correlation-id"] for request in worker.requests}) == 1
    assert [json.loads(request.content) for request in worker.requests] == [
        {"workflowName": "workflow//./w//f", "input": [1, {"a": None}]}
    ] * 3
    assert len(naps) == 2
    assert 0 <= naps[0] <= 0.25
    assert 0 <= naps[1] <= 0.5


def test_two_triggers_have_two_idempotency_keys_unless_told():
    worker = Worker(httpx.Response(201, json=STARTED))
    client = worker.client()
    client.trigger("w")
    client.trigger("w")
    client.trigger("w", idempotency_key="mine")
    keys = [request.headers["idempotency-key"] for request in worker.requests]
    assert keys[0] != keys[1]
    assert keys[2] == "mine"


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal(401, "unauthorized"), UnauthorizedError),
        (httpx.Response(401, text="<html>"), UnauthorizedError),
        (refusal(403, "missing_scope", required="runs:read"), ScopeError),
        (refusal(400, "idempotency_required"), IdempotencyError),
        (refusal(409, "idempotency_conflict"), IdempotencyError),
        (refusal(404, "run_not_found"), ComputeClientError),
        (httpx.Response(302, headers={"location": "http://elsewhere.test"}), ComputeClientError),
        (httpx.Response(200, text="<html>hello</html>"), TransportError),
    ],
)
def test_refusals_are_told_apart_and_not_repeated(answer, kind, naps):
    worker = Worker(answer)
    with pytest.raises(ComputeClientError) as caught:
        worker.client().get_run("wrun_1")
    assert type(caught.value) is kind
    assert caught.value.status == answer.status_code
    assert len(worker.requests) == 1
    assert naps == []


def test_an_error_carries_what_the_worker_said():
    worker = Worker(refusal(403, "missing_scope", required="runs:read", recovery="Use another key."))
    with pytest.raises(ScopeError) as caught:
        worker.client().get_run("wrun_1")
    error = caught.value
    assert (error.code, error.message, error.required) == ("missing_scope", "No.", "runs:read")
    assert str(error) == "No. Use another key."
    assert error.correlation_id == worker.requests[0].headers["x-workflow-correlation-id"]


def test_the_worker_says_how_long_to_wait(naps):
    worker = Worker(refusal(429, "rate_limited", headers={"retry-after": "7"}), httpx.Response(200, json=RUN))
    worker.client().get_run("wrun_1")
    assert naps == [7]


def test_a_long_wait_is_left_to_the_caller(naps):
    worker = Worker(refusal(429, "rate_limited", headers={"retry-after": "3600"}))
    with pytest.raises(RateLimitedError) as caught:
        worker.client().get_run("wrun_1")
    assert caught.value.retry_after == 3600
    assert naps == []


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (refusal(500, "internal_error"), ComputeClientError, "internal_error"),
        (httpx.Response(503, text="<html>"), ComputeClientError, "unexpected_response"),
        (httpx.ReadTimeout("slow"), TransportError, "timeout"),
        (httpx.ConnectError("refused"), TransportError, "unreachable"),
    ],
)
def test_passing_trouble_is_repeated_as_often_as_asked(answer, kind, code):
    worker = Worker(answer)
    with pytest.raises(ComputeClientError) as caught:
        worker.client(retries=3).get_run("wrun_1")
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert len(worker.requests) == 4


def test_an_unreachable_worker_is_told_in_words():
    with pytest.raises(TransportError) as caught:
        Worker(httpx.ConnectError("[Errno 111] Connection refused")).client(retries=0).get_run("wrun_1")
    assert caught.value.message.endswith("could not be reached: Connection refused.")


def test_calls_that_would_do_a_thing_twice_are_not_repeated():
    worker = Worker(httpx.ReadTimeout("slow"))
    with pytest.raises(TransportError):
        worker.client().resume_run("wrun_1", {"ok": True}, hook_id="hook_1")
    with pytest.raises(TransportError):
        worker.client().wake_run("wrun_1")
    assert len(worker.requests) == 2


def test_an_upload_tells_its_progress_and_starts_over_when_repeated(tmp_path):
    archive = tmp_path / "artifact.tgz"
    archive.write_bytes(b"x" * 600_000)
    worker = Worker(httpx.Response(503), httpx.Response(201, json={"deploymentId": "dep_1", "status": "created"}))
    steps: list[tuple[int, int]] = []
    deployment = worker.client().create_deployment(archive, on_progress=lambda *step: steps.append(step))
    assert deployment.deployment_id == "dep_1"
    assert steps == [(262_144, 600_000), (524_288, 600_000), (600_000, 600_000)] * 2
    for request in worker.requests:
        assert request.content == archive.read_bytes()
        assert request.headers["content-length"] == "600000"
        assert request.headers["content-type"] == "application/gzip"
        assert "transfer-encoding" not in request.headers


def test_the_key_is_never_shown(tmp_path):
    worker = Worker(httpx.ConnectError("refused"))
    client = worker.client(retries=0)
    with pytest.raises(TransportError) as caught:
        client.get_run("wrun_1")
    assert "secret-key" not in repr(client) + repr(client._options) + repr(caught.value) + str(caught.value)


@pytest.mark.parametrize("url", ["worker.test", "ftp://worker.test", "http://", "http://key@worker.test"])
def test_a_base_url_that_cannot_work_is_refused(url):
    with pytest.raises(ValueError, match="base URL"):
        ComputeClient(url)


@pytest.mark.parametrize("options", [{"timeout": 0}, {"retries": -1}])
def test_options_that_make_no_sense_are_refused(options):
    with pytest.raises(ValueError, match="must be positive"):
        ComputeClient("http://worker.test", **options)


def methods(kind):
    found = inspect.getmembers(kind, inspect.isfunction)
    return {name: str(inspect.signature(value)) for name, value in found if name[0] != "_" or name == "__init__"}


def test_both_clients_have_the_same_methods():
    blocking, awaiting = methods(ComputeClient), methods(AsyncComputeClient)
    assert blocking.pop("close") == awaiting.pop("aclose")
    awaiting.pop("create_consumer")  # a consumer is asynchronous
    assert blocking == {name: signature.replace("Async", "") for name, signature in awaiting.items()}


def test_the_client_that_blocks_is_the_other_one_without_awaiting():
    written = {file.name: file.read_text(encoding="utf-8") for file in blocking_client.TARGET.glob("*.py")}
    assert written == blocking_client.rendered(), "run: python -m tests.support.blocking_client --write"


def test_all_names_what_is_public():
    public = {
        name
        for name, value in vars(workflow_studio.client).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public == set(workflow_studio.client.__all__)
    assert sorted(workflow_studio.client.__all__) == workflow_studio.client.__all__


def test_a_client_names_its_environment_with_every_call_that_has_the_key():
    worker = Worker(httpx.Response(200, json={"deploymentId": "dep_1"}))
    client = worker.client(environment="dev-ada")
    client.get_active_deployment()
    client.call_webhook("token", WebRequest("GET", "http://app.test/"))
    header = "x-workflow-studio-environment"
    assert [request.headers.get(header) for request in worker.requests] == ["dev-ada", None]
    assert client.environment == "dev-ada"


def test_without_an_environment_none_is_named():
    worker = Worker(httpx.Response(200, json={"deploymentId": "dep_1"}))
    client = worker.client()
    assert (client.get_active_deployment().environment, client.environment) == ("production", "production")
    assert "x-workflow-studio-environment" not in worker.requests[0].headers


@pytest.mark.parametrize("name", ["", "Dev", "-a", "a b", "a" * 64])
def test_what_is_no_environment_is_refused_at_once(name):
    with pytest.raises(ValueError, match="is not the name of an environment"):
        ComputeClient("http://worker.test", environment=name)


def test_the_environment_that_another_service_names_is_not_passed_on():
    worker = Worker(httpx.Response(200, json={"accepted": True}))
    headers = (("X-Workflow-Studio-Environment", "theirs"),)
    worker.client(environment="ours").webhook_ingress("github", WebRequest("POST", "http://app.test/", headers))
    assert worker.requests[0].headers.get_list("x-workflow-studio-environment") == ["ours"]


async def test_an_archive_may_be_in_memory_and_name_its_base(naps):
    content = b"x" * 300_000
    worker = Worker(
        refusal(503, "internal_error"), httpx.Response(201, json={"deploymentId": "d", "status": "created"})
    )
    steps: list[tuple[int, int]] = []
    worker.client().create_deployment(content, base="dep_1", on_progress=lambda *step: steps.append(step))
    async with AsyncComputeClient("http://worker.test/base", transport=httpx.MockTransport(worker)) as client:
        await client.create_deployment(content, base="dep_1")
    assert [request.content for request in worker.requests] == [content] * 3
    assert {str(request.url) for request in worker.requests} == {"http://worker.test/base/v1/deployments?base=dep_1"}
    assert steps == [(262_144, 300_000), (300_000, 300_000)] * 2


CALLS = {
    "health": ((), {"healthy": True}),
    "readiness": ((), {"ready": True}),
    "trigger": (("w",), STARTED),
    "get_run": (("r",), RUN),
    "list_runs": ((), {"data": [RUN]}),
    "cancel_run": (("r",), RUN),
    "wake_run": (("r",), {"runId": "r"}),
    "skip_time": (("r",), {"runId": "r", "skipped": None}),
    "list_run_steps": (("r",), {"data": []}),
    "list_run_hooks": (("r",), {"data": []}),
    "list_run_timeline": (("r",), {"data": []}),
    "list_events_by_correlation_id": (("c",), {"data": []}),
    "get_run_step": (("s",), {"stepId": "s", "runId": "r", "stepName": "n", "status": "running"}),
    "get_run_hook": (("h",), {"hookId": "h", "runId": "r"}),
    "list_deployments": ((), {"data": []}),
    "get_deployment": (("d",), {"deploymentId": "d", "status": "created"}),
    "get_active_deployment": ((), {"deploymentId": "d"}),
    "activate_deployment": (("d",), {"deploymentId": "d", "status": "active"}),
    "rollback_deployment": (("d",), {"deploymentId": "d", "status": "active"}),
    "list_executors": ((), {"data": []}),
    "list_workers": ((), {"data": []}),
    "list_dead_messages": ((), {"data": []}),
    "retry_dead_message": (("m",), {"messageId": "m", "queueName": "q"}),
}


@pytest.mark.parametrize("name", CALLS)
async def test_both_clients_send_the_same_and_read_the_same(name):
    arguments, answer = CALLS[name]
    worker = Worker(httpx.Response(200, json=answer))
    read = getattr(worker.client(), name)(*arguments)
    async with AsyncComputeClient(
        "http://worker.test/base", "secret-key", transport=httpx.MockTransport(worker)
    ) as client:
        assert await getattr(client, name)(*arguments) == read
    first, second = worker.requests
    assert (first.method, first.url) == (second.method, second.url)
    assert set(first.headers) == set(second.headers)


async def test_the_asynchronous_client_retries_and_uploads_too(tmp_path, naps):
    archive = tmp_path / "artifact.tgz"
    archive.write_bytes(b"x" * 300_000)
    bodies: list[bytes] = []

    async def worker(request: httpx.Request) -> httpx.Response:
        bodies.append(await request.aread())
        status = 503 if len(bodies) == 1 else 201
        return httpx.Response(status, json={"deploymentId": "dep_1", "status": "created"})

    steps: list[tuple[int, int]] = []
    async with AsyncComputeClient("http://worker.test", transport=httpx.MockTransport(worker)) as client:
        await client.create_deployment(archive, on_progress=lambda *step: steps.append(step))
    assert bodies == [archive.read_bytes()] * 2
    assert steps == [(262_144, 300_000), (300_000, 300_000)] * 2
    assert len(naps) == 1
