"""A session of ``studio dev``: the worker, the app's server, the builds and the feed of runs, side by side.

::

    worker   ──ready──▶ app's server                       its end ends the session
       │        └─────▶ builds ──good──▶ deployment        a broken one leaves the last good deployment active
       │        └─────▶ feed of runs
       └─ ended: started again, a few times

The parts know nothing of each other but that the worker is ready. The first thing that ends one of them for good, or a
signal, ends the session, and then every part ends what it started.
"""

from __future__ import annotations

import asyncio
import math
import os
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from workflow_studio.client import AsyncComputeClient, ComputeClientError, TransportError
from workflow_studio.scaffolder.connection import explain
from workflow_studio.scaffolder.dev.app_server import find_taken_port, find_url
from workflow_studio.scaffolder.dev.live_process import LiveProcess
from workflow_studio.scaffolder.dev.outcomes import Broken, BuildStarted, Built, Deployed
from workflow_studio.scaffolder.processes import free_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path
    from typing import Protocol

    from workflow_studio.scaffolder.connection import Connection
    from workflow_studio.scaffolder.dev.display import Display
    from workflow_studio.scaffolder.dev.local_worker import LocalWorker
    from workflow_studio.scaffolder.dev.outcomes import BuildOutcome

    class Builds(Protocol):
        """Builds the app again and again."""

        def outcomes(self) -> AsyncIterator[BuildOutcome]:
            """Return what comes of the builds."""

    class Deployer(Protocol):
        """Makes a build the active deployment."""

        async def deploy(self, built: Built) -> Deployed:
            """Upload and activate it."""


_STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_APP_GRACE_SECONDS: Final = 4.0
_AGAIN_SECONDS: Final = 0.5
_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class AppServer:
    """How the app's own server is started.

    Attributes:
        command: Program and arguments.
        env: Its whole environment.
    """

    command: list[str]
    env: Mapping[str, str]


@dataclass
class Session:
    """One session; :meth:`run` is all of it.

    Attributes:
        app_dir: The app's folder.
        connection: The worker.
        environment: The environment that builds are deployed to; the worker's default one if None.
        display: Where it tells what happens.
        builds: Makes what builds the app.
        deployer: Makes what deploys, given a client.
        worker: The session's own worker, if it has one.
        app: The app's server, if the session is to start it.
        held: A descriptor that every process of the session holds.
    """

    app_dir: Path
    connection: Connection
    environment: str | None
    display: Display
    builds: Callable[[], AbstractAsyncContextManager[Builds]]
    deployer: Callable[[AsyncComputeClient], Deployer]
    worker: LocalWorker | None = None
    app: AppServer | None = None
    held: int | None = None
    _active: str | None = field(default=None, init=False)

    async def run(self) -> int:
        """Run until something ends the session.

        Returns:
            0 when it was asked to end, else the status of the app's server.

        Raises:
            StudioError: If a part of it failed for good.
        """
        loop = asyncio.get_running_loop()
        end: asyncio.Future[int | BaseException] = loop.create_future()
        for number in _STOPPING:
            loop.add_signal_handler(number, _settle, end, 0)
        try:
            # Without a worker that is ready there is nothing to do; who waits for it is cancelled when it fails.
            async with (
                AsyncComputeClient(
                    self.connection.url, self.connection.api_key, environment=self.environment
                ) as client,
                asyncio.TaskGroup() as group,
            ):
                parts = [group.create_task(_until_end(part, end)) for part in self._parts(client)]
                outcome = await end
                self.display.note("Ending …")
                for part in parts:
                    part.cancel()
        finally:
            for number in _STOPPING:
                loop.remove_signal_handler(number)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _parts(self, client: AsyncComputeClient) -> list[Coroutine[None, None, int]]:
        parts = [self._build(client), self._follow(client)]
        if self.worker is not None:
            parts.append(self._keep_worker(self.worker))
        if self.app is not None:
            parts.append(self._serve_app(self.app))
        return parts

    async def _keep_worker(self, worker: LocalWorker) -> int:
        await worker.run()
        raise AssertionError("A worker is kept until the session ends.")

    async def _worker_ready(self) -> None:
        if self.worker is not None:
            await self.worker.ready.wait()

    async def _serve_app(self, app: AppServer) -> int:
        """Run the app's server to its end, which is that of the session."""
        await self._worker_ready()
        url = taken = None
        async with LiveProcess(
            "The app", app.command, cwd=self.app_dir, env=app.env, grace=_APP_GRACE_SECONDS, held=self.held
        ) as process:
            async for line in process.lines():
                self.display.line("app", line)
                if url is None and (url := find_url(line)):
                    self.display.ready("app", url)
                if taken is None and (taken := find_taken_port(line)):
                    self.display.note(_port_taken(taken))
            status = await process.wait()
        self.display.lost("app", f"ended (exit status {status})")
        return status

    async def _build(self, client: AsyncComputeClient) -> int:
        deployer = self.deployer(client)
        async with self.builds() as builds:
            async for outcome in builds.outcomes():
                match outcome:
                    case BuildStarted():
                        self.display.build_started(tuple(self._shown(path) for path in outcome.changed))
                    case Broken():
                        self.display.broken(outcome, active=self._active)
                    case Built():
                        await self._deploy(deployer, outcome)
        raise AssertionError("Builds go on until the session ends.")

    def _shown(self, path: Path) -> str:
        """Return a path as a person in the app's folder would write it."""
        return os.path.relpath(path, self.app_dir)

    async def _deploy(self, deployer: Deployer, built: Built) -> None:
        tries = _TRIES if self.worker is not None else 1
        while True:
            await self._worker_ready()
            try:
                deployed = await deployer.deploy(built)
            except ComputeClientError as error:
                tries -= 1
                if tries and isinstance(error, TransportError):
                    await asyncio.sleep(_AGAIN_SECONDS)  # the session's own worker may be about to come back
                    continue
                self.display.refused(explain(error, self.connection.url))
                return
            self._active = deployed.deployment_id
            self.display.deployed(built, deployed)
            return

    async def _follow(self, client: AsyncComputeClient) -> int:
        """Show what happens in the runs of this environment."""
        await self._worker_ready()
        try:
            async for entry in client.follow_activity(environment=client.environment, patience=math.inf):
                self.display.activity(entry)
        except ComputeClientError as error:
            raise explain(error, self.connection.url) from error
        raise AssertionError("The feed goes on for ever.")


def _port_taken(port: int) -> str:
    return (
        f"Port {port} is taken by another program, so the app's server cannot listen there. End that program, or give "
        f"the server another port; most go by PORT: PORT={free_port(port + 1)} studio dev"
    )


def _settle(end: asyncio.Future[int | BaseException], outcome: int | BaseException) -> None:
    """Say how the session ends, if that is not settled."""
    if not end.done():
        end.set_result(outcome)


async def _until_end(part: Coroutine[None, None, int], end: asyncio.Future[int | BaseException]) -> None:
    """Run a part of the session; its end is the session's."""
    try:
        _settle(end, await part)
    except Exception as error:  # noqa: BLE001 - raised again by the session, once everything has ended
        _settle(end, error)
