"""Dumps of PostgreSQL, by its own programs."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from sqlalchemy import make_url

from workflow_studio.worker.db.backup.errors import ToolMissingError
from workflow_studio.worker.store import StoreError

if TYPE_CHECKING:
    from pathlib import Path


def dump(url: str, target: Path) -> None:
    """Write a database as it is at one moment into a new file.

    Raises:
        ToolMissingError: If ``pg_dump`` is not installed.
        StoreError: If it fails.
    """
    _run("pg_dump", ["--format=custom", "--no-owner", f"--file={target}"], url)


def load(source: Path, url: str) -> None:
    """Bring a dump into an empty database: all of it or nothing.

    Raises:
        ToolMissingError: If ``pg_restore`` is not installed.
        StoreError: If it fails.
    """
    _run("pg_restore", ["--no-owner", "--exit-on-error", "--single-transaction", str(source)], url)


def _run(tool: str, arguments: list[str], url: str) -> None:
    name, password = _without_password(url)
    program = shutil.which(tool)
    if program is None:
        command = " ".join([tool, *arguments, f"--dbname={name}"])
        raise ToolMissingError(
            f"{tool} is not installed on this machine.",
            f"Install PostgreSQL's client programs of the server's version, or run where they are: {command}",
        )
    # Other users of the machine see command lines, and not the environment.
    environment = os.environ | ({} if password is None else {"PGPASSWORD": password})
    done = subprocess.run(  # noqa: S603 - a program of the operator's own
        [program, *arguments, f"--dbname={name}"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise StoreError(
            f"{tool} failed: {said[0] if said else f'exit status {done.returncode}'}",
            "Check that its version is not older than the server's, and that the user may read and write everything.",
        )


def _without_password(url: str) -> tuple[str, str | None]:
    """Return a URL as libpq takes it, and the password that was in it."""
    parsed = make_url(url).set(drivername="postgresql")
    in_query = parsed.query.get("password")
    password = parsed.password if parsed.password is not None else in_query
    bare = parsed.difference_update_query(["password"])
    # ``set`` does not take a password away.
    bare = bare._replace(password=None)
    return bare.render_as_string(hide_password=False), str(password) if password is not None else None
