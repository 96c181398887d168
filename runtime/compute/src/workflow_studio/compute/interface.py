"""The interface between what asks for runs and what executes them.

A :class:`Compute` takes messages for the Workflow SDK's queues and makes the consumers that handle them. Those three
methods are required; what else it can do it shows by having the methods of another protocol here, and whoever wants to
use one asks first::

    if isinstance(compute, CanTrigger):
        started = await compute.trigger(TriggerRequest(workflow_name=name, input=arguments))

Refusals are raised. A Compute over a World raises :class:`workflow_studio.compute.world_errors.WorldError`, the client
of a worker its own errors; the interface fixes no type, because it does not know what is behind it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from workflow_studio.compute.web import WebRequest, WebResponse

if TYPE_CHECKING:
    from workflow_studio.compute.api import (
        ResumeRequest,
        ResumeResponse,
        TriggerRequest,
        TriggerResponse,
        WebhookResponse,
    )
    from workflow_studio.compute.ids import DeploymentId, MessageId, RunId, StepId

Message = Mapping[str, Any]
"""A message of the Workflow SDK: a map of what CBOR holds. Nobody between its maker and its consumer looks into it."""


@dataclass(frozen=True, slots=True)
class PublishOptions:
    """How a message is to be delivered.

    Attributes:
        deployment_id: Where, as long as the run it is for does not exist; where the run is after that.
        run_id: The run it is for; what the message itself says if absent.
        step_id: The step it is for; what the message itself says if absent.
        idempotency_key: While a message of the run with this key is on its way, another one with it is not taken.
        delay_seconds: How much later.
        headers: Handed to the consumer with it.
    """

    deployment_id: DeploymentId | None = None
    run_id: RunId | None = None
    step_id: StepId | None = None
    idempotency_key: str | None = None
    delay_seconds: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Published:
    """A message was taken, and will be delivered.

    Attributes:
        message_id: Its id, or that of the message on its way that makes it superfluous.
    """

    message_id: MessageId


@dataclass(frozen=True, slots=True)
class MessageMeta:
    """What a consumer knows about a message besides what is in it.

    Attributes:
        queue_name: The queue.
        message_id: The same over all deliveries of it.
        attempt: 1 on the first delivery ever.
    """

    queue_name: str
    message_id: MessageId
    attempt: int


@dataclass(frozen=True, slots=True)
class Again:
    """The message is to be delivered again.

    Attributes:
        timeout_seconds: How much later; 0 is at once.
    """

    timeout_seconds: float


MessageHandler = Callable[[Message, MessageMeta], Awaitable[Again | None]]
"""Handles a message. What it raises has the message delivered again, with the next attempt."""

Consumer = Callable[[WebRequest], Awaitable[WebResponse]]
"""Takes a delivery, a POST with the headers ``x-vqs-queue-name``, ``x-vqs-message-id`` and ``x-vqs-message-attempt``.

It answers 200 ``{"ok":true}`` or ``{"timeoutSeconds":n}``, 400 to what is no delivery for it, and 500 if the handler
raises (source: ``createQueueHandler`` of ``@workflow/world`` 4.x).
"""


@runtime_checkable
class Compute(Protocol):
    """What every Compute does."""

    async def get_deployment_id(self) -> DeploymentId:
        """Return the deployment that new runs use."""

    async def publish(self, queue_name: str, message: Message, options: PublishOptions | None = None, /) -> Published:
        """Take a message to be delivered to a consumer of the queue, at least once.

        Args:
            queue_name: ``__wkf_workflow_`` and a workflow's id, or ``__wkf_step_`` and a step's.
            message: What the consumer's handler gets.
            options: How it is to be delivered.
        """

    def create_consumer(self, queue_name_prefix: str, handler: MessageHandler, /) -> Consumer:
        """Return what takes the deliveries of all queues whose names begin so."""


@runtime_checkable
class CanTrigger(Protocol):
    """A Compute that starts runs for callers that speak JSON."""

    async def trigger(self, request: TriggerRequest, /) -> TriggerResponse:
        """Start a run."""


@runtime_checkable
class CanResume(Protocol):
    """A Compute that hands payloads to hooks."""

    async def resume(self, request: ResumeRequest, /) -> ResumeResponse:
        """Hand a payload to a hook that a run waits on, and have the run go on."""


@runtime_checkable
class CanTakeWebhooks(Protocol):
    """A Compute that takes calls of other services."""

    async def webhook_ingress(self, provider: str, request: WebRequest, /) -> WebhookResponse:
        """Take a webhook call.

        Args:
            provider: Whose call it is, as the address it came to says.
            request: The call.
        """


@runtime_checkable
class CanWaitUntil(Protocol):
    """A Compute that keeps its process up until something is done."""

    def wait_until(self, effect: Awaitable[Any], /) -> None:
        """Have something go on after the answer was given; :meth:`CanClose.close` waits for it."""


@runtime_checkable
class HasBaseUrl(Protocol):
    """A Compute that has an address."""

    def get_base_url(self, port: int | None = None, /) -> str | None:
        """Return where it is reached, given the port that the process listens on; None if it has no address."""


@runtime_checkable
class CanStart(Protocol):
    """A Compute with something to do before it is used."""

    async def start(self) -> None:
        """Get ready; called once, before anything else."""


@runtime_checkable
class CanClose(Protocol):
    """A Compute with something to do after it was used."""

    async def close(self) -> None:
        """Let go of everything; called once, after everything else."""
