"""Archives that want to harm the worker, sent to the address that takes them."""

import gzip
import io
import json
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from tests.worker.artifacts.archives import FILES, archive_of, artifact, manifest_of, plain, redigested
from tests.worker.routes.conftest import make_settings, running
from workflow_studio.compute.manifest import ArtifactFile, Manifest, SdkVersions

LIMIT = 10_000_000
PEAK = 25_000_000
"""Bytes that may be taken while an archive of any kind is refused."""


def manifest_entry(document=None):
    return plain("manifest.json", json.dumps(document or manifest_of()).encode())


def with_entries(*entries, tar_format=tarfile.USTAR_FORMAT):
    return archive_of([manifest_entry(), *entries, *(plain(*file) for file in FILES.items())], tar_format)


def renamed(name):
    """Return an archive with an entry of this name, in bytes: a name need not be text."""
    placeholder = "N" * len(name)
    tar = gzip.decompress(with_entries(plain(placeholder, b"x")))
    start = tar.index(placeholder.encode())
    header = bytearray(tar[start : start + 512])
    header[: len(name)] = name
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return gzip.compress(tar[:start] + bytes(header) + tar[start + 512 :], mtime=0)


def of_many_files(number):
    described = Manifest.describe(
        files=tuple(
            ArtifactFile(path=path, sha256="0" * 64, size=0)
            for path in sorted([*FILES, *(f"many/f{index:05d}.js" for index in range(number))])
        ),
        workflows=("workflow//./w//f",),
        steps=(),
        classes=(),
        sdk=SdkVersions(workflow="4.8.9", core="4.8.9", spec_version=3),
        node=">=20",
    )
    return archive_of([manifest_entry(described.model_dump(mode="json"))])


def bomb_of_many_parts():
    zeros = gzip.compress(bytes(1_000_000), mtime=0)
    return artifact() + zeros * 500


def declared(size):
    """Return an archive whose manifest owns up to a file of zeros, of this many bytes."""
    document = manifest_of()
    for file in document["files"]:
        if file["path"] == "flow.js":
            file["size"] = size
    document = redigested(document)
    return archive_of([manifest_entry(document), plain("flow.js", bytes(size))])


ABSOLUTE = "/tmp/escaped-from-an-archive-of-the-tests.js"
LINK = {"type": tarfile.SYMTYPE, "linkname": "../../.."}
INVALID = (400, "invalid_artifact")
TOO_LARGE = (413, "artifact_too_large")
ARCHIVES = {
    "a path that leads out": (with_entries(plain("../../escaped.js", b"x")), INVALID),
    "a path that leads out of a folder": (with_entries(plain("lib/../../escaped.js", b"x")), INVALID),
    "an absolute path": (with_entries(plain(ABSOLUTE, b"x")), INVALID),
    "a path of Windows": (with_entries(plain("C:\\escaped.js", b"x")), INVALID),
    "a link and a file through it": (with_entries(plain("lib", **LINK), plain("lib/escaped.js", b"x")), INVALID),
    "a link in the place of a file": (archive_of([manifest_entry(), plain("flow.js", **LINK)]), INVALID),
    "a hard link": (
        archive_of([manifest_entry(), plain("flow.js", type=tarfile.LNKTYPE, linkname="/etc/passwd")]),
        INVALID,
    ),
    "a device": (with_entries(plain("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3)), INVALID),
    "a disk": (with_entries(plain("sda", type=tarfile.BLKTYPE, devmajor=8)), INVALID),
    "a pipe": (with_entries(plain("flow.js", type=tarfile.FIFOTYPE)), INVALID),
    "a file that comes twice": (with_entries(plain("flow.js", FILES["flow.js"])), INVALID),
    "a manifest that comes twice": (with_entries(manifest_entry()), INVALID),
    "a name that is not text": (renamed(b"\xff\xfe\x80.js"), INVALID),
    "a name with a control character": (renamed(b"a\x1b[2J.js"), INVALID),
    "a name that takes the place of another": (
        with_entries(plain("x", b"x", pax_headers={"path": "../escaped.js"}), tar_format=tarfile.PAX_FORMAT),
        INVALID,
    ),
    "a name longer than a header": (with_entries(plain("n" * 300), tar_format=tarfile.GNU_FORMAT), INVALID),
    "ten thousand entries": (archive_of([manifest_entry(), *(plain(f"{n}.js") for n in range(10_000))]), INVALID),
    "ten thousand files in the manifest": (of_many_files(10_000), TOO_LARGE),
    "a bomb in a file": (declared(LIMIT * 10), TOO_LARGE),
    "a bomb in a file that says otherwise": (
        archive_of([manifest_entry(), plain("flow.js", bytes(LIMIT * 10))]),
        (400, "digest_mismatch"),
    ),
    "a bomb in the manifest": (archive_of([plain("manifest.json", b" " * LIMIT * 10)]), TOO_LARGE),
    "a bomb that is no archive": (gzip.compress(bytes(LIMIT * 20), 1, mtime=0), TOO_LARGE),
    "a bomb behind the archive": (gzip.compress(gzip.decompress(artifact()) + bytes(LIMIT * 20), mtime=0), TOO_LARGE),
    "a bomb of many parts": (bomb_of_many_parts(), TOO_LARGE),
    "an archive in an archive": (gzip.compress(artifact(), mtime=0), INVALID),
    "nothing": (b"", INVALID),
    "the first half": (artifact()[: len(artifact()) // 2], INVALID),
    "a byte less": (artifact()[:-1], INVALID),
    "another digest": (artifact(manifest=manifest_of(digest="sha256:" + "0" * 64)), (400, "digest_mismatch")),
    "other content": (artifact(FILES | {"flow.js": b"exports.flow = 9;"}, manifest_of()), (400, "digest_mismatch")),
    "an id that leads out": (artifact(manifest=manifest_of(deploymentId="../../x")), (400, "invalid_deployment_id")),
    "more than may be sent": (gzip.compress(io.BytesIO(bytes(LIMIT)).getvalue(), 0, mtime=0), TOO_LARGE),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tmp_path_factory.mktemp("hostile") / "worker" / "data"


@pytest.fixture
async def worker(data):
    limits = {"max_artifact_bytes": LIMIT // 2, "max_unpacked_artifact_bytes": LIMIT}
    async with running(make_settings(data, **limits)) as driver:
        yield driver


def files_below(folder):
    assert not Path(ABSOLUTE).exists()
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.name.startswith("worker.db"))


async def in_pieces(content):
    for start in range(0, len(content), 64 * 1024):
        yield content[start : start + 64 * 1024]


@pytest.mark.parametrize("name", ARCHIVES)
async def test_a_hostile_archive_is_refused_at_little_cost_and_leaves_nothing(worker, data, name):
    content, expected = ARCHIVES[name]
    before = files_below(data.parent.parent)
    tracemalloc.start()
    try:
        response = await worker.post("/v1/deployments", content=in_pieces(content))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (response.status_code, response.json()["code"]) == expected, response.text
    assert response.json()["recovery"]
    assert peak < PEAK
    assert files_below(data.parent.parent) == before
    assert (await worker.get("/v1/deployments")).json()["data"] == []


async def test_after_all_of_them_a_good_archive_is_taken(worker, data):
    for content, _ in ARCHIVES.values():
        assert (await worker.post("/v1/deployments", content=in_pieces(content))).status_code in {400, 413}
    taken = await worker.post("/v1/deployments", content=in_pieces(artifact()))
    assert taken.status_code == 201
    folder = data / "artifacts" / taken.json()["deploymentId"]
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
