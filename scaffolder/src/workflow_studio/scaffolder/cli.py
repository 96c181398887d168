"""The ``studio`` command: parsing, one file per command, one place where errors become exit codes.

Only the module of the command that was typed is imported; the other commands are one-line stubs that exist for
``studio --help`` and for "did you mean". A command module has one function, ``register(app)``, that adds its commands
to a Typer app; a command returns its exit code (``None`` means 0), raises
:class:`~workflow_studio.scaffolder.errors.StudioError`, and writes through
:func:`~workflow_studio.scaffolder.output.get_output`.
"""

from __future__ import annotations

import inspect
import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from workflow_studio.scaffolder.errors import ExitCode, StudioError, as_studio_error
from workflow_studio.scaffolder.output import Output, use_output

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HELP = """Run Vercel Workflow SDK functions on your own machines.

\b
  studio scaffold            add Workflow Studio to the app in this folder
  studio dev                 run the app with a worker, and deploy at every change
  studio worker start        start a worker on this machine
  studio deploy              build the workflows, upload and activate them
  studio runs watch RUN      see a run as it goes
  studio doctor              what is right and wrong here
  studio demo                see all of it at work in a temporary folder

\b
Exit codes: 0 done, 1 failed, 2 usage, 3 conflicts or manual steps left,
4 --check found changes, 130 interrupted. Set STUDIO_DEBUG=1 for tracebacks.
"""


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """A top-level command and the module that registers it.

    Attributes:
        module: Dotted name below ``workflow_studio.scaffolder``.
        summary: The line of ``studio --help``; a test compares it with the command's own help.
    """

    module: str
    summary: str


COMMANDS: dict[str, CommandSpec] = {
    "scaffold": CommandSpec("scaffold.command", "Add Workflow Studio to an app, or make a new app."),
    "update": CommandSpec("scaffold.update.command", "Bring an app forward to this version of Workflow Studio."),
    "remove": CommandSpec("scaffold.remove.command", "Take Workflow Studio out of an app again."),
    "dev": CommandSpec("dev.command", "Run this app with a worker, and deploy at every change."),
    "build": CommandSpec("build.command", "Build this app's workflows into an artifact."),
    "deploy": CommandSpec("deploy.command", "Build, upload and activate this app's workflows."),
    "rollback": CommandSpec("deploy.command", "Activate an earlier deployment again."),
    "runs": CommandSpec("operate.runs", "Look at runs, watch, cancel, rerun and wake them."),
    "deployments": CommandSpec("operate.deployments", "What is deployed, and which deployment new runs use."),
    "environments": CommandSpec("operate.environments", "The environments of the worker, and what is active in each."),
    "limits": CommandSpec("operate.limits", "How many steps all workers together work on at a time."),
    "keys": CommandSpec("operate.keys", "Make, list, rotate and revoke API keys."),
    "audit": CommandSpec("operate.audit", "Who changed what on the worker."),
    "compute": CommandSpec("deploy.compute_command", "Single steps of a deployment, and who executes workflows."),
    "worker": CommandSpec("worker.command", "Run a worker on this machine."),
    "db": CommandSpec("db.command", "Upgrade, check, move and back up a worker's database."),
    "test-worker": CommandSpec("testing.command", "Run a worker for tests, with this app's workflows deployed."),
    "doctor": CommandSpec("doctor.command", "Say what is wrong with this machine, app or worker."),
    "demo": CommandSpec("demo.command", "Make, deploy and run an example app in a temporary folder."),
}

_COMPLETING = "_STUDIO_COMPLETE"

JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, nothing else.")]
"""The ``--json`` option every command declares (``*, json: JsonFlag = False``); :func:`main` read it already."""

DirectoryOption = Annotated[
    Path, typer.Option("--directory", "-C", help="The app's folder.", file_okay=False, exists=True)
]
"""The option of commands that work on an app."""


def add(group: typer.Typer, name: str, command: Callable[..., Any], *, examples: Sequence[str]) -> None:
    """Add a command to a group; its help is its docstring and the examples.

    Args:
        group: Where to.
        name: The command's name.
        command: What runs; the first sentence of its docstring is its line in the group's help.
        examples: Command lines, perhaps with a remark.
    """
    text = inspect.cleandoc(command.__doc__ or "")
    lines = "\n".join(f"  {example}" for example in examples)
    heading = "Example" if len(examples) == 1 else "Examples"
    summary = " ".join(text.partition("\n\n")[0].split()).partition(". ")[0].removesuffix(".") + "."
    # \b keeps the lines that follow as they are.
    group.command(name, help=f"{text}\n\n\b\n{heading}:\n{lines}", short_help=summary)(command)


def _print_version(value: bool) -> None:  # noqa: FBT001 - the signature of a Typer callback
    if value:
        from importlib.metadata import version  # noqa: PLC0415

        sys.stdout.write(f"studio {version('workflow-studio')}\n")
        raise typer.Exit


def _typed_command(argv: Sequence[str]) -> str | None:
    if _COMPLETING in os.environ:
        # The shell asks what could come next: the line typed so far is in a variable (source: typer 0.29, the scripts
        # that --show-completion prints).
        line = os.environ.get("COMP_WORDS") or os.environ.get("_TYPER_COMPLETE_ARGS") or ""
        argv = line.split()[1:]
    return next((argument for argument in argv if not argument.startswith("-")), None)


def build_app(command: str | None = None) -> typer.Typer:
    """Return the Typer app.

    Args:
        command: The command about to run: its module is imported. Every other command is a stub with its summary.
    """
    app = typer.Typer(
        name="studio", help=_HELP, add_completion=True, rich_markup_mode=None, pretty_exceptions_enable=False
    )

    @app.callback(invoke_without_command=True)
    def studio(
        context: typer.Context,
        *,
        version: Annotated[  # noqa: ARG001 - handled by its callback
            bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
        ] = False,
    ) -> None:
        if context.invoked_subcommand is None:
            sys.stdout.write(context.get_help() + "\n")

    typed = COMMANDS.get(command) if command is not None else None
    if typed is not None:
        import_module(f"workflow_studio.scaffolder.{typed.module}").register(app)
    for name, spec in COMMANDS.items():
        if typed is None or spec.module != typed.module:
            app.command(name, help=spec.summary)(_stub)
    return app


def _stub() -> None:
    """Stand in for a command that is listed but was not typed."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``studio``.

    Args:
        argv: Arguments without the program name; ``None`` reads them from the process.

    Returns:
        The exit code.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    output = Output(json_mode="--json" in options)
    with use_output(output):
        try:
            result = build_app(_typed_command(arguments))(arguments, prog_name="studio", standalone_mode=False)
            exit_code = result if isinstance(result, int) else int(ExitCode.DONE)
            if exit_code == ExitCode.INTERRUPTED:
                return _interrupted(output)
            output.finish()
        except (KeyboardInterrupt, typer.Abort):
            return _interrupted(output)
        except BrokenPipeError:
            # The reader of our output has left (`studio ... | head`): say nothing, and keep Python's exit quiet too.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.FAILED
        except Exception as error:  # noqa: BLE001 - the one place where errors become exit codes
            return _failed(output, error)
        return exit_code


def _interrupted(output: Output) -> int:
    output.error(StudioError("Interrupted.", code="interrupted", exit_code=ExitCode.INTERRUPTED))
    return ExitCode.INTERRUPTED


def _failed(output: Output, error: Exception) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError" and context is not None and not output.json_mode:
        sys.stdout.write(context.get_help() + "\n")
        return ExitCode.USAGE
    shown = as_studio_error(error)
    debug = os.environ.get("STUDIO_DEBUG") == "1"
    if shown is None:
        hint = "This is a bug in Workflow Studio." + ("" if debug else " Set STUDIO_DEBUG=1 to see where it happened.")
        shown = StudioError(f"{type(error).__name__}: {error}", code="internal_error", hint=hint)
    if debug:
        import traceback  # noqa: PLC0415

        traceback.print_exception(error)
    output.error(shown)
    return shown.exit_code


if __name__ == "__main__":
    sys.exit(main())
