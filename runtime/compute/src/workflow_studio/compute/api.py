"""The public lane: the JSON that people, tools and other services exchange with the worker.

Routes, scopes and codes are in ``docs/reference/http-api.md``. Keys are camelCase, times are ISO 8601 with a time
zone, and an absent optional field is left out. Answers may gain fields; a reader ignores those it does not know.
Payloads appear as :func:`workflow_studio.compute.payload.loads` shows them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

T = TypeVar("T")

ResolveData = Literal["none", "all"]
SortOrder = Literal["asc", "desc"]


class Answer(BaseModel):
    """What the worker sends."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="ignore", frozen=True, serialize_by_alias=True
    )


class Request(BaseModel):
    """What the worker is sent: a field it does not know is a mistake, and refused."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, serialize_by_alias=True
    )


class Health(Answer):
    """Whether the worker is up.

    Attributes:
        healthy: Always true; a worker that cannot serve does not answer.
        version: The worker's version.
    """

    healthy: bool
    version: str = ""


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


class TriggerRequest(Request):
    """Start a run.

    Attributes:
        workflow_name: The workflow's id, such as ``workflow//./workflows/order//processOrder``.
        input: The workflow's arguments: an array has one element per parameter, anything else is the only argument,
            and an absent input means no arguments.
        run_id: The run's id; made up if absent.
        deployment_id: The deployment to run; the active one if absent.
        spec_version: The World protocol of the run; that of the deployment if absent.
    """

    workflow_name: str = Field(min_length=1, max_length=1024)
    input: Any = None
    run_id: str | None = None
    deployment_id: str | None = None
    spec_version: int | None = Field(default=None, ge=2, le=7, strict=True)

    def arguments(self) -> list[Any]:
        """Return the workflow's arguments."""
        if "input" not in self.model_fields_set:
            return []
        return self.input if isinstance(self.input, list) else [self.input]


class TriggerResponse(Answer):
    """The run that was started."""

    run_id: str
    status: str
    deployment_id: str


class ResumeRequest(Request):
    """Hand a payload to a hook that a run waits on.

    Attributes:
        run_id: The run.
        token: The hook's token; either this or ``hook_id``.
        hook_id: The hook's id.
        payload: What the workflow receives.
    """

    run_id: str
    token: str | None = None
    hook_id: str | None = None
    payload: Any = None

    @model_validator(mode="after")
    def _names_one_hook(self) -> ResumeRequest:
        if (self.token is None) == (self.hook_id is None):
            raise ValueError("name the hook by either token or hookId")
        return self


class ResumeResponse(Answer):
    """Whether the hook took the payload."""

    accepted: bool


class WakeResponse(Answer):
    """What a wake did.

    Attributes:
        run_id: The run.
        woken_waits: How many sleeps were cut short.
    """

    run_id: str
    woken_waits: int = 0


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
        spec_version: The World protocol it was created at.
        input: The arguments, where asked for.
        output: The result of a completed run, where asked for.
        error: Why it failed.
        created_at: When it was created.
        started_at: When it first ran.
        completed_at: When it completed, failed or was cancelled.
        updated_at: When it last changed.
    """

    run_id: str
    status: str
    workflow_name: str
    deployment_id: str
    spec_version: int | None = None
    input: Any = None
    output: Any = None
    error: Failure | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    updated_at: datetime | None = None

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

    step_id: str
    run_id: str
    step_name: str
    status: str
    attempt: int = 0
    executor_id: str | None = None
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

    hook_id: str
    run_id: str
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
    """

    event_id: str
    run_id: str
    event_type: str
    correlation_id: str | None = None
    event_data: dict[str, Any] | None = None
    created_at: datetime | None = None


class Page(Answer, Generic[T]):
    """A part of a list.

    Attributes:
        data: The entries.
        cursor: What to ask with for the entries after these; None if there were none.
        has_more: Whether there are more now.
    """

    data: tuple[T, ...]
    cursor: str | None = None
    has_more: bool = False


class Executor(Answer):
    """A Node.js process that runs a deployment.

    Attributes:
        executor_id: Unique in this worker.
        deployment_id: The deployment it has loaded.
        pid: Its process id.
        in_flight: Deliveries and webhook calls it is working on.
        rss: Its resident memory, in bytes, at the last heartbeat.
        started_at: When it was started.
    """

    executor_id: str
    deployment_id: str
    pid: int | None = None
    in_flight: int = 0
    rss: int | None = None
    started_at: datetime | None = None


class DeadMessage(Answer):
    """A queue message that failed too often and is not delivered any more.

    Attributes:
        message_id: Its id.
        queue_name: The queue it is for, which names the workflow or step.
        run_id: The run it is about.
        step_id: The step it is about.
        attempt: Number of the last delivery; 0 if there was none.
        failures: Failed deliveries in a row.
        last_error: Why the last one failed.
        created_at: When it was published.
    """

    message_id: str
    queue_name: str
    run_id: str | None = None
    step_id: str | None = None
    attempt: int = 0
    failures: int = 0
    last_error: str | None = None
    created_at: datetime | None = None
