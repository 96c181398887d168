"""Uploaded artifacts: received, verified, unpacked. Whatever arrives here is hostile until proven otherwise."""

from workflow_studio.worker.artifacts.errors import ArtifactError, base_not_found
from workflow_studio.worker.artifacts.limits import ArtifactLimits
from workflow_studio.worker.artifacts.store import ArtifactStore

__all__ = ["ArtifactError", "ArtifactLimits", "ArtifactStore", "base_not_found"]
