"""Planning the edits of a FastAPI app: the module that makes it, its dependencies, package.json, .gitignore."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold._plan import ManualStep
from workflow_studio.scaffolder.scaffold._python import (
    PYPROJECT,
    REQUIREMENTS,
    find_app_modules,
    python_dependencies,
)
from workflow_studio.scaffolder.scaffold._template import studio_version
from workflow_studio.scaffolder.scaffold.edits import Source, add_app_call, add_lines, add_requirements

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.scaffolder.scaffold._plan import Plan

PACKAGE: Final = "workflow_studio_app"
_FUNCTION: Final = "add_workflow_studio"
_SNIPPET: Final = f"from {PACKAGE} import {_FUNCTION}\n\n{_FUNCTION}(app)  # right after app = FastAPI()"


def wire_app(plan: Plan) -> None:
    """Plan the call in the module that makes the app."""
    modules = find_app_modules(plan.root)
    if len(modules) != 1:
        why = (
            f"several modules make a FastAPI app: {', '.join(modules[:5])}"
            if modules
            else "no module was found that makes the app with `app = FastAPI()`"
        )
        plan.manual.append(ManualStep(modules[0] if modules else "main.py", 1, why, _SNIPPET))
        return
    path = modules[0]
    data = plan.read(path) or b""
    try:
        source = Source.load(path, data)
        edited = add_app_call(source, _FUNCTION, PACKAGE).dump()
        # What was just written must read as done, or a second run would edit it again.
        if add_app_call(Source.load(path, edited), _FUNCTION, PACKAGE).dump() != edited:
            raise source.refusal("the edit would not be recognised as done afterwards")
    except (EditRefusedError, RecursionError) as error:
        refused = error if isinstance(error, EditRefusedError) else EditRefusedError("it is nested too deeply")
        plan.manual.append(ManualStep(path, refused.line, refused.why, _SNIPPET))
        return
    plan.write(path, edited, f"call {_FUNCTION}(app)" if edited != data else "")


def wire_requirements(plan: Plan) -> None:
    """Plan the dependencies of the generated package."""
    wanted = {"pydantic-settings": ">=2.7", "workflow-studio-client": f">={studio_version()}"}
    present = python_dependencies(plan.root)
    missing = {name: versions for name, versions in wanted.items() if name not in present}
    path = _requirements_file(plan.root, present)
    data = plan.read(path) or b""
    note = f"depend on {', '.join(missing)}" if missing else ""
    lines = [name + versions for name, versions in missing.items()]
    if path != PYPROJECT:
        plan.write(path, add_lines(data, lines, heading="Workflow Studio"), note)
        return
    if not missing:
        plan.write(path, data)
        return
    try:
        plan.write(path, add_requirements(path, data, missing), note)
    except EditRefusedError as error:
        plan.manual.append(ManualStep(path, error.line, error.why, "\n".join(lines)))


def _requirements_file(root: Path, present: dict[str, str]) -> str:
    """Return the file that the app's own dependency on FastAPI is in, or else the one that is there."""
    _, _, file = present.get("fastapi", "").rpartition(" in ")
    if file:
        return file
    return next((name for name in (PYPROJECT, *REQUIREMENTS) if (root / name).is_file()), REQUIREMENTS[0])


def new_package_json(sdk_version: str) -> bytes:
    """Return a ``package.json`` for an app that has none: it names the Workflow SDK, which builds the workflows."""
    document = {"private": True, "type": "module", "dependencies": {"workflow": sdk_version}}
    return (json.dumps(document, indent=2) + "\n").encode()


def note_workflows(plan: Plan, prefix: str) -> None:
    """Say where workflows go, as long as there are none."""
    if not any((plan.root / folder).is_dir() for folder in (f"{prefix}workflows", "workflows")):
        plan.notes.append(
            f"Workflows are TypeScript, also here: write them in {prefix}workflows/, and `studio deploy` brings them "
            f"to the worker. Start them with proxy_trigger_from_fastapi of {PACKAGE}."
        )
