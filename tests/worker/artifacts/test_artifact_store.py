import gzip
import io
import json
import os
import tarfile

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.worker.artifacts.archives import FILES, archive_of, artifact, manifest_of, plain, redigested
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.manifest import Manifest
from workflow_studio.worker.artifacts import ArtifactError, ArtifactLimits, ArtifactStore


async def pieces(content, size=700):
    for start in range(0, len(content), size):
        yield content[start : start + size]


@pytest.fixture
async def store(tmp_path):
    store = ArtifactStore(tmp_path / "artifacts")
    await store.open()
    return store


async def refused(store, content):
    with pytest.raises(ArtifactError) as caught:
        await store.receive(pieces(content))
    assert list(store.directory.iterdir()) == [], "something was left behind"
    assert list(store.directory.parent.iterdir()) == [store.directory]
    assert caught.value.recovery
    return caught.value


async def test_an_artifact_is_unpacked_beside_a_package_file_that_says_commonjs(store):
    manifest = await store.receive(pieces(artifact()))
    folder = store.path(manifest.deployment_id)
    assert list(store.directory.iterdir()) == [folder]
    assert {path: (folder / path).read_bytes() for path in FILES} == FILES
    assert json.loads((folder / "package.json").read_text()) == {"type": "commonjs"}
    assert Manifest.model_validate_json((folder / "manifest.json").read_bytes()) == manifest
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == sorted(
        [*FILES, "manifest.json", "package.json"]
    )


async def test_the_same_artifact_may_arrive_again_and_at_the_same_time(store):
    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(store.receive, pieces(artifact()))
    assert len(list(store.directory.iterdir())) == 1


async def test_an_upload_that_breaks_off_leaves_nothing(store):
    async def broken():
        yield artifact()[:100]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.receive(broken())
    assert list(store.directory.iterdir()) == []


async def test_a_cancelled_upload_leaves_nothing(store):
    async def endless():
        yield artifact()[:100]
        await anyio.sleep_forever()

    with anyio.move_on_after(0.05):
        await store.receive(endless())
    assert list(store.directory.iterdir()) == []


async def test_what_a_crash_left_is_removed_at_the_next_start(store):
    (store.directory / ".incoming-x").mkdir()
    (store.directory / ".incoming-x" / "upload").write_bytes(b"x")
    (store.directory / "dep_kept").mkdir()
    await store.open()
    assert [entry.name for entry in store.directory.iterdir()] == ["dep_kept"]


@pytest.mark.parametrize(
    "identifier", ["", "..", "dep_", "dep_../../x", "dep_" + "0" * 31, "dep_" + "0" * 33, "dep_" + "G" * 32]
)
def test_only_deployment_ids_have_a_path(tmp_path, identifier):
    with pytest.raises(ValueError, match="is not a deployment id"):
        ArtifactStore(tmp_path).path(identifier)


LINK = {"linkname": "/etc/passwd"}


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (plain("flow.js", type=tarfile.SYMTYPE, **LINK), "not a plain file"),
        (plain("flow.js", type=tarfile.LNKTYPE, **LINK), "not a plain file"),
        (plain("flow.js", type=tarfile.CHRTYPE), "not a plain file"),
        (plain("flow.js", type=tarfile.BLKTYPE), "not a plain file"),
        (plain("flow.js", type=tarfile.FIFOTYPE), "not a plain file"),
        (plain("flow.js", type=tarfile.DIRTYPE), "not a plain file"),
        (plain("flow.js", type=tarfile.CONTTYPE), "not a plain file"),
        (plain("flow.js", type=tarfile.GNUTYPE_SPARSE), "not a plain file"),
        (plain("../flow.js"), "not in the manifest"),
        (plain("/etc/passwd"), "not in the manifest"),
        (plain("./flow.js"), "not in the manifest"),
        (plain("C:\\flow.js"), "not in the manifest"),
        (plain("manifest.json"), "not in the manifest"),
        (plain("package.json", b'{"type":"module"}'), "not in the manifest"),
        (plain("extra.js"), "not in the manifest"),
    ],
)
async def test_members_that_are_not_the_manifests_files_are_refused(store, entry, says):
    first = plain("manifest.json", json.dumps(manifest_of()).encode())
    error = await refused(store, archive_of([first, entry]))
    assert error.code is ErrorCode.INVALID_ARTIFACT
    assert says in error.message


async def test_a_file_that_comes_twice_is_refused(store):
    first = plain("manifest.json", json.dumps(manifest_of()).encode())
    files = [plain(*file) for file in FILES.items()]
    error = await refused(store, archive_of([first, *files, files[0]]))
    assert "twice" in error.message


async def test_a_file_that_is_missing_is_named(store):
    first = plain("manifest.json", json.dumps(manifest_of()).encode())
    error = await refused(store, archive_of([first, *(plain(*file) for file in list(FILES.items())[:-1])]))
    assert error.message == "'lib/a.js' is in the manifest, but not in the archive."


@pytest.mark.parametrize("tar_format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
async def test_extended_headers_are_refused_before_they_are_read(store, tar_format):
    error = await refused(store, archive_of([plain("a" * 300)], tar_format))
    assert "not a plain file" in error.message


@pytest.mark.parametrize("content", [b"X" * 17, b"exports.flow = 1; "])
async def test_a_file_with_other_content_is_refused(store, content):
    error = await refused(store, artifact(FILES | {"flow.js": content}, manifest_of()))
    assert error.code is ErrorCode.DIGEST_MISMATCH
    assert "flow.js" in error.message


BAD_MANIFESTS = {
    "no json": (b"{", ErrorCode.INVALID_MANIFEST),
    "no object": (b"[]", ErrorCode.INVALID_MANIFEST),
    "deep": (b"[" * 100_000, ErrorCode.INVALID_MANIFEST),
    "empty": (b"{}", ErrorCode.UNSUPPORTED_ARTIFACT),
    "later format": (manifest_of(formatVersion=2), ErrorCode.UNSUPPORTED_ARTIFACT),
    "true for a version": (manifest_of(formatVersion="1"), ErrorCode.UNSUPPORTED_ARTIFACT),
    "later sdk": (
        redigested(manifest_of(sdk={"workflow": "5.0.0", "core": "5.0.0", "specVersion": 7})),
        ErrorCode.UNSUPPORTED_ARTIFACT,
    ),
    "other digest": (manifest_of(digest="sha256:" + "0" * 64), ErrorCode.DIGEST_MISMATCH),
    "other id": (manifest_of(deploymentId="dep_" + "0" * 32), ErrorCode.INVALID_DEPLOYMENT_ID),
    "id that leads away": (manifest_of(deploymentId="../../x"), ErrorCode.INVALID_DEPLOYMENT_ID),
    "unknown field": (manifest_of(extra=1), ErrorCode.INVALID_MANIFEST),
    "no files": (redigested(manifest_of() | {"files": []}), ErrorCode.INVALID_MANIFEST),
    "files is null": (manifest_of() | {"files": None}, ErrorCode.INVALID_MANIFEST),
}


@pytest.mark.parametrize("name", BAD_MANIFESTS)
async def test_a_manifest_that_is_wrong_is_refused(store, name):
    content, code = BAD_MANIFESTS[name]
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    error = await refused(store, archive_of([plain("manifest.json", content)]))
    assert error.code is code


def with_path(path):
    document = manifest_of(FILES | {"other.js": b""})
    (entry,) = [file for file in document["files"] if file["path"] == "other.js"]
    entry["path"] = path
    document["files"].sort(key=lambda file: file["path"])
    return redigested(document)


@pytest.mark.parametrize(
    "path",
    [
        *("../x", "/x", "a/../x", "a//x", "./x", ".hidden", "a/.hidden", "a\\x", "x\0", "x\n", "", "C:x", "a/"),
        *("manifest.json", "package.json", "PACKAGE.JSON", "FLOW.JS", "flow.js/x", "lib", "LIB/A.js", "x" * 201),
    ],
)
async def test_a_manifest_with_a_path_that_leads_away_or_collides_is_refused(store, path):
    error = await refused(store, artifact(FILES, with_path(path)))
    assert error.code is ErrorCode.INVALID_MANIFEST


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        (ArtifactLimits(compressed=100), "The archive is more than the 100 bytes"),
        (ArtifactLimits(unpacked=3000), "The unpacked archive"),
        (ArtifactLimits(file=500), "lib/a.js"),
        (ArtifactLimits(manifest=100), "The manifest"),
        (ArtifactLimits(files=3), "The number of files"),
    ],
)
async def test_every_limit_is_kept(tmp_path, limits, says):
    store = ArtifactStore(tmp_path / "artifacts", limits)
    await store.open()
    error = await refused(store, artifact())
    assert error.code is ErrorCode.ARTIFACT_TOO_LARGE
    assert says in error.message


async def test_a_bomb_is_not_unpacked_beyond_the_limit(tmp_path):
    store = ArtifactStore(tmp_path / "artifacts", ArtifactLimits(unpacked=1_000_000))
    await store.open()
    bomb = gzip.compress(bytes(200_000_000), compresslevel=1)
    error = await refused(store, bomb)
    assert error.code is ErrorCode.ARTIFACT_TOO_LARGE


async def test_a_size_that_lies_is_refused(store):
    content = json.dumps(manifest_of()).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
        member = tarfile.TarInfo("flow.js")
        member.size = 1 << 60
        buffer.write(member.tobuf(tarfile.GNU_FORMAT))
    error = await refused(store, gzip.compress(buffer.getvalue()))
    assert error.code is ErrorCode.DIGEST_MISMATCH


# Named, because the bytes of an archive hold the time and so differ between the processes of a parallel test run.
NO_ARTIFACTS = {
    "nothing": b"",
    "not gzip": b"not gzip",
    "gzip magic": b"\x1f\x8b",
    "gzip of nothing": gzip.compress(b""),
    "gzip of text": gzip.compress(b"not a tar file"),
    "gzip of a block of text": gzip.compress(b"x" * 512),
    "gzip of an empty tar": gzip.compress(bytes(10_240)),
    "a byte short": artifact()[:-1],
    "half": artifact()[: len(artifact()) // 2],
    "garbage after the gzip": artifact() + b"garbage",
    "garbage after the tar": gzip.compress(gzip.decompress(artifact()) + b"garbage"),
    "two tars": gzip.compress(gzip.decompress(artifact()) + gzip.decompress(artifact())),
    "no manifest": archive_of([plain(*file) for file in FILES.items()]),
}


@pytest.mark.parametrize("content", NO_ARTIFACTS.values(), ids=NO_ARTIFACTS)
async def test_what_is_not_an_artifact_is_refused(store, content):
    error = await refused(store, content)
    assert error.code is ErrorCode.INVALID_ARTIFACT


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 10_240), st.integers(0, 255)), min_size=1, max_size=4),
    st.booleans(),
    st.integers(0, 600),
)
async def test_a_damaged_artifact_is_refused_or_is_the_same(tmp_path_factory, damage, compressed, cut):
    store = ArtifactStore(tmp_path_factory.mktemp("damaged") / "artifacts")
    await store.open()
    content = bytearray(artifact() if compressed else gzip.decompress(artifact()))
    for place, value in damage:
        content[place % len(content)] = value
    content = bytes(content[: len(content) - cut])
    try:
        manifest = await store.receive(pieces(content if compressed else gzip.compress(content)))
    except ArtifactError:
        assert list(store.directory.iterdir()) == []
    else:
        folder = store.path(manifest.deployment_id)
        assert {path: (folder / path).read_bytes() for path in FILES} == FILES


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.builds(
            lambda name, content, kind, link: plain(name, content, type=kind, linkname=link),
            st.sampled_from(["manifest.json", "flow.js", "../x", "/tmp/x", "a/b", "package.json"])
            | st.text(max_size=20),
            st.binary(max_size=50) | st.just(json.dumps(manifest_of()).encode()),
            st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE]),
            st.sampled_from(["", "/etc", "../.."]),
        ),
        max_size=6,
    ),
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
)
async def test_no_archive_writes_outside_or_leaves_anything(tmp_path_factory, entries, tar_format):
    root = tmp_path_factory.mktemp("hostile")
    store = ArtifactStore(root / "artifacts")
    await store.open()
    try:
        content = archive_of(entries, tar_format)
    except (ValueError, UnicodeEncodeError):
        return
    with pytest.raises(ArtifactError):
        await store.receive(pieces(content))
    assert list(root.rglob("*")) == [root / "artifacts"]


# Removing what belongs to nobody


def aged(folder, seconds=2 * 3600):
    moment = folder.stat().st_mtime - seconds
    os.utime(folder, (moment, moment))


def wanting(*names):
    async def is_wanted(name):
        return name in names

    return is_wanted


def folders_of(store):
    return sorted(entry.name for entry in store.directory.iterdir())


async def test_artifacts_of_no_deployment_are_swept_away_once_they_are_old(store):
    kept = (await store.receive(pieces(artifact()))).deployment_id
    orphan = (await store.receive(pieces(artifact(FILES | {"flow.js": b"2"})))).deployment_id
    recent = (await store.receive(pieces(artifact(FILES | {"flow.js": b"3"})))).deployment_id
    (store.directory / "not-an-artifact").mkdir()
    for name in (kept, orphan, "not-an-artifact"):
        aged(store.directory / name)
    assert await store.sweep(wanting(kept)) == 1
    assert folders_of(store) == sorted([kept, recent, "not-an-artifact"])
    assert await store.sweep(wanting(kept)) == 0


async def test_an_artifact_that_is_being_uploaded_is_not_removed(store):
    async with store.receiving(pieces(artifact())) as manifest:
        aged(store.path(manifest.deployment_id))
        assert await store.sweep(wanting()) == 0
        assert not await store.discard(manifest.deployment_id, wanting())
        async with store.receiving(pieces(artifact())):
            pass
        assert not await store.discard(manifest.deployment_id, wanting()), "the first upload holds it still"
        assert folders_of(store)[-1] == manifest.deployment_id
    assert await store.discard(manifest.deployment_id, wanting())
    assert folders_of(store) == []


async def test_an_artifact_that_is_wanted_again_is_not_removed(store):
    name = (await store.receive(pieces(artifact()))).deployment_id
    assert not await store.discard(name, wanting(name))
    assert await store.discard(name, wanting())
    assert not await store.discard(name, wanting())
    assert (await store.receive(pieces(artifact()))).deployment_id == name
    assert folders_of(store) == [name]


async def test_a_removal_that_a_crash_cut_short_is_finished_at_the_next_start(store):
    name = (await store.receive(pieces(artifact()))).deployment_id
    store.path(name).rename(store.directory / f".removed-{name}-00000000")
    await store.open()
    assert folders_of(store) == []


async def opened(directory, owner, *known):
    store = ArtifactStore(directory)
    await store.open(owner, wanting(*known))
    return store


async def test_nothing_of_another_database_is_removed(tmp_path, caplog):
    directory = tmp_path / "artifacts"
    first = await opened(directory, "db_1")
    name = (await first.receive(pieces(artifact()))).deployment_id
    aged(directory / name)
    (directory / ".incoming-x").mkdir()
    assert not caplog.records
    second = await opened(directory, "db_2", name)
    assert await second.sweep(wanting()) == 0
    assert not await second.discard(name, wanting())
    assert folders_of(second) == [".database", ".incoming-x", name]
    (warning,) = caplog.messages
    assert "db_1" in warning
    assert "write db_2 into" in warning
    again = await opened(directory, "db_1")
    assert folders_of(again) == [".database", name]
    assert await again.sweep(wanting()) == 1


async def test_artifacts_that_nothing_says_the_database_of_are_kept_unless_one_is_known(tmp_path):
    directory = tmp_path / "artifacts"
    unmarked = await opened(directory, None)
    name = (await unmarked.receive(pieces(artifact()))).deployment_id
    other = (await unmarked.receive(pieces(artifact(FILES | {"flow.js": b"2"})))).deployment_id
    for folder in (name, other):
        aged(directory / folder)
    stranger = await opened(directory, "db_2")
    assert await stranger.sweep(wanting()) == 0
    assert folders_of(stranger) == sorted([name, other])
    ours = await opened(directory, "db_1", name)
    assert (directory / ".database").read_text() == "db_1\n"
    assert await ours.sweep(wanting(name)) == 1
    assert folders_of(ours) == [".database", name]


async def test_a_directory_can_be_handed_to_another_database(tmp_path):
    directory = tmp_path / "artifacts"
    await opened(directory, "db_1")
    store = await opened(directory, "db_2")
    name = (await store.receive(pieces(artifact()))).deployment_id
    assert not await store.discard(name, wanting())
    (directory / ".database").write_text("db_2")
    assert await store.discard(name, wanting())


@pytest.mark.parametrize(
    ("wanted", "version", "code"),
    [
        (">=20", (20, 20, 0), None),
        ("^20.1 || >=22", (22, 0, 0), None),
        ("*", (24, 1, 2), None),
        (">=22", (20, 20, 0), "unsupported_artifact"),
        ("<20", (20, 0, 0), "unsupported_artifact"),
        ("20.x", (22, 0, 0), "unsupported_artifact"),
        ("a good one", (22, 0, 0), "invalid_manifest"),
        (">=20" + " " * 1000, (22, 0, 0), "invalid_manifest"),
    ],
)
async def test_an_artifact_that_wants_another_nodejs_is_refused(tmp_path, wanted, version, code):
    store = ArtifactStore(tmp_path / "artifacts", nodes=[version])
    await store.open()
    content = artifact(manifest=redigested(manifest_of(node=wanted)))
    if code is None:
        assert (await store.receive(pieces(content))).node == wanted
        return
    with pytest.raises(ArtifactError) as refusal:
        await store.receive(pieces(content))
    assert refusal.value.code == code
    if code == "unsupported_artifact":
        assert wanted in refusal.value.message
        assert ".".join(map(str, version)) in refusal.value.message
    assert folders_of(store) == []
