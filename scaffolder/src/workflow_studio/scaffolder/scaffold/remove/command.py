"""``studio remove``."""

# Typer reads the annotations when the command runs, so they are not postponed here.
from pathlib import Path
from typing import Annotated, Any

import typer

from workflow_studio.scaffolder.cli import JsonFlag
from workflow_studio.scaffolder.errors import ExitCode, UsageError
from workflow_studio.scaffolder.output import Output, get_output
from workflow_studio.scaffolder.scaffold._apply import apply
from workflow_studio.scaffolder.scaffold._package_manager import detect_package_manager
from workflow_studio.scaffolder.scaffold._report import show_changes, show_rest
from workflow_studio.scaffolder.scaffold.remove._remove import Removal, plan_removal

SCHEMA = "workflow-studio/remove/1"
_SUMMARY = "Take Workflow Studio out of an app again."
_HELP = f"""{_SUMMARY}

The inverse of `studio scaffold`: deletes the files Studio made and takes its edits out of yours. What you edited stays
and is listed. If the app has workflows, the Workflow SDK and its wiring stay: they then run in the app, as without
Studio. The worker, its runs and deployments are not touched.

\b
Examples:
  studio remove                 the app in this folder
  studio remove apps/web --diff show every change, write nothing

\b
Exit codes: 0 done, 1 failed, 2 usage, 3 something is left for you to do by
hand, 4 --check found changes.
"""


def register(app: typer.Typer) -> None:
    """Add ``studio remove``."""
    app.command("remove", help=_HELP, short_help=_SUMMARY)(remove)


def remove(
    path: Annotated[Path, typer.Argument(help="Folder of the app.")] = Path(),
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change, write nothing.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show the changes as diffs, write nothing.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit 4 if something would change.")] = False,
    yes: Annotated[  # noqa: ARG001 - see its help
        bool, typer.Option("--yes", "-y", help="Accepted for scripts; nothing is asked either way.")
    ] = False,
    json: JsonFlag = False,  # noqa: ARG001 - read before the command runs
) -> int:
    """Take Workflow Studio out of an app again."""
    output = get_output()
    root = path.resolve()
    if not root.is_dir():
        raise UsageError(f"{path} is not a folder.")
    with output.status("Planning"):
        removal = plan_removal(root)
    show_changes(removal.plan, output, diff=diff)
    writes = not (dry_run or diff or check)
    if writes:
        apply(removal.plan)
    show_rest(removal.plan, output)
    steps = _next_steps(root, removal) if writes else []
    _show_next(steps, output)
    output.document(_document(removal, applied=writes, steps=steps))
    if check and removal.plan.pending:
        return ExitCode.CHANGES_FOUND
    return ExitCode.ATTENTION if removal.plan.manual else ExitCode.DONE


def _next_steps(root: Path, removal: Removal) -> list[str]:
    package = removal.plan.changes.get("package.json")
    if package is None or not package.writes or package.deleted:
        return []
    manager, _ = detect_package_manager(root)
    return [f"{manager} install      # takes out the packages that are no longer needed"]


def _show_next(steps: list[str], output: Output) -> None:
    if steps:
        output.print()
        output.print("Next:", style="bold")
        for number, step in enumerate(steps, start=1):
            output.print(f"  {number}. {step}")


def _document(removal: Removal, *, applied: bool, steps: list[str]) -> dict[str, Any]:
    plan = removal.plan
    return {
        "schema": SCHEMA,
        "root": str(plan.root),
        "framework": removal.framework.id,
        "keepsSdk": removal.keeps_sdk or None,
        "applied": applied,
        "changes": [
            {"path": change.path, "action": str(change.action), "note": change.note, "diff": change.diff()}
            for change in plan.changes.values()
        ],
        "manual": [
            {"path": step.path, "line": step.line, "why": step.why, "snippet": step.snippet} for step in plan.manual
        ],
        "notes": plan.notes,
        "next": steps,
    }
