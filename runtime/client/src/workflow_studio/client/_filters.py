"""What lists are asked for: the keyword arguments that several methods have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from workflow_studio.compute.api import OutputLevel, ResolveData, SortOrder
    from workflow_studio.compute.ids import DeploymentId, EnvironmentName, KeyId, RunId, StepId


class Part(TypedDict, total=False):
    """Which part of a list.

    Attributes:
        limit: How many entries a page has at most.
        cursor: Where it begins: the ``cursor`` of the page before.
    """

    limit: int | None
    cursor: str | None


class Listing(Part, total=False):
    """Which part of a list, in which order, with or without payloads.

    Attributes:
        sort_order: ``asc`` or ``desc``.
        resolve_data: ``all`` for entries with their payloads.
    """

    sort_order: SortOrder | None
    resolve_data: ResolveData | None


class RunsFilter(Listing, total=False):
    """Which runs.

    Attributes:
        workflow_name: Those of this workflow.
        status: Those that have this status, or one of these.
        deployment_id: Those of this deployment.
        environment: Those that were started in this environment.
        created_after: Those created then or later; with a time zone.
        created_before: Those created earlier; with a time zone.
    """

    workflow_name: str | None
    status: str | Sequence[str] | None
    deployment_id: DeploymentId | None
    environment: EnvironmentName | None
    created_after: datetime | None
    created_before: datetime | None


class CorrelatedFilter(Listing, total=False):
    """Which events of a step, hook or wait.

    Attributes:
        run_id: Those of this run: the ids of steps, hooks and waits are unique within one.
    """

    run_id: RunId | None


class OutputFilter(Part, total=False):
    """Which lines of a run's output.

    Attributes:
        step_id: Those that this step printed.
        level: Those of this level, and more urgent ones.
    """

    step_id: StepId | None
    level: OutputLevel | None


class ActivityFilter(TypedDict, total=False):
    """What of the feed is wanted.

    Attributes:
        run_id: What happens in this run.
        workflow_name: What happens in runs of this workflow.
        environment: What happens in runs that were started in this environment.
    """

    run_id: RunId | None
    workflow_name: str | None
    environment: str | None


class KeysFilter(Part, total=False):
    """Which keys.

    Attributes:
        state: Those that are ``live``, ``expired``, ``revoked`` or ``disabled``.
        project_id: Those of this project.
        environment: Those of this environment.
    """

    state: str | None
    project_id: str | None
    environment: str | None


class AuditFilter(Part, total=False):
    """Which entries of the audit log.

    Attributes:
        actor: Those of calls with this key.
        target: Those of calls about this run, deployment, key or message.
        action: Those of calls of this operation, such as ``activate_deployment``.
        after: Those of then or later; with a time zone.
        before: Those of earlier; with a time zone.
    """

    actor: KeyId | None
    target: str | None
    action: str | None
    after: datetime | None
    before: datetime | None
