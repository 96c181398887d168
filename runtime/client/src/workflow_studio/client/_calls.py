"""Every call as data: what is sent, and what type comes back. No I/O, so both clients share it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from workflow_studio.compute.api import (
    ActiveDeployment,
    ApiKey,
    AuditEntry,
    CreateApiKeyRequest,
    CreatedApiKey,
    DeadMessage,
    Deployment,
    Event,
    Executor,
    Health,
    Hook,
    OutputLevel,
    OutputPage,
    Page,
    RerunRequest,
    RerunResponse,
    ResolveData,
    ResumeRequest,
    ResumeResponse,
    RevokeApiKeyRequest,
    RotateApiKeyRequest,
    Run,
    SortOrder,
    Step,
    TriggerRequest,
    TriggerResponse,
    Variables,
    VariablesRequest,
    WakeResponse,
)
from workflow_studio.compute.api import Answer as _Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from pydantic import BaseModel

T = TypeVar("T", bound="BaseModel")
Value = str | int | None | list[str]


class Nothing(_Answer):
    """The answer of a call that has none."""


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call.

    Attributes:
        verb: GET, POST, PUT or DELETE.
        path: Below the worker's base URL.
        answer: What a 2xx body holds.
        query: Query parameters; None is left out.
        body: The JSON body.
        idempotency_key: Sent as ``Idempotency-Key``.
        repeatable: Whether doing it twice is as good as once, so that it may be retried.
        wait_ms: How long the worker may take before it answers, on top of the usual time.
    """

    verb: str
    path: str
    answer: type[T]
    query: Mapping[str, Value] = field(default_factory=dict)
    body: BaseModel | None = None
    idempotency_key: str | None = None
    repeatable: bool = True
    wait_ms: int = 0


def _segment(identifier: str) -> str:
    if not identifier or identifier in {".", ".."}:
        raise ValueError(f"{identifier!r} is not an id.")
    return quote(identifier, safe="")


def health() -> Call[Health]:
    return Call("GET", "/v1/health", Health)


def trigger(request: TriggerRequest, idempotency_key: str) -> Call[TriggerResponse]:
    return Call("POST", "/v1/runs", TriggerResponse, body=request, idempotency_key=idempotency_key)


def get_run(run_id: str, resolve_data: ResolveData) -> Call[Run]:
    return Call("GET", f"/v1/runs/{_segment(run_id)}", Run, {"resolveData": resolve_data})


def await_run(run_id: str, resolve_data: ResolveData, wait_ms: int) -> Call[Run]:
    call = get_run(run_id, resolve_data)
    # What was cut while it waited is not repeated as it was: the next one asks for less.
    return replace(call, query={**call.query, "waitMs": wait_ms}, repeatable=False, wait_ms=wait_ms)


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of a list, in which order, with or without payloads."""

    limit: int | None = None
    cursor: str | None = None
    sort_order: SortOrder | None = None
    resolve_data: ResolveData | None = None

    def query(self, **more: Value) -> dict[str, Value]:
        """Return it as query parameters, with some more."""
        return {
            "limit": self.limit,
            "cursor": self.cursor,
            "sortOrder": self.sort_order,
            "resolveData": self.resolve_data,
            **more,
        }


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted.

    Attributes:
        workflow_name: Those of this workflow.
        status: Those that stand here, or at one of these.
        deployment_id: Those of this deployment.
        created_after: Those created then or later; with a time zone.
        created_before: Those created earlier; with a time zone.
    """

    workflow_name: str | None = None
    status: str | Sequence[str] | None = None
    deployment_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None

    def query(self) -> dict[str, Value]:
        """Return it as query parameters."""
        status = [self.status] if isinstance(self.status, str) else list(self.status or ())
        return {
            "workflowName": self.workflow_name,
            "status": status or None,
            "deploymentId": self.deployment_id,
            "createdAfter": _moment(self.created_after),
            "createdBefore": _moment(self.created_before),
        }


def _moment(moment: datetime | None) -> str | None:
    if moment is not None and moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone.")
    return None if moment is None else moment.isoformat()


def list_runs(wanted: RunFilter, part: Listing) -> Call[Page[Run]]:
    return Call("GET", "/v1/runs", Page[Run], part.query(**wanted.query()))


def rerun(run_id: str, deployment_id: str | None, idempotency_key: str) -> Call[RerunResponse]:
    request = RerunRequest.model_validate({} if deployment_id is None else {"deployment_id": deployment_id})
    path = f"/v1/runs/{_segment(run_id)}/rerun"
    return Call("POST", path, RerunResponse, body=request, idempotency_key=idempotency_key)


def cancel_run(run_id: str) -> Call[Run]:
    # A second cancel finds the run cancelled and says so, so a repeat does no harm.
    return Call("POST", f"/v1/runs/{_segment(run_id)}/cancel", Run)


def wake_run(run_id: str) -> Call[WakeResponse]:
    return Call("POST", f"/v1/runs/{_segment(run_id)}/wake", WakeResponse, repeatable=False)


def resume_run(request: ResumeRequest) -> Call[ResumeResponse]:
    return Call("POST", "/v1/runs/resume", ResumeResponse, body=request, repeatable=False)


def list_run_steps(run_id: str, part: Listing) -> Call[Page[Step]]:
    return Call("GET", f"/v1/runs/{_segment(run_id)}/steps", Page[Step], part.query())


def list_run_hooks(run_id: str, part: Listing) -> Call[Page[Hook]]:
    return Call("GET", f"/v1/runs/{_segment(run_id)}/hooks", Page[Hook], part.query())


@dataclass(frozen=True, slots=True)
class OutputPart:
    """Which part of a run's output."""

    step_id: str | None = None
    level: OutputLevel | None = None
    limit: int | None = None
    cursor: str | None = None


def list_run_output(run_id: str, part: OutputPart) -> Call[OutputPage]:
    query = {"stepId": part.step_id, "level": part.level, "limit": part.limit, "cursor": part.cursor}
    return Call("GET", f"/v1/runs/{_segment(run_id)}/output", OutputPage, query)


def await_run_output(run_id: str, part: OutputPart, wait_ms: int) -> Call[OutputPage]:
    call = list_run_output(run_id, part)
    return replace(call, query={**call.query, "waitMs": wait_ms}, repeatable=False, wait_ms=wait_ms)


def get_run_step(step_id: str, run_id: str | None, resolve_data: ResolveData) -> Call[Step]:
    return Call("GET", f"/v1/steps/{_segment(step_id)}", Step, {"runId": run_id, "resolveData": resolve_data})


def get_run_hook(hook_id: str, resolve_data: ResolveData) -> Call[Hook]:
    return Call("GET", f"/v1/hooks/{_segment(hook_id)}", Hook, {"resolveData": resolve_data})


def list_run_timeline(run_id: str, part: Listing) -> Call[Page[Event]]:
    return Call("GET", "/v1/events", Page[Event], part.query(runId=run_id))


def list_events_by_correlation_id(correlation_id: str, run_id: str | None, part: Listing) -> Call[Page[Event]]:
    path = f"/v1/events/correlation/{_segment(correlation_id)}"
    return Call("GET", path, Page[Event], part.query(runId=run_id))


def create_deployment() -> Call[Deployment]:
    # The archive's content is its id, so uploading it twice makes one deployment.
    return Call("POST", "/v1/deployments", Deployment)


def list_deployments(limit: int | None, cursor: str | None) -> Call[Page[Deployment]]:
    return Call("GET", "/v1/deployments", Page[Deployment], {"limit": limit, "cursor": cursor})


def get_deployment(deployment_id: str) -> Call[Deployment]:
    return Call("GET", f"/v1/deployments/{_segment(deployment_id)}", Deployment)


def get_active_deployment() -> Call[ActiveDeployment]:
    return Call("GET", "/v1/deployments/active", ActiveDeployment)


def activate_deployment(deployment_id: str) -> Call[Deployment]:
    return Call("POST", f"/v1/deployments/{_segment(deployment_id)}/activate", Deployment)


def rollback_deployment(deployment_id: str | None) -> Call[Deployment]:
    if deployment_id is None:
        # A repeat would go forward again.
        return Call("POST", "/v1/deployments/rollback", Deployment, repeatable=False)
    return Call("POST", f"/v1/deployments/{_segment(deployment_id)}/rollback", Deployment)


def delete_deployment(deployment_id: str) -> Call[Nothing]:
    # A repeat of what was done is refused, because the deployment is not there any more.
    return Call("DELETE", f"/v1/deployments/{_segment(deployment_id)}", Nothing, repeatable=False)


def list_variables(deployment_id: str) -> Call[Variables]:
    return Call("GET", f"/v1/deployments/{_segment(deployment_id)}/env", Variables)


def set_variables(deployment_id: str, values: Mapping[str, str | None]) -> Call[Variables]:
    request = VariablesRequest(dict(values))
    return Call("PUT", f"/v1/deployments/{_segment(deployment_id)}/env", Variables, body=request)


def create_key(given: Mapping[str, Any], idempotency_key: str) -> Call[CreatedApiKey]:
    request = CreateApiKeyRequest.model_validate({name: value for name, value in given.items() if value is not None})
    # A repeat would get the key without its secret.
    return Call("POST", "/v1/keys", CreatedApiKey, body=request, idempotency_key=idempotency_key, repeatable=False)


def list_keys(state: str | None, limit: int | None, cursor: str | None) -> Call[Page[ApiKey]]:
    return Call("GET", "/v1/keys", Page[ApiKey], {"state": state, "limit": limit, "cursor": cursor})


def get_key(key_id: str | None) -> Call[ApiKey]:
    return Call("GET", f"/v1/keys/{'current' if key_id is None else _segment(key_id)}", ApiKey)


def rotate_key(key_id: str, given: Mapping[str, Any], idempotency_key: str) -> Call[CreatedApiKey]:
    request = RotateApiKeyRequest.model_validate({name: value for name, value in given.items() if value is not None})
    path = f"/v1/keys/{_segment(key_id)}/rotate"
    return Call("POST", path, CreatedApiKey, body=request, idempotency_key=idempotency_key, repeatable=False)


def revoke_key(key_id: str, force: bool) -> Call[ApiKey]:  # noqa: FBT001 - a request's field
    request = RevokeApiKeyRequest.model_validate({"force": True} if force else {})
    return Call("POST", f"/v1/keys/{_segment(key_id)}/revoke", ApiKey, body=request)


def list_audit(filters: Mapping[str, str | datetime | None], part: Listing) -> Call[Page[AuditEntry]]:
    shown = {
        name: value if value is None or isinstance(value, str) else _moment(value) for name, value in filters.items()
    }
    return Call("GET", "/v1/audit", Page[AuditEntry], part.query(**shown))


def list_executors() -> Call[Page[Executor]]:
    return Call("GET", "/v1/executors", Page[Executor])


def list_dead_messages(limit: int | None, cursor: str | None) -> Call[Page[DeadMessage]]:
    return Call("GET", "/v1/queue/dead", Page[DeadMessage], {"limit": limit, "cursor": cursor})


def retry_dead_message(message_id: str) -> Call[DeadMessage]:
    # A repeat would be refused, because the message is not dead any more, or retry it after another death.
    return Call("POST", f"/v1/queue/dead/{_segment(message_id)}/retry", DeadMessage, repeatable=False)
