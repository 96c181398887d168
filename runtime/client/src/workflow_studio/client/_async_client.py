"""The client for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.client._async.activity import AsyncActivity
from workflow_studio.client._async.deployments import AsyncDeployments
from workflow_studio.client._async.keys import AsyncKeys
from workflow_studio.client._async.limits import AsyncLimiting
from workflow_studio.client._async.operations import AsyncOperations
from workflow_studio.client._async.runs import AsyncRuns
from workflow_studio.client._async.streams import AsyncStreams
from workflow_studio.client._async.timeline import AsyncTimeline
from workflow_studio.compute.messages import create_consumer

if TYPE_CHECKING:
    from workflow_studio.compute.interface import (
        CanResume,
        CanTakeWebhooks,
        CanTrigger,
        Compute,
        Consumer,
        MessageHandler,
    )


class AsyncComputeClient(
    AsyncRuns, AsyncTimeline, AsyncStreams, AsyncActivity, AsyncDeployments, AsyncLimiting, AsyncKeys, AsyncOperations
):
    """Calls a worker from a coroutine; the asynchronous twin of :class:`ComputeClient`.

    Every method may raise :class:`ComputeClientError` or one of its subclasses. Calls that may be repeated without
    harm are, when the worker is out of reach, fails (5xx) or asks to slow down (429).

    It is a :class:`workflow_studio.compute.interface.Compute` that can trigger, resume and take webhooks.

    Args:
        base_url: The worker's URL.
        api_key: The key to send, if any.
        timeout: Seconds to connect, and to wait for each part of an answer.
        retries: How often a failed call is repeated.
        transport: Replaces the network, for tests and for talking to an app in the same process.
        environment: The environment that calls are about: deployments are activated, and runs started, in it. The
            worker's default one, ``production``, if absent.

    Raises:
        ValueError: If ``base_url`` is not an HTTP URL, or ``environment`` is not the name of one.
    """

    def create_consumer(self, queue_name_prefix: str, handler: MessageHandler, /) -> Consumer:
        """Return what takes the deliveries of all queues whose names begin so."""
        return create_consumer(queue_name_prefix, handler)


if TYPE_CHECKING:

    def _is_a_compute(client: AsyncComputeClient) -> tuple[Compute, CanTrigger, CanResume, CanTakeWebhooks]:
        return client, client, client, client
