"""What the routes ask of the worker's Compute: the built-in one, or a custom one with the worker's promises around it.

With the built-in Compute a request and its idempotency record are committed together. What a custom one does is outside
the database: :mod:`.engine.outside_calls` keeps the record then, and a run gets its id before the Compute is called, so
that it can tell a repeat. What a custom Compute lacks, the built-in one does.
"""

from __future__ import annotations

import logging
import time
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio
from pydantic import ValidationError

from workflow_studio.compute import wire
from workflow_studio.compute.api import ResumeResponse, TriggerResponse, WebhookResponse
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DeploymentId, RunId, StepId
from workflow_studio.compute.interface import (
    CanResume,
    CanTakeWebhooks,
    CanTrigger,
    Published,
    PublishOptions,
)
from workflow_studio.compute.messages import STEP_QUEUE, WORKFLOW_QUEUE, envelope
from workflow_studio.compute.world_errors import WorldError
from workflow_studio.worker.builtin_compute import CALLER
from workflow_studio.worker.composition import COMPUTE, alive
from workflow_studio.worker.engine import audit, params
from workflow_studio.worker.engine.clock import new_id
from workflow_studio.worker.ports import CallContext, IdempotencyKey
from workflow_studio.worker.problems import Problem, problem, translate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence

    from workflow_studio.compute.api import Answer, ResumeRequest, TriggerRequest
    from workflow_studio.compute.interface import Compute, Message, MessageMeta
    from workflow_studio.compute.web import WebRequest
    from workflow_studio.worker.builtin_compute import BuiltinCompute
    from workflow_studio.worker.engine import Engine
    from workflow_studio.worker.ports import BatchedCall, Caller
    from workflow_studio.worker.settings import WorkerSettings

logger = logging.getLogger(__name__)

A = TypeVar("A", bound="Answer")
T = TypeVar("T")

_ANSWERED_BY_COMPUTE: Final = frozenset({"deployments.current", "queue.publish"})
_DELIVERIES: Final = "deliveries of the Compute"
_CODES: Final = frozenset(ErrorCode)


class Computing:
    """The worker's Compute, as the routes use it.

    Args:
        engine: Keeps the idempotency records.
        builtin: The worker's own Compute.
        custom: Another one in its place, if the settings name one.
    """

    def __init__(self, engine: Engine, builtin: BuiltinCompute, custom: Compute | None = None) -> None:
        self._engine = engine
        self._builtin = builtin
        self._custom = custom
        if custom is not None:
            for prefix in (WORKFLOW_QUEUE, STEP_QUEUE):
                custom.create_consumer(prefix, self._take)

    async def batch(self, calls: Sequence[BatchedCall], context: CallContext) -> dict[str, Any]:
        """Make several calls to the World, in one transaction where the built-in Compute makes them.

        Returns:
            ``results``: ``{"value": ...}`` or ``{"error": ...}`` for each call, in order.

        Raises:
            WorldError: If the World can make none of them.
            EngineError: ``idempotency_conflict``.
            Problem: If a custom Compute fails. What was made before it is not made again by a repeat.
        """
        if self._custom is None:
            return await self._engine.world.batch(calls, context)
        results: list[dict[str, Any]] = []
        for call in calls:
            one = replace(context, idempotency=call.idempotency)
            try:
                results.append({"value": await self.world(call.method, call.params, one)})
            except WorldError as error:
                results.append({"error": error.to_wire()})
        return {"results": results}

    async def world(self, method: str, parameters: Mapping[str, Any], context: CallContext) -> Any:
        """Call a method of the World; the Compute answers ``deployments.current`` and ``queue.publish``.

        Raises:
            WorldError: If the World refuses.
            EngineError: ``idempotency_conflict``.
            Problem: If a custom Compute fails.
        """
        custom = self._custom
        if custom is None or method not in _ANSWERED_BY_COMPUTE:
            return await self._engine.world.call(method, parameters, context)
        if method == "deployments.current":
            return {"deploymentId": str(await self._asked(custom.get_deployment_id(), context.caller))}
        wanted = params.parse(params.Publish, parameters)
        message = wire.decode(wanted.body)
        if not isinstance(message, dict):
            raise problem(400, ErrorCode.INVALID_REQUEST, "The message is not a CBOR map.")
        options = PublishOptions(
            deployment_id=None if wanted.deployment_id is None else DeploymentId(wanted.deployment_id),
            run_id=None if wanted.run_id is None else RunId(wanted.run_id),
            step_id=None if wanted.step_id is None else StepId(wanted.step_id),
            idempotency_key=wanted.idempotency_key,
            delay_seconds=wanted.delay_seconds,
            headers=wanted.headers or {},
        )

        async def publish(_particulars: dict[str, Any]) -> dict[str, Any]:
            published = await self._asked(custom.publish(wanted.queue_name, message, options), context.caller)
            if not isinstance(published, Published):
                raise _no_answer(published)
            return {"messageId": str(published.message_id)}

        return await self._engine.outside.once(context.idempotency, dict, publish)

    async def trigger(self, request: TriggerRequest, repeat: IdempotencyKey, caller: Caller | None) -> TriggerResponse:
        """Start a run.

        Raises:
            EngineError: As :meth:`.engine.runs.Runs.start` does.
            Problem: If a custom Compute fails.
        """
        custom = self._custom
        if not isinstance(custom, CanTrigger):
            return await self._builtin.trigger(request, repeat=repeat, caller=caller)

        def particulars() -> dict[str, Any]:
            return {"runId": request.run_id or new_id("wrun", time.time_ns() // 1_000_000)}

        async def trigger(wanted: dict[str, Any]) -> dict[str, Any]:
            named = request.model_copy(update={"run_id": RunId(wanted["runId"])})
            answer = _of(TriggerResponse, await self._asked(custom.trigger(named), caller))
            return answer.model_dump(mode="json")

        made = TriggerResponse.model_validate(await self._engine.outside.once(repeat, particulars, trigger))
        audit.describe(made=made.run_id)
        return made

    async def resume(self, request: ResumeRequest, caller: Caller | None) -> ResumeResponse:
        """Hand a payload to a hook that a run waits on, and have the run go on.

        Raises:
            EngineError: ``run_not_found`` or ``run_finished``.
            WorldError: If the World refuses.
            Problem: If a custom Compute fails.
        """
        if not isinstance(self._custom, CanResume):
            return await self._builtin.resume(request, caller=caller)
        return _of(ResumeResponse, await self._asked(self._custom.resume(request), caller))

    async def webhook(self, provider: str, request: WebRequest, caller: Caller | None) -> WebhookResponse:
        """Hand a webhook call of another service to the Compute.

        Raises:
            Problem: ``not_found``, if it takes none; ``compute_failed``, if it fails.
        """
        if not isinstance(self._custom, CanTakeWebhooks):
            raise problem(
                404,
                ErrorCode.NOT_FOUND,
                "This worker's Compute takes no webhook calls of other services.",
                "Configure a Compute that has webhook_ingress, or give the service the URL of a workflow's webhook.",
            )
        return _of(WebhookResponse, await self._asked(self._custom.webhook_ingress(provider, request), caller))

    async def _take(self, message: Message, meta: MessageMeta) -> None:
        """Take a message that a custom Compute delivers: from here on it is the worker's, and delivered but once."""
        step = message.get("stepId")
        options = PublishOptions(idempotency_key=step if isinstance(step, str) else None)
        repeat = IdempotencyKey("", _DELIVERIES, str(meta.message_id), "")
        wanted = envelope(meta.queue_name, message, options)
        await self._engine.world.call("queue.publish", wanted, CallContext(idempotency=repeat))

    async def _asked(self, call: Awaitable[T], caller: Caller | None) -> T:
        try:
            with _in_name_of(caller):
                return await call
        except Exception as error:
            if translate(error) is not None:
                raise
            told = _told(error)
            if told is not None:
                raise told from error
            logger.exception("The Compute failed.")
            raise _failed() from error


@asynccontextmanager
async def serving(
    engine: Engine, builtin: BuiltinCompute, compute: Compute, settings: WorkerSettings, left: Callable[[], float]
) -> AsyncIterator[Computing]:
    """Start the worker's Compute, give what asks it, and end it.

    Args:
        engine: The use cases.
        builtin: The worker's own Compute.
        compute: The one that the settings choose, which may be that.
        settings: The settings.
        left: Returns the seconds that are left for the end of the worker.

    Raises:
        PartError: If it does not start.
    """
    computing = Computing(engine, builtin, None if compute is builtin else compute)
    async with alive(COMPUTE, compute, settings, left):
        try:
            yield computing
        finally:
            with anyio.move_on_after(left(), shield=True):
                await engine.outside.settle(left())
                await builtin.close()


@contextmanager
def _in_name_of(caller: Caller | None) -> Iterator[None]:
    token = CALLER.set(caller)
    try:
        yield
    finally:
        CALLER.reset(token)


def _of(kind: type[A], answer: Any) -> A:
    try:
        return kind.model_validate(answer)
    except ValidationError:
        raise _no_answer(answer) from None


def _told(error: Exception) -> Problem | None:
    """Return the refusal of another worker, as the client raises it; None if it is none, or about the Compute's key."""
    status, code = getattr(error, "status", None), getattr(error, "code", None)
    if not isinstance(status, int) or not 400 <= status < 500 or status in {401, 403, 429} or code not in _CODES:
        return None
    return problem(status, ErrorCode(str(code)), str(error), getattr(error, "recovery", None))


def _no_answer(answer: object) -> Problem:
    logger.error("The Compute answered with %s, which the interface does not allow here.", type(answer).__name__)
    return _failed()


def _failed() -> Problem:
    return problem(
        502,
        ErrorCode.COMPUTE_FAILED,
        "The worker's Compute failed.",
        "Try again; if it goes on, look at the worker's log.",
    )
