"""``studio scaffold``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.scaffolder.cli import JsonFlag
from workflow_studio.scaffolder.errors import ExitCode, UsageError
from workflow_studio.scaffolder.output import get_output
from workflow_studio.scaffolder.scaffold._apply import apply
from workflow_studio.scaffolder.scaffold._install import install, is_installed, require_manager
from workflow_studio.scaffolder.scaffold._report import (
    document,
    next_steps,
    show_changes,
    show_detected,
    show_next,
    show_rest,
    show_status,
)
from workflow_studio.scaffolder.scaffold._scaffold import Request, Scaffold, plan_existing, plan_new
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED

_SUMMARY = "Add Workflow Studio to an app, or make a new app."
_HELP = f"""{_SUMMARY}

Makes the files Studio owns, edits the few of yours it has to (the framework's config, package.json, tsconfig.json,
.gitignore) and installs. Nothing is asked, a second run changes nothing, and what you edited stays yours.

\b
Examples:
  studio scaffold                                 the app in this folder
  studio scaffold apps/web --diff                 show every change, write nothing
  studio scaffold --new my-app --framework nitro  a whole new app
  studio scaffold --status                        what is wired, what is missing

\b
Exit codes: 0 done, 1 failed, 2 usage, 3 something is left for you to do by
hand, 4 --check found changes.
"""


class Server(StrEnum):
    """What serves an app of Express, Fastify or Hono."""

    NITRO = "nitro"
    NODE = "node"


class PackageManager(StrEnum):
    """What installs packages."""

    NPM = "npm"
    PNPM = "pnpm"
    YARN = "yarn"
    BUN = "bun"


def register(app: typer.Typer) -> None:
    """Add ``studio scaffold``."""
    app.command("scaffold", help=_HELP, short_help=_SUMMARY)(scaffold)


def scaffold(  # noqa: PLR0913 - one parameter per option of the command line
    path: Annotated[Path, typer.Argument(help="Folder of the app; with --new, the folder to make it in.")] = Path(),
    *,
    framework: Annotated[str, typer.Option(help=f"One of {', '.join(SUPPORTED)}; or auto to detect it.")] = "auto",
    new: Annotated[str | None, typer.Option("--new", metavar="NAME", help="Make a new app of this name.")] = None,
    src_dir: Annotated[str | None, typer.Option(help="Folder of the sources, if not detected ('' for none).")] = None,
    typescript: Annotated[
        bool | None,
        typer.Option("--ts/--js", help="The language of the app, if not detected.", show_default=False),
    ] = None,
    server: Annotated[
        Server | None, typer.Option(help="Express, Fastify, Hono: who serves the app, if not detected.")
    ] = None,
    package_manager: Annotated[PackageManager | None, typer.Option(help="What installs, if not detected.")] = None,
    force: Annotated[
        list[str] | None,
        typer.Option(metavar="FILE", help="Replace this generated file or folder, edited or not; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, write nothing.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show the changes as diffs, write nothing.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 4 if something would change.")] = False,
    status: Annotated[bool, typer.Option("--status", help="Show what is wired and what is missing.")] = False,
    no_install: Annotated[bool, typer.Option("--no-install", help="Do not run the package manager.")] = False,
    yes: Annotated[  # noqa: ARG001 - see its help
        bool, typer.Option("--yes", "-y", help="Accepted for scripts; nothing is asked either way.")
    ] = False,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> int:
    """Add Workflow Studio to an app, or make a new app."""
    output = get_output()
    if new is not None and (status or force):
        raise UsageError("--new makes a whole app: it goes with neither --status nor --force.")
    root = path.resolve()
    if not root.is_dir():
        raise UsageError(f"{path} is not a folder.")
    manager = str(package_manager) if package_manager is not None else None
    served_by = str(server) if server is not None else None
    request = Request(framework, manager, _normalised(src_dir), typescript, served_by, tuple(force or ()))
    with output.status("Planning"):
        planned = plan_new(root, new, request) if new is not None else plan_existing(root, request)
    command = _repeatable(path, planned, new)
    if status:
        show_detected(planned, output)
        show_status(planned.plan, output)
        output.document(document(planned, applied=False, installed=_installed(planned), command=command, steps=[]))
        return _exit_code(planned, check=check)
    show_detected(planned, output)
    show_changes(planned.plan, output, diff=diff)
    if dry_run or diff or check:
        show_rest(planned.plan, output)
        output.document(document(planned, applied=False, installed=_installed(planned), command=command, steps=[]))
        return _exit_code(planned, check=check)
    up_to_date = _is_up_to_date(planned)
    installs = not no_install and not up_to_date
    if installs:
        require_manager(planned.detected.package_manager)
    apply(planned.plan)
    if installs:
        install(planned.plan.root, planned.detected.package_manager, output)
    installed = installs or up_to_date
    steps = next_steps(planned, installed=installed)
    show_rest(planned.plan, output)
    show_next(steps, command, output)
    output.document(document(planned, applied=True, installed=installed, command=command, steps=steps))
    return _exit_code(planned, check=False)


def _normalised(src_dir: str | None) -> str | None:
    return None if src_dir is None else src_dir.removeprefix("./").rstrip("/")


def _installed(planned: Scaffold) -> bool:
    return is_installed(planned.plan.root, planned.framework.npm_packages)


def _is_up_to_date(planned: Scaffold) -> bool:
    """Tell whether nothing is to be installed: no package is added, and all are there."""
    package = planned.plan.changes.get("package.json")
    return (package is None or not package.writes) and _installed(planned)


def _exit_code(planned: Scaffold, *, check: bool) -> int:
    if check and planned.plan.pending:
        return ExitCode.CHANGES_FOUND
    return ExitCode.ATTENTION if planned.plan.manual else ExitCode.DONE


def _repeatable(path: Path, planned: Scaffold, new: str | None) -> str:
    """Return the command with every detected value spelled out."""
    detected = planned.detected
    parts = ["studio", "scaffold"]
    if path != Path():
        parts.append(str(path))
    if new is not None:
        parts += ["--new", new]
    parts += ["--framework", detected.framework]
    if detected.src_dir and planned.framework.src_dir is None:
        parts += ["--src-dir", detected.src_dir]
    if "server" in planned.answers:
        parts += ["--server", planned.answers["server"]]
    if planned.framework.language != "Python":
        parts.append("--ts" if detected.typescript else "--js")
    parts += ["--package-manager", detected.package_manager, "--yes"]
    return shlex.join(parts)
