"""Showing an update: as text for people, as one JSON document for programs."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.scaffold._report import show_rest
from workflow_studio.scaffolder.scaffold.update._compare import Entry, Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.scaffolder.output import Output
    from workflow_studio.scaffolder.scaffold.update._update import Update

SCHEMA = "workflow-studio/update/1"
_STYLES = {
    Outcome.CREATE: "green",
    Outcome.RESTORE: "green",
    Outcome.UPDATE: "yellow",
    Outcome.MERGE: "yellow",
    Outcome.RENAME: "yellow",
    Outcome.DELETE: "red",
    Outcome.CONFLICT: "bold red",
    Outcome.KEEP_MODIFIED: "cyan",
    Outcome.SKIP_DELETED: "cyan",
}


def document(update: Update, *, applied: bool, steps: list[str]) -> dict[str, Any]:
    """Return the ``--json`` document."""
    return {
        "schema": SCHEMA,
        "root": str(update.plan.root),
        "from": update.before,
        "to": update.after,
        "applied": applied,
        "changes": [_change(update, entry) for entry in rows(update)],
        "conflicts": [{"path": entry.path, "lines": list(entry.conflicts)} for entry in update.conflicts],
        "manual": [
            {"path": step.path, "line": step.line, "why": step.why, "snippet": step.snippet}
            for step in update.plan.manual
        ],
        "notes": update.plan.notes,
        "next": steps,
    }


def _change(update: Update, entry: Entry) -> dict[str, Any]:
    change = update.plan.changes.get(entry.path)
    shown: dict[str, Any] = {"path": entry.path, "outcome": str(entry.outcome), "note": entry.note}
    if entry.moved_from:
        shown["movedFrom"] = entry.moved_from
    return {**shown, "diff": change.diff() if change is not None else ""}


def rows(update: Update) -> list[Entry]:
    """Return what becomes of each file, the generated ones and those the update edits."""
    moved = {entry.moved_from for entry in update.entries.values()}
    known = update.entries.keys() | moved
    edited = [change for change in update.plan.pending if change.path not in known]
    entries = [*update.entries.values(), *(Entry(c.path, Outcome(str(c.action)), c.note) for c in edited)]
    return sorted(entries, key=lambda entry: entry.path)


def show_changes(update: Update, output: Output, *, diff: bool) -> None:
    """Print one line per file that is or would be touched, or the diffs."""
    if diff:
        for change in update.plan.pending:
            output.print(change.diff().rstrip("\n"))
        return
    if update.before == update.after:
        output.print(f"The app is at {update.after}, the newest version of the template here.")
    else:
        output.print(f"From {update.before} to {update.after}:")
    shown = [entry for entry in rows(update) if entry.outcome is not Outcome.UNCHANGED]
    width = max((len(_title(entry)) for entry in shown), default=0)
    for entry in shown:
        output.print(
            f"  {entry.outcome:<19}  {_title(entry):<{width}}  {entry.note}".rstrip(), style=_STYLES.get(entry.outcome)
        )


def _title(entry: Entry) -> str:
    return f"{entry.moved_from} -> {entry.path}" if entry.moved_from else entry.path


def show_conflicts(update: Update, output: Output) -> None:
    """Print what somebody has to look at, and what they should know."""
    if update.conflicts:
        output.print()
        output.print("Left for you:", style="bold yellow")
        for entry in update.conflicts:
            for line in entry.conflicts:
                output.print(f"  {entry.path}:{line}: choose between your lines and the template's")
            if not entry.conflicts:
                output.print(f"  {entry.path}: {entry.note}")
    show_rest(update.plan, output)


def next_steps(update: Update, path: Path) -> list[str]:
    """Return what comes next."""
    steps = []
    if any(entry.conflicts for entry in update.conflicts):
        steps.append("Edit the files above until no <<<<<<< is left.")
    detected = update.detected
    if detected is not None and update.plan.pending:
        package = update.plan.changes.get("package.json")
        if detected.package_manager != "npm" or (package is not None and package.writes):
            # Others than npm copy the folder workflow-studio/ instead of linking it.
            steps.append(f"{detected.package_manager} install")
    if update.plan.pending:
        folder = "" if str(path) == "." else f" {shlex.quote(str(path))}"
        steps.append(f"Look at the changes, build and test; studio scaffold{folder} --status says what is wired.")
    return steps


def show_next(steps: list[str], output: Output) -> None:
    """Print what comes next."""
    if steps:
        output.print()
        output.print("Next:", style="bold")
    for number, step in enumerate(steps, start=1):
        output.print(f"  {number}. {step}")
