"""Run the app's own ``workflow build`` and take what it made, leaving the app's folder as it was."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from workflow_studio.compute.manifest import FLOW_BUNDLE, GRAPH_NAME, STEP_BUNDLE, WEBHOOK_BUNDLE
from workflow_studio.scaffolder.build.sources import names_folder, portable
from workflow_studio.scaffolder.errors import BuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from workflow_studio.scaffolder.build.sdk import Sdk
    from workflow_studio.scaffolder.node import NodeRuntime

BUNDLE_DIR: Final = Path(".well-known/workflow/v1")
"""Where ``workflow build`` writes, below the app (source: ``@workflow/cli`` 4.3.13, ``getWorkflowConfig``)."""

SDK_MANIFEST: Final = "manifest.json"
"""The SDK's name for its own manifest."""

_HOOKS: Final = Path(__file__).with_name("builder_hooks.mjs")
_OUTPUT_LINES: Final = 40
# Some would move the output or make it depend on the shell (source: @workflow/cli 4.3.13 and @workflow/builders 4.x,
# every use of `process.env`), and the command loads the World that one of them names (tried with workflow 4.8.9).
_UNSET_PREFIXES: Final = ("WORKFLOW_", "VERCEL_DEPLOYMENT_ID")
_NO_WORKFLOWS: Final = (
    "A workflow is a function whose body begins with the directive 'use workflow', alone on its line:\n"
    "\n"
    "  export async function greet(name: string) {\n"
    "    'use workflow';\n"
    "    ..."
)


@dataclass(frozen=True, slots=True)
class Bundles:
    """What the SDK made of the app's workflows.

    Attributes:
        files: Content by path in the artifact.
        workflows: Workflow ids.
        steps: Step ids.
        classes: Ids of serializable classes.
        warnings: What a person should know; the bundles are usable all the same.
    """

    files: Mapping[str, bytes]
    workflows: tuple[str, ...]
    steps: tuple[str, ...]
    classes: tuple[str, ...]
    warnings: tuple[str, ...]


def make_bundles(app_dir: Path, sdk: Sdk, node: NodeRuntime) -> Bundles:
    """Build, check and read the bundles of an app.

    Args:
        app_dir: The app's folder, absolute, links resolved: workflow ids are relative to it.
        sdk: The app's Workflow SDK.
        node: The Node.js to build with.

    Raises:
        BuildError: If the build fails or what it made is not usable.
    """
    with _scratch_output(app_dir):
        command = [str(node.node), "--import", _HOOKS.as_uri(), str(sdk.command), "build"]
        _run(command, app_dir, node, what="`workflow build`")
        made = app_dir / BUNDLE_DIR
        contents = {name: read_output(made / name) for name in (FLOW_BUNDLE, STEP_BUNDLE, WEBHOOK_BUNDLE)}
        graph = parse_graph(app_dir, read_output(made / SDK_MANIFEST))
        contents[WEBHOOK_BUNDLE] = _bundle_webhook(app_dir, sdk, node)
    return assemble(app_dir, contents, graph)


def assemble(
    app_dir: Path,
    contents: Mapping[str, bytes],
    graph: dict[str, Any],
    make_portable: Callable[[bytes, Path], bytes] = portable,
) -> Bundles:
    """Check what the SDK made and put it in the form of an artifact.

    Args:
        app_dir: The app's folder.
        contents: The three bundles by name, the webhook's bundled already.
        graph: The SDK's manifest, of :func:`parse_graph`.
        make_portable: Takes the paths of this machine out of a bundle.

    Raises:
        BuildError: If a bundle lacks what the manifest names.
    """
    workflows, steps, classes = (_ids(graph, kind) for kind in ("workflow", "step", "class"))
    _check_defined(FLOW_BUNDLE, contents[FLOW_BUNDLE], workflows)
    _check_defined(STEP_BUNDLE, contents[STEP_BUNDLE], steps)
    files = {name: make_portable(code, app_dir) for name, code in contents.items()}
    warnings = tuple(
        f"{name} holds the path of this folder, so the same code built elsewhere is another deployment."
        for name, code in sorted(files.items())
        if names_folder(code, app_dir)
    )
    files[GRAPH_NAME] = (json.dumps(graph, sort_keys=True, separators=(",", ":"), ensure_ascii=False) + "\n").encode()
    return Bundles(files=files, workflows=workflows, steps=steps, classes=classes, warnings=warnings)


def build_environment(node: NodeRuntime) -> dict[str, str]:
    """Return the environment for the SDK's build: nothing of this shell's settings for workflows reaches it."""
    environment = {name: value for name, value in node.environment().items() if not name.startswith(_UNSET_PREFIXES)}
    return {**environment, "NO_COLOR": "1"}


@contextmanager
def _scratch_output(app_dir: Path) -> Iterator[None]:
    """Remove the SDK's output folder at the end, and the folders above it, unless it was there before."""
    folders = [app_dir / BUNDLE_DIR, *(app_dir / parent for parent in BUNDLE_DIR.parents if parent.name)]
    created = [folder for folder in folders if not folder.exists()]
    try:
        yield
    finally:
        # From the innermost out: what else somebody put into an outer folder meanwhile stays.
        for folder in created:
            if folder == folders[0]:
                shutil.rmtree(folder, ignore_errors=True)
            elif folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _run(command: Sequence[str], app_dir: Path, node: NodeRuntime, *, what: str) -> str:
    """Run a program in the app's folder and return its standard output."""
    try:
        result = subprocess.run(  # noqa: S603 - the app's own build, in the user's name
            command,
            cwd=app_dir,
            env=build_environment(node),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise BuildError(f"{what} could not be started: {error}", code="build_failed") from error
    if result.returncode != 0:
        lines = f"{result.stdout}\n{result.stderr}".strip().splitlines()
        raise BuildError(
            f"{what} failed in {app_dir} (exit status {result.returncode}).",
            code="build_failed",
            hint="Its output:\n" + "\n".join(lines[-_OUTPUT_LINES:]) if lines else "It printed nothing.",
        )
    return result.stdout


def read_output(path: Path) -> bytes:
    """Return a file that the SDK made.

    Raises:
        BuildError: If it is missing or empty.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BuildError(
            f"The Workflow SDK made no {path.name}.",
            code="incomplete_build",
            hint="Check that the package workflow is complete: remove node_modules and run npm install.",
        ) from error
    if not content.strip():
        raise BuildError(f"The Workflow SDK made an empty {path.name}.", code="incomplete_build")
    return content


def parse_graph(app_dir: Path, content: bytes) -> dict[str, Any]:
    """Return the SDK's manifest.

    Raises:
        BuildError: If it has a form this version does not know, or names no workflow.
    """
    try:
        manifest = json.loads(content)
    except ValueError as error:
        raise BuildError(f"The Workflow SDK's manifest is not JSON: {error}", code="incomplete_build") from error
    if not isinstance(manifest, dict):
        raise BuildError("The Workflow SDK's manifest is not a JSON object.", code="incomplete_build")
    if not _ids(manifest, "workflow"):
        raise BuildError(f"No workflow was found in {app_dir}.", code="no_workflows", hint=_NO_WORKFLOWS)
    return manifest


def _ids(manifest: dict[str, Any], kind: str) -> tuple[str, ...]:
    """Return the ids of one kind: ``{"<kind>s": {file: {name: {"<kind>Id": id}}}}`` (``classes`` for ``class``)."""
    by_file = manifest.get("classes" if kind == "class" else f"{kind}s") or {}
    try:
        return tuple(sorted({str(entry[f"{kind}Id"]) for names in by_file.values() for entry in names.values()}))
    except (AttributeError, KeyError, TypeError) as error:
        raise BuildError(
            f"The Workflow SDK's manifest has a form this version does not know ({kind}).", code="incomplete_build"
        ) from error


def _check_defined(name: str, code: bytes, ids: Sequence[str]) -> None:
    # The workflow bundle embeds its code in a template literal, where these are escaped.
    for identifier in ids:
        escaped = identifier.replace("\\", "\\\\").replace("`", "\\`").replace("${", "\\${")
        if all(form.encode() not in code for form in (identifier, escaped, json.dumps(identifier)[1:-1])):
            raise BuildError(
                f"{name} does not define {identifier}, which the Workflow SDK's manifest names.",
                code="incomplete_build",
                hint="Remove .well-known/workflow and build again.",
            )


def _bundle_webhook(app_dir: Path, sdk: Sdk, node: NodeRuntime) -> bytes:
    script = Path(__file__).with_name("bundle.cjs")
    with tempfile.TemporaryDirectory(prefix="workflow-studio-") as scratch:
        bundle = Path(scratch) / WEBHOOK_BUNDLE
        command = [node.node, script, app_dir, app_dir / BUNDLE_DIR, sdk.esbuild.directory, bundle]
        answer = _run([os.fspath(part) for part in command], app_dir, node, what="Bundling the webhook handler")
        problems = json.loads(answer)["problems"]
        if problems:
            raise BuildError(
                f"What `workflow build` made is not usable: {'; '.join(problems)}.", code="incomplete_build"
            )
        return bundle.read_bytes()
