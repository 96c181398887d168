"""Showing a scaffold: as text for people, as one JSON document for programs."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.scaffold._plan import Action
from workflow_studio.scaffolder.scaffold._python import PYPROJECT, REQUIREMENTS, made_file

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.scaffolder.output import Output
    from workflow_studio.scaffolder.scaffold._detect import Detected
    from workflow_studio.scaffolder.scaffold._plan import Change, Plan
    from workflow_studio.scaffolder.scaffold._scaffold import Scaffold

SCHEMA = "workflow-studio/scaffold/1"
_FOLDED = 6
_STYLES = {Action.CREATE: "green", Action.UPDATE: "yellow", Action.DELETE: "red", Action.KEEP: "cyan"}
_STATES = {
    Action.CREATE: "missing",
    Action.UPDATE: "not wired",
    Action.DELETE: "to remove",
    Action.UNCHANGED: "ok",
    Action.KEEP: "yours",
}


def document(scaffold: Scaffold, *, applied: bool, installed: bool, command: str, steps: list[str]) -> dict[str, Any]:
    """Return the ``--json`` document."""
    detected, plan = scaffold.detected, scaffold.plan
    return {
        "schema": SCHEMA,
        "root": str(plan.root),
        "detected": {
            "framework": detected.framework,
            "evidence": list(detected.evidence),
            "packageManager": detected.package_manager,
            "packageManagerEvidence": detected.package_manager_evidence,
            "srcDir": detected.src_dir,
            "srcDirEvidence": detected.src_dir_evidence,
            "typescript": detected.typescript,
            "typescriptEvidence": detected.typescript_evidence,
            "workspace": _workspace(detected, plan.root),
        },
        "answers": scaffold.answers,
        "applied": applied,
        "installed": installed,
        "changes": [
            {"path": change.path, "action": str(change.action), "note": change.note, "diff": change.diff()}
            for change in plan.changes.values()
        ],
        "manual": [
            {"path": step.path, "line": step.line, "why": step.why, "snippet": step.snippet} for step in plan.manual
        ],
        "notes": plan.notes,
        "next": steps,
        "command": command,
    }


def _workspace(detected: Detected, root: Path) -> dict[str, Any] | None:
    workspace = detected.workspace
    if workspace is None:
        return None
    package = root.resolve().relative_to(workspace.root).as_posix()
    return {"root": str(workspace.root), "package": package, "evidence": list(workspace.evidence)}


def show_detected(scaffold: Scaffold, output: Output) -> None:
    """Print what was detected, with the evidence."""
    detected = scaffold.detected
    what = "New" if scaffold.is_new else "Detected"
    output.print(f"{what} {detected.label} app ({', '.join(detected.evidence)})")
    if scaffold.framework.language != "Python":
        language = "TypeScript" if detected.typescript else "JavaScript"
        output.print(f"{language}{_because(detected.typescript_evidence)}")
    if detected.src_dir:
        output.print(f"Sources in {detected.src_dir}/{_because(detected.src_dir_evidence)}")
    output.print(f"Package manager {detected.package_manager} ({detected.package_manager_evidence})")
    workspace = detected.workspace
    if workspace is not None:
        output.print(f"A package of the monorepo {workspace.root} ({', '.join(workspace.evidence)})")
    output.print()


def _because(evidence: str) -> str:
    return f" ({evidence})" if evidence else ""


def show_changes(plan: Plan, output: Output, *, diff: bool) -> None:
    """Print one line per file that is or would be touched, or the diffs."""
    if diff:
        for change in plan.pending:
            output.print(change.diff().rstrip("\n"))
        return
    rows = _rows([change for change in plan.changes.values() if change.action is not Action.UNCHANGED])
    width = max((len(path) for _, path, _ in rows), default=0)
    for action, path, note in rows:
        output.print(f"  {action:<7} {path:<{width}}  {note}".rstrip(), style=_STYLES.get(action))
    unchanged = sum(change.action is Action.UNCHANGED for change in plan.changes.values())
    if not plan.pending:
        output.print(f"Nothing to change: {_are_fine(unchanged)}.")
    elif unchanged:
        output.print(f"  {_are_fine(unchanged)} already.")


def _are_fine(count: int) -> str:
    return f"{count} {'file is as it' if count == 1 else 'files are as they'} should be"


def _rows(changes: list[Change]) -> list[tuple[Action, str, str]]:
    """Return a line per file; many files of one folder that are made or deleted are one line."""
    folders = Counter((change.action, change.path.split("/", 1)[0]) for change in changes if _is_plain(change))
    rows: list[tuple[Action, str, str]] = []
    for change in changes:
        folder = change.path.split("/", 1)[0]
        count = folders[change.action, folder]
        if not _is_plain(change) or count < _FOLDED:
            rows.append((change.action, change.path, change.note))
            continue
        row = (change.action, f"{folder}/", f"{count} files")
        if row not in rows:
            rows.append(row)
    return rows


def _is_plain(change: Change) -> bool:
    return change.action in {Action.CREATE, Action.DELETE} and not change.note and "/" in change.path


def show_status(plan: Plan, output: Output) -> None:
    """Print the state of every file of the integration."""
    rows = [(_STATES[change.action], change.path, change.note) for change in plan.changes.values()]
    manual = [("by hand", f"{step.path}:{step.line}", step.why) for step in plan.manual]
    output.table(("State", "File", ""), sorted(rows, key=lambda row: row[0] == "ok") + manual)
    output.print()
    if plan.pending:
        output.print(f"{len(plan.pending)} to do: studio scaffold")
    if plan.manual:
        output.print(f"{len(plan.manual)} to do by hand: studio scaffold --dry-run shows the lines")
    if not plan.pending and not plan.manual:
        output.print("Everything is wired.")


def show_rest(plan: Plan, output: Output) -> None:
    """Print what is left for a person, and what they should know."""
    if plan.manual:
        output.print()
        output.print("Left for you:", style="bold yellow")
        for step in plan.manual:
            output.print(f"  {step.path}:{step.line}: {step.why}")
            # A whole generated file is not something to paste; its path and --force say enough.
            if step.snippet.count("\n") < 20:
                output.print("\n".join(f"      {line}".rstrip() for line in step.snippet.splitlines()))
    for note in plan.notes:
        output.print()
        output.print(f"Note: {note}")


def next_steps(scaffold: Scaffold, *, installed: bool) -> list[str]:
    """Return the commands that come next, with a word each."""
    manager = scaffold.detected.package_manager
    steps = [] if installed else [f"{manager} install"]
    if scaffold.is_new:
        steps.insert(0, f"cd {shlex.quote(scaffold.plan.root.name)}")
    is_python = scaffold.framework.language == "Python"
    if is_python:
        steps.append(f"{_python_install(scaffold)}      # the app's Python packages")
    start = (
        "Start the app with WORKFLOW_COMPUTE_BASE_URL and WORKFLOW_COMPUTE_API_KEY; .env.example has all variables."
        if is_python
        else "Start the app with WORKFLOW_TARGET_WORLD=workflow-studio/world-remote; .env.example has all variables."
    )
    return [
        *steps,
        "studio worker start      # a worker on this machine, in another terminal",
        "studio deploy            # build the workflows, upload and activate them",
        start,
    ]


def _python_install(scaffold: Scaffold) -> str:
    if scaffold.is_new:
        return "pip install -e '.[dev]'"
    root = scaffold.plan.root
    for name, command in (
        ("uv.lock", "uv sync"),
        ("poetry.lock", "poetry lock && poetry install"),
        ("Pipfile", "pipenv install"),
    ):
        if (root / name).is_file():
            return command
    if PYPROJECT in scaffold.plan.changes:
        return "pip install -e ."
    planned = [name for name in scaffold.plan.changes if name.endswith((".in", ".txt"))]
    there = [name for name in REQUIREMENTS if (root / name).is_file()]
    lists = [made_file(root, name) or name for name in (*there, *planned)]
    return f"pip install -r {lists[0]}" if lists else "pip install -e ."


def show_next(steps: list[str], command: str, output: Output) -> None:
    """Print the next steps and the command that repeats this run."""
    output.print()
    output.print("Next:", style="bold")
    for number, step in enumerate(steps, start=1):
        output.print(f"  {number}. {step}")
    output.print()
    output.print(f"To repeat: {command}")
