"""A World as a Compute: starts, resumes and queues, by the methods of ``docs/reference/wire.md`` alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

from workflow_studio.compute.api import ResumeRequest, ResumeResponse, TriggerRequest, TriggerResponse
from workflow_studio.compute.ids import LATEST, DeploymentId, MessageId
from workflow_studio.compute.interface import Compute, Published
from workflow_studio.compute.messages import WORKFLOW_QUEUE, create_consumer, envelope
from workflow_studio.compute.payload import dumps, dumps_arguments
from workflow_studio.compute.world_errors import EntityConflictError, HookNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.compute.interface import Consumer, Message, MessageHandler, PublishOptions

DEFAULT_SPEC_VERSION: Final = 3
"""The World protocol of runs that do not say which (source: ``@workflow/world`` 4.x ``SPEC_VERSION_CURRENT``)."""


class World(Protocol):
    """Answers World calls; see ``docs/reference/wire.md`` for methods, parameters and results."""

    async def call(self, method: str, params: Mapping[str, Any], /) -> Any:
        """Run one World method.

        Raises:
            WorldError: If the World refuses.
        """


class WorldCompute:
    """A Compute over a World; it can trigger and resume. Made by :func:`create_world_compute_adapter`.

    Payloads are written in clear: whoever has the World's encryption keys reads those too. What the World refuses is
    raised as it is, a :class:`workflow_studio.compute.world_errors.WorldError`.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    async def get_deployment_id(self) -> DeploymentId:
        """Return the deployment that new runs use."""
        return DeploymentId((await self._world.call("deployments.current", {}))["deploymentId"])

    async def publish(self, queue_name: str, message: Message, options: PublishOptions | None = None, /) -> Published:
        """Take a message to be delivered to a consumer of the queue, at least once."""
        answer = await self._world.call("queue.publish", envelope(queue_name, message, options))
        return Published(MessageId(answer["messageId"]))

    def create_consumer(self, queue_name_prefix: str, handler: MessageHandler, /) -> Consumer:
        """Return what takes the deliveries of all queues whose names begin so."""
        return create_consumer(queue_name_prefix, handler)

    async def trigger(self, request: TriggerRequest, /) -> TriggerResponse:
        """Start a run, as the SDK's ``start()`` does: create it, and publish a message that has it run.

        A run that exists already with this id is answered as it is.

        Raises:
            EntityConflictError: If a run of another workflow has the id.
            PayloadError: If an argument cannot be encoded.
        """
        spec_version = request.spec_version or DEFAULT_SPEC_VERSION
        start = {
            "deploymentId": await self._deployment(request.deployment_id),
            "workflowName": request.workflow_name,
            "input": dumps_arguments(request.arguments()),
            "executionContext": {"traceCarrier": {}},
        }
        event = {"eventType": "run_created", "eventData": start, "specVersion": spec_version}
        creation: dict[str, Any] = {"event": event, "resolveData": "none"}
        if request.run_id is not None:
            creation["runId"] = request.run_id
        try:
            run = (await self._world.call("events.create", creation))["run"]
        except EntityConflictError:
            run = await self._world.call("runs.get", {"runId": request.run_id, "resolveData": "none"})
            if run["workflowName"] != request.workflow_name:
                raise
        # If this is as far as it comes, the World finds a run that was never replayed.
        await self.publish(WORKFLOW_QUEUE + run["workflowName"], {"runId": run["runId"]})
        return TriggerResponse(run_id=run["runId"], status=run["status"], deployment_id=run["deploymentId"])

    async def _deployment(self, named: DeploymentId | None) -> DeploymentId:
        return await self.get_deployment_id() if named is None or named == LATEST else named

    async def resume(self, request: ResumeRequest, /) -> ResumeResponse:
        """Hand a payload to a hook that a run waits on, and have the run replayed.

        Raises:
            PayloadError: If the payload cannot be encoded.
        """
        hook_id = request.hook_id
        if request.token is not None:
            hook = await self._world.call("hooks.getByToken", {"token": request.token, "resolveData": "none"})
            if hook["runId"] != request.run_id:
                raise HookNotFoundError(request.token)
            hook_id = hook["hookId"]
        run = await self._world.call("runs.get", {"runId": request.run_id, "resolveData": "none"})
        event = {
            "eventType": "hook_received",
            "correlationId": hook_id,
            "eventData": {"payload": dumps(request.payload)},
            "specVersion": run.get("specVersion", DEFAULT_SPEC_VERSION),
        }
        await self._world.call("events.create", {"runId": request.run_id, "event": event})
        await self.publish(WORKFLOW_QUEUE + run["workflowName"], {"runId": request.run_id})
        return ResumeResponse(accepted=True)


def create_world_compute_adapter(world: World) -> WorldCompute:
    """Return a World as a :class:`.interface.Compute` that can also trigger and resume."""
    return WorldCompute(world)


if TYPE_CHECKING:

    def _is_a_compute(adapter: WorldCompute) -> Compute:
        return adapter
