"""The worker's own Compute: over the engine, in this process."""

from __future__ import annotations

import asyncio
import logging
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute import messages
from workflow_studio.compute.api import ResumeResponse, TriggerResponse
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.ids import DeploymentId, MessageId
from workflow_studio.compute.interface import Published
from workflow_studio.compute.payload import dumps, dumps_arguments
from workflow_studio.compute.world_errors import HookNotFoundError
from workflow_studio.worker.engine.errors import EngineError
from workflow_studio.worker.ports import CallContext

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from workflow_studio.compute.api import ResumeRequest, TriggerRequest
    from workflow_studio.compute.interface import Consumer, Message, MessageHandler, PublishOptions
    from workflow_studio.worker.engine import Engine
    from workflow_studio.worker.ports import Caller, IdempotencyKey

logger = logging.getLogger(__name__)

CALLER: Final[ContextVar[Caller | None]] = ContextVar("workflow_studio_caller", default=None)
"""Whose request it is, where a custom Compute stands between the route and this one."""


class BuiltinCompute:
    """Implements :class:`workflow_studio.compute.interface.Compute` and what is optional there, but webhooks.

    Refusals are :class:`workflow_studio.worker.engine.EngineError` and
    :class:`workflow_studio.compute.world_errors.WorldError`.

    Args:
        engine: The use cases.
        external_url: The worker's address as others see it.
    """

    def __init__(self, engine: Engine, external_url: str) -> None:
        self._engine = engine
        self._external_url = external_url
        self._effects: set[asyncio.Future[Any]] = set()

    async def get_deployment_id(self) -> DeploymentId:
        """Return the active deployment.

        Raises:
            WorldError: If none is active.
        """
        current = await self._engine.world.call("deployments.current", {}, _context())
        return DeploymentId(current["deploymentId"])

    async def publish(self, queue_name: str, message: Message, options: PublishOptions | None = None, /) -> Published:
        """Store a message; the worker's executors handle it."""
        envelope = messages.envelope(queue_name, message, options)
        answer = await self._engine.world.call("queue.publish", envelope, _context())
        return Published(MessageId(answer["messageId"]))

    def create_consumer(self, queue_name_prefix: str, handler: MessageHandler, /) -> Consumer:
        """Return what takes the deliveries of all queues whose names begin so."""
        return messages.create_consumer(queue_name_prefix, handler)

    async def trigger(
        self, request: TriggerRequest, /, *, repeat: IdempotencyKey | None = None, caller: Caller | None = None
    ) -> TriggerResponse:
        """Start a run: it, its first message and the record of the request are stored together.

        Args:
            request: What to start.
            repeat: What names the request, if it may arrive twice.
            caller: Whose request it is.
        """
        optional: dict[str, Any] = {} if request.spec_version is None else {"spec_version": request.spec_version}
        run = await self._engine.runs.start(
            request.workflow_name,
            dumps_arguments(request.arguments()),
            deployment_id=request.deployment_id,
            run_id=request.run_id,
            repeat=repeat,
            caller=caller or CALLER.get(),
            priority=request.priority,
            concurrency_key=request.concurrency_key,
            **optional,
        )
        return TriggerResponse(run_id=run["runId"], status=run["status"], deployment_id=run["deploymentId"])

    async def resume(self, request: ResumeRequest, /, *, caller: Caller | None = None) -> ResumeResponse:
        """Hand a payload to a hook that a run waits on, and have the run go on."""
        context = _context(caller)
        world = self._engine.world
        run = await self._engine.runs.get(request.run_id, with_payloads=False)
        hook_id: str | None = request.hook_id
        if request.token is not None:
            hook = await world.call("hooks.getByToken", {"token": request.token, "resolveData": "none"}, context)
            if hook["runId"] != request.run_id:
                raise HookNotFoundError(request.token)
            hook_id = hook["hookId"]
        event = {
            "eventType": "hook_received",
            "correlationId": hook_id,
            "eventData": {"payload": self._engine.keyring.seal(request.run_id, dumps(request.payload))},
            "specVersion": run.get("specVersion", 3),
        }
        await world.call("events.create", {"runId": request.run_id, "event": event}, context)
        # If the worker dies here, recovery sees that the run has an event it was not replayed with.
        try:
            await self._engine.runs.resume(request.run_id)
        except EngineError as error:
            # A replay that was under way may have taken the payload and ended the run.
            if error.code != ErrorCode.RUN_FINISHED:
                raise
        return ResumeResponse(accepted=True)

    def wait_until(self, effect: Awaitable[Any], /) -> None:
        """Have something go on after the answer was given; :meth:`close` waits for it."""
        task = asyncio.ensure_future(effect)
        self._effects.add(task)
        task.add_done_callback(self._done)

    def get_base_url(self, _port: int | None = None, /) -> str | None:
        """Return the worker's address as others see it."""
        return self._external_url

    async def close(self) -> None:
        """Wait for what :meth:`wait_until` was given."""
        await asyncio.gather(*self._effects, return_exceptions=True)

    def _done(self, task: asyncio.Future[Any]) -> None:
        self._effects.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("What was to be done after an answer failed.", exc_info=task.exception())


def _context(caller: Caller | None = None) -> CallContext:
    return CallContext(caller=caller or CALLER.get())
