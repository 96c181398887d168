"""The client that blocks."""

from __future__ import annotations

from workflow_studio.client._sync.activity import Activity
from workflow_studio.client._sync.deployments import Deployments
from workflow_studio.client._sync.keys import Keys
from workflow_studio.client._sync.limits import Limiting
from workflow_studio.client._sync.operations import Operations
from workflow_studio.client._sync.runs import Runs
from workflow_studio.client._sync.streams import Streams
from workflow_studio.client._sync.timeline import Timeline


class ComputeClient(Runs, Timeline, Streams, Activity, Deployments, Limiting, Keys, Operations):
    """Calls a worker.

    Every method may raise :class:`ComputeClientError` or one of its subclasses. Calls that may be repeated without
    harm are, when the worker is out of reach, fails (5xx) or asks to slow down (429).

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
