"""What the app's files were at the last look, so that a change is told from a touch."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pathspec

from workflow_studio.scaffolder.dev.relevance import NOTHING, SOURCE_SUFFIXES, Change, Facts, facts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

IGNORED_FOLDERS: Final = frozenset(
    {
        ".astro",
        ".cache",
        ".git",
        ".hg",
        ".next",
        ".nitro",
        ".nuxt",
        ".output",
        ".parcel-cache",
        ".pnpm-store",
        ".react-router",
        ".svelte-kit",
        ".swc",
        ".tanstack",
        ".turbo",
        ".venv",
        ".vercel",
        ".vinxi",
        ".well-known",
        ".workflow-data",
        ".workflow-studio",
        ".workflow-vitest",
        ".yarn",
        "__pycache__",
        "build",
        "coverage",
        "dist",
        "node_modules",
        "out",
        "venv",
    }
)
"""Folders of packages and of what tools make: the SDK's own list, and what its integrations do not watch."""

_SUFFIXES: Final = SOURCE_SUFFIXES | {".json"}
_UNKNOWN: Final = b""
_LARGEST: Final = 16 * 1024 * 1024
_BINARY_LOOK: Final = 8192
_CLOCK_SECONDS: Final = 2.0  # how far a file system's times may be off


class SourceIndex:
    """The files of some folders that a build may read.

    Args:
        app_dir: The app's folder; its ``.gitignore`` counts.
    """

    def __init__(self, app_dir: Path) -> None:
        self._app_dir = app_dir
        self._ignored = _read_gitignore(app_dir)
        self._digests: dict[Path, bytes] = {}
        self._wanted: frozenset[Path] = frozenset()

    def want(self, paths: Iterable[Path], *, read_at: float) -> None:
        """Have these files looked at whatever they are: they went into a build.

        Args:
            paths: The files, there or not.
            read_at: When the build began, in seconds since the epoch.
        """
        self._wanted = frozenset(paths)
        for path in self._wanted.difference(self._digests):
            content = _read(path, anything=True)
            if content is not None:
                # A file that was written since may be another than the build read: the next look finds a change.
                is_older = path.stat().st_mtime < read_at - _CLOCK_SECONDS
                self._digests[path] = _digest(content) if is_older else _UNKNOWN

    def is_folder_ignored(self, folder: Path) -> bool:
        """Tell whether nothing in a folder matters."""
        return folder.name in IGNORED_FOLDERS or self._is_left_out(folder, "/")

    def is_wanted(self, path: Path) -> bool:
        """Tell whether a change of a file is worth a look, by its path alone."""
        if path in self._wanted:
            return True
        return path.suffix in _SUFFIXES and not self._is_left_out(path)

    def files_below(self, folder: Path) -> Iterator[Path]:
        """Yield the files of a folder that are worth a look, links followed once."""
        seen: set[str] = set()
        for name, folders, files in os.walk(folder, followlinks=True):
            here = Path(name)
            real = os.path.realpath(name)
            if real in seen:
                folders.clear()
                continue
            seen.add(real)
            folders[:] = [inner for inner in folders if not self.is_folder_ignored(here / inner)]
            yield from (path for path in (here / file for file in files) if self.is_wanted(path))

    def look(self, paths: Iterable[Path]) -> list[tuple[Change, Facts]]:
        """Return what changed since the last look, each with what matters about it now.

        Args:
            paths: Files and folders that something happened to.
        """
        found = {}
        for path in self._expanded(paths):
            # The SDK finds a file by its link, and esbuild names it by where it really is.
            for name in {path, Path(os.path.realpath(path))}:
                seen = self._look_at(name)
                if seen is not None:
                    found[name] = seen
        return list(found.values())

    def _expanded(self, paths: Iterable[Path]) -> Iterator[Path]:
        """Yield files: a folder that came stands for those in it, and one that went for those that were."""
        for path in paths:
            if path.is_dir():
                if not self.is_folder_ignored(path):
                    yield from self.files_below(path)
            elif path in self._digests or path.exists():
                if self.is_wanted(path) or path in self._digests:
                    yield path
            else:
                yield from [known for known in self._digests if known.is_relative_to(path)]

    def _look_at(self, path: Path) -> tuple[Change, Facts] | None:
        before = self._digests.get(path)
        content = _read(path, anything=path in self._wanted)
        if content is None:
            return None if self._digests.pop(path, None) is None else (Change(path, "removed"), NOTHING)
        digest = _digest(content)
        self._digests[path] = digest
        if digest == before:
            return None
        return Change(path, "added" if before is None else "modified"), _facts(path, content)

    def _is_left_out(self, path: Path, suffix: str = "") -> bool:
        if not path.is_relative_to(self._app_dir) or path == self._app_dir:
            return False
        return self._ignored.match_file(path.relative_to(self._app_dir).as_posix() + suffix)


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


def _read(path: Path, *, anything: bool) -> bytes | None:
    try:
        if not anything and path.stat().st_size > _LARGEST:
            return None
        return path.read_bytes()
    except OSError:
        return None


def _facts(path: Path, content: bytes) -> Facts:
    if path.suffix not in SOURCE_SUFFIXES or b"\0" in content[:_BINARY_LOOK]:
        return NOTHING
    code = content.decode("utf-8-sig", errors="replace")
    return facts_of("\n".join(code.splitlines()))


def _read_gitignore(app_dir: Path) -> pathspec.GitIgnoreSpec:
    try:
        lines = (app_dir / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    return pathspec.GitIgnoreSpec.from_lines(lines)
