"""Planning the edits of package.json: dependencies, pinned releases, scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold._plan import ManualStep
from workflow_studio.scaffolder.scaffold._wire_json import set_json
from workflow_studio.scaffolder.scaffold.edits import JsonDocument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.scaffolder.scaffold._plan import Plan
    from workflow_studio.scaffolder.scaffold.frameworks import App, Framework

LOCAL_PACKAGE = "file:./workflow-studio"
_FILE = "package.json"
_LOCAL_SPECS = ("file:", "link:", "portal:", "workspace:")


def wire_package_json(plan: Plan, framework: Framework, app: App, own: Mapping[str, str]) -> None:
    """Plan what the app depends on, and its scripts.

    Args:
        plan: The plan.
        framework: The app's framework.
        app: The app.
        own: The SDK, and the package that Studio makes, with what package.json says about them.
    """
    data = plan.read(_FILE) or b""
    _check_own(plan, app, own)
    wanted = {**_of_framework(framework, app), **own}
    missing = {name: spec for name, spec in wanted.items() if name not in app.depends}
    missing_dev = {name: spec for name, spec in framework.dev_packages.items() if name not in app.depends}
    _add_pins(plan, framework, app, missing, missing_dev)
    edits = [edit for edit in framework.json_edits if edit.file == _FILE and edit.when(app)]
    try:
        document = JsonDocument.load(_FILE, data)
        for name, spec in missing.items():
            document = document.set_default(("dependencies", name), spec, in_order=True)
        for name, spec in missing_dev.items():
            document = document.set_default(("devDependencies", name), spec, in_order=True)
    except EditRefusedError as error:
        lines = ",\n".join(f'"{name}": "{spec}"' for name, spec in (missing | missing_dev).items())
        plan.manual.append(ManualStep(_FILE, error.line, error.why, lines))
        return
    notes = [f"depend on {', '.join(missing | missing_dev)}"] if missing or missing_dev else []
    for edit in edits:
        before = document.dump()
        document = set_json(plan, document, edit)
        notes += [edit.why] if document.dump() != before else []
    plan.write(_FILE, document.dump(), "; ".join(notes))


def _of_framework(framework: Framework, app: App) -> Mapping[str, str]:
    # An app that has the framework has chosen what it builds with, Nitro 2 included.
    has_it = not app.depends.keys().isdisjoint({*framework.packages, "nitropack"})
    return {} if has_it else framework.packages


def _check_own(plan: Plan, app: App, own: Mapping[str, str]) -> None:
    studio = app.depends.get("workflow-studio", LOCAL_PACKAGE)
    if "workflow-studio" in own and not studio.startswith(_LOCAL_SPECS):
        why = f"workflow-studio is {studio!r}, but has to be the folder this command makes"
        plan.manual.append(ManualStep(_FILE, 1, why, f'"workflow-studio": "{LOCAL_PACKAGE}"'))
    sdk = app.depends.get("workflow", own["workflow"])
    if sdk.lstrip("^~=v ").split(".", 1)[0] != own["workflow"].split(".", 1)[0]:
        plan.notes.append(f"package.json: workflow is {sdk}; Studio is tested with {own['workflow']}.")


def _add_pins(plan: Plan, framework: Framework, app: App, missing: dict[str, str], missing_dev: dict[str, str]) -> None:
    for pin in framework.pins:
        if not pin.when(app) or not app.depends.keys().isdisjoint(pin.unless):
            continue
        present = app.depends.get(pin.name)
        if present is None:
            (missing_dev if pin.dev else missing)[pin.name] = pin.spec
        elif not pin.allows(present):
            why = f"{pin.name} is {present!r}: {pin.why}"
            line = _line_of(plan.read(_FILE) or b"", pin.name)
            plan.manual.append(ManualStep(_FILE, line, why, f'"{pin.name}": {json.dumps(pin.spec)}'))


def _line_of(data: bytes, name: str) -> int:
    """Return the line that names a package, for people."""
    before, found, _ = data.partition(f'"{name}"'.encode())
    return before.count(b"\n") + 1 if found else 1
