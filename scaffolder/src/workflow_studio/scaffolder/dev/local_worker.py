"""The session's own worker: started, started again when it ends by accident or its variables change."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from watchfiles import awatch

from workflow_studio.scaffolder.connection import KEY_VARIABLE
from workflow_studio.scaffolder.dev.live_process import LiveProcess
from workflow_studio.scaffolder.dev.variables import read_variables, write_variables
from workflow_studio.scaffolder.errors import WorkerError
from workflow_studio.scaffolder.worker.launch import worker_command, worker_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from workflow_studio.scaffolder.connection import Connection
    from workflow_studio.scaffolder.dev.display import Display
    from workflow_studio.scaffolder.node import NodeRuntime

_RESTARTS: Final = 3
_WINDOW_SECONDS: Final = 600.0
"""The time in which so many restarts are patience; more of them are a worker that cannot run."""

_READY: Final = "The worker is ready at "
_END_SECONDS: Final = 2
"""What work in progress gets when the worker stops; what is not done by then is done in the next session."""

_IDLE_SECONDS: Final = 60
"""Each save makes a deployment, whose executor is of no use after the next one."""

_GRACE_SECONDS: Final = 5.0


@dataclass
class LocalWorker:
    """A worker on this machine, for one app.

    Attributes:
        connection: Where it listens, and its key.
        port: The port.
        data_dir: Where it keeps what it knows.
        app_dir: The app's folder.
        node: Executes the workflows.
        env_files: Where the functions' variables come from; the later ones win.
        display: Where it tells what happens to it.
        held: A descriptor that its process holds.
    """

    connection: Connection
    port: int
    data_dir: Path
    app_dir: Path
    node: NodeRuntime
    env_files: list[Path]
    display: Display
    held: int | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    """Set while it takes requests."""

    async def run(self) -> None:
        """Keep it running until this is cancelled.

        Raises:
            WorkerError: If it cannot start, or ends again and again.
        """
        variables = read_variables(self.env_files)
        deaths: deque[float] = deque(maxlen=_RESTARTS)
        while True:
            write_variables(self._variables_path, variables)
            process = self._process()
            changed = await self._once(process, variables)
            if changed is not None:
                variables = changed
                self.display.note("The variables of the workflows changed; the worker is started anew with them.")
                continue
            status = await process.wait()
            if len(deaths) == _RESTARTS and time.monotonic() - deaths[0] < _WINDOW_SECONDS:
                raise _ended(f"The worker ended again and again (exit status {status}).", process)
            deaths.append(time.monotonic())
            self.display.lost("worker", f"ended (exit status {status}) and is started again; no run is lost")

    @property
    def _variables_path(self) -> Path:
        return self.data_dir.parent / "variables.env"

    def _process(self) -> LiveProcess:
        settings = {
            "host": "127.0.0.1",
            "port": self.port,
            "data_dir": self.data_dir,
            "env_file": self._variables_path,
            "shutdown_grace": _END_SECONDS,
            "idle_timeout": _IDLE_SECONDS,
            "node": self.node.node,
        }
        return LiveProcess(
            "The worker",
            worker_command("--log-level", "warning"),
            cwd=self.app_dir,
            env=worker_environment(settings, _clean(os.environ)) | {KEY_VARIABLE: self.connection.api_key},
            grace=_GRACE_SECONDS,
            held=self.held,
        )

    async def _once(self, process: LiveProcess, variables: dict[str, str]) -> dict[str, str] | None:
        """Run it once; return the variables when that they are others is why it ended."""
        async with process:
            reading = asyncio.create_task(self._read(process))
            watching = asyncio.create_task(self._changed(variables))
            try:
                await asyncio.wait({reading, watching}, return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    return watching.result()
            finally:
                was_ready = self.ready.is_set()
                self.ready.clear()
                for task in (reading, watching):
                    task.cancel()
                await asyncio.gather(reading, watching, return_exceptions=True)
        if not was_ready:
            raise _ended("The worker could not be started.", process)
        return None

    async def _read(self, process: LiveProcess) -> None:
        async for line in process.lines():
            if line.startswith(_READY):
                self.ready.set()
                self.display.ready("worker", self.connection.url)
            else:
                self.display.line("worker", line)

    async def _changed(self, variables: dict[str, str]) -> dict[str, str]:
        """Return the variables once they are others than these."""
        names = {str(file) for file in self.env_files}
        folders = {file.parent for file in self.env_files}
        async for _ in awatch(*folders, watch_filter=lambda _, path: path in names, recursive=False):
            now = read_variables(self.env_files)
            if now != variables:
                return now
        return variables


def _ended(message: str, process: LiveProcess) -> WorkerError:
    said = "\n".join(process.last_lines)
    return WorkerError(message, hint=f"Its last words:\n{said}" if said else "It said nothing.")


def _clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what is meant for other workers, and without the port of the app's server."""
    return {name: value for name, value in environment.items() if not name.startswith("WORKFLOW_") and name != "PORT"}
