"""``studio worker``: run a worker on this machine."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import os
import sys
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from workflow_studio.scaffolder.build.artifact import STATE_DIR, make_state_dir
from workflow_studio.scaffolder.cli import JsonFlag, add
from workflow_studio.scaffolder.injection import Shared, inject
from workflow_studio.scaffolder.node import find_node
from workflow_studio.scaffolder.output import get_output
from workflow_studio.scaffolder.worker.check import check_settings, show_findings
from workflow_studio.scaffolder.worker.config_file import settings_from_config
from workflow_studio.scaffolder.worker.launch import ENV_PREFIX, worker_command, worker_environment
from workflow_studio.scaffolder.worker.status import status


class LogLevel(StrEnum):
    """How much the worker writes to its log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the options of a command say of the worker.

    Attributes:
        settings: By name; what the app's configuration says where no option does.
        arguments: For the worker's own command line.
    """

    settings: dict[str, object]
    arguments: tuple[str, ...]


_SETTINGS: Final = (
    Shared("host", Annotated[str | None, typer.Option("--host", help="Address to listen on; 127.0.0.1 by default.")]),
    Shared(
        "port",
        Annotated[int | None, typer.Option("--port", min=0, max=65535, help="Port to listen on; 8787 by default.")],
    ),
    Shared(
        "data_dir",
        Annotated[
            Path | None,
            typer.Option("--data-dir", help="Where the database and the artifacts are kept; .workflow-studio/worker."),
        ],
    ),
    Shared(
        "database_url",
        Annotated[
            str | None,
            typer.Option(
                "--database-url",
                help="postgresql://... to share with other workers; with a password, set the variable instead.",
            ),
        ],
    ),
    Shared(
        "node",
        Annotated[Path | None, typer.Option("--node", help="Node.js to execute workflows with; found by itself.")],
    ),
    Shared(
        "env_file",
        Annotated[
            Path | None,
            typer.Option(
                "--env-file",
                exists=True,
                dir_okay=False,
                help="Variables for the workflows' code, one NAME=value a line.",
            ),
        ],
    ),
    Shared(
        "public_url",
        Annotated[
            str | None,
            typer.Option("--public-url", help="The worker's address as others see it, for webhook addresses."),
        ],
    ),
    Shared(
        "require_https",
        Annotated[bool, typer.Option("--require-https", help="Refuse plain HTTP.")],
        default=False,
    ),
    Shared(
        "settings_file",
        Annotated[
            Path | None,
            typer.Option(
                "--settings",
                exists=True,
                dir_okay=False,
                help="A file with settings, one WORKFLOW_STUDIO_WORKER_...=value a line.",
            ),
        ],
    ),
    Shared(
        "config",
        Annotated[
            Path | None,
            typer.Option("--config", help="A workflow.config.ts whose `worker` section counts where no option does."),
        ],
    ),
    Shared("json", JsonFlag, default=False),
)


def register(app: typer.Typer) -> None:
    """Add ``studio worker`` and its commands."""
    worker = typer.Typer(help="Run a worker on this machine.", no_args_is_help=True, rich_markup_mode=None)
    add(
        worker,
        "start",
        _with_settings(start),
        examples=(
            "studio worker start",
            "studio worker start --data-dir /var/lib/workflow-studio --env-file /etc/my-app.env",
        ),
    )
    add(
        worker,
        "check-config",
        _with_settings(check_config),
        examples=("studio worker check-config --settings /etc/workflow-studio.env",),
    )
    add(worker, "status", status, examples=("studio worker status",))
    app.add_typer(worker, name="worker")


def _with_settings(command: Any) -> Any:
    return inject(command, ("chosen",), _SETTINGS, _choose)


def _choose(
    *,
    settings_file: Path | None,
    config: Path | None,
    require_https: bool,
    json: bool,  # noqa: ARG001 - read before the command runs
    **options: Any,
) -> dict[str, Any]:
    configured = {} if config is None else settings_from_config(config, find_node())
    given = {name: value for name, value in options.items() if value is not None}
    given |= {"require_https": "true"} if require_https else {}
    arguments = ("--settings", str(settings_file)) if settings_file is not None else ()
    return {"chosen": Chosen(configured | given, arguments)}


def start(
    *,
    log_level: Annotated[LogLevel | None, typer.Option("--log-level", help="How much is logged.")] = None,
    chosen: Chosen,
) -> None:
    """Start a worker in the foreground.

    Other settings are variables that begin with WORKFLOW_STUDIO_WORKER_. WORKFLOW_COMPUTE_API_KEY sets the key; without
    it the worker makes one up and keeps it in the data folder, where `studio deploy` in this folder finds it.
    """
    output = get_output()
    arguments = [*chosen.arguments, *(("--log-level", log_level) if log_level is not None else ())]
    # Only the worker knows whether it can start, so the document is its to print.
    command = worker_command(*arguments, *(["--json"] if output.json_mode else []))
    environment = worker_environment(chosen.settings)
    if "data_dir" not in chosen.settings and not environment.get(f"{ENV_PREFIX}DATA_DIR"):
        make_state_dir(Path())
        output.note(f"Data folder: {Path.cwd() / STATE_DIR / 'worker'}")
    sys.stdout.flush()
    sys.stderr.flush()
    # The worker takes this process's place: signals and the exit status are its own.
    os.execve(command[0], command, environment)  # noqa: S606


def check_config(*, chosen: Chosen) -> int:
    """Check the settings of a worker without starting it.

    Whatever a start with the same options would meet is found: settings that are wrong or unknown, the data folder, the
    database, Node.js, the port, the variables' file, the keys; and what a server in production should not be without.

    Exit codes: 0 valid, 1 invalid, 2 valid with warnings.
    """
    output = get_output()
    code, document = check_settings(chosen.arguments, chosen.settings)
    show_findings(output, document)
    output.document(document)
    return code
