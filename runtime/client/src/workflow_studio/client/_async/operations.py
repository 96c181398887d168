"""The worker itself, its queue, and webhooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from workflow_studio.client._async.base import AsyncBase
from workflow_studio.client._calls import operations as calls

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from workflow_studio.client._filters import Part
    from workflow_studio.compute.api import (
        DeadMessage,
        Executor,
        Health,
        Page,
        Readiness,
        ServiceWorker,
        WebhookResponse,
    )
    from workflow_studio.compute.ids import DeploymentId, MessageId
    from workflow_studio.compute.interface import Message, Published, PublishOptions
    from workflow_studio.compute.web import WebRequest, WebResponse


class AsyncOperations(AsyncBase):
    """Asks how the worker is, and hands it messages and webhook calls."""

    async def health(self) -> Health:
        """Ask whether the worker is up; needs no key."""
        return await self._send(calls.health())

    async def readiness(self) -> Readiness:
        """Ask whether the worker takes requests; needs no key. One that is about to end refuses, with status 503."""
        return await self._send(calls.readiness())

    async def list_executors(self) -> Page[Executor]:
        """Return the worker's Node.js processes."""
        return await self._send(calls.list_executors())

    async def list_workers(self) -> Page[ServiceWorker]:
        """Return the workers of the service, the one that is here longest first."""
        return await self._send(calls.list_workers())

    async def list_dead_messages(self, **part: Unpack[Part]) -> Page[DeadMessage]:
        """Return some messages that failed too often and are not delivered any more, newest first."""
        return await self._send(calls.list_dead_messages(part))

    def iter_dead_messages(self, **part: Unpack[Part]) -> AsyncIterator[DeadMessage]:
        """Return all messages that are not delivered any more, newest first, page by page as they are asked for."""
        return self._entries(lambda at: calls.list_dead_messages({**part, "cursor": at}), part.get("cursor"))

    async def retry_dead_message(self, message_id: MessageId) -> DeadMessage:
        """Have a dead message delivered again, with all its chances anew."""
        return await self._send(calls.retry_dead_message(message_id))

    async def call_webhook(self, token: str, request: WebRequest) -> WebResponse:
        """Hand a call to the webhook that has a token; its workflow answers, and any status is its answer.

        Args:
            token: The webhook's token, which is all the authority there is.
            request: The call; of its address, the query counts.

        Raises:
            TransportError: If there was no answer. The call is repeated only if it cannot have arrived.
        """
        return await self._send(calls.call_webhook(token, request))

    async def webhook_ingress(self, provider: str, request: WebRequest, /) -> WebhookResponse:
        """Hand a call of another service to the worker's Compute, if that takes some.

        Args:
            provider: Whose call it is.
            request: The call; of its address, the query counts. Its ``Authorization`` is not passed on.
        """
        return await self._send(calls.webhook_ingress(provider, request))

    async def get_deployment_id(self) -> DeploymentId:
        """Return the deployment that new runs use, as an app asks for it: the key needs the scope ``world:proxy``."""
        return await self._send(calls.get_deployment_id())

    async def publish(self, queue_name: str, message: Message, options: PublishOptions | None = None, /) -> Published:
        """Hand a message to the worker's queue, as an app does: the key needs the scope ``world:proxy``.

        Args:
            queue_name: ``__wkf_workflow_`` and a workflow's id, or ``__wkf_step_`` and a step's.
            message: What the consumer's handler gets.
            options: How it is to be delivered.
        """
        return await self._send(calls.publish(queue_name, message, options))
