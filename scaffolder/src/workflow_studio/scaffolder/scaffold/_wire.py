"""Planning the edits of files the user owns: the framework's config, package.json, tsconfig.json, .gitignore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workflow_studio.scaffolder.errors import EditRefusedError
from workflow_studio.scaffolder.scaffold._plan import ManualStep
from workflow_studio.scaffolder.scaffold._project import dependencies, read_package_json
from workflow_studio.scaffolder.scaffold._wire_python import (
    new_package_json,
    note_workflows,
    wire_app,
    wire_requirements,
)
from workflow_studio.scaffolder.scaffold.edits import JsonDocument, Source, add_lines

if TYPE_CHECKING:
    from workflow_studio.scaffolder.scaffold._detect import Detected
    from workflow_studio.scaffolder.scaffold._plan import Plan
    from workflow_studio.scaffolder.scaffold.frameworks import Framework

SDK_VERSION = "4.8.9"
"""The release of the Workflow SDK that apps are wired to."""
LOCAL_PACKAGE = "file:./workflow-studio"
_CONFIG_SUFFIXES = (".ts", ".mts", ".mjs", ".js", ".cjs", ".cts")


def wire(plan: Plan, framework: Framework, detected: Detected) -> None:
    """Plan every edit; an edit that is refused becomes a manual step."""
    if framework.language == "Python":
        wire_app(plan)
        wire_requirements(plan)
        _wire_package_json(plan, {"workflow": SDK_VERSION})
        _wire_gitignore(plan, framework)
        note_workflows(plan, f"{detected.src_dir}/" if detected.src_dir else "")
        return
    _wire_config(plan, framework)
    _wire_package_json(plan, _packages(plan, framework))
    _wire_tsconfig(plan)
    _wire_gitignore(plan, framework)
    prefix = f"{detected.src_dir}/" if detected.src_dir and framework.id == "nextjs" else ""
    for advice in framework.advice(prefix, dependencies(read_package_json(plan.root)), plan.text):
        if advice.snippet:
            plan.manual.append(ManualStep(advice.path, 1, advice.text, advice.snippet))
        else:
            plan.notes.append(f"{advice.path}: {advice.text}.")


def _wire_config(plan: Plan, framework: Framework) -> None:
    path = next(
        (framework.config_stem + suffix for suffix in _CONFIG_SUFFIXES if plan.read(framework.config_stem + suffix)),
        None,
    )
    if path is None:
        name, text = framework.new_config
        plan.write(name, text.encode(), "no config yet")
        return
    data = plan.read(path) or b""
    try:
        edited = framework.edit_config(Source.load(path, data)).dump()
    except (EditRefusedError, RecursionError) as error:
        refused = error if isinstance(error, EditRefusedError) else EditRefusedError("it is nested too deeply")
        plan.manual.append(ManualStep(path, refused.line, refused.why, framework.snippet))
        return
    wrappers = ", ".join(wrapper.symbol.name for wrapper in framework.wrappers)
    plan.write(path, edited, f"wrap in {wrappers}" if edited != data else "")


def _packages(plan: Plan, framework: Framework) -> dict[str, str]:
    present = dependencies(read_package_json(plan.root))
    # An app that has the framework has chosen what it builds with; Nitro 2 is for a person to replace.
    has_it = not present.keys().isdisjoint({*framework.packages, "nitropack"})
    of_framework = {} if has_it else framework.packages
    return {**of_framework, "workflow": SDK_VERSION, "workflow-studio": LOCAL_PACKAGE}


def _wire_package_json(plan: Plan, wanted: dict[str, str]) -> None:
    data = plan.read("package.json")
    if data is None:
        plan.write("package.json", new_package_json(wanted["workflow"]), "the Workflow SDK builds the workflows")
        return
    present = dependencies(read_package_json(plan.root))
    missing = {name: spec for name, spec in wanted.items() if name not in present}
    studio = present.get("workflow-studio", LOCAL_PACKAGE)
    if "workflow-studio" in wanted and not studio.startswith(("file:", "link:", "portal:", "workspace:")):
        why = f"workflow-studio is {studio!r}, but has to be the folder this command makes"
        plan.manual.append(ManualStep("package.json", 1, why, f'"workflow-studio": "{LOCAL_PACKAGE}"'))
    sdk = present.get("workflow", SDK_VERSION)
    if sdk.lstrip("^~=v ").split(".", 1)[0] != SDK_VERSION.split(".", 1)[0]:
        plan.notes.append(f"package.json: workflow is {sdk}; Studio is tested with {SDK_VERSION}.")
    try:
        document = JsonDocument.load("package.json", data)
        for name, spec in missing.items():
            document = document.set_default(("dependencies", name), spec, in_order=True)
    except EditRefusedError as error:
        lines = ",\n".join(f'"{name}": "{spec}"' for name, spec in missing.items())
        plan.manual.append(ManualStep("package.json", error.line, error.why, lines))
        return
    plan.write("package.json", document.dump(), f"depend on {', '.join(missing)}" if missing else "")


def _wire_tsconfig(plan: Plan) -> None:
    """Add the SDK's editor plugin: a comfort, so a file that cannot be edited is only mentioned."""
    data = plan.read("tsconfig.json")
    if data is None:
        return
    try:
        document = JsonDocument.load("tsconfig.json", data)
        plugins = document.get("compilerOptions", "plugins") or []
        if not any(isinstance(plugin, dict) and plugin.get("name") == "workflow" for plugin in plugins):
            document = document.append(("compilerOptions", "plugins"), {"name": "workflow"})
    except (EditRefusedError, TypeError) as error:
        why = error.why if isinstance(error, EditRefusedError) else "plugins is not a list"
        plan.notes.append(f"tsconfig.json was left alone ({why}); the editor plugin is optional.")
        return
    edited = document.dump()
    plan.write("tsconfig.json", edited, "the SDK's editor plugin" if edited != data else "")


def _wire_gitignore(plan: Plan, framework: Framework) -> None:
    data = plan.read(".gitignore")
    edited = add_lines(data or b"", framework.gitignore, heading="The Workflow SDK and Workflow Studio")
    plan.write(".gitignore", edited, "what builds and local runs leave" if edited != data else "")
