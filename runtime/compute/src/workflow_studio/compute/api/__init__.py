"""The public lane: the JSON that people, tools and other services exchange with the worker.

Routes, scopes and codes are in ``docs/reference/http-api.md``. Keys are camelCase, times are ISO 8601 with a time
zone, and an absent optional field is left out. Answers may gain fields; a reader ignores those it does not know.
Payloads appear as :func:`workflow_studio.compute.payload.loads` shows them.
"""

from __future__ import annotations

from workflow_studio.compute.api._base import (
    Answer,
    Page,
    Request,
    ResolveData,
    SortOrder,
)
from workflow_studio.compute.api.activity import (
    ActivityEntry,
    ActivityLine,
)
from workflow_studio.compute.api.audit import AuditEntry
from workflow_studio.compute.api.deployments import (
    ActiveDeployment,
    Deployment,
    DeploymentStatus,
    Sdk,
)
from workflow_studio.compute.api.environment import (
    Variable,
    Variables,
    VariablesRequest,
)
from workflow_studio.compute.api.environments import Environment
from workflow_studio.compute.api.keys import (
    ApiKey,
    CreateApiKeyRequest,
    CreatedApiKey,
    KeyState,
    RevokeApiKeyRequest,
    RotateApiKeyRequest,
)
from workflow_studio.compute.api.limits import (
    Limit,
    LimitName,
    Limits,
    LimitsRequest,
)
from workflow_studio.compute.api.operations import (
    DeadMessage,
    Executor,
    Health,
    Readiness,
    ServiceWorker,
    WebhookResponse,
)
from workflow_studio.compute.api.output import (
    OutputLevel,
    OutputLine,
    OutputPage,
)
from workflow_studio.compute.api.runs import (
    Event,
    Failure,
    Hook,
    RerunRequest,
    RerunResponse,
    ResumeRequest,
    ResumeResponse,
    Run,
    SkippedTimer,
    SkipResponse,
    Step,
    TriggerRequest,
    TriggerResponse,
    WakeRequest,
    WakeResponse,
)
from workflow_studio.compute.api.streams import (
    Stream,
    StreamFormat,
    StreamLine,
)

__all__ = [
    "ActiveDeployment",
    "ActivityEntry",
    "ActivityLine",
    "Answer",
    "ApiKey",
    "AuditEntry",
    "CreateApiKeyRequest",
    "CreatedApiKey",
    "DeadMessage",
    "Deployment",
    "DeploymentStatus",
    "Environment",
    "Event",
    "Executor",
    "Failure",
    "Health",
    "Hook",
    "KeyState",
    "Limit",
    "LimitName",
    "Limits",
    "LimitsRequest",
    "OutputLevel",
    "OutputLine",
    "OutputPage",
    "Page",
    "Readiness",
    "Request",
    "RerunRequest",
    "RerunResponse",
    "ResolveData",
    "ResumeRequest",
    "ResumeResponse",
    "RevokeApiKeyRequest",
    "RotateApiKeyRequest",
    "Run",
    "Sdk",
    "ServiceWorker",
    "SkipResponse",
    "SkippedTimer",
    "SortOrder",
    "Step",
    "Stream",
    "StreamFormat",
    "StreamLine",
    "TriggerRequest",
    "TriggerResponse",
    "Variable",
    "Variables",
    "VariablesRequest",
    "WakeRequest",
    "WakeResponse",
    "WebhookResponse",
]
