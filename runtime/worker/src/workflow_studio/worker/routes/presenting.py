"""Entities of the World as the public lane shows them: payloads as JSON, times with a time zone."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from workflow_studio.compute import api
from workflow_studio.compute.payload import TYPE_KEY, PayloadError, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from workflow_studio.worker.engine.dead_letters import DeadMessage
    from workflow_studio.worker.engine.deployments import Deployment

T = TypeVar("T")

_TIMES: Final = frozenset({"createdAt", "startedAt", "completedAt", "updatedAt", "retryAfter", "resumeAt", "expiredAt"})
_MAX_DEPTH: Final = 32


def time_of(milliseconds: int) -> datetime:
    """Return a moment given in milliseconds since 1970-01-01 UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def shown(value: Any, depth: int = 0) -> Any:
    """Return a stored value as JSON; what cannot be read is said to be so, never raised."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes):
        return _payload(value)
    if isinstance(value, dict | list | tuple):
        return _container(value, depth)
    if isinstance(value, float) and math.isfinite(value):
        return value
    return {TYPE_KEY: type(value).__name__, "value": str(value)}


def _container(value: dict[Any, Any] | list[Any] | tuple[Any, ...], depth: int) -> Any:
    if depth >= _MAX_DEPTH:
        return {TYPE_KEY: "Unreadable", "reason": "It is nested too deeply."}
    if isinstance(value, dict):
        return {str(key): _member(str(key), item, depth) for key, item in value.items()}
    return [shown(item, depth + 1) for item in value]


def _member(key: str, value: Any, depth: int) -> Any:
    if key in _TIMES and type(value) is int:
        return time_of(value).isoformat()
    return shown(value, depth + 1)


def _payload(content: bytes) -> Any:
    try:
        return loads(content)
    except PayloadError as error:
        return {TYPE_KEY: "Unreadable", "reason": str(error), "size": len(content)}


def _fields(entity: Mapping[str, Any]) -> dict[str, Any]:
    fields = {name: _member(name, value, 0) for name, value in entity.items() if value is not None}
    if "error" in fields:
        fields["error"] = _failure(fields["error"])
    return fields


def _failure(error: Any) -> dict[str, Any]:
    """Return an error of any SDK line in one form: 4.x stores a map, 5.x a payload."""
    if isinstance(error, dict) and TYPE_KEY in error:
        error = error.get("value", error)
    if not isinstance(error, dict):
        return {"message": str(error)}
    known = {name: error[name] for name in ("message", "stack", "code") if isinstance(error.get(name), str)}
    return {"message": "Unknown error", **known}


def run(entity: Mapping[str, Any]) -> api.Run:
    """Return a run."""
    return api.Run.model_validate(_fields(entity))


def step(entity: Mapping[str, Any]) -> api.Step:
    """Return a step."""
    return api.Step.model_validate(_fields(entity))


def hook(entity: Mapping[str, Any], *, with_token: bool) -> api.Hook:
    """Return a hook, with its token for those who may resume it."""
    fields = _fields(entity)
    if not with_token:
        fields.pop("token", None)
    return api.Hook.model_validate(fields)


def event(entity: Mapping[str, Any], *, with_token: bool) -> api.Event:
    """Return an event, with the token of a hook for those who may resume it."""
    fields = _fields(entity)
    data = fields.get("eventData")
    if not with_token and isinstance(data, dict) and "token" in data:
        fields["eventData"] = {name: value for name, value in data.items() if name != "token"}
    return api.Event.model_validate(fields)


def page(listed: Mapping[str, Any], show: Callable[[Mapping[str, Any]], T]) -> api.Page[T]:
    """Return a page of what ``show`` makes of each entity."""
    entries = tuple(show(entity) for entity in listed["data"])
    return api.Page(data=entries, cursor=listed["cursor"], has_more=listed["hasMore"])


def deployment(found: Deployment) -> api.Deployment:
    """Return a deployment."""
    manifest = found.manifest
    activated = {} if found.activated_at is None else {"activated_at": time_of(found.activated_at)}
    return api.Deployment(
        deployment_id=found.id,
        status=found.status,
        digest=found.digest,
        workflows=manifest.workflows,
        steps=manifest.steps,
        sdk=api.Sdk(workflow=manifest.sdk.workflow, core=manifest.sdk.core, spec_version=manifest.sdk.spec_version),
        node=manifest.node,
        created_at=time_of(found.created_at),
        **activated,
    )


def dead_message(found: DeadMessage) -> api.DeadMessage:
    """Return a dead message."""
    optional = {"run_id": found.run_id, "step_id": found.step_id, "last_error": found.last_error}
    return api.DeadMessage(
        message_id=found.message_id,
        queue_name=found.queue_name,
        attempt=found.attempt,
        failures=found.failures,
        created_at=time_of(found.created_at),
        **{name: value for name, value in optional.items() if value is not None},
    )
