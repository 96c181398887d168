"""Watch the files that a build may read."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import watchfiles

from workflow_studio.scaffolder.errors import StudioError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# The library's defaults wait for 50 ms of quiet and up to 1.6 s, which a person at an editor would notice.
_QUIET_MS: Final = 20
_LONGEST_MS: Final = 50


class Watcher:
    """Collects the paths something happens to; use as an asynchronous context manager.

    Folders that are ignored are not even watched: those of packages have more folders than some systems can watch.

    Args:
        root: The app's folder.
        is_ignored: Tells whether nothing in a folder matters.
    """

    def __init__(self, root: Path, is_ignored: Callable[[Path], bool]) -> None:
        self._is_ignored = is_ignored
        self._roots = {root}
        self._extra: set[Path] = set()
        self._paths: set[Path] = set()
        self._happened = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._trees: frozenset[Path] = frozenset()
        self._flat: frozenset[Path] = frozenset()
        self._failure: StudioError | None = None

    async def __aenter__(self) -> Self:
        await self._watch()
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stop()

    async def follow(self, folders: Iterable[Path], files: Iterable[Path]) -> None:
        """Watch more.

        Args:
            folders: With all that is in them.
            files: These alone; they need not be there yet.
        """
        self._roots |= {folder for folder in folders if not self._is_covered(folder)}
        self._extra = {file.parent for file in files if not self._is_covered(file.parent) and file.parent.is_dir()}
        await self._watch()

    async def wait(self, seconds: float | None) -> set[Path]:
        """Return the paths something happened to, as soon as there are any, or none when the time is up.

        Raises:
            StudioError: If the system cannot watch.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._happened.wait()
        if self._failure is not None:
            raise self._failure
        paths, self._paths = self._paths, set()
        self._happened.clear()
        # Folders come and go at the top, where each is watched by itself.
        if any(path.parent in self._roots for path in paths):
            await self._watch()
        return paths

    def _is_covered(self, folder: Path) -> bool:
        return any(folder.is_relative_to(root) for root in self._roots)

    async def _watch(self) -> None:
        """Watch what there is now."""
        trees = frozenset(
            folder
            for root in self._roots
            for folder in root.iterdir()
            if folder.is_dir() and not self._is_ignored(folder)
        )
        flat = frozenset(self._roots | self._extra)
        if (trees, flat) == (self._trees, self._flat):
            return
        if self._tasks:
            await self._stop()
            # Whatever happens between the old watch and the new one is found by looking at all of it.
            self._paths |= self._roots | self._extra
            self._happened.set()
        self._trees, self._flat = trees, flat
        self._tasks = [
            asyncio.create_task(self._collect(paths, recursive=recursive))
            for paths, recursive in ((trees, True), (flat, False))
            if paths
        ]
        # Each begins to watch before it first waits.
        await asyncio.sleep(0)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _collect(self, paths: frozenset[Path], *, recursive: bool) -> None:
        batches = watchfiles.awatch(
            *sorted(paths),
            watch_filter=self._is_wanted,
            debounce=_LONGEST_MS,
            step=_QUIET_MS,
            recursive=recursive,
            ignore_permission_denied=True,
        )
        try:
            async for batch in batches:
                self._paths.update(Path(path) for _kind, path in batch)
                self._happened.set()
        except (OSError, RuntimeError) as error:
            self._failure = StudioError(
                f"The files of the app cannot be watched: {error}",
                code="watch_failed",
                hint="Raise the system's limit of watches, or have it ask for changes: WATCHFILES_FORCE_POLLING=1.",
            )
            self._happened.set()

    def _is_wanted(self, _kind: watchfiles.Change, path: str) -> bool:
        """Leave out what happens in ignored folders further down."""
        for folder in Path(path).parents:
            if folder in self._flat:
                break
            if self._is_ignored(folder):
                return False
        return True
