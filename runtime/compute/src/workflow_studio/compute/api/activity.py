"""What happens in runs, told while it happens."""

from __future__ import annotations

from datetime import datetime

from workflow_studio.compute.api._base import Answer
from workflow_studio.compute.api.output import OutputLevel
from workflow_studio.compute.api.runs import Failure
from workflow_studio.compute.ids import DeploymentId, EntityId, EventId, RunId, StepId

OUTPUT = "output"
"""The ``type`` of an entry that is a line of output."""


class ActivityLine(Answer):
    """One line of the feed. While nothing happens, it says only that the feed goes on.

    Attributes:
        cursor: What to ask with for what comes after this line.
    """

    cursor: str


class ActivityEntry(ActivityLine):
    """One thing that happened in a run: an event of its log, or a line that its code printed.

    Attributes:
        type: The type of the event, such as ``run_created`` or ``step_completed``; ``output`` for a line.
        at: When it happened.
        run_id: The run.
        workflow_name: The run's workflow.
        deployment_id: The deployment that the run is pinned to.
        environment: The environment that the run was started in.
        event_id: The event's place in the run's log.
        position: The line's place in the run's output.
        correlation_id: The step, hook or wait that the event is about.
        step_id: The step that the event is about, or that printed the line.
        step_name: The step's name.
        attempt: Which attempt of the step it is about.
        duration_ms: At the end of an attempt, a sleep or a run: how long that took.
        error: Why the attempt, the step or the run failed.
        retry_after: When a failed attempt is repeated.
        resume_at: When a sleep ends.
        token: What names a hook to the outside; shown only to keys that may resume it (``runs:write``).
        level: How urgent the line is: ``debug``, ``info``, ``warn`` or ``error``.
        text: The line.
        missed: Whether something happened before this that is not told: it was too much at once.
    """

    type: str
    at: datetime
    run_id: RunId
    workflow_name: str
    deployment_id: DeploymentId
    environment: str | None = None
    event_id: EventId | None = None
    position: int | None = None
    correlation_id: EntityId | None = None
    step_id: StepId | None = None
    step_name: str | None = None
    attempt: int | None = None
    duration_ms: int | None = None
    error: Failure | None = None
    retry_after: datetime | None = None
    resume_at: datetime | None = None
    token: str | None = None
    level: OutputLevel | None = None
    text: str | None = None
    missed: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from every other entry: after a reconnection the worker may tell one again."""
        place = self.event_id if self.event_id is not None else f"{OUTPUT} {self.position}"
        return self.run_id, place
