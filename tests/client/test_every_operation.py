"""That the client reaches every address of the worker."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator

import httpx
import pytest

from tests.worker.routes.conftest import make_settings
from workflow_studio.client import AsyncComputeClient, ComputeClient, ComputeClientError, ResumeRequest, WebRequest
from workflow_studio.compute.interface import CanResume, CanTakeWebhooks, CanTrigger, Compute
from workflow_studio.worker.app import create_app

VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
RESUME = ResumeRequest.model_validate({"runId": "r", "token": "t"})

# What each method is called with; several times, where it has several addresses.
ARGUMENTS = {
    "call_webhook": [("t", WebRequest(verb, "http://app.test/hook")) for verb in VERBS],
    "create_deployment": [(__file__,)],
    "create_key": [(["admin"],)],
    "list_events_by_correlation_id": [("step_1",)],
    "iter_events_by_correlation_id": [("step_1",)],
    "publish": [("__wkf_workflow_w", {"runId": "r"})],
    "read_run_stream": [("r", "the stream")],
    "resume": [(RESUME,)],
    "rollback_deployment": [(), ("d",)],
    "set_limits": [({"key:*": 1},)],
    "set_variables": [("d", {"A": "1"})],
    "trigger": [("w",)],
    "webhook_ingress": [("github", WebRequest("POST", "http://app.test/hooks?a=b"))],
}
KEYWORDS = {"resume_run": {"token": "t"}}
# The rest of the world lane is for the SDK's runtime in apps, which speaks it by itself.
NOT_FOR_PYTHON = re.compile(r"/v1/world/(?!deployment-id)|/metrics")  # nor is what Prometheus reads
# The log of a run has two addresses.
ANOTHER_NAME = {"list_events"}


def arguments_of(name, method):
    required = [
        parameter
        for parameter in inspect.signature(method).parameters.values()
        if parameter.default is parameter.empty and parameter.kind in (0, 1)
    ]
    return ARGUMENTS.get(name, [tuple("x" for _ in required[1:])])


@pytest.fixture(scope="module")
def operations(tmp_path_factory):
    """Return the operation ids by verb and a pattern of the path."""
    app = create_app(make_settings(tmp_path_factory.mktemp("worker")), pool=object())
    return {
        (verb.upper(), re.compile(re.sub(r"\\{\w+\\}|{\w+}", "[^/]+", path) + r"\Z")): (operation["operationId"], path)
        for path, described in app.openapi()["paths"].items()
        for verb, operation in described.items()
    }


def test_every_operation_has_a_method_and_every_method_an_operation(operations):
    reached, missed = set(), []

    def worker(request):
        path = request.url.raw_path.decode().partition("?")[0]
        found = {
            name
            for (verb, pattern), (name, template) in operations.items()
            if verb == request.method and pattern.match(path) and ("{" not in template or path not in fixed)
        }
        reached.update(found)
        if not found:
            missed.append(f"{request.method} {path}")
        return httpx.Response(404, json={"code": "not_found", "message": "No."})

    fixed = {template for _, template in operations.values() if "{" not in template}
    with ComputeClient("http://worker.test", "k", transport=httpx.MockTransport(worker)) as client:
        for name, method in inspect.getmembers(ComputeClient, inspect.isfunction):
            if name.startswith("_") or name == "close":
                continue
            for arguments in arguments_of(name, method):
                with contextlib.suppress(ComputeClientError):
                    answer = getattr(client, name)(*arguments, **KEYWORDS.get(name, {}))
                    if isinstance(answer, Iterator):
                        list(answer)
    assert missed == []
    wanted = {name for name, path in operations.values() if not NOT_FOR_PYTHON.match(path)}
    assert wanted - reached == ANOTHER_NAME


async def test_the_client_for_asyncio_is_a_compute():
    async with AsyncComputeClient("http://worker.test") as client:
        compute: Compute = client
        can_trigger: CanTrigger = client
        can_resume: CanResume = client
        can_take_webhooks: CanTakeWebhooks = client
        for protocol in (Compute, CanTrigger, CanResume, CanTakeWebhooks):
            assert isinstance(client, protocol)
        assert compute is can_trigger is can_resume is can_take_webhooks
