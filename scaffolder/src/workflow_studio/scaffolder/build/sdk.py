"""Which Workflow SDK an app has, and which Node.js it asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import nodesemver  # type: ignore[import-untyped]  # has no type information

from workflow_studio.compute.manifest import SdkVersions
from workflow_studio.scaffolder.build.packages import Package, find_package, read_package_json, require_chain
from workflow_studio.scaffolder.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_NODE_RANGE: Final = ">=20"
SPEC_VERSIONS: Final = {4: 3}
"""Major version of ``@workflow/core`` to the World protocol it speaks (source: ``@workflow/world`` 4.5.0, spec 3)."""


@dataclass(frozen=True, slots=True)
class Sdk:
    """The Workflow SDK of one app.

    Attributes:
        versions: What the manifest records.
        workflow: The package ``workflow``.
        esbuild: The bundler that the SDK itself uses.
    """

    versions: SdkVersions
    workflow: Package
    esbuild: Package

    @property
    def command(self) -> Path:
        """The script behind the ``workflow`` command.

        Raises:
            BuildError: If the package has no such command.
        """
        entry: Any = self.workflow.manifest.get("bin")
        script = entry.get("workflow") if isinstance(entry, dict) else entry
        if not isinstance(script, str):
            raise BuildError(f"The package workflow {self.workflow.version} has no command.", code="unsupported_sdk")
        return self.workflow.directory / script


def read_sdk(app_dir: Path) -> Sdk:
    """Return the Workflow SDK that is installed in an app.

    Args:
        app_dir: The app's folder.

    Raises:
        BuildError: If there is none, it is incomplete, or its line is not supported.
    """
    workflow = find_package("workflow", app_dir)
    if workflow is None:
        declared = read_package_json(app_dir / "package.json")
        named = any("workflow" in (declared.get(kind) or {}) for kind in ("dependencies", "devDependencies"))
        raise BuildError(
            f"The Workflow SDK (npm package workflow) is not installed in {app_dir}.",
            code="sdk_not_installed",
            hint="Run: npm install" if named else "Run: npm install workflow@4",
        )
    core = require_chain(workflow.directory, "@workflow/core")
    spec_version = SPEC_VERSIONS.get(_major(core))
    if spec_version is None:
        supported = ", ".join(f"{major}.x" for major in SPEC_VERSIONS)
        raise BuildError(
            f"@workflow/core {core.version} (workflow {workflow.version}) is not supported.",
            code="unsupported_sdk",
            hint=f"Supported: @workflow/core {supported}. Run: npm install workflow@4",
        )
    return Sdk(
        versions=SdkVersions(workflow=workflow.version, core=core.version, spec_version=spec_version),
        workflow=workflow,
        esbuild=require_chain(workflow.directory, "@workflow/cli", "@workflow/builders", "esbuild"),
    )


def node_range(app_dir: Path) -> str:
    """Return the app's ``engines.node`` when it is a valid range, else :data:`DEFAULT_NODE_RANGE`."""
    engines = read_package_json(app_dir / "package.json").get("engines")
    wanted = engines.get("node") if isinstance(engines, dict) else None
    if not isinstance(wanted, str) or not wanted.strip() or nodesemver.valid_range(wanted, loose=False) is None:
        return DEFAULT_NODE_RANGE
    return " ".join(wanted.split())


def _major(package: Package) -> int:
    major = package.version.partition(".")[0]
    return int(major) if major.isdigit() else -1
