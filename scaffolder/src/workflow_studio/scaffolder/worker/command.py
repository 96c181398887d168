"""``studio worker``: run a worker on this machine."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.scaffolder.build.artifact import STATE_DIR, make_state_dir
from workflow_studio.scaffolder.cli import JsonFlag
from workflow_studio.scaffolder.node import find_node
from workflow_studio.scaffolder.output import get_output
from workflow_studio.scaffolder.worker.config_file import settings_from_config
from workflow_studio.scaffolder.worker.launch import ENV_PREFIX, worker_command, worker_environment


class LogLevel(StrEnum):
    """How much the worker writes to its log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def register(app: typer.Typer) -> None:
    """Add ``studio worker`` and its commands."""
    worker = typer.Typer(help="Run a worker on this machine.", no_args_is_help=True, rich_markup_mode=None)
    worker.command("start", help="Start a worker in the foreground.")(start)
    # With a callback, Typer keeps a single command a subcommand.
    worker.callback()(_group)
    app.add_typer(worker, name="worker")


def _group() -> None:
    """Run a worker on this machine."""


def start(  # noqa: PLR0913 - one parameter per option
    *,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on; 127.0.0.1 by default.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on; 8787 by default.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Where the database and the artifacts are kept; .workflow-studio/worker."),
    ] = None,
    node: Annotated[
        Path | None, typer.Option("--node", help="Node.js to execute workflows with; found by itself.")
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option(
            "--env-file", exists=True, dir_okay=False, help="Variables for the workflows' code, one NAME=value a line."
        ),
    ] = None,
    public_url: Annotated[
        str | None, typer.Option("--public-url", help="The worker's address as others see it, for webhook addresses.")
    ] = None,
    require_https: Annotated[bool, typer.Option("--require-https", help="Refuse plain HTTP.")] = False,
    settings_file: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            exists=True,
            dir_okay=False,
            help="A file with settings, one WORKFLOW_STUDIO_WORKER_...=value a line.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="A workflow.config.ts whose `worker` section counts where no option does."),
    ] = None,
    log_level: Annotated[LogLevel | None, typer.Option("--log-level", help="How much is logged.")] = None,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> None:
    """Start a worker in the foreground.

    Other settings are variables that begin with WORKFLOW_STUDIO_WORKER_. WORKFLOW_COMPUTE_API_KEY sets the key; without
    it the worker makes one up and keeps it in the data folder, where `studio deploy` in this folder finds it.
    """
    output = get_output()
    configured = {} if config is None else settings_from_config(config, find_node())
    options = {
        "host": host,
        "port": port,
        "data_dir": data_dir,
        "node": node,
        "env_file": env_file,
        "public_url": public_url,
        "require_https": "true" if require_https else None,
    }
    settings = configured | {name: value for name, value in options.items() if value is not None}
    given = {"--settings": settings_file, "--log-level": log_level}
    arguments = [str(part) for pair in given.items() if pair[1] is not None for part in pair]
    # Only the worker knows whether it can start, so the document is its to print.
    command = worker_command(*arguments, *(["--json"] if output.json_mode else []))
    environment = worker_environment(settings)
    if data_dir is None and not environment.get(f"{ENV_PREFIX}DATA_DIR"):
        make_state_dir(Path())
        output.note(f"Data folder: {Path.cwd() / STATE_DIR / 'worker'}")
    sys.stdout.flush()
    sys.stderr.flush()
    # The worker takes this process's place: signals and the exit status are its own.
    os.execve(command[0], command, environment)  # noqa: S606
