"""Runs and what belongs to them: steps, hooks, events."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, model_validator

from workflow_studio.compute.api._base import Answer, Request
from workflow_studio.compute.ids import (
    CorrelationId,
    DeploymentId,
    EntityId,
    EnvironmentName,
    EventId,
    ExecutorId,
    HookId,
    KeyId,
    RunId,
    StepId,
    WaitId,
)


class TriggerRequest(Request):
    """Start a run.

    Attributes:
        workflow_name: The workflow's id, such as ``workflow//./workflows/order//processOrder``.
        input: The workflow's arguments: an array has one element per parameter, anything else is the only argument,
            and an absent input means no arguments.
        run_id: The run's id; made up if absent.
        deployment_id: The deployment to run; the one that is active in the request's environment if absent or
            ``latest``.
        spec_version: The World protocol of the run; that of the deployment if absent.
        priority: Its place where more is due than there are places for: a point counts as a minute of waiting.
        concurrency_key: The key of a limit that it shares with the other runs that name it, such as a customer's id.
    """

    workflow_name: str = Field(min_length=1, max_length=1024)
    input: Any = None
    run_id: RunId | None = None
    deployment_id: DeploymentId | None = None
    spec_version: int | None = Field(default=None, ge=2, le=7, strict=True)
    priority: int | None = Field(default=None, ge=-100, le=100, strict=True)
    concurrency_key: str | None = Field(default=None, min_length=1, max_length=256)

    def arguments(self) -> list[Any]:
        """Return the workflow's arguments."""
        if "input" not in self.model_fields_set:
            return []
        return self.input if isinstance(self.input, list) else [self.input]


class TriggerResponse(Answer):
    """The run that was started."""

    run_id: RunId
    status: str
    deployment_id: DeploymentId


class RerunRequest(Request):
    """Start a run with the input of another one.

    Attributes:
        deployment_id: The deployment to run, ``latest`` for the active one; that of the other run if absent.
        run_id: The new run's id; made up if absent.
    """

    deployment_id: DeploymentId | None = None
    run_id: RunId | None = None


class RerunResponse(TriggerResponse):
    """The run that was started.

    Attributes:
        rerun_of: The run whose input it has.
    """

    rerun_of: RunId


class ResumeRequest(Request):
    """Hand a payload to a hook that a run waits on.

    Attributes:
        run_id: The run.
        token: The hook's token; either this or ``hook_id``.
        hook_id: The hook's id.
        payload: What the workflow receives.
    """

    run_id: RunId
    token: str | None = None
    hook_id: HookId | None = None
    payload: Any = None

    @model_validator(mode="after")
    def _names_one_hook(self) -> ResumeRequest:
        if (self.token is None) == (self.hook_id is None):
            raise ValueError("name the hook by either token or hookId")
        return self


class ResumeResponse(Answer):
    """Whether the hook took the payload."""

    accepted: bool


class WakeRequest(Request):
    """Which sleeps to end.

    Attributes:
        correlation_ids: The correlation ids of the sleeps; all if absent. Those that are over are passed by.
    """

    correlation_ids: tuple[WaitId, ...] | None = Field(default=None, min_length=1, max_length=1000)


class WakeResponse(Answer):
    """What a wake did.

    Attributes:
        run_id: The run.
        woken_waits: How many sleeps were cut short.
    """

    run_id: RunId
    woken_waits: int = 0


class SkippedTimer(Answer):
    """A sleep or a pause of a run that was ended before its time.

    Attributes:
        timer: ``sleep``, or ``retry`` for the pause before a step's next attempt.
        correlation_id: The correlation id of the sleep, or the id of the step.
        milliseconds: How much time was skipped.
    """

    timer: str
    correlation_id: EntityId | StepId | WaitId
    milliseconds: int


class SkipResponse(Answer):
    """What a skip did.

    Attributes:
        run_id: The run.
        skipped: The timer that was ended; None if the run had something to do, waits for something else, or has ended.
    """

    run_id: RunId
    skipped: SkippedTimer | None = None


class Failure(Answer):
    """Why a run or a step failed.

    Attributes:
        message: The error's message.
        stack: Its stack, where there is one.
        code: The SDK's code, such as ``USER_ERROR``.
    """

    message: str
    stack: str | None = None
    code: str | None = None


class Run(Answer):
    """One execution of a workflow.

    Attributes:
        run_id: ``wrun_`` and a ULID.
        status: ``pending``, ``running``, ``completed``, ``failed`` or ``cancelled``.
        workflow_name: The workflow's id.
        deployment_id: The deployment it is pinned to.
        environment: The environment it was started in.
        spec_version: The World protocol it was created at.
        input: The arguments, where asked for.
        output: The result of a completed run, where asked for.
        error: Why it failed.
        created_at: When it was created.
        started_at: When it first ran.
        completed_at: When it completed, failed or was cancelled.
        updated_at: When it last changed.
        created_by: The id of the key that started it; None if code of a run did.
        project_id: The project of that key.
        rerun_of: The run whose input it was given anew.
        priority: Where more is due than there are places for, a point counts as a minute of waiting.
        concurrency_key: The key of a limit that it shares with other runs.
    """

    run_id: RunId
    status: str
    workflow_name: str
    deployment_id: DeploymentId
    environment: EnvironmentName | None = None
    spec_version: int | None = None
    input: Any = None
    output: Any = None
    error: Failure | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    updated_at: datetime | None = None
    created_by: KeyId | None = None
    project_id: str | None = None
    rerun_of: RunId | None = None
    priority: int | None = None
    concurrency_key: str | None = None

    @property
    def finished(self) -> bool:
        """Whether the run has reached its end."""
        return self.status in {"completed", "failed", "cancelled"}


class Step(Answer):
    """One step of a run.

    Attributes:
        step_id: Unique within the run.
        run_id: The run.
        step_name: The step's id in the code.
        status: ``pending``, ``running``, ``completed``, ``failed`` or ``cancelled``.
        attempt: How often it was started.
        executor_id: The executor that started it last.
        input: Its arguments, where asked for.
        output: Its result, where asked for.
        error: Why its last attempt failed.
        created_at: When the workflow asked for it.
        started_at: When it was first started.
        completed_at: When it completed or failed for good.
        retry_after: When a failed attempt is repeated.
        updated_at: When it last changed.
    """

    step_id: StepId
    run_id: RunId
    step_name: str
    status: str
    attempt: int = 0
    executor_id: ExecutorId | None = None
    input: Any = None
    output: Any = None
    error: Failure | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    retry_after: datetime | None = None
    updated_at: datetime | None = None


class Hook(Answer):
    """A place where a run waits for the outside.

    Attributes:
        hook_id: Unique within the run.
        run_id: The run.
        token: What names the hook to the outside; shown only to keys that may resume it (``runs:write``).
        is_webhook: Whether the public webhook address accepts the token.
        metadata: What the workflow attached, where asked for.
        created_at: When it was created.
    """

    hook_id: HookId
    run_id: RunId
    token: str | None = None
    is_webhook: bool | None = None
    metadata: Any = None
    created_at: datetime | None = None


class Event(Answer):
    """One entry of a run's log.

    Attributes:
        event_id: Its place in the run's log.
        run_id: The run.
        event_type: Such as ``step_completed``.
        correlation_id: The step, hook or wait it is about.
        event_data: What happened; payloads where asked for.
        created_at: When it was recorded.
        request_id: The correlation id of the HTTP request that brought it, if one did.
        created_by: The key of that request.
    """

    event_id: EventId
    run_id: RunId
    event_type: str
    correlation_id: EntityId | None = None
    event_data: dict[str, Any] | None = None
    created_at: datetime | None = None
    request_id: CorrelationId | None = None
    created_by: KeyId | None = None
