"""What can be done with what an answer names: links from operation to operation."""

from __future__ import annotations

from typing import Any, Final

_OF: Final[dict[tuple[str, str], tuple[str, str, tuple[str, ...]]]] = {
    ("create_deployment", "201"): (
        "deployment_id",
        "deploymentId",
        (
            "get_deployment",
            "activate_deployment",
            "rollback_to_deployment",
            "delete_deployment",
            "list_variables",
            "set_variables",
        ),
    ),
    ("trigger", "201"): (
        "run_id",
        "runId",
        (
            "get_run",
            "cancel_run",
            "wake_run",
            "skip_time",
            "rerun_run",
            "list_run_steps",
            "list_run_hooks",
            "list_run_events",
            "list_run_output",
            "list_run_streams",
        ),
    ),
    ("rerun_run", "201"): ("run_id", "runId", ("get_run", "cancel_run", "rerun_run")),
    ("create_api_key", "201"): ("key_id", "keyId", ("get_api_key", "rotate_api_key", "revoke_api_key")),
    ("rotate_api_key", "201"): ("key_id", "keyId", ("get_api_key", "rotate_api_key", "revoke_api_key")),
}
_ALSO_OK: Final = {("create_deployment", "200"): ("create_deployment", "201")}


def of(operation_id: str, status: str) -> dict[str, Any] | None:
    """Return the links of an answer, if it has any."""
    place = (operation_id, status)
    known = _OF.get(_ALSO_OK.get(place, place))
    if known is None:
        return None
    parameter, field, targets = known
    return {
        target: {"operationId": target, "parameters": {parameter: f"$response.body#/{field}"}} for target in targets
    }
