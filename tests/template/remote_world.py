"""Code and answers for tests of the app's World against an HTTP server."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.template.support import Answer, FakeWorker, Request, cbor, each

if TYPE_CHECKING:
    from tests.template.support import App

KEY = "key-of-these-tests"
RUN = "wrun_01ARZ3NDEKTSV4RRFFQ69G5FAV"
WORLD = "const world = require('workflow-studio/world-remote').createWorld();"


def environment(worker: FakeWorker, **more: str) -> dict[str, str]:
    return {
        "WORKFLOW_TARGET_WORLD": "workflow-studio/world-remote",
        "WORKFLOW_COMPUTE_BASE_URL": worker.url + "/",
        "WORKFLOW_COMPUTE_API_KEY": KEY,
        **more,
    }


def config(app: App, **execution: Any) -> None:
    app.write("workflow.config.json", json.dumps({"execution": execution}))


def a_run(status: str = "running", **more: Any) -> dict[str, Any]:
    context = {"traceCarrier": {"traceparent": "00-1-2-01"}, "workflowCoreVersion": "4.8.9"}
    run = {"runId": RUN, "status": status, "workflowName": "w", "deploymentId": "dep_1", "executionContext": context}
    return {**run, **more}


@each
def know_everything(request: Request) -> Answer:
    """Answer as a worker does that does not encrypt and has one run, which waits for a hook."""
    clear = {"x-workflow-studio-encryption": "none"}
    if request.path == "/v1/world/runs/get":
        return cbor(a_run(), **clear)
    if request.path == "/v1/world/hooks/by-token":
        hook = {"hookId": "hook_1", "runId": RUN, "token": request.params["token"]}
        return cbor({**hook, "run": a_run()} if request.params.get("withRun") else hook, **clear)
    if request.path == "/v1/queue/publish":
        return cbor({"messageId": "msg_1"}, **clear)
    return cbor({"run": {"runId": RUN, "status": "pending"}, "deploymentId": "dep_1"}, **clear)
