"""Examples of what is sent and answered, by the name of its schema."""

from __future__ import annotations

from typing import Any, Final

_RUN: Final = "wrun_01K5BGSJ0Z9E7Q4M6V8R2T3W1X"
_RERUN: Final = "wrun_01K5BHA7M2C4D6F8G0J1K3N5P7"
_DEPLOYMENT: Final = "dep_0f1e2d3c4b5a69788796a5b4c3d2e1f0"
_WORKFLOW: Final = "workflow//./workflows/order//processOrder"
_STEP: Final = "step_01K5BGSJ3B5D7F9H1K2M4P6R8T"
_HOOK: Final = "hook_01K5BGSJ4C6E8G0J2K3N5Q7S9V"
_WAIT: Final = "wait_01K5BGSJ5D7F9H1J3M4P6R8T0W"
_MESSAGE: Final = "msg_01K5BGSJ2A4C6E8G0H1K3M5N7Q"
_KEY: Final = "key_01K5BGSH9Z7X5V3T1R2P4M6K8J"
_CORRELATION: Final = "5b1f8a3e-0c52-4c1e-9d70-6f3b2f7f6a11"
_THEN: Final = "2026-09-17T09:00:00.120Z"
_LATER: Final = "2026-09-17T09:00:01.480Z"

_API_KEY: Final[dict[str, Any]] = {
    "keyId": _KEY,
    "projectId": "shop",
    "environment": "production",
    "scopes": ["runs:read", "trigger:write"],
    "state": "live",
    "name": "checkout service",
    "fromSettings": False,
    "createdAt": _THEN,
    "createdBy": "admin",
    "expiresAt": "2026-12-16T09:00:00.120Z",
}

BY_SCHEMA: Final[dict[str, Any]] = {
    "ActiveDeployment": {"deploymentId": _DEPLOYMENT, "environment": "production"},
    "ApiKey": _API_KEY | {"lastUsedAt": "2026-09-17T09:14:00Z"},
    "AuditEntry": {
        "entryId": "audit_01K5BGSJ6E8G0J2K4N5Q7S9V1X",
        "at": _THEN,
        "actor": "ci",
        "projectId": "shop",
        "environment": "production",
        "action": "activate_deployment",
        "target": _DEPLOYMENT,
        "status": 200,
        "requestId": _CORRELATION,
        "address": "203.0.113.7",
    },
    "CreateApiKeyRequest": {
        "name": "checkout service",
        "scopes": ["trigger:write", "runs:read"],
        "expiresInDays": 90,
    },
    "CreatedApiKey": _API_KEY | {"secret": "wsk_an_example_that_opens_nothing"},
    "DeadMessage": {
        "messageId": _MESSAGE,
        "queueName": "__wkf_step_step//./workflows/order//charge",
        "runId": _RUN,
        "stepId": _STEP,
        "attempt": 50,
        "failures": 50,
        "lastError": "The executor ended with the code 1.",
        "createdAt": _THEN,
    },
    "Deployment": {
        "deploymentId": _DEPLOYMENT,
        "status": "active",
        "environments": ["dev-ada", "production"],
        "liveRuns": 3,
        "digest": "sha256:0f1e2d3c4b5a69788796a5b4c3d2e1f0" + "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "workflows": [_WORKFLOW],
        "steps": ["step//./workflows/order//charge"],
        "sdk": {"workflow": "4.8.9", "core": "4.8.9", "specVersion": 3},
        "node": ">=20",
        "createdAt": _THEN,
        "createdBy": "ci",
        "activatedAt": _LATER,
        "activatedBy": "ci",
    },
    "Environment": {
        "name": "dev-ada",
        "deploymentId": _DEPLOYMENT,
        "activatedAt": _LATER,
        "activatedBy": "ci",
    },
    "Event": {
        "eventId": "evnt_00000000000000000000000004",
        "runId": _RUN,
        "eventType": "step_completed",
        "correlationId": _STEP,
        "eventData": {"result": {"charged": True}},
        "createdAt": _LATER,
    },
    "Executor": {
        "executorId": "exe_01K5BGSJ8G0J2K4M6P7S9V1X3Z",
        "deploymentId": _DEPLOYMENT,
        "pid": 4711,
        "inFlight": 2,
        "rss": 94_371_840,
        "startedAt": _THEN,
    },
    "ServiceWorker": {
        "workerId": "wrk_01K5BGSJ8G0J2K4M6P7S9V1X3Z",
        "epoch": 7,
        "host": "worker-2",
        "pid": 4710,
        "version": "0.1.0",
        "startedAt": _THEN,
        "heartbeatAt": _LATER,
        "leaseSeconds": 15,
        "inFlight": 2,
        "isThis": True,
        "leads": False,
    },
    "Health": {"healthy": True, "version": "0.1.0"},
    "Readiness": {"ready": True},
    "Limits": {
        "limits": [
            {"name": "key:*", "most": 1, "fromSettings": True},
            {"name": f"workflow:{_WORKFLOW}", "most": 2, "fromSettings": False, "updatedAt": _THEN, "updatedBy": "ops"},
        ],
    },
    "LimitsRequest": {f"workflow:{_WORKFLOW}": 2, "key:*": None},
    "Hook": {"hookId": _HOOK, "runId": _RUN, "isWebhook": False, "createdAt": _THEN},
    "OutputPage": {
        "data": [
            {
                "position": 1,
                "stepId": _STEP,
                "stepName": "step//./workflows/order//charge",
                "attempt": 1,
                "level": "info",
                "at": _THEN,
                "text": "charging order-17",
            }
        ],
        "cursor": "1",
        "hasMore": False,
        "dropped": 0,
        "finished": True,
    },
    "RerunRequest": {"deploymentId": "latest"},
    "RerunResponse": {"runId": _RERUN, "status": "pending", "deploymentId": _DEPLOYMENT, "rerunOf": _RUN},
    "ResumeRequest": {"runId": _RUN, "token": "order-17-approval", "payload": {"approved": True}},
    "ResumeResponse": {"accepted": True},
    "RevokeApiKeyRequest": {"force": False},
    "RotateApiKeyRequest": {"overlapSeconds": 3600, "expiresInDays": 90},
    "Run": {
        "runId": _RUN,
        "status": "completed",
        "workflowName": _WORKFLOW,
        "deploymentId": _DEPLOYMENT,
        "environment": "production",
        "specVersion": 3,
        "input": ["order-17"],
        "output": {"orderId": "order-17", "paidAt": {"$type": "Date", "value": _LATER}},
        "createdAt": _THEN,
        "startedAt": _THEN,
        "completedAt": _LATER,
        "updatedAt": _LATER,
        "createdBy": "ci",
        "projectId": "shop",
    },
    "SkipResponse": {
        "runId": _RUN,
        "skipped": {"timer": "sleep", "correlationId": _WAIT, "milliseconds": 86_400_000},
    },
    "Step": {
        "stepId": _STEP,
        "runId": _RUN,
        "stepName": "step//./workflows/order//charge",
        "status": "completed",
        "attempt": 1,
        "input": ["order-17"],
        "output": {"charged": True},
        "createdAt": _THEN,
        "startedAt": _THEN,
        "completedAt": _LATER,
        "updatedAt": _LATER,
    },
    "Stream": {"name": "strm_01K5BGSJ7F9H1J3K5N6Q8T0V2Y", "tailIndex": 6, "done": True, "createdAt": _THEN},
    "TriggerRequest": {"workflowName": _WORKFLOW, "input": ["order-17"]},
    "TriggerResponse": {"runId": _RUN, "status": "pending", "deploymentId": _DEPLOYMENT},
    "Variables": {
        "deploymentId": _DEPLOYMENT,
        "variables": [{"name": "STRIPE_KEY", "updatedAt": _THEN, "updatedBy": "ci"}],
    },
    "VariablesRequest": {"STRIPE_KEY": "an example", "OLD_NAME": None},
    "WakeRequest": {"correlationIds": [_WAIT]},
    "WakeResponse": {"runId": _RUN, "wokenWaits": 1},
    "WebhookResponse": {"accepted": True},
}

STREAM_LINES: Final = '{"index":0,"value":"Hello"}\n{"done":true,"nextIndex":1}\n'


def example(schema: str) -> Any:
    """Return an example of a schema, or None if there is none; a page holds one entry."""
    if schema.startswith("Page_"):
        entry = BY_SCHEMA.get(schema.removeprefix("Page_").removesuffix("_"))
        return None if entry is None else {"data": [entry], "cursor": None, "hasMore": False}
    return BY_SCHEMA.get(schema)
