"""Rows as the Workflow SDK's entities: camelCase, absent fields left out, payloads as they arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute import wire
from workflow_studio.compute.ids import event_id
from workflow_studio.worker.engine import references

if TYPE_CHECKING:
    from collections.abc import Mapping

Row = Any
"""A row mapping: column name to stored value."""

Wire = dict[str, Any]

PAYLOAD_COLUMNS: Final = frozenset({"input", "output", "error", "execution_context", "hook_metadata"})
"""Columns that hold CBOR."""

HEAVY_COLUMNS: Final = frozenset({"input", "output", "hook_metadata"})
"""Columns that ``resolveData: none`` leaves out."""

_HEAVY_DATA: Final = {
    "run_created": "input",
    "run_completed": "output",
    "run_failed": "error",
    "step_created": "input",
    "step_completed": "result",
    "step_failed": "error",
    "step_retrying": "error",
    "hook_created": "metadata",
    "hook_received": "payload",
}
_RUN_FIELDS: Final = (
    ("deployment_id", "deploymentId"),
    ("workflow_name", "workflowName"),
    ("spec_version", "specVersion"),
    ("expired_at", "expiredAt"),
    ("started_at", "startedAt"),
    ("completed_at", "completedAt"),
    ("created_at", "createdAt"),
    ("updated_at", "updatedAt"),
)
_ORIGIN_FIELDS: Final = (
    ("created_by", "createdBy"),
    ("project_id", "projectId"),
    ("rerun_of", "rerunOf"),
    ("environment", "environment"),
    ("priority", "priority"),
    ("concurrency_key", "concurrencyKey"),
)
_STEP_FIELDS: Final = (
    ("step_name", "stepName"),
    ("attempt", "attempt"),
    ("started_at", "startedAt"),
    ("completed_at", "completedAt"),
    ("retry_after", "retryAfter"),
    ("created_at", "createdAt"),
    ("updated_at", "updatedAt"),
    ("spec_version", "specVersion"),
)
_WAIT_FIELDS: Final = (
    ("resume_at", "resumeAt"),
    ("completed_at", "completedAt"),
    ("created_at", "createdAt"),
    ("updated_at", "updatedAt"),
    ("spec_version", "specVersion"),
)


def stored(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return column values as they are stored: payloads become CBOR."""
    return {
        name: wire.encode(value) if name in PAYLOAD_COLUMNS and value is not None else value
        for name, value in values.items()
    }


def run(row: Row, *, with_payloads: bool) -> Wire:
    """Return a run."""
    entity = {"runId": row["run_id"], "status": row["status"], **_present(row, _RUN_FIELDS)}
    _add_payload(entity, row, "execution_context", "executionContext")
    _add_payload(entity, row, "error", "error")
    if (code := row.get("error_code")) is not None:
        if isinstance(entity.get("error"), dict):
            entity["error"]["code"] = code
        else:
            entity["errorCode"] = code
    if with_payloads:
        _add_payload(entity, row, "input", "input")
        _add_payload(entity, row, "output", "output")
    return entity


def origin(row: Row) -> Wire:
    """Return where a run comes from; the Workflow SDK's runs do not say."""
    return _present(row, _ORIGIN_FIELDS)


def request_of(row: Row) -> Wire:
    """Return which request an event came by; the Workflow SDK's events do not say."""
    return _present(row, (("request_id", "requestId"), ("created_by", "createdBy")))


def step(row: Row, *, with_payloads: bool) -> Wire:
    """Return a step."""
    entity = {
        "runId": row["run_id"],
        "stepId": row["step_id"],
        "status": row["status"],
        **_present(row, _STEP_FIELDS),
    }
    _add_payload(entity, row, "error", "error")
    if with_payloads:
        _add_payload(entity, row, "input", "input")
        _add_payload(entity, row, "output", "output")
    return entity


def hook(row: Row, *, with_payloads: bool) -> Wire:
    """Return a hook."""
    entity = {
        "runId": row["run_id"],
        "hookId": row["hook_id"],
        "token": row["token"],
        "ownerId": row.get("owner_id", ""),
        "projectId": row.get("project_id", ""),
        "environment": row.get("environment", ""),
        "createdAt": row["created_at"],
        # Hooks of SDKs that do not say are webhooks (source: @workflow/world 4.5.0).
        "isWebhook": row.get("is_webhook") is not False,
    }
    if row.get("spec_version") is not None:
        entity["specVersion"] = row["spec_version"]
    if with_payloads:
        _add_payload(entity, row, "hook_metadata", "metadata")
    return entity


def wait(row: Row) -> Wire:
    """Return a wait."""
    return {
        "waitId": f"{row['run_id']}-{row['wait_id']}",
        "runId": row["run_id"],
        "status": row["status"],
        **_present(row, _WAIT_FIELDS),
    }


def event(row: Row, *, with_payloads: bool) -> Wire:
    """Return an event."""
    entity = {
        "runId": row["run_id"],
        "eventId": event_id(row["slot"]),
        "eventType": row["event_type"],
        "createdAt": row["created_at"],
    }
    if row["correlation_id"]:
        entity["correlationId"] = row["correlation_id"]
    if row["spec_version"] is not None:
        entity["specVersion"] = row["spec_version"]
    if row["data"] is not None:
        data = references.decode(row["data"])
        if not with_payloads:
            data.pop(_HEAVY_DATA.get(row["event_type"]), None)
        if data:
            entity["eventData"] = data
    return entity


def _present(row: Row, fields: tuple[tuple[str, str], ...]) -> Wire:
    return {name: row[column] for column, name in fields if row.get(column) is not None}


def _add_payload(entity: Wire, row: Row, column: str, name: str) -> None:
    value = row.get(column)
    if value is not None:
        entity[name] = references.decode(value)
