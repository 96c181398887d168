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
