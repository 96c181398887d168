"""Stable error codes: the ``code`` of every error body the worker sends."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class ErrorCode(StrEnum):
    """Why a request was refused. A code never changes its meaning; the message beside it may be reworded."""

    UNAUTHORIZED = "unauthorized"
    MISSING_SCOPE = "missing_scope"
    RATE_LIMITED = "rate_limited"
    HTTPS_REQUIRED = "https_required"
    INVALID_REQUEST = "invalid_request"
    REQUEST_TOO_LARGE = "request_too_large"
    NOT_FOUND = "not_found"
    IDEMPOTENCY_REQUIRED = "idempotency_required"
    IDEMPOTENCY_CONFLICT = "idempotency_conflict"
    NO_ACTIVE_DEPLOYMENT = "no_active_deployment"
    INVALID_DEPLOYMENT_ID = "invalid_deployment_id"
    DEPLOYMENT_NOT_FOUND = "deployment_not_found"
    UNKNOWN_WORKFLOW = "unknown_workflow"
    INVALID_ARTIFACT = "invalid_artifact"
    INVALID_MANIFEST = "invalid_manifest"
    ARTIFACT_TOO_LARGE = "artifact_too_large"
    DIGEST_MISMATCH = "digest_mismatch"
    UNSUPPORTED_ARTIFACT = "unsupported_artifact"
    RUN_NOT_FOUND = "run_not_found"
    RUN_FINISHED = "run_finished"
    HOOK_NOT_FOUND = "hook_not_found"
    WORLD_ERROR = "world_error"
    EXECUTOR_UNAVAILABLE = "executor_unavailable"
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
