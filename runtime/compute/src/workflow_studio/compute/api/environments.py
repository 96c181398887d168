"""Environments: each has an active deployment of its own, so that one worker serves several kinds of use."""

from __future__ import annotations

from datetime import datetime

from workflow_studio.compute.api._base import Answer
from workflow_studio.compute.ids import DeploymentId, EnvironmentName, KeyId


class Environment(Answer):
    """An environment in which a deployment is active.

    Attributes:
        name: Its name.
        deployment_id: The deployment that new runs use in it.
        activated_at: When that was activated in it.
        activated_by: The id of the key that activated it.
    """

    name: EnvironmentName
    deployment_id: DeploymentId
    activated_at: datetime | None = None
    activated_by: KeyId | None = None
