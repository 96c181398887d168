"""Archives to upload: right ones, and the parts to make wrong ones of."""

import gzip
import hashlib
import io
import json
import tarfile

from workflow_studio.compute.manifest import ArtifactFile, Manifest, SdkVersions, content_digest

FILES = {"flow.js": b"exports.flow = 1;", "step.js": b"exports.step = 1;", "webhook.js": b"", "lib/a.js": b"x" * 1000}


def manifest_of(files=FILES, **changes):
    described = Manifest.describe(
        files=tuple(
            ArtifactFile(path=path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
            for path, content in sorted(files.items())
        ),
        workflows=("workflow//./w//f",),
        steps=("step//./w//s",),
        classes=(),
        sdk=SdkVersions(workflow="4.8.9", core="4.8.9", spec_version=3),
        node=">=20",
    )
    return described.model_dump(mode="json") | changes


def redigested(document):
    digest = content_digest(document)
    return document | {"digest": digest, "deploymentId": f"dep_{digest[7:39]}"}


def plain(name, content=b"", **attributes):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    for key, value in attributes.items():
        setattr(member, key, value)
    return member, content


def archive_of(entries, tar_format=tarfile.USTAR_FORMAT):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tar_format) as archive:
        for member, content in entries:
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def artifact(files=FILES, manifest=None):
    document = manifest_of(files) if manifest is None else manifest
    return archive_of(
        [plain("manifest.json", json.dumps(document).encode()), *(plain(*file) for file in files.items())]
    )
