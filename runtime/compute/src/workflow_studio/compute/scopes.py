"""What an API key may do."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


class ComputeScope(StrEnum):
    """One permission of an API key; the routes that ask for it are listed in ``docs/reference/http-api.md``."""

    TRIGGER_WRITE = "trigger:write"
    RUNS_READ = "runs:read"
    RUNS_WRITE = "runs:write"
    DEPLOY_READ = "deploy:read"
    DEPLOY_WRITE = "deploy:write"
    WORLD_PROXY = "world:proxy"
    METRICS_READ = "metrics:read"
    ADMIN = "admin"

    def granted_by(self, scopes: Collection[str]) -> bool:
        """Tell whether a key with ``scopes`` may do this; ``admin`` may do everything."""
        return self in scopes or ComputeScope.ADMIN in scopes
