"""``studio build``: the app's workflows into an artifact."""

# Typer reads the annotations when the command runs, so they are not postponed here.
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from workflow_studio.scaffolder.build.artifact import BuiltArtifact, build_artifact
from workflow_studio.scaffolder.cli import DirectoryOption, JsonFlag, add
from workflow_studio.scaffolder.output import Output, get_output

OutputOption = Annotated[
    Path | None, typer.Option("--output-dir", help="Where to write; .workflow-studio in the app by default.")
]


def register(app: typer.Typer) -> None:
    """Add ``studio build``."""
    add(app, "build", build, examples=("studio build -C apps/web",))


def build(*, directory: DirectoryOption = Path(), output_dir: OutputOption = None, json: JsonFlag = False) -> None:  # noqa: ARG001
    """Build this app's workflows into an artifact."""
    output = get_output()
    started = time.monotonic()
    built = run_build(output, directory, output_dir)
    output.print(f"Deployment {built.manifest.deployment_id}")
    output.print(f"Artifact   {_shown(built.path)} ({megabytes(built.size)})")
    output.print(f"Contents   {summary(built)}")
    output.document({**build_document(built), "seconds": round(time.monotonic() - started, 2)})


def run_build(output: Output, directory: Path, output_dir: Path | None = None) -> BuiltArtifact:
    """Build an artifact, showing each stage.

    Raises:
        BuildError: If the app cannot be built.
        NodeNotFoundError: If there is no Node.js.
    """
    with ExitStack() as whole:
        stage = whole.enter_context(ExitStack())

        def next_stage(text: str) -> None:
            stage.close()
            stage.enter_context(output.status(text))

        built = build_artifact(directory, output_dir=output_dir, progress=next_stage)
    for warning in built.warnings:
        output.warn(warning)
    return built


def build_document(built: BuiltArtifact) -> dict[str, object]:
    """Return the members of a ``--json`` document that describe an artifact."""
    manifest = built.manifest
    return {
        "deploymentId": manifest.deployment_id,
        "digest": manifest.digest,
        "artifact": str(built.path),
        "manifest": str(built.manifest_path),
        "size": built.size,
        "workflows": list(manifest.workflows),
        "steps": list(manifest.steps),
        "sdk": manifest.sdk.model_dump(mode="json"),
        "node": manifest.node,
    }


def summary(built: BuiltArtifact) -> str:
    """Return what is in an artifact, in a few words."""
    manifest = built.manifest
    workflows = f"{len(manifest.workflows)} workflow{'' if len(manifest.workflows) == 1 else 's'}"
    # Every bundle has a few steps of the SDK itself, which say nothing about the app.
    own = [step for step in manifest.steps if not step.startswith(("__builtin_", "step//workflow@"))]
    steps = f"{len(own)} step{'' if len(own) == 1 else 's'}"
    return f"{workflows}, {steps}, workflow {manifest.sdk.workflow}, Node.js {manifest.node}"


def megabytes(size: int) -> str:
    """Return a size as ``3.4 MB``."""
    return f"{size / 1e6:.1f} MB"


def _shown(path: Path) -> str:
    """Return a path as a person in the current folder would type it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
