"""The worker as a process of its own, and raw connections to it."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ADMIN = "the-admins-own-secret"


class WorkerProcess:
    """A worker that runs.

    Attributes:
        url: Its address.
        log: The file that its standard error goes to.
    """

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path) -> None:
        self.process = process
        self.url = url
        self.log = log

    def peak_memory(self) -> int:
        """Return the most resident memory that it ever had, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert found
        return int(found[1]) * 1024

    def connect(self) -> socket.socket:
        """Open a connection."""
        host, port = self.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=20)

    def send(self, *parts: bytes) -> bytes:
        """Send bytes over a connection of their own and return all that comes back until it is closed.

        A worker that closes before it has read everything is no failure.
        """
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    connection.sendall(part)
            return received(connection)


def received(connection: socket.socket) -> bytes:
    """Return what comes over a connection until it is closed."""
    answer = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            answer += part
    return answer


@contextlib.contextmanager
def worker_process(folder: Path, **settings: str) -> Iterator[WorkerProcess]:
    """Run a worker as long as this lasts.

    Args:
        folder: Where its data and its log go.
        settings: Its settings, by the names of the variables without the prefix.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WORKFLOW_") and name != "PORT"}
    given = {f"WORKFLOW_STUDIO_WORKER_{name}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "workflow_studio.worker", "--port", "0", "--data-dir", str(folder / "data")]
    log = folder / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            command,
            env={**kept, "WORKFLOW_COMPUTE_API_KEY": ADMIN, **given},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        found = re.search(r"ready at (https?://\S+);", process.stdout.readline())
        assert found, log.read_text()
        yield WorkerProcess(process, found[1], log)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=30)
