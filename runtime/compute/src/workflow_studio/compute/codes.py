"""Stable error codes: the ``code`` of every error body the worker sends."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class ErrorCode(StrEnum):
    """Why a request was refused. A code never changes its meaning; the message beside it may be reworded."""

    UNAUTHORIZED = "unauthorized"
    MISSING_SCOPE = "missing_scope"
    RATE_LIMITED = "rate_limited"
    TOO_MANY_STREAMS = "too_many_streams"
    HTTPS_REQUIRED = "https_required"
    INVALID_REQUEST = "invalid_request"
    REQUEST_TOO_LARGE = "request_too_large"
    REQUEST_TIMEOUT = "request_timeout"
    NOT_FOUND = "not_found"
    IDEMPOTENCY_REQUIRED = "idempotency_required"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    KEY_NOT_FOUND = "key_not_found"
    KEY_NOT_LIVE = "key_not_live"
    KEY_FROM_SETTINGS = "key_from_settings"
    LAST_ADMIN_KEY = "last_admin_key"
    NO_ACTIVE_DEPLOYMENT = "no_active_deployment"
    INVALID_ENVIRONMENT = "invalid_environment"
    ENVIRONMENT_NOT_FOUND = "environment_not_found"
    DEFAULT_ENVIRONMENT = "default_environment"
    INVALID_DEPLOYMENT_ID = "invalid_deployment_id"
    DEPLOYMENT_NOT_FOUND = "deployment_not_found"
    DEPLOYMENT_ACTIVE = "deployment_active"
    DEPLOYMENT_IN_USE = "deployment_in_use"
    NO_EARLIER_DEPLOYMENT = "no_earlier_deployment"
    INVALID_VARIABLE = "invalid_variable"
    VARIABLES_UNREADABLE = "variables_unreadable"
    UNKNOWN_WORKFLOW = "unknown_workflow"
    BASE_NOT_FOUND = "base_not_found"
    INVALID_ARTIFACT = "invalid_artifact"
    INVALID_MANIFEST = "invalid_manifest"
    ARTIFACT_TOO_LARGE = "artifact_too_large"
    DIGEST_MISMATCH = "digest_mismatch"
    UNSUPPORTED_ARTIFACT = "unsupported_artifact"
    RUN_NOT_FOUND = "run_not_found"
    RUN_FINISHED = "run_finished"
    RUN_CONFLICT = "run_conflict"
    INPUT_UNREADABLE = "input_unreadable"
    HOOK_NOT_FOUND = "hook_not_found"
    WORLD_ERROR = "world_error"
    EXECUTOR_UNAVAILABLE = "executor_unavailable"
    COMPUTE_FAILED = "compute_failed"
    INTERNAL_ERROR = "internal_error"


class ErrorBody(BaseModel):
    """The JSON body of every error response.

    Attributes:
        code: A stable code.
        message: What happened, in a sentence.
        required: For ``missing_scope``: the scope the key lacks.
        recovery: What to do next, in a sentence.
        error: On the world lane: the error the World's caller shall see, as
            :meth:`workflow_studio.compute.world_errors.WorldError.to_wire` gives it.
    """

    model_config = ConfigDict(extra="ignore")

    code: str
    message: str
    required: str | None = None
    recovery: str | None = None
    error: dict[str, str | int | float] | None = Field(default=None)
