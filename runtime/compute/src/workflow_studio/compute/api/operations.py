"""The worker itself: health, executors, messages that are not delivered any more."""

from __future__ import annotations

from datetime import datetime

from workflow_studio.compute.api._base import Answer
from workflow_studio.compute.ids import DeploymentId, EventId, ExecutorId, MessageId, RunId, StepId


class Health(Answer):
    """Whether the worker is up.

    Attributes:
        healthy: Always true; a worker that cannot serve does not answer.
        version: The worker's version.
    """

    healthy: bool
    version: str = ""


class Readiness(Answer):
    """Whether the worker takes requests.

    Attributes:
        ready: Always true; a worker that takes none refuses this one, too, with 503.
    """

    ready: bool


class ServiceWorker(Answer):
    """A worker of the service: those that share a database are one.

    Attributes:
        worker_id: Chosen when its process started.
        epoch: Grows with each registration of a worker.
        host: The name of its machine.
        pid: Its process id.
        version: Its version.
        started_at: When it registered; anew, if others had taken its work over.
        heartbeat_at: When it was heard of last.
        lease_seconds: How long after that others take over what it has in flight.
        in_flight: How many deliveries it has in flight.
        is_this: Whether it is the one that answers.
        leads: Whether it looks after what one worker is to look after.
    """

    worker_id: str
    epoch: int
    host: str
    pid: int
    version: str
    started_at: datetime
    heartbeat_at: datetime
    lease_seconds: float
    in_flight: int = 0
    is_this: bool = False
    leads: bool = False


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

    executor_id: ExecutorId
    deployment_id: DeploymentId
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

    message_id: MessageId
    queue_name: str
    run_id: RunId | None = None
    step_id: StepId | None = None
    attempt: int = 0
    failures: int = 0
    last_error: str | None = None
    created_at: datetime | None = None


class WebhookResponse(Answer):
    """Whether a webhook call was taken.

    Attributes:
        accepted: Whether it was.
        event_id: The event that it made, if it made one.
    """

    accepted: bool
    event_id: EventId | None = None
