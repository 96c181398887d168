"""The artifact: what ``studio build`` writes and the worker runs.

An artifact is a gzip-compressed tar archive. Its first member is ``manifest.json``, a :class:`Manifest`; the others are
exactly the manifest's ``files``. A deployment is addressed by content: its id follows from the digest, the digest from
the files and from what is needed to run them, and nothing else (no time, no host, no path).
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from workflow_studio.compute.ids import deployment_id

FORMAT_VERSION: Final = 1
MANIFEST_NAME: Final = "manifest.json"
FLOW_BUNDLE: Final = "flow.js"
STEP_BUNDLE: Final = "step.js"
WEBHOOK_BUNDLE: Final = "webhook.js"
GRAPH_NAME: Final = "workflows.json"
"""The Workflow SDK's own manifest with the workflow graphs, keys sorted."""
REQUIRED_FILES: Final = frozenset({FLOW_BUNDLE, STEP_BUNDLE, WEBHOOK_BUNDLE})

Sha256Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FilePath = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*(/[A-Za-z0-9_][A-Za-z0-9_.-]*)*$", max_length=200)
]


class _Model(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, serialize_by_alias=True
    )


class ArtifactFile(_Model):
    """One file of the artifact.

    Attributes:
        path: Relative path with forward slashes; no segment starts with a dot.
        sha256: SHA-256 of the content, in hexadecimal.
        size: Length in bytes.
    """

    path: FilePath
    sha256: Sha256Hex
    size: int = Field(ge=0)


class SdkVersions(_Model):
    """The Workflow SDK that made the bundles.

    Attributes:
        workflow: Version of the ``workflow`` package.
        core: Version of ``@workflow/core``, whose runtime is inside the bundles.
        spec_version: The World protocol the bundles speak: 3 for the 4.x line.
    """

    workflow: str
    core: str
    spec_version: int = Field(ge=2, le=7)


class Manifest(_Model):
    """What is in an artifact and what it takes to run it.

    Attributes:
        format_version: Version of this format.
        deployment_id: Derived from ``digest``.
        digest: ``sha256:`` and the digest of everything else here; see :func:`content_digest`.
        files: All files but the manifest itself, sorted by path.
        workflows: Workflow ids, such as ``workflow//./workflows/order//processOrder``, sorted.
        steps: Step ids, sorted.
        classes: Ids of serializable classes, sorted.
        sdk: The Workflow SDK that made the bundles.
        node: The Node.js versions that may run them, as an npm range (``>=20``).
    """

    format_version: Literal[1] = FORMAT_VERSION
    deployment_id: str
    digest: str
    files: tuple[ArtifactFile, ...]
    workflows: tuple[str, ...]
    steps: tuple[str, ...]
    classes: tuple[str, ...] = ()
    sdk: SdkVersions
    node: str = ">=20"

    @model_validator(mode="after")
    def _is_consistent(self) -> Manifest:
        paths = [file.path for file in self.files]
        if paths != sorted(set(paths)):
            raise ValueError("files must be sorted by path and name each path once")
        if missing := REQUIRED_FILES - set(paths):
            raise ValueError(f"files must include {', '.join(sorted(missing))}")
        if MANIFEST_NAME in paths:
            raise ValueError(f"files must not include {MANIFEST_NAME} itself")
        expected = content_digest(self.model_dump(mode="json"))
        if self.digest != expected:
            raise ValueError(f"digest is {self.digest}, but the content has {expected}")
        if self.deployment_id != deployment_id(self.digest):
            raise ValueError(f"deploymentId is {self.deployment_id}, but the digest gives {deployment_id(self.digest)}")
        return self

    @classmethod
    def describe(
        cls,
        *,
        files: tuple[ArtifactFile, ...],
        workflows: tuple[str, ...],
        steps: tuple[str, ...],
        classes: tuple[str, ...],
        sdk: SdkVersions,
        node: str,
    ) -> Manifest:
        """Return the manifest of these files, with the digest and the deployment id worked out."""
        content = {
            "formatVersion": FORMAT_VERSION,
            "files": [file.model_dump(mode="json") for file in sorted(files, key=lambda file: file.path)],
            "workflows": sorted(workflows),
            "steps": sorted(steps),
            "classes": sorted(classes),
            "sdk": sdk.model_dump(mode="json"),
            "node": node,
        }
        digest = content_digest(content)
        return cls.model_validate({**content, "digest": digest, "deploymentId": deployment_id(digest)})

    def to_bytes(self) -> bytes:
        """Return the manifest as the artifact holds it: JSON, keys sorted, two spaces, one newline at the end."""
        return (json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n").encode()


def content_digest(content: dict[str, object]) -> str:
    """Return ``sha256:`` and the digest of a manifest's content.

    Args:
        content: The manifest as JSON; ``digest`` and ``deploymentId`` are left out of the sum.
    """
    rest = {key: value for key, value in content.items() if key not in {"digest", "deploymentId"}}
    canonical = json.dumps(rest, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
