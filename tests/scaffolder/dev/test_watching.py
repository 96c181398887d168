"""What happens to files is heard."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from workflow_studio.scaffolder.dev.watching import Watcher
from workflow_studio.scaffolder.errors import StudioError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


def is_ignored(folder: Path) -> bool:
    return folder.name == "node_modules"


async def heard(watcher: Watcher, *wanted: Path) -> set[Path]:
    """Return all paths heard of until those that are wanted are among them."""
    paths: set[Path] = set()
    async with asyncio.timeout(30):
        while not paths.issuperset(wanted):
            paths |= await watcher.wait(None)
    return paths


async def test_saves_are_heard_at_the_top_and_below(tmp_path: Path) -> None:
    (tmp_path / "src/deep").mkdir(parents=True)
    async with Watcher(tmp_path, is_ignored) as watcher:
        (tmp_path / "top.ts").write_text("1")
        (tmp_path / "src/deep/below.ts").write_text("1")
        await heard(watcher, tmp_path / "top.ts", tmp_path / "src/deep/below.ts")
        (tmp_path / "src/deep/new.ts~").write_text("2")
        (tmp_path / "src/deep/new.ts~").rename(tmp_path / "src/deep/below.ts")
        await heard(watcher, tmp_path / "src/deep/below.ts")


async def test_ignored_folders_are_not_heard_of(tmp_path: Path) -> None:
    for folder in ("node_modules", "src/node_modules"):
        (tmp_path / folder).mkdir(parents=True)
    async with Watcher(tmp_path, is_ignored) as watcher:
        (tmp_path / "node_modules/a.js").write_text("1")
        (tmp_path / "src/node_modules/b.js").write_text("1")
        (tmp_path / "src/last.ts").write_text("1")
        assert not {path.name for path in await heard(watcher, tmp_path / "src/last.ts")} & {"a.js", "b.js"}


async def test_a_folder_that_comes_is_watched_too(tmp_path: Path) -> None:
    async with Watcher(tmp_path, is_ignored) as watcher:
        (tmp_path / "workflows").mkdir()
        await heard(watcher, tmp_path / "workflows")
        (tmp_path / "workflows/a.ts").write_text("1")
        await heard(watcher, tmp_path / "workflows/a.ts")


async def test_folders_and_files_elsewhere_can_be_followed(tmp_path: Path) -> None:
    for folder in ("app", "package/src", "root"):
        (tmp_path / folder).mkdir(parents=True)
    async with Watcher(tmp_path / "app", is_ignored) as watcher:
        await watcher.follow([tmp_path / "package"], [tmp_path / "root/package-lock.json"])
        (tmp_path / "package/src/a.ts").write_text("1")
        (tmp_path / "root/package-lock.json").write_text("{}")
        await heard(watcher, tmp_path / "package/src/a.ts", tmp_path / "root/package-lock.json")


async def test_waiting_ends_when_the_time_is_up(tmp_path: Path) -> None:
    async with Watcher(tmp_path, is_ignored) as watcher:
        assert await watcher.wait(0) == set()


async def test_nothing_is_lost_while_the_watch_is_set_up_anew(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    async with Watcher(tmp_path, is_ignored) as watcher:
        (tmp_path / "workflows").mkdir()
        assert tmp_path in await heard(watcher, tmp_path)


async def test_a_system_that_cannot_watch_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_paths: object, **_options: object) -> AsyncIterator[set[object]]:
        raise OSError("limit reached")
        yield set()

    monkeypatch.setattr("watchfiles.awatch", fail)
    async with Watcher(tmp_path, is_ignored) as watcher:
        with pytest.raises(StudioError, match="limit reached") as caught:
            await watcher.wait(30)
    assert caught.value.code == "watch_failed"
    assert "WATCHFILES_FORCE_POLLING=1" in str(caught.value.hint)
