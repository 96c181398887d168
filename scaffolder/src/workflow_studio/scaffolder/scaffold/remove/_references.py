"""What an app's own files say about the Workflow SDK and about Studio's package."""

from __future__ import annotations

import os
import re
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from workflow_studio.scaffolder.scaffold._plan import Plan

_SUFFIXES: Final = (
    ".ts", ".mts", ".cts", ".tsx", ".js", ".mjs", ".cjs", ".jsx", ".vue", ".svelte", ".astro", ".py",
)  # fmt: skip
_NO_SOURCES: Final = frozenset({"node_modules", "dist", "build", "coverage", "venv", "site-packages", "__pycache__"})
_MOST_FILES: Final = 20_000
_LARGEST: Final = 1_000_000
_SDK: Final = re.compile(
    r"""^[ \t]*["']use (?:workflow|step)["']"""
    r"""|(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)["']workflow(?:/api|/errors)?["']""",
    re.MULTILINE,
)
_STUDIO: Final = re.compile(
    r"""(?:\bfrom\s*|\bimport\s*\(?\s*|\brequire\(\s*)["'](workflow-studio(?:/[\w/-]+)?)["']"""
    r"""|^[ \t]*(?:from|import)[ \t]+(?:[\w.]+\.)?(workflow_studio_app)\b"""
    r"""|["'](workflow_studio_app)(?:["']|\.(?:apps|middleware)\.)""",  # Django's settings name it as text
    re.MULTILINE,
)


def uses_sdk(root: Path, own: Collection[str], folder: str) -> str:
    """Return a file of the app that has a workflow or step, or starts one; empty if there is none.

    Args:
        root: The app's folder.
        own: Files that do not count.
        folder: Folder of the generated package, which does not count either.
    """
    for path in _sources(root):
        name = path.relative_to(root).as_posix()
        if name not in own and not name.startswith(folder) and _SDK.search(_text(path)):
            return name
    return ""


def find_references(plan: Plan, folder: str) -> Iterator[tuple[str, int, str]]:
    """Yield every import of the generated package that would be left: file, line and what is imported."""
    for path in _sources(plan.root):
        name = path.relative_to(plan.root).as_posix()
        change = plan.changes.get(name)
        if name.startswith(folder) or (change is not None and change.deleted):
            continue
        text = plan.text(name) if change is not None and change.writes else _text(path)
        for found in _STUDIO.finditer(text or ""):
            yield name, (text or "").count("\n", 0, found.end()) + 1, found[1] or found[2] or found[3]


def _sources(root: Path) -> Iterator[Path]:
    return islice(_walk(root), _MOST_FILES)


def _walk(root: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NO_SOURCES and not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(files) if name.endswith(_SUFFIXES))


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace") if path.stat().st_size <= _LARGEST else ""
    except OSError:
        return ""
