"""Planning properties of JSON files: scripts, and the options of a framework's own tool."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold._plan import ManualStep
from workflow_studio.scaffolder.scaffold.edits import JsonDocument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow_studio.scaffolder.scaffold._plan import Plan
    from workflow_studio.scaffolder.scaffold.frameworks import JsonSet


def wire_json(plan: Plan, edits: Sequence[JsonSet]) -> None:
    """Plan the properties of JSON files; one that has another value is a manual step."""
    for file in dict.fromkeys(edit.file for edit in edits):
        own = [edit for edit in edits if edit.file == file]
        data = plan.read(file)
        if data is None and not any(edit.create for edit in own):
            continue
        try:
            document = JsonDocument.load(file, data if data is not None else b"{}\n")
        except EditRefusedError as error:
            plan.manual.append(ManualStep(file, error.line, error.why, "\n".join(_snippet(edit) for edit in own)))
            continue
        for edit in own:
            document = set_json(plan, document, edit)
        edited = document.dump()
        plan.write(file, edited, "; ".join(edit.why for edit in own) if edited != data else "")


def set_json(plan: Plan, document: JsonDocument, edit: JsonSet) -> JsonDocument:
    """Return the document with the property, or plan a manual step when it has another value."""
    try:
        if not document.has(*edit.path):
            return document.set_default(edit.path, edit.value)
        value = document.get(*edit.path)
        if value == edit.value:
            return document
        if value in edit.replaces:
            return document.replace(edit.path, edit.value)
    except EditRefusedError as error:
        plan.manual.append(ManualStep(edit.file, error.line, error.why, _snippet(edit)))
        return document
    if edit.required:
        why = f"{'.'.join(edit.path)} is {json.dumps(value)}: {edit.why}"
        plan.manual.append(ManualStep(edit.file, document.line(*edit.path), why, _snippet(edit)))
    return document


def _snippet(edit: JsonSet) -> str:
    value = {edit.path[-1]: edit.value}
    for key in reversed(edit.path[:-1]):
        value = {key: value}
    return json.dumps(value, indent=2)
