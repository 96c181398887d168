"""Planning the edits of an app in Python: the module that makes it or its settings, its dependencies, package.json."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold._plan import ManualStep
from workflow_studio.scaffolder.scaffold._python import (
    PIPFILE,
    PYPROJECT,
    REQUIREMENTS,
    REQUIREMENTS_TXT,
    find_app_modules,
    find_django_settings,
    made_file,
    python_dependencies,
)
from workflow_studio.scaffolder.scaffold._template import studio_version
from workflow_studio.scaffolder.scaffold.edits import (
    FASTAPI_APP,
    FLASK_APP,
    Source,
    add_app_call,
    add_first,
    add_requirements,
    add_to_list,
    assigns,
    made_by,
    refuse_positions,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workflow_studio.scaffolder.scaffold._plan import Plan

PACKAGE: Final = "workflow_studio_app"
_FUNCTION: Final = "add_workflow_studio"
_OTHERS: Final = ("setup.cfg", "setup.py", "environment.yml", "environment.yaml", "conda.yaml")
_APP_CLASSES: Final = {"fastapi": FASTAPI_APP, "flask": FLASK_APP}
_MIDDLEWARE: Final = f"{PACKAGE}.middleware.WorkflowStudioMiddleware"
_DJANGO: Final = (
    ("INSTALLED_APPS", PACKAGE, (f"{PACKAGE}.apps.WorkflowStudioConfig",)),
    ("MIDDLEWARE", _MIDDLEWARE, ()),
)


def wire_app(plan: Plan, framework: str) -> None:
    """Plan the call in the module that makes the app; for Django, the entries in the settings."""
    if framework == "django":
        _wire_settings(plan)
        return
    app_class = _APP_CLASSES[framework]
    made_by = f"app = {app_class.name}({'__name__' if framework == 'flask' else ''})"
    snippet = f"from {PACKAGE} import {_FUNCTION}\n\n{_FUNCTION}(app)  # right after {made_by}"
    modules = find_app_modules(plan.root, framework)
    if len(modules) != 1:
        why = (
            f"several modules make a {app_class.name} app: {', '.join(modules[:5])}"
            if modules
            else f"no module was found that makes the app with `{made_by}`"
        )
        plan.manual.append(ManualStep(modules[0] if modules else "main.py", 1, why, snippet))
        return
    _edit(
        plan,
        modules[0],
        lambda source: add_app_call(source, _FUNCTION, PACKAGE, app_class),
        note=f"call {_FUNCTION}(app)",
        snippet=snippet,
    )


def _wire_settings(plan: Plan) -> None:
    files = find_django_settings(plan.root)
    for name, entry, others in _DJANGO:
        snippet = f'{name} = [\n    "{entry}",  # first\n    ...\n]'
        try:
            path = _file_that_sets(plan, files, name)
        except EditRefusedError as refused:
            plan.manual.append(ManualStep(refused.path or files[0], refused.line, refused.why, snippet))
            continue
        if path is None:
            why = f"no settings were found that set {name}"
            plan.manual.append(ManualStep(files[0] if files else "settings.py", 1, why, snippet))
            continue

        def edit(source: Source, name: str = name, entry: str = entry, others: tuple[str, ...] = others) -> Source:
            return add_first(source, name, entry, *others)

        _edit(plan, path, edit, note=f"{name}: {entry}", snippet=snippet)


def _file_that_sets(plan: Plan, files: list[str], name: str) -> str | None:
    """Return the module that gives a name its value, of those that take it from each other.

    Raises:
        EditRefusedError: Several do, and which of them counts is unclear; or one above it changes it by position.
    """
    found: list[str] = []
    for path in files:
        source = Source.load(path, plan.read(path) or b"")
        if assigns(source, name):
            found.append(path)
        elif not found:
            refuse_positions(source, name)
    # What is in the settings themselves comes behind what they take from others.
    if len(found) > 1 and found[0] != files[0]:
        raise EditRefusedError(f"several modules set {name}: {', '.join(found)}", path=found[0])
    return found[0] if found else None


def _edit(plan: Plan, path: str, edit: Callable[[Source], Source], *, note: str, snippet: str) -> None:
    data = plan.read(path) or b""
    try:
        source = Source.load(path, data)
        edited = edit(source).dump()
        # What was just written must read as done, or a second run would edit it again.
        if edit(Source.load(path, edited)).dump() != edited:
            raise source.refusal("the edit would not be recognised as done afterwards")
    except (EditRefusedError, RecursionError) as error:
        refused = error if isinstance(error, EditRefusedError) else EditRefusedError("it is nested too deeply")
        plan.manual.append(ManualStep(path, refused.line, refused.why, snippet))
        return
    earlier = plan.changes.get(path)
    if edited != data:
        plan.write(path, edited, f"{earlier.note}; {note}" if earlier is not None and earlier.note else note)
    elif earlier is None:
        plan.write(path, edited)


def wire_requirements(plan: Plan, framework: str) -> None:
    """Plan the dependencies of the generated package."""
    wanted = {"pydantic-settings": ">=2.7", "workflow-studio-client": f">={studio_version()}"}
    present = python_dependencies(plan.root)
    missing = {name: versions for name, versions in wanted.items() if name not in present}
    path = _requirements_file(plan.root, present, framework)
    lines = [name + versions for name, versions in missing.items()]
    if path is None:
        if missing:
            why = "where the app's dependencies are written is unclear"
            plan.manual.append(ManualStep(_other_file(plan.root), 1, why, "\n".join(lines)))
        return
    data = plan.read(path) or b""
    if not missing:
        plan.write(path, data)
        return
    try:
        is_toml = path in {PYPROJECT, PIPFILE}
        edited = add_requirements(path, data, missing) if is_toml else add_to_list(path, data, lines)
    except EditRefusedError as error:
        plan.manual.append(ManualStep(path, error.line, error.why, "\n".join(lines)))
        return
    plan.write(path, edited, f"depend on {', '.join(missing)}")
    _note_made_file(plan, path)


def _note_made_file(plan: Plan, path: str) -> None:
    """Say that what is made from a list has to be made again."""
    made = made_file(plan.root, path)
    if made:
        command = made_by(plan.read(made) or b"")
        how = f" by `{command}`" if command else ""
        plan.notes.append(f"{path} names more than {made} was made from: make it again{how} before you install.")


def _requirements_file(root: Path, present: dict[str, str], framework: str) -> str | None:
    """Return the file that the app's own dependency on its framework is in, or else the one that is there."""
    _, _, file = present.get(framework, "").rpartition(" in ")
    if file:
        return file
    there = next((name for name in (PYPROJECT, PIPFILE, *REQUIREMENTS) if (root / name).is_file()), None)
    return there or (None if _other_file(root) else REQUIREMENTS_TXT)


def _other_file(root: Path) -> str:
    """Return a file that may hold dependencies, in a form that is not edited."""
    return next((name for name in _OTHERS if (root / name).is_file()), "")


def new_package_json(sdk_version: str) -> bytes:
    """Return a ``package.json`` for an app that has none: it names the Workflow SDK, which builds the workflows."""
    document = {"private": True, "type": "module", "dependencies": {"workflow": sdk_version}}
    return (json.dumps(document, indent=2) + "\n").encode()


def note_workflows(plan: Plan, prefix: str, framework: str) -> None:
    """Say where workflows go, as long as there are none."""
    if not any((plan.root / folder).is_dir() for folder in (f"{prefix}workflows", "workflows")):
        plan.notes.append(
            f"Workflows are TypeScript, also here: write them in {prefix}workflows/, and `studio deploy` brings them "
            f"to the worker. Start them with proxy_trigger_from_{framework} of {PACKAGE}."
        )
