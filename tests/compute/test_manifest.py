from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from pydantic import ValidationError

from workflow_studio.compute.manifest import ArtifactFile, Manifest, SdkVersions


def file_of(path: str, content: bytes = b"x") -> ArtifactFile:
    return ArtifactFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def manifest(**changes: Any) -> Manifest:
    parts: dict[str, Any] = {
        "files": (file_of("webhook.js"), file_of("step.js"), file_of("flow.js")),
        "workflows": ("workflow//./b//b", "workflow//./a//a"),
        "steps": ("step//./a//s",),
        "classes": (),
        "sdk": SdkVersions(workflow="4.8.9", core="4.8.9", spec_version=3),
        "node": ">=20",
    }
    return Manifest.describe(**{**parts, **changes})


def test_the_order_of_the_input_does_not_matter() -> None:
    turned = manifest(files=(file_of("flow.js"), file_of("step.js"), file_of("webhook.js")))
    assert turned == manifest()
    assert turned.to_bytes() == manifest().to_bytes()


def test_it_reads_what_it_writes() -> None:
    assert Manifest.model_validate_json(manifest().to_bytes()) == manifest()


def test_another_byte_of_content_is_another_deployment() -> None:
    changed = manifest(files=(file_of("flow.js", b"y"), file_of("step.js"), file_of("webhook.js")))
    assert changed.deployment_id != manifest().deployment_id


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("workflows", ["workflow//./other//w"], "digest is"),
        ("deploymentId", "dep_" + "0" * 32, "deploymentId is"),
        ("files", [], "files must include"),
        ("formatVersion", 2, "formatVersion"),
        ("extra", 1, "extra"),
    ],
)
def test_a_tampered_manifest_is_refused(field: str, value: object, complaint: str) -> None:
    document = json.loads(manifest().to_bytes())
    document[field] = value
    with pytest.raises(ValidationError, match=complaint):
        Manifest.model_validate(document)


@pytest.mark.parametrize(
    "path", ["/flow.js", "../flow.js", "a/../b", ".hidden", "a//b", "a\\b", "", "a/", "x" * 300, "a\nb"]
)
def test_a_path_that_could_leave_the_folder_is_refused(path: str) -> None:
    with pytest.raises(ValidationError):
        file_of(path)


def test_a_path_named_twice_is_refused() -> None:
    with pytest.raises(ValidationError, match="name each path once"):
        manifest(files=(file_of("flow.js"), file_of("flow.js"), file_of("step.js"), file_of("webhook.js")))
