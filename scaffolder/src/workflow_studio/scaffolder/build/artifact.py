"""From an app's folder to ``.workflow-studio/dist/artifact.tgz``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from workflow_studio.compute.manifest import MANIFEST_NAME, Manifest
from workflow_studio.scaffolder.build.archive import describe_file, pack, write_atomically
from workflow_studio.scaffolder.build.packages import read_package_json
from workflow_studio.scaffolder.build.sdk import node_range, read_sdk
from workflow_studio.scaffolder.build.sdk_build import make_bundles
from workflow_studio.scaffolder.node import find_node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workflow_studio.scaffolder.build.sdk import Sdk
    from workflow_studio.scaffolder.build.sdk_build import Bundles
    from workflow_studio.scaffolder.node import NodeRuntime

STATE_DIR: Final = ".workflow-studio"
"""Folder in the app for what Workflow Studio makes there."""

ARTIFACT_PATH: Final = "dist/artifact.tgz"


@dataclass(frozen=True, slots=True)
class BuiltArtifact:
    """An artifact on disk.

    Attributes:
        path: The archive.
        manifest: What is in it.
        manifest_path: A copy of the manifest beside it.
        size: Bytes of the archive.
        warnings: What a person should know about it.
    """

    path: Path
    manifest: Manifest
    manifest_path: Path
    size: int
    warnings: tuple[str, ...] = ()


def build_artifact(
    app_dir: Path,
    *,
    output_dir: Path | None = None,
    node: NodeRuntime | None = None,
    progress: Callable[[str], None] | None = None,
) -> BuiltArtifact:
    """Build the workflows of an app and write the artifact.

    The same sources and packages give the same bytes, wherever and whenever they are built.

    Args:
        app_dir: The app's folder; its packages are installed.
        output_dir: Where to write; ``.workflow-studio`` in the app by default.
        node: The Node.js to build with; by default the one :func:`find_node` finds.
        progress: Called with the name of each stage as it begins.

    Raises:
        BuildError: If the app cannot be built.
        NodeNotFoundError: If there is no Node.js.
    """
    app_dir = app_dir.resolve()
    say = progress or (lambda _stage: None)
    read_package_json(app_dir / "package.json")
    sdk = read_sdk(app_dir)
    node = node or find_node()

    say("Building workflows")
    bundles = make_bundles(app_dir, sdk, node)

    say("Packing the artifact")
    manifest = describe_bundles(app_dir, sdk, bundles)
    archive = pack(manifest, bundles.files)
    target = output_dir or make_state_dir(app_dir)
    manifest_path = target / "tmp" / manifest.deployment_id / MANIFEST_NAME
    write_atomically(manifest_path, manifest.to_bytes())
    write_atomically(target / ARTIFACT_PATH, archive)
    return BuiltArtifact(
        path=target / ARTIFACT_PATH,
        manifest=manifest,
        manifest_path=manifest_path,
        size=len(archive),
        warnings=bundles.warnings,
    )


def describe_bundles(app_dir: Path, sdk: Sdk, bundles: Bundles) -> Manifest:
    """Return the manifest of what was built."""
    return Manifest.describe(
        files=tuple(describe_file(path, content) for path, content in bundles.files.items()),
        workflows=bundles.workflows,
        steps=bundles.steps,
        classes=bundles.classes,
        sdk=sdk.versions,
        node=node_range(app_dir),
    )


def make_state_dir(app_dir: Path) -> Path:
    """Return the app's state folder; a new one keeps itself out of Git, since an app need not be scaffolded."""
    folder = app_dir / STATE_DIR
    if not folder.exists():
        write_atomically(folder / ".gitignore", b"*\n")
    return folder
