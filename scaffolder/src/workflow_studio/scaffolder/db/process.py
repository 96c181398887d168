"""Ask the worker's code to do something with its database, and show how far it is."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.scaffolder.errors import WorkerError
from workflow_studio.scaffolder.worker.launch import ENV_PREFIX, worker_command

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workflow_studio.scaffolder.output import Advance, Output

_MODULE: Final = "workflow_studio.worker.db"
_USAGE: Final = 2


def ask_database(output: Output, *arguments: str, database_url: str | None = None) -> tuple[int, dict[str, Any]]:
    """Run a command on the database; return its exit code and its document.

    Args:
        output: Shows the progress.
        arguments: The command line.
        database_url: The database. It may hold a password, so it is handed over where other users cannot read it.

    Raises:
        WorkerError: If the worker is not installed, refuses, or says nothing that can be understood.
    """
    environment = dict(os.environ)
    if database_url is not None:
        environment[f"{ENV_PREFIX}DATABASE_URL"] = database_url
    process = subprocess.Popen(  # noqa: S603 - our own worker
        worker_command(*arguments, module=_MODULE), env=environment, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        document = _follow(output, process.stdout)
    if document is None:
        raise WorkerError(f"The worker's code ended (exit status {process.returncode}) without an answer.")
    if "error" in document:
        refused = document["error"]
        raise WorkerError(
            refused["message"],
            code=refused["code"],
            hint=refused.get("hint"),
            exit_code=_USAGE if process.returncode == _USAGE else None,
        )
    return process.returncode, document


def _follow(output: Output, lines: Iterable[str]) -> dict[str, Any] | None:
    """Show the progress that is told, and return the document at its end."""
    phase: str | None = None
    advance: Advance | None = None
    shown = 0
    with ExitStack() as bars:
        for line in lines:
            told: dict[str, Any] = json.loads(line)
            if "progress" not in told:
                return told
            step = told["progress"]
            if step["phase"] != phase:
                bars.close()
                phase, shown = step["phase"], 0
                advance = bars.enter_context(output.progress(str(phase), total=step["total"]))
            if advance is not None:
                advance(step["done"] - shown)
            shown = step["done"]
    return None


def location_arguments(data_dir: object, settings_file: object) -> Sequence[str]:
    """Return the arguments that say where a worker keeps its database."""
    given = {"--data-dir": data_dir, "--settings": settings_file}
    return [part for name, value in given.items() if value is not None for part in (name, str(value))]
