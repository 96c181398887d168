"""Planning a removal: the inverse of a scaffold. Nothing here writes to the project."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.scaffolder.errors import TemplateError, UsageError
from workflow_studio.scaffolder.scaffold._answers import Recorded, read_recorded
from workflow_studio.scaffolder.scaffold._plan import ManualStep, Plan
from workflow_studio.scaffolder.scaffold._project import read_bytes
from workflow_studio.scaffolder.scaffold._record import NAME, Section, read_record
from workflow_studio.scaffolder.scaffold._template import render
from workflow_studio.scaffolder.scaffold._template._sources import open_releases
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED, Framework
from workflow_studio.scaffolder.scaffold.remove._references import find_references, uses_sdk
from workflow_studio.scaffolder.scaffold.remove._unwire import Unwiring

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_PLAIN: Final = {
    "nestjs": "Builds need the SDK's plugin of SWC: run `npx @workflow/nest init --force` before they start.",
    "node": "Without Studio nothing compiles workflows in this app: the SDK's own way is Nitro.",
}
"""What the app needs to run its workflows by the SDK alone, beyond what stays."""


@dataclass(slots=True)
class Removal:
    """A planned removal.

    Attributes:
        plan: What would be written and deleted.
        framework: The app's framework.
        keeps_sdk: A file of the app that uses the Workflow SDK, for which the SDK and its wiring stay; empty if none.
        kept: Generated files that stay, because they were edited.
    """

    plan: Plan
    framework: Framework
    keeps_sdk: str = ""
    kept: list[str] = field(default_factory=list)


def plan_removal(root: Path) -> Removal:
    """Plan the removal of everything that Studio added to an app.

    Raises:
        UsageError: This is no app of Studio's.
        StudioError: The template cannot be read, or a path leads out of the project.
    """
    recorded, answers_path = read_recorded(root)
    framework = SUPPORTED.get(str(recorded.answers.get("framework"))) if recorded is not None else None
    if recorded is None or framework is None:
        raise UsageError(
            f"{root} was not made by Workflow Studio: it has no {answers_path} of ours.",
            code="not_scaffolded",
            hint="Name the app's folder, as in `studio remove apps/web`.",
        )
    removal = Removal(Plan(root), framework)
    made = _render(recorded)
    folder = _package_folder(framework, made)
    sections = read_record(read_bytes(root, f"{folder}{NAME}"))
    edited = {section.path for section in sections}
    _delete_generated(removal, made, recorded.path, edited)
    if sections:
        removal.plan.delete(f"{folder}{NAME}")
    else:
        removal.plan.notes.append(
            f"There is no {folder}{NAME}, which records what was here before: only what is certain goes. Nitro, "
            "adapters and scripts, say, stay."
        )
    own = {*made, recorded.path, *_own_files(framework)}
    removal.keeps_sdk = uses_sdk(root, own, folder)
    Unwiring(removal.plan, framework, _in_order(sections), folder, keeps_sdk=bool(removal.keeps_sdk)).run()
    _report(removal, folder, recorded.answers)
    return removal


def _render(recorded: Recorded) -> dict[str, bytes]:
    """Return what Studio made, without what a new app gets once and its owner has since."""
    answers = {**recorded.answers, "mode": "existing"}
    with open_releases() as releases:
        try:
            release = releases.get(recorded.commit)
        except (TemplateError, UsageError):
            # That version is not here: what is the same in this one still tells what is as it was made.
            return render(answers, answers_file=recorded.path)
        return render(answers, answers_file=recorded.path, release=release)


def _package_folder(framework: Framework, made: Iterable[str]) -> str:
    """Return the folder of the generated package, which in Python may be below a source folder."""
    name = f"{framework.package_folder}/"
    found = {before for path in made for before, at, _ in [f"/{path}".partition(f"/{name}")] if at}
    # A route may have a folder of the same name, further down.
    return f"{min(found, key=len, default='')}/{name}".removeprefix("/")


def _own_files(framework: Framework) -> Iterable[str]:
    """Return the config files, in which the SDK is there by Studio's doing or by the framework's guide."""
    suffixes = (".ts", ".mts", ".mjs", ".js", ".cjs", ".cts")
    return (config.stem + suffix for config in framework.configs for suffix in suffixes)


def _in_order(sections: list[Section]) -> list[Section]:
    # What was done last is undone first.
    return list(reversed(sections))


def _delete_generated(removal: Removal, made: dict[str, bytes], answers_path: str, edited: set[str]) -> None:
    plan = removal.plan
    for path, content in made.items():
        current = read_bytes(plan.root, path)
        if current is None or path in edited:
            continue
        if path == answers_path or _same_text(current, content):
            plan.delete(path)
        elif not _is_guard(removal.framework, path):
            # A guard that is not as it was made is the app's own file, which was left alone at the time.
            plan.keep(path, "you edited it")
            removal.kept.append(path)


def _is_guard(framework: Framework, path: str) -> bool:
    return bool(framework.guard) and f"/{path}".rsplit(".", 1)[0].endswith(f"/{framework.guard}")


def _report(removal: Removal, folder: str, answers: Mapping[str, Any]) -> None:
    """Say what stays, and what is left to do."""
    plan = removal.plan
    for path in removal.kept:
        why = "it was made by Studio and you edited it, so it stays: delete it if you do not need it"
        plan.manual.append(ManualStep(path, 1, why, ""))
    for path, line, name in find_references(plan, folder):
        plan.manual.append(ManualStep(path, line, f"it uses {name}, which is gone", ""))
    if removal.keeps_sdk:
        plan.notes.append(
            f"The Workflow SDK and its wiring stay, because {removal.keeps_sdk} uses it: workflows now run in the app."
        )
        own = "node" if answers.get("server") == "node" else removal.framework.id
        plan.notes += [_PLAIN[own]] if own in _PLAIN else []


def _same_text(left: bytes, right: bytes) -> bool:
    """Compare files as git does when it may have converted line endings at checkout."""
    return left == right or left.replace(b"\r\n", b"\n") == right.replace(b"\r\n", b"\n")
