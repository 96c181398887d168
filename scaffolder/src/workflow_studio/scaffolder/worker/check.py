"""Ask the worker whether it could start, as a process of its own."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.scaffolder.errors import NodeNotFoundError, WorkerError
from workflow_studio.scaffolder.worker.launch import worker_command, worker_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from workflow_studio.scaffolder.output import Output

_SECONDS: Final = 120
_TAGS: Final = {"error": ("[FAIL]", "red"), "warning": ("[WARN]", "yellow")}


def check_settings(arguments: Sequence[str], settings: Mapping[str, object]) -> tuple[int, dict[str, Any]]:
    """Return what the worker says of its settings.

    Args:
        arguments: Of its command line, but for ``--check``.
        settings: By name.

    Returns:
        0 valid, 1 invalid, 2 valid with warnings; and the worker's document.

    Raises:
        WorkerError: If the worker is not installed, or says nothing that can be understood.
    """
    command = worker_command("--check", *arguments)
    try:
        environment = worker_environment(settings)
    except NodeNotFoundError:
        environment = worker_environment({**settings, "node": "node"})  # the worker says it, beside the rest
    done = subprocess.run(  # noqa: S603 - our own worker
        command, env=environment, capture_output=True, text=True, check=False, timeout=_SECONDS
    )
    try:
        document: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        last = done.stderr.strip().rpartition("\n")[2]
        raise WorkerError(f"The worker ended (exit status {done.returncode}) without an answer.", hint=last) from error
    return done.returncode, document


def show_findings(output: Output, document: Mapping[str, Any]) -> None:
    """Print what was found, line by line, and what it amounts to."""
    for finding in document["findings"]:
        tag, style = _TAGS[finding["level"]]
        output.print(f"{tag} {finding['code']}: {finding['message']}", style=style)
        if finding.get("hint"):
            output.print(f"       {finding['hint']}")
    warnings = sum(finding["level"] == "warning" for finding in document["findings"])
    summary = {
        "valid": "The settings are valid.",
        "warnings": f"The settings are valid, with {warnings} warning{'' if warnings == 1 else 's'}.",
        "invalid": "A worker with these settings does not start.",
    }
    output.print(summary[document["status"]])
