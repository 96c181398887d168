"""Which executor runs what: one pool for all deployments."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.worker.execution.executor import Executor
from workflow_studio.worker.execution.node import find_nodes, suited
from workflow_studio.worker.execution.suspects import Suspects
from workflow_studio.worker.execution.tally import ExecutorTally
from workflow_studio.worker.ports import (
    Delivery,
    ExecutorUnavailableError,
    Outcome,
    Undelivered,
    WebRequest,
    WebResponse,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping
    from pathlib import Path

    from workflow_studio.worker.execution.options import ExecutorOptions
    from workflow_studio.worker.ports import OutputSink, WorldHandler

logger = logging.getLogger("workflow_studio.worker.execution")

_FIRST_DELAY: Final = 0.5
_LONGEST_DELAY: Final = 30.0
_DOUBLINGS: Final = 16
_IDLE_CHECK: Final = 1.0
_REPLACED_WITHIN: Final = 3600.0
"""Seconds that an executor may take to finish what it has when another one takes its place."""

_PATIENCE: Final = 10.0
"""Seconds that a delivery waits for an executor to come up. It holds a place that another deployment could use."""

_MOST_ALONE: Final = 8
"""Executors that a deployment may have beside the others, each for one delivery."""


@dataclass(frozen=True, slots=True)
class ExecutorStatus:
    """What an executor is doing.

    Attributes:
        executor_id: Its id.
        deployment_id: What it runs.
        pid: Its process id.
        started_at: When it was started, in seconds since the epoch.
        in_flight: Deliveries and webhook calls it has not answered.
        rss: Its resident memory, in bytes; 0 before the first heartbeat.
    """

    executor_id: str
    deployment_id: str
    pid: int
    started_at: float
    in_flight: int
    rss: int


@dataclass(slots=True)
class _Group:
    """The executors of one deployment."""

    deployment_id: str
    executors: list[Executor] = field(default_factory=list)
    alone: list[Executor] = field(default_factory=list)
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_MOST_ALONE))
    starting: asyncio.Task[None] | None = None
    generation: int = 0
    failures: int = 0
    retry_at: float = 0
    last_error: str = ""

    def usable(self) -> list[Executor]:
        return [executor for executor in self.executors if executor.is_usable]

    def failed(self, reason: str) -> None:
        """Put off the next start: an artifact that cannot run must not keep the machine busy."""
        self.failures += 1
        self.last_error = reason
        doublings = min(self.failures - 1, _DOUBLINGS)  # after a day of failures, 2 to their power is no float any more
        self.retry_at = time.monotonic() + min(_FIRST_DELAY * 2**doublings, _LONGEST_DELAY)


class NodeExecutorPool:
    """Runs deliveries in Node.js processes (see :class:`workflow_studio.worker.ports.ExecutorPool`).

    An executor is started when a deployment has something to do and none is free, kept while there is work, and
    retired when it has been idle. Use it on one event loop, and close it.

    Args:
        world: Answers the World calls of the executors.
        artifact: Gives the folder of a deployment's unpacked artifact, or raises ExecutorUnavailableError.
        options: How executors are run.
        variables: Gives the variables of a deployment's own, which win over those of ``options``.
        output: Keeps what deliveries print; nothing does if absent.
        tally: Counts starts and ends.

    Raises:
        NodeNotFoundError: If ``options`` names no Node.js and none is found.
    """

    def __init__(
        self,
        *,
        world: WorldHandler,
        artifact: Callable[[str], Awaitable[Path]],
        options: ExecutorOptions,
        variables: Callable[[str], Awaitable[Mapping[str, str]]] | None = None,
        output: OutputSink | None = None,
        tally: ExecutorTally | None = None,
    ) -> None:
        self._world = world
        self._tally = tally or ExecutorTally()
        self._artifact = artifact
        self._options = options
        self._variables = variables
        self._output = output
        self._nodes = options.nodes or find_nodes()
        self._groups: dict[str, _Group] = {}
        self._closing = False
        self._suspects = Suspects()
        self._tasks: set[asyncio.Task[None]] = set()
        self._tending: asyncio.Task[None] | None = None

    async def deliver(self, delivery: Delivery) -> Outcome:
        """Run one delivery to its end; start an executor if there is none. Never raises but on cancellation."""
        try:
            if delivery.message_id in self._suspects:
                outcome = await self._deliver_alone(delivery)
            else:
                executor = self._chosen(delivery) or await self._executor(delivery.deployment_id, patience=_PATIENCE)
                outcome = await executor.deliver(delivery)
        except ExecutorUnavailableError as error:
            return Undelivered(str(error))
        self._suspects.note(delivery.message_id, outcome)
        return outcome

    def _chosen(self, delivery: Delivery) -> Executor | None:
        """Return the executor that the message was leased for, if it is still there."""
        usable = self._group(delivery.deployment_id).usable()
        return next((executor for executor in usable if executor.id == delivery.executor_id), None)

    async def _deliver_alone(self, delivery: Delivery) -> Outcome:
        """Run a delivery in an executor of its own, which no other has to share its fate with.

        Raises:
            ExecutorUnavailableError: If there is none to be had.
        """
        group = self._group(delivery.deployment_id)
        try:
            async with asyncio.timeout(_PATIENCE):
                await group.places.acquire()
        except TimeoutError as error:
            message = f"{_MOST_ALONE} messages whose executors died are delivered alone already; this one waits."
            raise ExecutorUnavailableError(message) from error
        try:
            executor = await self._start_executor(delivery.deployment_id)
        except BaseException:
            group.places.release()
            raise
        group.alone.append(executor)
        self._spawn(self._keep_alone(group, executor))
        if self._closing:
            executor.lose("the worker is shutting down")
        try:
            return await executor.deliver(delivery)
        finally:
            # What the delivery left in the background, such as the end of a stream, is given time.
            self._spawn(executor.drain(self._options.drain_timeout, "done"))

    async def _keep_alone(self, group: _Group, executor: Executor) -> None:
        reason = await executor.wait()
        self._tally.ends[executor.cause] += 1
        group.alone.remove(executor)
        group.places.release()
        logger.info("Executor %s, which had one delivery, ended: %s.", executor.id, reason)

    async def request(self, deployment_id: str, request: WebRequest) -> WebResponse:
        """Have the deployment's webhook handler answer a request.

        Raises:
            ExecutorUnavailableError: If there is no executor to ask, or it ended first.
        """
        executor = await self._executor(deployment_id)
        return await executor.request(request)

    def ready(self, delivery: Delivery) -> str | None:
        """Return the id of the executor that could run a delivery at once, if there is one. Any thread may ask."""
        group = self._groups.get(delivery.deployment_id)
        if group is None or self._closing or delivery.message_id in self._suspects:
            return None
        usable = group.usable()
        # With more processes to come, the one that is started next is the better choice.
        if len(usable) < self._options.processes_per_deployment:
            usable = [executor for executor in usable if executor.in_flight == 0]
        choice = min(usable, key=lambda executor: executor.in_flight, default=None)
        return None if choice is None else choice.id

    def status(self) -> list[ExecutorStatus]:
        """Return what each executor is doing, by deployment and age."""
        return [
            ExecutorStatus(
                executor_id=executor.id,
                deployment_id=group.deployment_id,
                pid=executor.pid,
                started_at=executor.started_at,
                in_flight=executor.in_flight,
                rss=executor.rss,
            )
            for group in self._groups.values()
            for executor in (*group.executors, *group.alone)
        ]

    def warm(self, deployment_id: str) -> None:
        """Have an executor of a deployment ready before there is something to do.

        It is started in the background, if the deployment has none, and retired like any other. What cannot be started
        is not tried again before there is something to do.
        """
        group = self._group(deployment_id)
        is_wanted = not self._closing and not group.usable() and group.starting is None
        if is_wanted and group.retry_at <= time.monotonic():
            group.starting = self._spawn(self._start(group))

    async def refresh(self, deployment_id: str) -> None:
        """Replace the executors of a deployment, whose variables have changed, or which is gone.

        Those that run take nothing new and finish what they have; whatever comes from now on goes to others.
        """
        group = self._groups.get(deployment_id)
        if group is None:
            return
        group.generation += 1
        group.retry_at = 0  # what kept it from starting may be mended
        for executor in group.usable():
            self._spawn(executor.drain(_REPLACED_WITHIN, "replaced"))
        await asyncio.sleep(0)  # from here on, they take nothing

    def abandon(self) -> None:
        """Give up all that is in flight, since others do it now: kill the executors that have it."""
        for group in self._groups.values():
            for executor in (*group.executors, *group.alone):
                if executor.in_flight:
                    executor.lose("other workers have taken over what it was doing")

    async def close(self, *, grace: float) -> None:
        """Drain all executors for up to ``grace`` seconds, then kill what is left."""
        self._closing = True
        if self._tending is not None:
            self._tending.cancel()
        for group in self._groups.values():
            if group.starting is not None:
                group.starting.cancel()
        executors = [executor for group in self._groups.values() for executor in (*group.executors, *group.alone)]
        if executors:
            drains = [asyncio.create_task(executor.drain(grace, "shutdown")) for executor in executors]
            await asyncio.gather(*drains)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _executor(self, deployment_id: str, *, patience: float | None = None) -> Executor:
        """Return the least busy executor of a deployment, starting one if need be.

        Args:
            deployment_id: The deployment.
            patience: Seconds to wait for a start; as long as it takes if None.
        """
        group = self._group(deployment_id)
        while True:
            if self._closing:
                raise ExecutorUnavailableError("The worker is shutting down.")
            usable = group.usable()
            choice = min(usable, key=lambda executor: executor.in_flight, default=None)
            if choice is not None and (choice.in_flight == 0 or len(usable) >= self._options.processes_per_deployment):
                return choice
            wait = group.retry_at - time.monotonic()
            if group.starting is None and wait <= 0:
                group.starting = self._spawn(self._start(group))
            if choice is not None:
                return choice
            if group.starting is None:
                raise ExecutorUnavailableError(f"{group.last_error} It is tried again in {wait:.1f} s.")
            failures = group.failures
            _, late = await asyncio.wait([group.starting], timeout=patience)
            if late:
                raise ExecutorUnavailableError(f"The executor for {deployment_id} is still starting.")
            if group.failures > failures:
                raise ExecutorUnavailableError(group.last_error)

    def _group(self, deployment_id: str) -> _Group:
        return self._groups.setdefault(deployment_id, _Group(deployment_id))

    async def _start_executor(self, deployment_id: str) -> Executor:
        """Start an executor.

        Raises:
            ExecutorUnavailableError: If it cannot be started, or there is nothing to run.
        """
        if self._closing:
            raise ExecutorUnavailableError("The worker is shutting down.")
        began = time.monotonic()
        try:
            options = await self._options_of(deployment_id)
            artifact = await self._artifact(deployment_id)
            node = suited(self._nodes, artifact)
            executor = await Executor.start(deployment_id, artifact, node, options, self._world, self._output)
        except ExecutorUnavailableError as error:
            self._tally.failed_starts += 1
            logger.warning("No executor for %s: %s", deployment_id, error)
            raise
        except Exception as error:
            self._tally.failed_starts += 1
            logger.exception("No executor for %s.", deployment_id)
            raise ExecutorUnavailableError(f"There is no artifact to run for {deployment_id}: {error}") from error
        seconds = time.monotonic() - began
        self._tally.started(seconds)
        logger.info("Executor %s started in %.2f s, with Node.js %s.", executor.id, seconds, node.version_text)
        return executor

    async def _options_of(self, deployment_id: str) -> ExecutorOptions:
        if self._variables is None:
            return self._options
        return replace(self._options, env={**self._options.env, **await self._variables(deployment_id)})

    async def _start(self, group: _Group) -> None:
        generation = group.generation
        try:
            executor = await self._start_executor(group.deployment_id)
        except ExecutorUnavailableError as error:
            group.failed(str(error))
        else:
            group.executors.append(executor)
            self._spawn(self._keep(group, executor))
            if group.generation != generation:
                # It was given the variables as they were before.
                self._spawn(executor.drain(_REPLACED_WITHIN, "replaced"))
                await asyncio.sleep(0)
            if self._tending is None:
                self._tending = asyncio.create_task(self._tend())
        finally:
            group.starting = None

    async def _keep(self, group: _Group, executor: Executor) -> None:
        """See an executor to its end."""
        reason = await executor.wait()
        self._tally.ends[executor.cause] += 1
        group.executors.remove(executor)
        logger.info("Executor %s ended: %s.", executor.id, reason)
        if executor.completed or executor.is_drained:
            group.failures = 0
        else:
            group.failed(f"The executor {executor.id} was lost: {reason}.")

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(_IDLE_CHECK)
            for group in self._groups.values():
                for executor in group.usable():
                    if executor.is_idle:
                        self._spawn(self._retire(executor))

    async def _retire(self, executor: Executor) -> None:
        # Between the look and this, a delivery may have come.
        if executor.is_idle:
            await executor.drain(self._options.drain_timeout, "idle")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
