"""Deployments: uploaded artifacts, and which of them new runs use."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from workflow_studio.compute.api._base import Answer


class DeploymentStatus(StrEnum):
    """Where a deployment stands: uploaded, used for new runs, or used for new runs once."""

    CREATED = "created"
    ACTIVE = "active"
    INACTIVE = "inactive"


class Sdk(Answer):
    """The Workflow SDK that made a deployment's bundles.

    Attributes:
        workflow: Version of the ``workflow`` package.
        core: Version of ``@workflow/core``.
        spec_version: The World protocol they speak.
    """

    workflow: str
    core: str
    spec_version: int


class Deployment(Answer):
    """One uploaded artifact.

    Attributes:
        deployment_id: Derived from the content.
        digest: ``sha256:`` and the content's digest.
        status: ``created``, ``active`` or ``inactive``.
        workflows: Ids of its workflows.
        steps: Ids of its steps.
        sdk: The Workflow SDK that made it.
        node: The Node.js versions it wants, as an npm range.
        created_at: When it was first uploaded.
        activated_at: When it was last activated.
    """

    deployment_id: str
    status: str
    digest: str = ""
    workflows: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    sdk: Sdk | None = None
    node: str = ""
    created_at: datetime | None = None
    activated_at: datetime | None = None


class ActiveDeployment(Answer):
    """The deployment that new runs use."""

    deployment_id: str
