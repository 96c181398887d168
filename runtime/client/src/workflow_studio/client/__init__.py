"""The HTTP client of the Workflow Studio worker."""

from workflow_studio.client._async_client import AsyncComputeClient
from workflow_studio.client._client import ComputeClient
from workflow_studio.client._errors import (
    ComputeClientError,
    IdempotencyError,
    RateLimitedError,
    ScopeError,
    TransportError,
    UnauthorizedError,
)
from workflow_studio.client._upload import Progress
from workflow_studio.compute.api import (
    ActiveDeployment,
    DeadMessage,
    Deployment,
    Event,
    Executor,
    Failure,
    Health,
    Hook,
    Page,
    ResumeResponse,
    Run,
    Sdk,
    Step,
    TriggerResponse,
    WakeResponse,
)

__all__ = [
    "ActiveDeployment",
    "AsyncComputeClient",
    "ComputeClient",
    "ComputeClientError",
    "DeadMessage",
    "Deployment",
    "Event",
    "Executor",
    "Failure",
    "Health",
    "Hook",
    "IdempotencyError",
    "Page",
    "Progress",
    "RateLimitedError",
    "ResumeResponse",
    "Run",
    "ScopeError",
    "Sdk",
    "Step",
    "TransportError",
    "TriggerResponse",
    "UnauthorizedError",
    "WakeResponse",
]
