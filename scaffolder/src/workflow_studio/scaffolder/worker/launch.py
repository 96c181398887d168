"""How a worker is started: the command line and the environment of its process."""

from __future__ import annotations

import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.errors import WorkerError
from workflow_studio.scaffolder.node import find_node

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX: Final = "WORKFLOW_STUDIO_WORKER_"
"""Every setting of the worker is a variable with this prefix."""

_MODULE: Final = "workflow_studio.worker"


def worker_command(*arguments: str, module: str = _MODULE) -> list[str]:
    """Return the command line that runs the worker.

    Args:
        arguments: What follows.
        module: Another module of the worker that can be run.

    Raises:
        WorkerError: If the worker is not installed.
    """
    if importlib.util.find_spec(_MODULE) is None:
        raise WorkerError(
            "The worker is not installed beside this command.",
            code="worker_not_installed",
            hint="Run: pip install 'workflow-studio[worker]'",
        )
    return [sys.executable, "-m", module, *arguments]


def worker_environment(settings: Mapping[str, object], base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a worker's process.

    The worker gets the Node.js that ``STUDIO_NODE`` names, unless one is set for it already. Otherwise it looks for the
    newest there is by itself.

    Args:
        settings: By name, such as ``data_dir``; ``None`` leaves one to the environment.
        base: What to start from; the process's own environment by default.

    Raises:
        NodeNotFoundError: If there is no Node.js to execute workflows with.
    """
    environment = dict(os.environ if base is None else base)
    environment |= {f"{ENV_PREFIX}{name.upper()}": str(value) for name, value in settings.items() if value is not None}
    if not environment.get(f"{ENV_PREFIX}NODE"):
        found = find_node(environment)
        if environment.get("STUDIO_NODE"):
            environment[f"{ENV_PREFIX}NODE"] = str(found.node)
    return environment
