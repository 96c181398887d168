"""Starting and ending the operating-system process of an executor."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workflow_studio.compute import js
from workflow_studio.worker.execution import launcher
from workflow_studio.worker.execution.launcher import CONNECTION_FD

if TYPE_CHECKING:
    import socket

    from workflow_studio.worker.execution.node import NodeRuntime
    from workflow_studio.worker.execution.options import ExecutorOptions

_HOST: Final = Path(__file__).parent / "host" / "main.cjs"


async def spawn(
    node: NodeRuntime, options: ExecutorOptions, artifact: Path, deployment_id: str, connection: socket.socket
) -> asyncio.subprocess.Process:
    """Start an executor that inherits ``connection``.

    Raises:
        OSError: If the process cannot be started.
    """
    descriptor = connection.fileno()
    settings = {
        "deploymentId": deployment_id,
        "protocol": str(js.path()),
        "port": options.port,
        "encrypts": options.encrypts,
        "connection": CONNECTION_FD,
    }
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-I", "-S", launcher.__file__),
        str(descriptor),
        str(node.path),
        f"--max-old-space-size={options.heap_limit_mb}",
        str(_HOST),
        json.dumps(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=artifact,  # which also tells the host where the bundles are
        env=options.environment(),
        pass_fds=[descriptor],
        # A session of its own: Ctrl-C in the worker's terminal is for the worker, and the group can be killed whole.
        start_new_session=True,
    )


def close_pipes(process: asyncio.subprocess.Process) -> None:
    """Close our ends of the output of a process that has ended, though others may hold the other ends."""
    # asyncio closes them by itself only once nobody holds the other ends, and has no public way to do it.
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001


def kill_group(pid: int) -> None:
    """Kill a process that :func:`spawn` started, and whatever it started itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
