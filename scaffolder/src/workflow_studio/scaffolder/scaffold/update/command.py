"""``studio update``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.scaffolder.cli import JsonFlag
from workflow_studio.scaffolder.errors import ExitCode, UsageError
from workflow_studio.scaffolder.output import get_output
from workflow_studio.scaffolder.scaffold._apply import apply
from workflow_studio.scaffolder.scaffold.update._report import (
    document,
    next_steps,
    show_changes,
    show_conflicts,
    show_next,
)
from workflow_studio.scaffolder.scaffold.update._update import Update, plan_update

_SUMMARY = "Bring an app forward to this version of Workflow Studio."
_HELP = f"""{_SUMMARY}

Merges what changed in the template into the files Studio made, and keeps your edits, also where files moved or your
formatter rewrote them. What you deleted stays deleted. It needs no network and no clean working tree; where both sides
changed the same lines, both are left in the file, between markers.

\b
Examples:
  studio update                             the app in this folder
  studio update apps/web --diff             show every change, write nothing
  studio update --to v0.2.0                 not the newest, but this version
  studio update --restore .env.example      bring back a file you deleted

\b
Exit codes: 0 done, 1 failed, 2 usage, 3 conflicts or steps are left for you to
do by hand, 4 --check found changes.
"""


def register(app: typer.Typer) -> None:
    """Add ``studio update``."""
    app.command("update", help=_HELP, short_help=_SUMMARY)(update)


def update(
    path: Annotated[Path, typer.Argument(help="Folder of the app.")] = Path(),
    *,
    to: Annotated[str | None, typer.Option(metavar="VERSION", help="The version, if not the newest here.")] = None,
    restore: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Make this file or folder what the template makes; may be repeated."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, write nothing.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show the changes as diffs, write nothing.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 4 if something would change.")] = False,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> int:
    """Bring an app forward to this version of Workflow Studio."""
    output = get_output()
    root = path.resolve()
    if not root.is_dir():
        raise UsageError(f"{path} is not a folder.")
    with output.status("Planning"):
        planned = plan_update(root, to, tuple(_normalised(name) for name in restore or ()))
    show_changes(planned, output, diff=diff)
    writes = not (dry_run or diff or check)
    if writes:
        apply(planned.plan)
    steps = next_steps(planned, path) if writes else []
    show_conflicts(planned, output)
    show_next(steps, output)
    output.document(document(planned, applied=writes, steps=steps))
    if check and planned.plan.pending:
        return ExitCode.CHANGES_FOUND
    return ExitCode.ATTENTION if _is_left(planned) else ExitCode.DONE


def _normalised(path: str) -> str:
    return path.removeprefix("./").rstrip("/")


def _is_left(planned: Update) -> bool:
    return bool(planned.conflicts or planned.plan.manual)
