"""Builds the app whenever something that matters has changed."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

from workflow_studio.scaffolder.dev.build_queue import BuildQueue
from workflow_studio.scaffolder.dev.outcomes import Broken, BuildStarted, Built
from workflow_studio.scaffolder.dev.relevance import Known
from workflow_studio.scaffolder.dev.source_index import SourceIndex
from workflow_studio.scaffolder.dev.warm_build import WarmBuilder
from workflow_studio.scaffolder.dev.watching import Watcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from workflow_studio.scaffolder.dev.outcomes import BuildOutcome
    from workflow_studio.scaffolder.dev.relevance import Change
    from workflow_studio.scaffolder.node import NodeRuntime


class BuildLoop:
    """Builds an app once, then again after each change; use as an asynchronous context manager.

    Builds never overlap. What changes during a build, or while its outcome is dealt with, goes into one more.

    Args:
        app_dir: The app's folder.
        node: The Node.js to build with.
    """

    def __init__(self, app_dir: Path, node: NodeRuntime) -> None:
        self._app_dir = app_dir.resolve()
        self._builder = WarmBuilder(self._app_dir, node)
        self._index = SourceIndex(self._app_dir)
        self._watcher = Watcher(self._app_dir, self._index.is_folder_ignored)
        self._known = Known()
        self._queue = BuildQueue()
        self._calling: set[Path] = set()  # what matters of what is in the queue
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._stack.enter_async_context(self._builder)
            # Watched before it is looked at, so nothing that changes in between is missed.
            await self._stack.enter_async_context(self._watcher)
            await self._look(self._index.files_below(self._app_dir))
            self._known.configs = self._builder.configs
            self._index.want(self._builder.configs, read_at=time.time())
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_exception: object) -> None:
        await self._stack.aclose()

    async def outcomes(self) -> AsyncIterator[BuildOutcome]:
        """Yield :class:`BuildStarted` and then :class:`Built` or :class:`Broken`, for the first build and each after.

        Raises:
            StudioError: If the system cannot watch the files.
        """
        yield BuildStarted()
        self._take(time.monotonic())
        yield await self._build(None)
        while True:
            called, changes = await self._next()
            yield BuildStarted(called)
            yield await self._build(changes)

    async def _next(self) -> tuple[tuple[Path, ...], tuple[Change, ...]]:
        """Wait until there is something to build, and return what calls for it and all that changed."""
        seconds: float | None = 0.0
        while True:
            paths = await self._watcher.wait(seconds)
            if paths:
                await self._look(paths)
            now = time.monotonic()
            seconds = self._queue.due_in(now)
            if seconds == 0:
                return self._take(now)

    def _take(self, now: float) -> tuple[tuple[Path, ...], tuple[Change, ...]]:
        called, self._calling = tuple(sorted(self._calling)), set()
        return called, self._queue.take(now)

    async def _look(self, paths: Iterable[Path]) -> None:
        seen = await asyncio.to_thread(self._index.look, paths)
        relevant = self._known.relevant(seen)
        self._calling.update(change.path for change in relevant)
        self._queue.offer((change for change, _facts in seen), calls_for_build=bool(relevant), now=time.monotonic())

    async def _build(self, changes: tuple[Change, ...] | None) -> Built | Broken:
        began = time.time()
        outcome = await self._builder.build(changes)
        if isinstance(outcome, Broken):
            self._known.every_source = True
            return outcome
        self._known.inputs = outcome.inputs
        self._known.every_source = not self._builder.knows_inputs
        self._known.configs = self._builder.configs
        self._index.want(outcome.inputs | self._builder.configs, read_at=began)
        await self._watcher.follow(_folders_of(outcome.inputs, self._app_dir), self._builder.configs)
        return outcome


def _folders_of(inputs: frozenset[Path], app_dir: Path) -> set[Path]:
    """Return the folders, outside of the app, of the packages that files belong to."""
    folders = set()
    for path in inputs:
        if not path.is_relative_to(app_dir):
            package = next((folder for folder in path.parents if (folder / "package.json").is_file()), path.parent)
            folders.add(path.parent if app_dir.is_relative_to(package) else package)
    return folders
