"""The edits of the user's own files that a later version needs, but none its owner has undone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold._record import NAME, record_edits
from workflow_studio.scaffolder.scaffold._scaffold import package_folder
from workflow_studio.scaffolder.scaffold._template import Release, render
from workflow_studio.scaffolder.scaffold._wire import wire
from workflow_studio.scaffolder.scaffold.edits import JsonDocument
from workflow_studio.scaffolder.scaffold.frameworks import SUPPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from workflow_studio.scaffolder.scaffold._detect import Detected
    from workflow_studio.scaffolder.scaffold._plan import Plan
    from workflow_studio.scaffolder.scaffold.frameworks import Framework

_PACKAGE = "package.json"
_TRACE = b"workflow"
"""What every edit of Studio leaves in a file: a name of the SDK, of Studio's package or of their folders."""
_SECTIONS = ("dependencies", "devDependencies", "optionalDependencies", "overrides", "resolutions")


def wire_again(
    plan: Plan, detected: Detected, answers: Mapping[str, Any], old_release: Release, new_release: Release
) -> None:
    """Plan the edits of an update.

    A file without any trace of Studio is one whose owner took it out again, so it is left alone and mentioned.
    """
    framework = SUPPORTED[detected.framework]
    before, manual = dict(plan.changes), len(plan.manual)
    wire(plan, framework, detected, answers)
    for path, change in list(plan.changes.items()):
        earlier = before.get(path)
        if change == earlier or not change.writes:
            continue
        content = earlier.after if earlier is not None and earlier.writes else change.before
        if content is None or _TRACE not in content:
            plan.changes.pop(path)
            if earlier is not None:
                plan.changes[path] = earlier
            plan.notes.append(f"{path} is left without Workflow Studio, as you have it; `studio scaffold` wires it.")
    for step in plan.manual[manual:]:
        # What somebody did by hand in a shape that cannot be read is still done.
        if _TRACE in (plan.read(step.path) or b""):
            plan.manual.remove(step)
            plan.notes.append(f"{step.path} could not be checked: {step.why}.")
    _raise_pins(plan, framework, answers, old_release, new_release)
    folder = package_folder(framework, detected)
    if plan.read(f"{folder}{NAME}") is not None:
        # What a scaffold of this app recorded is taken back together with what is added here.
        record_edits(plan, folder, [path for path, change in plan.changes.items() if change != before.get(path)])


def _raise_pins(
    plan: Plan, framework: Framework, answers: Mapping[str, Any], old_release: Release, new_release: Release
) -> None:
    """Bring forward the releases that Studio put into package.json, where they are as it put them."""
    data = plan.read(_PACKAGE)
    if data is None:
        return
    news = _news(_pins(answers, old_release), _pins(answers, new_release), _own_packages(framework))
    try:
        document = JsonDocument.load(_PACKAGE, data)
        raised = []
        for keys, (old, new) in news.items():
            if document.get(*keys) == old:
                document = document.replace(keys, new)
                raised.append(f"{keys[-1]} {new}")
            elif document.has(*keys):
                plan.notes.append(f"package.json: {keys[-1]} is {document.get(*keys)}; Studio is tested with {new}.")
    except EditRefusedError as error:
        plan.notes.append(f"package.json was left alone: {error.why}.")
        return
    if raised:
        earlier = plan.changes.get(_PACKAGE)
        notes = [earlier.note] if earlier is not None and earlier.note else []
        plan.write(_PACKAGE, document.dump(), "; ".join([*notes, ", ".join(raised)]))


def _pins(answers: Mapping[str, Any], release: Release) -> dict[tuple[str, ...], str]:
    """Return the releases that a new app's package.json names, by their place in it."""
    # The folder of the routes is no part of them, and may be one that no new app has.
    known = {name: answer for name, answer in answers.items() if name != "app_dir"}
    made = render({**known, "mode": "new", "project_name": "app"}, release=release).get(_PACKAGE, b"{}")
    package = json.loads(made)
    return {keys: spec for section in _SECTIONS for keys, spec in _leaves((section,), package.get(section, {}))}


def _leaves(keys: tuple[str, ...], value: Any) -> Iterator[tuple[tuple[str, ...], str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves((*keys, key), inner)
    elif isinstance(value, str):
        yield keys, value


def _own_packages(framework: Framework) -> frozenset[str]:
    """Return the packages whose release Studio decides; those of the framework itself are its owner's."""
    return frozenset({"workflow", *framework.packages, *framework.dev_packages, *(pin.name for pin in framework.pins)})


def _news(
    old: dict[tuple[str, ...], str], new: dict[tuple[str, ...], str], packages: frozenset[str]
) -> dict[tuple[str, ...], tuple[str, str]]:
    changed = ((keys, (old[keys], spec)) for keys, spec in new.items() if keys in old and old[keys] != spec)
    return {keys: pair for keys, pair in changed if keys[-1] in packages or keys[-1].startswith("@workflow/")}
