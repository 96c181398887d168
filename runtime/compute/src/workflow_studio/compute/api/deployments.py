"""Deployments: uploaded artifacts, and which of them new runs use."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from workflow_studio.compute.api._base import Answer
from workflow_studio.compute.ids import DEFAULT_ENVIRONMENT, DeploymentId, EnvironmentName, KeyId


class DeploymentStatus(StrEnum):
    """Where a deployment stands.

    It is created by its upload, active while new runs of an environment use it, draining while runs of it go on after
    another one took its place, and retired once the last of them has ended.
    """

    CREATED = "created"
    ACTIVE = "active"
    DRAINING = "draining"
    RETIRED = "retired"


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
        status: ``created``, ``active``, ``draining`` or ``retired``; see :class:`DeploymentStatus`.
        environments: The environments in which it is active, by name.
        live_runs: How many of its runs have not ended; 1000 stands for more, too.
        workflows: Ids of its workflows.
        steps: Ids of its steps.
        sdk: The Workflow SDK that made it.
        node: The Node.js versions it wants, as an npm range.
        created_at: When it was first uploaded.
        created_by: The id of the key that uploaded it.
        activated_at: When it was last activated.
        activated_by: The id of the key that activated it last.
        retired_at: When the last run of a retired deployment had ended.
    """

    deployment_id: DeploymentId
    status: str
    environments: tuple[EnvironmentName, ...] = ()
    live_runs: int = 0
    digest: str = ""
    workflows: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    sdk: Sdk | None = None
    node: str = ""
    created_at: datetime | None = None
    created_by: KeyId | None = None
    activated_at: datetime | None = None
    activated_by: KeyId | None = None
    retired_at: datetime | None = None


class ActiveDeployment(Answer):
    """The deployment that new runs use in an environment.

    Attributes:
        deployment_id: The deployment.
        environment: The environment.
    """

    deployment_id: DeploymentId
    environment: EnvironmentName = DEFAULT_ENVIRONMENT
