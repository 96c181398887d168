"""Which refusals each operation can answer with. Schemathesis holds the worker to it."""

from __future__ import annotations

from typing import Final

from workflow_studio.compute.codes import ErrorCode as Code
from workflow_studio.compute.wire import ENDPOINTS

MESSAGES: Final[dict[Code, tuple[str, str | None]]] = {
    Code.UNAUTHORIZED: ("This address needs an API key.", "Send the header `Authorization: Bearer <key>`."),
    Code.MISSING_SCOPE: ("The API key ci lacks the scope runs:write.", "Use a key that has it."),
    Code.RATE_LIMITED: ("More than 6000 requests in a minute.", "Wait 12 s, or raise the worker's limit."),
    Code.TOO_MANY_STREAMS: (
        "The API key ci has 100 streams and long polls open.",
        "Let some of them end, or raise the worker's max_streams_per_key.",
    ),
    Code.HTTPS_REQUIRED: (
        "This worker takes requests over HTTPS only.",
        "Use its https:// address. A proxy in front of it must set x-forwarded-proto and be trusted.",
    ),
    Code.INVALID_REQUEST: ("The request is wrong at query.limit: Input should be a valid integer.", None),
    Code.REQUEST_TOO_LARGE: (
        "The body is longer than the 33554432 bytes this worker reads.",
        "Send less at once, or raise the worker's max_body_bytes.",
    ),
    Code.REQUEST_TIMEOUT: (
        "The body did not arrive in time.",
        "Send it faster, or raise the worker's body_timeout.",
    ),
    Code.NOT_FOUND: ("There is nothing at this address.", None),
    Code.IDEMPOTENCY_REQUIRED: (
        "Starting a run needs the header Idempotency-Key.",
        "Send any string that is new for a new run and the same for a repeat, such as a UUID.",
    ),
    Code.IDEMPOTENCY_CONFLICT: (
        "The idempotency key was used for another request.",
        "Use a new key for a new request.",
    ),
    Code.KEY_NOT_FOUND: ("This worker has no key key_01K5BGSJ0Z9E7Q4M6V8R2T3W1X.", "List the keys."),
    Code.KEY_NOT_LIVE: ("The key key_01K5BGSJ0Z9E7Q4M6V8R2T3W1X is revoked.", "Make a new key."),
    Code.KEY_FROM_SETTINGS: (
        "The key ci comes from the worker's settings.",
        "Change its secret there and start the worker again.",
    ),
    Code.LAST_ADMIN_KEY: (
        "No other key with the scope admin works.",
        "Make another one first, or send force.",
    ),
    Code.NO_ACTIVE_DEPLOYMENT: (
        "No deployment is active.",
        "Activate one first: `studio deploy`, or `studio compute activate`.",
    ),
    Code.INVALID_ENVIRONMENT: (
        "'Dev Ada' cannot be the name of an environment.",
        "A name is 1 to 63 of a-z, 0-9 and -, and does not begin with a dash.",
    ),
    Code.ENVIRONMENT_NOT_FOUND: (
        "No deployment is active in the environment dev-ada.",
        "List those in which one is: studio environments list.",
    ),
    Code.DEFAULT_ENVIRONMENT: (
        "production is the environment of requests that name none, and cannot be deleted.",
        "Activate another deployment in it.",
    ),
    Code.INVALID_DEPLOYMENT_ID: (
        "'dep_1' is not a deployment id.",
        "Use the id that the deploy command printed.",
    ),
    Code.DEPLOYMENT_NOT_FOUND: (
        "This worker has no deployment dep_0f1e2d3c4b5a69788796a5b4c3d2e1f0.",
        "Deploy it to this worker, or check the worker's URL.",
    ),
    Code.DEPLOYMENT_ACTIVE: (
        "New runs use the deployment dep_0f1e2d3c4b5a69788796a5b4c3d2e1f0 in production.",
        "Activate another one there first, or delete the environment.",
    ),
    Code.DEPLOYMENT_IN_USE: ("3 runs of the deployment have not ended.", "Wait for them, or cancel them."),
    Code.NO_EARLIER_DEPLOYMENT: ("There is no deployment to go back to.", "Activate one by its id."),
    Code.INVALID_VARIABLE: (
        "The variable NODE_OPTIONS belongs to Node.js, and cannot be set.",
        "Use another name.",
    ),
    Code.VARIABLES_UNREADABLE: (
        "Variables of the deployment are sealed under another master key: STRIPE_KEY.",
        "Start the worker with the key that they were set under, or set them again.",
    ),
    Code.UNKNOWN_WORKFLOW: (
        "The deployment has no workflow workflow//./workflows/order//ship.",
        "Use one of its workflows.",
    ),
    Code.BASE_NOT_FOUND: (
        "This worker has no artifact of the deployment dep_0f1e2d3c4b5a69788796a5b4c3d2e1f0 to take files from.",
        "Upload the whole archive, without a base.",
    ),
    Code.INVALID_ARTIFACT: ("The body is not a gzip-compressed archive.", "Build again and upload it unchanged."),
    Code.INVALID_MANIFEST: ("The manifest is not JSON.", "Build again and upload it unchanged."),
    Code.ARTIFACT_TOO_LARGE: (
        "The archive is more than the 268435456 bytes this worker takes.",
        "Make the bundles smaller, or raise the artifact limits.",
    ),
    Code.DIGEST_MISMATCH: (
        "The content of flow.js is not what the manifest says.",
        "Build again and upload it unchanged.",
    ),
    Code.UNSUPPORTED_ARTIFACT: (
        "The artifact wants Node.js >=24, and this worker has 22.20.0.",
        "Build it for the worker's Node.js.",
    ),
    Code.RUN_NOT_FOUND: (
        "This worker has no run wrun_01K5BGSJ0Z9E7Q4M6V8R2T3W1X.",
        "Check the run's id, and that the worker's URL is the right one.",
    ),
    Code.RUN_FINISHED: ("The run wrun_01K5BGSJ0Z9E7Q4M6V8R2T3W1X is completed already.", None),
    Code.RUN_CONFLICT: (
        "The run wrun_01K5BGSJ0Z9E7Q4M6V8R2T3W1X exists, and is of another workflow.",
        "Leave the run id out, or send wrun_ and a new ULID.",
    ),
    Code.INPUT_UNREADABLE: (
        "The input of the run is encrypted under another master key.",
        "Start the worker with the master key that the run was started under.",
    ),
    Code.HOOK_NOT_FOUND: (
        "No live hook has this id.",
        "A hook is gone once it is disposed or its run has ended; look at the run.",
    ),
    Code.WORLD_ERROR: ("The World refused the call.", None),
    Code.EXECUTOR_UNAVAILABLE: ("What answers this webhook cannot be run now.", "Try again."),
    Code.COMPUTE_FAILED: (
        "The worker's Compute failed.",
        "Try again; if it goes on, look at the worker's log.",
    ),
    Code.INTERNAL_ERROR: (
        "Something went wrong in the worker. Its log has the details under 5b1f8a3e-0c52-4c1e-9d70-6f3b2f7f6a11.",
        "Try again; if it goes on, report it with the log.",
    ),
}
"""An example of what each code comes with: the message and what to do next."""

Refusal = tuple[int, Code]

_EVERYWHERE: Final[tuple[Refusal, ...]] = (
    (431, Code.REQUEST_TOO_LARGE),
    (500, Code.INTERNAL_ERROR),
    (503, Code.INTERNAL_ERROR),
)
_COUNTED: Final[tuple[Refusal, ...]] = ((429, Code.RATE_LIMITED), (403, Code.HTTPS_REQUIRED))
_GUARDED: Final[tuple[Refusal, ...]] = (
    (401, Code.UNAUTHORIZED),
    (400, Code.INVALID_REQUEST),
    (400, Code.INVALID_ENVIRONMENT),
)
_WITH_BODY: Final[tuple[Refusal, ...]] = ((408, Code.REQUEST_TIMEOUT), (413, Code.REQUEST_TOO_LARGE))
_DEPLOYMENT: Final[tuple[Refusal, ...]] = ((400, Code.INVALID_DEPLOYMENT_ID), (404, Code.DEPLOYMENT_NOT_FOUND))
_RUN: Final[tuple[Refusal, ...]] = ((404, Code.RUN_NOT_FOUND),)
_LIVE_RUN: Final[tuple[Refusal, ...]] = (*_RUN, (409, Code.RUN_FINISHED))
_POLL: Final[tuple[Refusal, ...]] = ((429, Code.TOO_MANY_STREAMS),)
_START: Final[tuple[Refusal, ...]] = (
    *_DEPLOYMENT,
    (400, Code.IDEMPOTENCY_REQUIRED),
    (404, Code.UNKNOWN_WORKFLOW),
    (409, Code.IDEMPOTENCY_CONFLICT),
    (409, Code.NO_ACTIVE_DEPLOYMENT),
    (409, Code.RUN_CONFLICT),
    (409, Code.UNSUPPORTED_ARTIFACT),
)
_HOOK: Final[tuple[Refusal, ...]] = ((404, Code.HOOK_NOT_FOUND),)
_COMPUTE: Final[tuple[Refusal, ...]] = ((502, Code.COMPUTE_FAILED),)
_KEY: Final[tuple[Refusal, ...]] = ((404, Code.KEY_NOT_FOUND),)
_NONE: Final[tuple[Refusal, ...]] = ()
_WEBHOOK: Final[tuple[Refusal, ...]] = (
    *_HOOK,
    *_RUN,
    (400, Code.INVALID_REQUEST),
    (503, Code.EXECUTOR_UNAVAILABLE),
    (504, Code.EXECUTOR_UNAVAILABLE),
)
_WORLD: Final[tuple[Refusal, ...]] = ((400, Code.WORLD_ERROR), (503, Code.WORLD_ERROR))
_WORLD_READ: Final[tuple[Refusal, ...]] = (*_WORLD, (404, Code.WORLD_ERROR), *_RUN, *_HOOK)

_OWN: Final[dict[str, tuple[Refusal, ...]]] = {
    "health": _NONE,
    "readiness": _NONE,
    "create_deployment": (
        (400, Code.INVALID_ARTIFACT),
        (400, Code.INVALID_MANIFEST),
        (400, Code.INVALID_DEPLOYMENT_ID),
        (400, Code.DIGEST_MISMATCH),
        (400, Code.UNSUPPORTED_ARTIFACT),
        (409, Code.BASE_NOT_FOUND),
        (413, Code.ARTIFACT_TOO_LARGE),
    ),
    "list_deployments": _NONE,
    "get_active_deployment": ((409, Code.NO_ACTIVE_DEPLOYMENT),),
    "get_deployment": _DEPLOYMENT,
    "delete_deployment": (*_DEPLOYMENT, (409, Code.DEPLOYMENT_ACTIVE), (409, Code.DEPLOYMENT_IN_USE)),
    "activate_deployment": _DEPLOYMENT,
    "rollback": ((409, Code.NO_EARLIER_DEPLOYMENT),),
    "rollback_to_deployment": _DEPLOYMENT,
    "list_environments": _NONE,
    "delete_environment": ((404, Code.ENVIRONMENT_NOT_FOUND), (409, Code.DEFAULT_ENVIRONMENT)),
    "list_variables": _DEPLOYMENT,
    "set_variables": (*_DEPLOYMENT, (400, Code.INVALID_VARIABLE)),
    "trigger": (*_START, *_COMPUTE),
    "rerun_run": (*_START, *_RUN, (409, Code.INPUT_UNREADABLE)),
    "list_runs": _NONE,
    "get_run": (*_RUN, *_POLL),
    "cancel_run": _LIVE_RUN,
    "wake_run": _LIVE_RUN,
    "skip_time": _RUN,
    "resume_run": (*_LIVE_RUN, *_HOOK, (410, Code.RUN_FINISHED), (409, Code.WORLD_ERROR), *_COMPUTE),
    "list_run_steps": _RUN,
    "list_run_hooks": _RUN,
    "list_run_streams": _RUN,
    "read_run_stream": (*_RUN, *_POLL),
    "list_run_output": (*_RUN, *_POLL),
    "follow_activity": _POLL,
    "list_run_events": _RUN,
    "list_events": _RUN,
    "list_events_by_correlation_id": _NONE,
    "get_step": _RUN,
    "get_hook": _HOOK,
    "list_executors": _NONE,
    "list_workers": _NONE,
    "read_metrics": _NONE,
    "list_dead_messages": _NONE,
    "retry_dead_message": _NONE,
    "list_limits": _NONE,
    "set_limits": _NONE,
    "create_api_key": ((409, Code.IDEMPOTENCY_CONFLICT),),
    "list_api_keys": _NONE,
    "get_current_api_key": _NONE,
    "get_api_key": _KEY,
    "rotate_api_key": (
        *_KEY,
        (409, Code.KEY_NOT_LIVE),
        (409, Code.KEY_FROM_SETTINGS),
        (409, Code.IDEMPOTENCY_CONFLICT),
    ),
    "revoke_api_key": (*_KEY, (409, Code.LAST_ADMIN_KEY)),
    "list_audit_entries": _NONE,
    "take_webhook": ((404, Code.NOT_FOUND), *_COMPUTE),
    "deployments.current": (*_WORLD, (409, Code.NO_ACTIVE_DEPLOYMENT), *_COMPUTE),
    "queue.publish": (
        *_WORLD,
        *_DEPLOYMENT,
        *_RUN,
        *_COMPUTE,
        (409, Code.IDEMPOTENCY_CONFLICT),
        (409, Code.NO_ACTIVE_DEPLOYMENT),
    ),
    "batch": (*_WORLD, *_COMPUTE, (409, Code.IDEMPOTENCY_CONFLICT)),
    "events.create": (
        *_WORLD_READ,
        *_DEPLOYMENT,
        (404, Code.UNKNOWN_WORKFLOW),
        (409, Code.IDEMPOTENCY_CONFLICT),
        (409, Code.NO_ACTIVE_DEPLOYMENT),
        (409, Code.UNSUPPORTED_ARTIFACT),
        (409, Code.WORLD_ERROR),
        (410, Code.RUN_FINISHED),
        (425, Code.WORLD_ERROR),
        (429, Code.WORLD_ERROR),
    ),
    "streams.write": (
        *_WORLD_READ,
        (409, Code.WORLD_ERROR),
        (409, Code.IDEMPOTENCY_CONFLICT),
        (410, Code.RUN_FINISHED),
    ),
    "streams.close": (*_WORLD_READ, (410, Code.RUN_FINISHED)),
    "streams.read": (*_WORLD_READ, *_POLL),
    "runs.get": (*_WORLD_READ, *_POLL),
} | {
    endpoint.method: _WORLD_READ
    for endpoint in ENDPOINTS
    if endpoint.read_only and endpoint.method not in {"deployments.current", "streams.read", "runs.get"}
}
"""What an operation can refuse for reasons of its own."""


def refusals(
    operation_id: str, *, tag: str, has_body: bool, has_scope: bool, has_path: bool
) -> dict[int, tuple[Code, ...]]:
    """Return the codes that an operation can answer with, by status.

    Args:
        operation_id: The operation.
        tag: Its tag.
        has_body: Whether it takes a body.
        has_scope: Whether it needs a scope.
        has_path: Whether its address has a part that the caller fills in; no address fits some ways to do that.

    Raises:
        KeyError: If nobody has said what the operation refuses.
    """
    own = _WEBHOOK if tag == "webhooks" else _OWN[operation_id]
    found = [*_EVERYWHERE, *own]
    if tag != "health":
        found += _COUNTED
    if tag not in {"health", "webhooks"}:
        found += _GUARDED
    if has_scope:
        found.append((403, Code.MISSING_SCOPE))
    if has_body:
        found += _WITH_BODY
        if tag == "world":
            found.append((415, Code.INVALID_REQUEST))
    if has_path:
        found.append((404, Code.NOT_FOUND))
    if operation_id == "create_deployment":
        found.remove((413, Code.REQUEST_TOO_LARGE))
    codes: dict[int, list[Code]] = {}
    for status, code in sorted(set(found)):
        codes.setdefault(status, []).append(code)
    return {status: tuple(several) for status, several in codes.items()}
