"""Uploads that leave out what the worker has already, and what can be wrong with what it has."""

from __future__ import annotations

import os

import pytest

from tests.worker.artifacts.archives import FILES, archive_of, artifact, manifest_of, plain, redigested
from workflow_studio.compute.codes import ErrorCode
from workflow_studio.compute.manifest import ArtifactFile, Manifest
from workflow_studio.worker.artifacts import ArtifactError, ArtifactLimits, ArtifactStore

CHANGED = FILES | {"flow.js": b"exports.flow = 2;"}


async def pieces(archive):
    yield archive


def leaving_out(*paths, files=CHANGED, manifest=None):
    """Return an archive whose manifest names all files, without some of them."""
    sent = {path: content for path, content in files.items() if path not in paths}
    return artifact(sent, manifest or manifest_of(files))


SHORT = leaving_out("step.js", "webhook.js", "lib/a.js")


@pytest.fixture
async def store(tmp_path):
    made = ArtifactStore(tmp_path / "artifacts", ArtifactLimits(unpacked=100_000))
    await made.open()
    return made


@pytest.fixture
async def base(store):
    """Return the id of a deployment whose artifact is there."""
    return (await store.receive(pieces(artifact()))).deployment_id


def left_over(store):
    return [entry.name for entry in store.directory.iterdir() if entry.name.startswith(".")]


async def refused(store, archive, base):
    before = sorted(entry.name for entry in store.directory.iterdir())
    with pytest.raises(ArtifactError) as refusal:
        await store.receive(pieces(archive), base)
    assert sorted(entry.name for entry in store.directory.iterdir()) == before, "nothing of it is kept"
    return refusal.value


async def test_what_is_left_out_comes_from_the_base(store, base):
    manifest = await store.receive(pieces(SHORT), base)
    folder = store.path(manifest.deployment_id)
    assert {path: (folder / path).read_bytes() for path in CHANGED} == CHANGED
    whole = ArtifactStore(store.directory.with_name("other"))
    await whole.open()
    assert (await whole.receive(pieces(artifact(CHANGED)))) == manifest
    assert left_over(store) == []


async def test_a_file_may_have_moved(store, base):
    moved = {**FILES, "lib/b.js": FILES["lib/a.js"]}
    manifest = await store.receive(pieces(leaving_out("lib/a.js", "lib/b.js", "step.js", files=moved)), base)
    assert (store.path(manifest.deployment_id) / "lib/b.js").read_bytes() == FILES["lib/a.js"]


async def test_the_copy_is_no_link_to_the_base(store, base):
    manifest = await store.receive(pieces(SHORT), base)
    (store.path(base) / "step.js").write_bytes(b"changed later")
    assert (store.path(manifest.deployment_id) / "step.js").read_bytes() == FILES["step.js"]


async def test_a_base_that_is_not_here_is_said_so(store):
    error = await refused(store, SHORT, "dep_" + "0" * 32)
    assert (error.code, "whole archive" in error.recovery) == (ErrorCode.BASE_NOT_FOUND, True)


@pytest.mark.parametrize("name", ["../artifacts", "..", "", "dep_1", "/etc"])
async def test_a_base_is_a_deployment_and_no_path(store, name):
    with pytest.raises(ValueError, match="is not a deployment id"):
        await store.receive(pieces(SHORT), name)
    assert left_over(store) == []


async def test_what_neither_the_archive_nor_the_base_has_is_named(store, base):
    files = CHANGED | {"lib/new.js": b"new"}
    error = await refused(store, leaving_out("step.js", "lib/new.js", files=files), base)
    assert (error.code, "'lib/new.js'" in error.message) == (ErrorCode.INVALID_ARTIFACT, True)
    error = await refused(
        store, SHORT, (await store.receive(pieces(artifact(dict.fromkeys(FILES, b"z"))))).deployment_id
    )
    assert error.code == ErrorCode.INVALID_ARTIFACT


async def test_without_a_base_nothing_may_be_left_out(store, base):
    error = await refused(store, SHORT, None)
    assert error.code == ErrorCode.INVALID_ARTIFACT


async def test_a_size_that_lies_finds_no_file(store, base):
    document = manifest_of(CHANGED)
    document["files"] = [
        entry | {"size": entry["size"] + 1} if entry["path"] == "step.js" else entry for entry in document["files"]
    ]
    error = await refused(store, leaving_out("step.js", manifest=redigested(document)), base)
    assert (error.code, "'step.js'" in error.message) == (ErrorCode.INVALID_ARTIFACT, True)


async def test_limits_count_what_comes_from_the_base(store):
    big = {**FILES, "lib/big.js": b"x" * 60_000}
    base = (await store.receive(pieces(artifact(big)))).deployment_id
    twice = {**big, "lib/copy.js": big["lib/big.js"]}
    error = await refused(store, leaving_out("lib/big.js", "lib/copy.js", files=twice), base)
    assert error.code == ErrorCode.ARTIFACT_TOO_LARGE


def other_content(file):
    file.write_bytes(b"exports.step = 2;")


def longer(file):
    file.write_bytes(file.read_bytes() + b"more")


def gone(file):
    file.unlink()


def link(file):
    target = file.with_name("elsewhere")
    file.rename(target)
    file.symlink_to(target)


def folder(file):
    file.unlink()
    file.mkdir()


def pipe(file):
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize("damage", [other_content, longer, gone, link, folder, pipe])
async def test_a_base_whose_code_changed_its_files_is_not_trusted(store, base, damage):
    damage(store.path(base) / "step.js")
    error = await refused(store, SHORT, base)
    assert (error.code, "step.js" in error.message) == (ErrorCode.BASE_NOT_FOUND, True)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b'{"files": []}'])
async def test_a_base_whose_manifest_is_damaged_is_no_base(store, base, content):
    (store.path(base) / "manifest.json").write_bytes(content)
    assert (await refused(store, SHORT, base)).code == ErrorCode.BASE_NOT_FOUND


async def test_a_manifest_of_the_base_that_leads_elsewhere_is_none(store, base):
    outside = store.directory.with_name("outside.js")
    outside.write_bytes(b"a secret of this machine")
    described = Manifest.model_validate(manifest_of())
    entry = ArtifactFile.model_construct(path="../../outside.js", sha256=described.files[0].sha256, size=24)
    forged = described.model_copy(update={"files": (entry, *described.files)})
    (store.path(base) / "manifest.json").write_bytes(forged.to_bytes())
    assert (await refused(store, SHORT, base)).code == ErrorCode.BASE_NOT_FOUND


async def test_the_archive_wins_over_the_base(store, base):
    (store.path(base) / "step.js").write_bytes(b"changed by code")
    manifest = await store.receive(pieces(artifact(CHANGED)), base)
    assert (store.path(manifest.deployment_id) / "step.js").read_bytes() == CHANGED["step.js"]


async def test_files_that_the_manifest_does_not_name_are_refused_as_ever(store, base):
    entries = [plain("manifest.json", Manifest.model_validate(manifest_of(CHANGED)).to_bytes()), plain("evil.js", b"x")]
    assert (await refused(store, archive_of(entries), base)).code == ErrorCode.INVALID_ARTIFACT


async def test_the_base_is_held_as_long_as_it_is_needed(store, base):
    async def nothing_is_wanted(_name):
        return False

    async def slowly():
        yield SHORT[:50]
        assert await store.discard(base, nothing_is_wanted) is False
        yield SHORT[50:]

    await store.receive(slowly(), base)
    assert await store.discard(base, nothing_is_wanted) is True
