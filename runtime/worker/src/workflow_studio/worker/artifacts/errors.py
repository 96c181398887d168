"""Why an artifact is refused."""

from __future__ import annotations

from typing import Final

from workflow_studio.compute.codes import ErrorCode

REBUILD: Final = "Build the artifact again with `studio build`, and upload it unchanged."


class ArtifactError(Exception):
    """An artifact was refused.

    Attributes:
        code: A stable code.
        message: What is wrong with it.
        recovery: What to do about it.
    """

    def __init__(self, code: ErrorCode, message: str, recovery: str = REBUILD) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.recovery = recovery


def invalid(message: str) -> ArtifactError:
    """Return the error for an archive that is not an artifact."""
    return ArtifactError(ErrorCode.INVALID_ARTIFACT, message)


def too_large(what: str, limit: int, unit: str) -> ArtifactError:
    """Return the error for an artifact above one of the limits."""
    return ArtifactError(
        ErrorCode.ARTIFACT_TOO_LARGE,
        f"{what} is more than the {limit} {unit} this worker accepts.",
        "Make the bundles smaller, or raise the worker's artifact limits.",
    )


def base_not_found(deployment_id: str, path: str | None = None) -> ArtifactError:
    """Return the error for an upload whose base cannot be had.

    Args:
        deployment_id: The base.
        path: Its file that is not as it should be; None if there is no such base.
    """
    return ArtifactError(
        ErrorCode.BASE_NOT_FOUND,
        f"This worker has no artifact of the deployment {deployment_id} to take files from."
        if path is None
        else f"The file {path} of the deployment {deployment_id} is not what its manifest says.",
        "Upload the whole archive, without a base.",
    )
