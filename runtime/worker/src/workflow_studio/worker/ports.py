"""What the rooms of the worker ask of each other.

``routes`` call the engine; the engine's dispatcher hands deliveries to an :class:`ExecutorPool`; executors call World
methods back through a :class:`WorldHandler`. None of them imports another's implementation.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from workflow_studio.compute.web import WebRequest as WebRequest  # noqa: PLC0414, TC001 - for those who ask a pool
from workflow_studio.compute.web import WebResponse as WebResponse  # noqa: PLC0414, TC001 - and get this

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """What names a request that may arrive twice, so that it has one effect and one answer.

    Attributes:
        project: The project of the caller's API key.
        endpoint: Where it was sent to; a key counts per endpoint.
        key: What the client calls it.
        digest: Of what was sent: another request must not come under the same key.
    """

    project: str
    endpoint: str
    key: str
    digest: str


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose request it is.

    Attributes:
        key_id: The API key.
        project_id: The project of the key.
        request_id: The correlation id of the request.
        environment: The environment that the request names, if it names one.
    """

    key_id: str
    project_id: str
    request_id: str | None = None
    environment: str | None = None


@dataclass(frozen=True, slots=True)
class CallContext:
    """Who makes a World call.

    Attributes:
        executor_id: The executor it comes from; None for an app.
        delivery_id: The delivery in whose course it is made, if any.
        idempotency: What names the call, if it may arrive twice; only calls that write look at it.
        caller: Whose request it is, if it came as one.
    """

    executor_id: str | None = None
    delivery_id: str | None = None
    idempotency: IdempotencyKey | None = None
    caller: Caller | None = None


@dataclass(frozen=True, slots=True)
class BatchedCall:
    """One of several World calls that are made together.

    Attributes:
        method: ``events.create`` or ``queue.publish``.
        params: Its parameters.
        idempotency: What names it, if it may arrive twice.
    """

    method: str
    params: Mapping[str, Any]
    idempotency: IdempotencyKey | None = None


class WorldHandler(Protocol):
    """Answers World calls; see ``docs/reference/wire.md`` for methods, parameters and results."""

    async def call(self, method: str, params: Mapping[str, Any], context: CallContext) -> Any:
        """Run one World method.

        Raises:
            WorldError: If the World refuses.
        """


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt at handling a message.

    Attributes:
        id: Unique to this attempt.
        message_id: Stays the same over all attempts.
        attempt: 1 on the first delivery ever, never 1 again.
        executor_id: The executor that should run it, if it can.
        first: The World call that the delivery will begin with, which was made when the message was leased.
        waited: Seconds that the message had been due for when it was leased.
    """

    id: str
    message_id: str
    kind: Literal["workflow", "step"]
    queue_name: str
    deployment_id: str
    attempt: int
    body: bytes
    run_id: str | None = None
    step_id: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    executor_id: str | None = None
    first: FirstCall | None = None
    waited: float | None = None


@dataclass(frozen=True, slots=True)
class FirstCall:
    """An ``events.create`` that was made before the executor makes it.

    Attributes:
        event_type: Of the event.
        correlation_id: Of the event.
        answer: ``value`` or ``error``, as the executor would get it.
        known_slot: For run_started: how much of the log the executor is taken to hold; the answer has the rest.
    """

    event_type: str
    correlation_id: str
    answer: Mapping[str, Any]
    known_slot: int = 0


@dataclass(frozen=True, slots=True)
class Handled:
    """The executor handled the message; with ``timeout_seconds`` it wants it again that much later."""

    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """The executor could not handle the message: deliver it again later.

    Attributes:
        message: What went wrong, for people.
        executor_lost: Whether the process died rather than answered.
    """

    message: str
    executor_lost: bool = False


@dataclass(frozen=True, slots=True)
class Undelivered:
    """There was no executor to hand the message to. No code has seen it, so this was no attempt.

    Attributes:
        message: Why there was none, for people.
    """

    message: str


Outcome = Handled | Failed | Undelivered


Level = Literal["debug", "info", "warn", "error"]
LEVELS: Final[tuple[Level, ...]] = ("debug", "info", "warn", "error")
"""What a line can be, from the least to the most urgent."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that the code of a delivery printed.

    Attributes:
        at: When, in epoch milliseconds.
        level: One of :data:`LEVELS`.
        text: The line, without control characters.
        number: Which of the lines of the workflow function it is, from 0: each replay prints them again. None for what
            is printed once, as by steps.
    """

    at: int
    level: Level
    text: str
    number: int | None = None


class OutputSink(Protocol):
    """Keeps what deliveries print.

    Attributes:
        in_order: Whether lines are kept no later than whatever is written after :meth:`append` has been entered, so
            that nobody has to wait for it.
    """

    @property
    def in_order(self) -> bool:
        """See above."""

    async def append(
        self, delivery: Delivery, lines: Sequence[Line], *, dropped: int = 0, attempt: int | None = None
    ) -> None:
        """Append lines to the output of the delivery's run.

        Args:
            delivery: Which one printed them.
            lines: The lines, in the order they were printed.
            dropped: How many more were lost on the way.
            attempt: The attempt of the step, if it differs from that of the delivery.
        """


class ExecutorUnavailableError(Exception):
    """No executor could be had for the deployment, or it died before it answered."""


class NoAnswerError(ExecutorUnavailableError):
    """The webhook handler has the request, but did not answer it in time."""


class ExecutorPool(Protocol):
    """Runs deliveries in Node.js processes, one pool for all deployments."""

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Run one delivery to its end; start an executor if there is none. Never raises but on cancellation."""

    async def request(self, deployment_id: str, request: WebRequest) -> WebResponse:
        """Have the deployment's webhook handler answer a request.

        Raises:
            ExecutorUnavailableError: If there is no executor to ask, or it died first.
            NoAnswerError: If the handler takes too long.
        """

    def ready(self, delivery: Delivery) -> str | None:
        """Return the id of the executor that could run a delivery at once, if there is one. Any thread may ask."""

    async def close(self, *, grace: float) -> None:
        """Drain all executors for up to ``grace`` seconds, then kill what is left."""
