"""Entities of the World as the public lane shows them: payloads as JSON, times with a time zone."""

from __future__ import annotations

import base64
import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from workflow_studio.compute import api
from workflow_studio.compute.payload import DEVALUE_PREFIX, ENCRYPTED_PREFIX, TYPE_KEY, PayloadError, loads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from workflow_studio.worker.engine.dead_letters import DeadMessage
    from workflow_studio.worker.engine.deployments import Deployment
    from workflow_studio.worker.engine.environment import Variable
    from workflow_studio.worker.engine.environments import Environment
    from workflow_studio.worker.engine.stored_limits import Limit

T = TypeVar("T")

_TIMES: Final = frozenset({"createdAt", "startedAt", "completedAt", "updatedAt", "retryAfter", "resumeAt", "expiredAt"})
_MAX_DEPTH: Final = 32
_LENGTH: Final = 4
_VALUES: Final = (DEVALUE_PREFIX, ENCRYPTED_PREFIX)


def time_of(milliseconds: int) -> datetime:
    """Return a moment given in milliseconds since 1970-01-01 UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def milliseconds_of(time: datetime) -> int:
    """Return a moment in whole milliseconds since 1970-01-01 UTC, rounded up."""
    return -((datetime(1970, 1, 1, tzinfo=UTC) - time) // timedelta(milliseconds=1))


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


def activity(cursor: str, entity: Mapping[str, Any], *, with_token: bool) -> api.ActivityEntry:
    """Return an entry of the feed, with the token of a hook for those who may resume it."""
    fields = _fields(entity)
    if not with_token:
        fields.pop("token", None)
    return api.ActivityEntry.model_validate({**fields, "cursor": cursor, "at": time_of(entity["at"])})


def stream(entity: Mapping[str, Any]) -> api.Stream:
    """Return a stream."""
    return api.Stream.model_validate(_fields(entity))


def chunk(content: bytes) -> Any:
    """Return a chunk of a stream as JSON: the value that the SDK encoded in it, or its bytes."""
    value = content_of(content)
    if value.startswith(_VALUES):
        return _payload(value)
    return {TYPE_KEY: "Uint8Array", "base64": base64.b64encode(value).decode()}


def content_of(content: bytes) -> bytes:
    """Return what is in a chunk without the length that the SDK puts before it.

    It writes a frame per chunk: four bytes that say how long the rest is, and the rest. Bytes of older SDKs have none
    (source: ``@workflow/core`` 4.8.9 ``serialization.js``).
    """
    framed = len(content) >= _LENGTH and int.from_bytes(content[:_LENGTH], "big") == len(content) - _LENGTH
    return content[_LENGTH:] if framed else content


def page(listed: Mapping[str, Any], show: Callable[[Mapping[str, Any]], T]) -> api.Page[T]:
    """Return a page of what ``show`` makes of each entity."""
    entries = tuple(show(entity) for entity in listed["data"])
    return api.Page(data=entries, cursor=listed["cursor"], has_more=listed["hasMore"])


def deployment(found: Deployment) -> api.Deployment:
    """Return a deployment."""
    manifest = found.manifest
    times = {name: getattr(found, name) for name in ("activated_at", "retired_at")}
    optional: dict[str, Any] = {name: time_of(at) for name, at in times.items() if at is not None}
    keys = {name: getattr(found, name) for name in ("created_by", "activated_by")}
    optional |= {name: key for name, key in keys.items() if key is not None}
    return api.Deployment(
        deployment_id=found.id,
        status=found.status,
        environments=found.environments,
        live_runs=found.live_runs,
        digest=found.digest,
        workflows=manifest.workflows,
        steps=manifest.steps,
        sdk=api.Sdk(workflow=manifest.sdk.workflow, core=manifest.sdk.core, spec_version=manifest.sdk.spec_version),
        node=manifest.node,
        created_at=time_of(found.created_at),
        **optional,
    )


def environment(found: Environment) -> api.Environment:
    """Return an environment."""
    by = {} if found.activated_by is None else {"activated_by": found.activated_by}
    return api.Environment(
        name=found.name, deployment_id=found.deployment_id, activated_at=time_of(found.activated_at), **by
    )


def variables(deployment_id: str, found: Iterable[Variable]) -> api.Variables:
    """Return which variables a deployment has."""
    entries = [
        api.Variable(name=entry.name, updated_at=time_of(entry.updated_at))
        if entry.updated_by is None
        else api.Variable(name=entry.name, updated_at=time_of(entry.updated_at), updated_by=entry.updated_by)
        for entry in found
    ]
    return api.Variables(deployment_id=deployment_id, variables=tuple(entries))


def limits(found: Iterable[Limit]) -> api.Limits:
    """Return the limits that count."""
    entries = [
        api.Limit(name=entry.name, most=entry.most, from_settings=True)
        if entry.updated_at is None
        else api.Limit(
            name=entry.name,
            most=entry.most,
            from_settings=False,
            updated_at=time_of(entry.updated_at),
            **({} if entry.updated_by is None else {"updated_by": entry.updated_by}),
        )
        for entry in found
    ]
    return api.Limits(limits=tuple(entries))


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
