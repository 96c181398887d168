"""Planning the edits of files the user owns: the framework's config, package.json, tsconfig.json, .gitignore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold._plan import ManualStep
from workflow_studio.scaffolder.scaffold._project import dependencies, read_bytes, read_package_json
from workflow_studio.scaffolder.scaffold._wire_json import wire_json
from workflow_studio.scaffolder.scaffold._wire_package import LOCAL_PACKAGE, wire_package_json
from workflow_studio.scaffolder.scaffold._wire_python import (
    new_package_json,
    note_workflows,
    wire_app,
    wire_requirements,
)
from workflow_studio.scaffolder.scaffold.edits import JsonDocument, Source, add_lines
from workflow_studio.scaffolder.scaffold.frameworks import App

if TYPE_CHECKING:
    from collections.abc import Mapping

    from workflow_studio.scaffolder.scaffold._detect import Detected
    from workflow_studio.scaffolder.scaffold._plan import Plan
    from workflow_studio.scaffolder.scaffold.frameworks import ConfigFile, Framework

SDK_VERSION = "4.8.9"
"""The release of the Workflow SDK that apps are wired to."""
CONFIG_SUFFIXES = (".ts", ".mts", ".mjs", ".js", ".cjs", ".cts")
TYPE_CONFIGS = ("tsconfig.json", "jsconfig.json")
_PACKAGE = "package.json"


def wire(plan: Plan, framework: Framework, detected: Detected, answers: Mapping[str, Any] | None = None) -> None:
    """Plan every edit; an edit that is refused becomes a manual step."""
    app = app_of(plan, detected, answers or {})
    framework = framework.variant(framework, app)
    if framework.language == "Python":
        wire_app(plan, framework.id)
        wire_requirements(plan, framework.id)
        if plan.read(_PACKAGE) is None:
            plan.write(_PACKAGE, new_package_json(SDK_VERSION), "the Workflow SDK builds the workflows")
        else:
            wire_package_json(plan, framework, app, {"workflow": SDK_VERSION})
        wire_gitignore(plan, framework)
        note_workflows(plan, app.src, framework.id)
        return
    for config in framework.configs:
        if config.when(app):
            _wire_config(plan, config)
    wire_package_json(plan, framework, app, {"workflow": SDK_VERSION, "workflow-studio": LOCAL_PACKAGE})
    wire_json(plan, [edit for edit in framework.json_edits if edit.file != _PACKAGE and edit.when(app)])
    if framework.editor_plugin:
        wire_tsconfig(plan)
    wire_gitignore(plan, framework)
    for advice in framework.advice(app):
        if advice.snippet:
            plan.manual.append(ManualStep(advice.path, advice.line, advice.text, advice.snippet))
        else:
            plan.notes.append(f"{advice.path}: {advice.text}.")


def app_of(plan: Plan, detected: Detected, answers: Mapping[str, Any]) -> App:
    """Return what edits depend on."""
    package = read_package_json(plan.root) if read_bytes(plan.root, _PACKAGE) is not None else {}
    src = f"{detected.src_dir}/" if detected.src_dir else ""
    return App(src, dependencies(package), plan.text, typescript=detected.typescript, answers=answers)


def find_config(plan: Plan, config: ConfigFile) -> str | None:
    """Return the path of a config file that is there."""
    paths = (config.stem + suffix for suffix in CONFIG_SUFFIXES)
    return next((path for path in paths if plan.read(path) is not None), None)


def _wire_config(plan: Plan, config: ConfigFile) -> None:
    path = find_config(plan, config)
    # An empty file is as good as none; a new one would hide it, so it is the one that is filled.
    if config.new is not None and (path is None or not (plan.read(path) or b"").strip()):
        name, text = config.new
        plan.write(path or name, text.encode(), "no config yet")
        return
    if path is None:
        if not config.optional:
            plan.manual.append(ManualStep(f"{config.stem}.ts", 1, "the file was not found", config.snippet))
        return
    data = plan.read(path) or b""
    try:
        edited = config.edit(Source.load(path, data)).dump()
    except (EditRefusedError, RecursionError) as error:
        refused = error if isinstance(error, EditRefusedError) else EditRefusedError("it is nested too deeply")
        plan.manual.append(ManualStep(path, refused.line, refused.why, config.snippet))
        return
    titles = "; ".join(edit.title for edit in config.edits)
    plan.write(path, edited, titles if edited != data else "")


def wire_tsconfig(plan: Plan) -> None:
    """Add the SDK's editor plugin: a comfort, so a file that cannot be edited is only mentioned."""
    path = next((name for name in TYPE_CONFIGS if plan.read(name) is not None), None)
    if path is None:
        return
    data = plan.read(path) or b""
    try:
        document = JsonDocument.load(path, data)
        plugins = document.get("compilerOptions", "plugins") or []
        if not any(isinstance(plugin, dict) and plugin.get("name") == "workflow" for plugin in plugins):
            document = document.append(("compilerOptions", "plugins"), {"name": "workflow"})
    except (EditRefusedError, TypeError) as error:
        why = error.why if isinstance(error, EditRefusedError) else "plugins is not a list"
        plan.notes.append(f"{path} was left alone ({why}); the editor plugin is optional.")
        return
    edited = document.dump()
    plan.write(path, edited, "the SDK's editor plugin" if edited != data else "")


def wire_gitignore(plan: Plan, framework: Framework) -> None:
    data = plan.read(".gitignore")
    edited = add_lines(data or b"", framework.gitignore, heading="The Workflow SDK and Workflow Studio")
    plan.write(".gitignore", edited, "what builds and local runs leave" if edited != data else "")
