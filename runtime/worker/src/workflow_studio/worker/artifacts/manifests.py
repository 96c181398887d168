"""The manifest of an uploaded artifact: read, and judged before any other file is looked at."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import nodesemver  # type: ignore[import-untyped]  # has no type information
from pydantic import ValidationError
from pydantic_core import from_json

from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.manifest import FORMAT_VERSION, Manifest
from workflow_studio.worker.artifacts.errors import REBUILD, ArtifactError, too_large

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workflow_studio.worker.artifacts.limits import ArtifactLimits

SPEC_VERSIONS: Final = frozenset({3})
"""The World protocols that executors speak."""

_MAX_RANGE: Final = 200

PACKAGE_FILE: Final = "package.json"
"""Written by the worker beside the bundles, to have Node.js read them as CommonJS."""


NodeVersion = tuple[int, int, int]
"""Major, minor and patch of a Node.js."""


def read_manifest(content: bytes, limits: ArtifactLimits, nodes: Sequence[NodeVersion] = ()) -> Manifest:
    """Return the manifest that ``content`` holds.

    Args:
        content: The manifest as JSON.
        limits: How large what it describes may be.
        nodes: The Node.js that there are to run it; none if that does not matter.

    Raises:
        ArtifactError: If it is malformed, contradicts itself, wants more than this worker can give, or describes files
            that would pass a limit or get in each other's way.
    """
    try:
        document = from_json(content)
    except ValueError as error:
        raise _invalid(f"The manifest is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise _invalid("The manifest is not a JSON object.")
    _refuse_unsupported(document)
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise _explained(error) from error
    _refuse_large(manifest, limits)
    _refuse_colliding([file.path for file in manifest.files])
    if nodes:
        _refuse_other_node(manifest.node, [".".join(map(str, node)) for node in nodes])
    return manifest


def _invalid(message: str) -> ArtifactError:
    return ArtifactError(ErrorCode.INVALID_MANIFEST, message)


def _refuse_unsupported(document: dict[str, Any]) -> None:
    if (version := document.get("formatVersion")) != FORMAT_VERSION:
        raise ArtifactError(
            ErrorCode.UNSUPPORTED_ARTIFACT,
            f"The artifact's format version is {_short(version)}; this worker reads {FORMAT_VERSION}.",
            "Use versions of `studio` and the worker that belong together.",
        )
    sdk = document.get("sdk")
    spec_version = sdk.get("specVersion") if isinstance(sdk, dict) else None
    if isinstance(spec_version, int) and spec_version not in SPEC_VERSIONS:
        raise ArtifactError(
            ErrorCode.UNSUPPORTED_ARTIFACT,
            f"The artifact speaks World protocol {_short(spec_version)}; this worker runs 3, that of `workflow` 4.",
            "Install `workflow@4` in the app and build it again.",
        )


def _explained(error: ValidationError) -> ArtifactError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])[:200]
    message = first["msg"].removeprefix("Value error, ")
    if not place and message.startswith("digest is "):
        return ArtifactError(ErrorCode.DIGEST_MISMATCH, f"The manifest's {message}.")
    if not place and message.startswith("deploymentId is "):
        return ArtifactError(ErrorCode.INVALID_DEPLOYMENT_ID, f"The manifest's {message}.")
    return _invalid(f"The manifest is wrong{f' at {place}' if place else ''}: {message}.")


def _refuse_other_node(wanted: str, versions: list[str]) -> None:
    if len(wanted) > _MAX_RANGE or nodesemver.valid_range(wanted, loose=False) is None:
        raise _invalid(f"The manifest is wrong at node: {_short(wanted)} is not a range of versions.")
    if not any(nodesemver.satisfies(version, wanted, loose=False) for version in versions):
        raise ArtifactError(
            ErrorCode.UNSUPPORTED_ARTIFACT,
            f"The artifact wants Node.js {_short(wanted)}; this worker runs {' or '.join(versions)}.",
            "Give the worker such a Node.js (its setting `node`), or build the app for the one it has.",
        )


def _refuse_large(manifest: Manifest, limits: ArtifactLimits) -> None:
    if len(manifest.files) > limits.files:
        raise too_large("The number of files", limits.files, "files")
    for file in manifest.files:
        if file.size > limits.file:
            raise too_large(f"The size of {file.path}", limits.file, "bytes")
    if sum(file.size for file in manifest.files) > limits.unpacked:
        raise too_large("The size of all files", limits.unpacked, "bytes")


def _refuse_colliding(paths: list[str]) -> None:
    """Refuse paths that cannot all exist, on a file system that ignores case too."""
    taken: set[str] = {PACKAGE_FILE}
    for path in paths:
        if path.casefold() in taken:
            raise ArtifactError(ErrorCode.INVALID_MANIFEST, f"The path {path} is taken already.", REBUILD)
        taken.add(path.casefold())
    for path in paths:
        for parent in PurePosixPath(path.casefold()).parents:
            if str(parent) in taken:
                raise _invalid(f"The path {path} leads through a file.")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
