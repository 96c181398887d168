"""Every call as data: what is sent, and what type comes back. No I/O, so both clients share it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import quote

from workflow_studio.compute.api import (
    ActiveDeployment,
    DeadMessage,
    Deployment,
    Event,
    Executor,
    Health,
    Hook,
    Page,
    ResolveData,
    ResumeRequest,
    ResumeResponse,
    Run,
    SortOrder,
    Step,
    TriggerRequest,
    TriggerResponse,
    WakeResponse,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

T = TypeVar("T", bound="BaseModel")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One call.

    Attributes:
        verb: GET or POST.
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
    query: dict[str, str | int | None] = field(default_factory=dict)
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
    return replace(call, query=call.query | {"waitMs": wait_ms}, repeatable=False, wait_ms=wait_ms)


@dataclass(frozen=True, slots=True)
class Listing:
    """Which part of a list, in which order, with or without payloads."""

    limit: int | None = None
    cursor: str | None = None
    sort_order: SortOrder | None = None
    resolve_data: ResolveData | None = None

    def query(self, **more: str | None) -> dict[str, str | int | None]:
        """Return it as query parameters, with some more."""
        return {
            "limit": self.limit,
            "cursor": self.cursor,
            "sortOrder": self.sort_order,
            "resolveData": self.resolve_data,
            **more,
        }


def list_runs(workflow_name: str | None, status: str | None, part: Listing) -> Call[Page[Run]]:
    return Call("GET", "/v1/runs", Page[Run], part.query(workflowName=workflow_name, status=status))


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


def list_executors() -> Call[Page[Executor]]:
    return Call("GET", "/v1/executors", Page[Executor])


def list_dead_messages(limit: int | None, cursor: str | None) -> Call[Page[DeadMessage]]:
    return Call("GET", "/v1/queue/dead", Page[DeadMessage], {"limit": limit, "cursor": cursor})


def retry_dead_message(message_id: str) -> Call[DeadMessage]:
    # A repeat would be refused, because the message is not dead any more, or retry it after another death.
    return Call("POST", f"/v1/queue/dead/{_segment(message_id)}/retry", DeadMessage, repeatable=False)
