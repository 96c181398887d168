"""Merging texts: what the user has, what the template made, and what it makes now."""

from __future__ import annotations

import difflib
import tempfile
from dataclasses import dataclass
from pathlib import Path

from workflow_studio.scaffolder.scaffold._template._bundle import GitError, run_git

_BOM = b"\xef\xbb\xbf"
_MINE = "yours"
_STARTS = (f"<<<<<<< {_MINE}".encode(), b"<<<<<<< before updating")
"""How a conflict starts that was left by this command, and by Copier's own update."""


@dataclass(frozen=True, slots=True)
class Merged:
    """A merge.

    Attributes:
        content: The result; the user's own bytes when ``refused``.
        conflicts: 1-based lines at which conflicts start.
        refused: The contents are no texts and cannot be merged.
    """

    content: bytes
    conflicts: tuple[int, ...] = ()
    refused: bool = False


def plain(content: bytes) -> bytes:
    """Return a text without byte order mark and with line feeds alone, if all of its lines end otherwise."""
    content = content.removeprefix(_BOM)
    return content.replace(b"\r\n", b"\n") if _ends_in_crlf(content) else content


def same(left: bytes, right: bytes) -> bool:
    """Compare contents as git does when it may have converted line endings at checkout."""
    return left == right or plain(left) == plain(right)


def dressed(content: bytes, like: bytes) -> bytes:
    """Return a text with the line endings and the byte order mark of the user's file."""
    if _is_binary(content) or _is_binary(like):
        return content
    text = plain(content)
    if _ends_in_crlf(like):
        text = text.replace(b"\n", b"\r\n")
    return _BOM + text if like.startswith(_BOM) else text


def similarity(left: bytes, right: bytes) -> float:
    """Return how much of two texts is alike, line by line: 1 for the same, 0 for nothing in common."""
    if same(left, right):
        return 1.0
    if _is_binary(left) or _is_binary(right):
        return 0.0
    lines = plain(left).splitlines(), plain(right).splitlines()
    return difflib.SequenceMatcher(None, *lines, autojunk=False).ratio()


def merge(mine: bytes, base: bytes, theirs: bytes, *, before: str, after: str) -> Merged:
    """Bring what changed from ``base`` to ``theirs`` into ``mine``.

    Args:
        mine: What the user has.
        base: What the template made.
        theirs: What the template makes now.
        before: The version of ``base``.
        after: The version of ``theirs``.

    Raises:
        GitError: git is missing or failed.
    """
    if any(map(_is_binary, (mine, base, theirs))):
        return Merged(mine, refused=True)
    with tempfile.TemporaryDirectory(prefix="studio-merge-") as name:
        paths = [Path(name) / label for label in ("mine", "base", "theirs")]
        for path, content in zip(paths, (mine, base, theirs), strict=True):
            path.write_bytes(plain(content))
        labels = [_MINE, f"template {before}", f"template {after}"]
        arguments = [*(f"-L{label}" for label in labels), "--", *map(str, paths)]
        content = _merge_file(arguments)
    return Merged(dressed(content, mine), conflicts_in(content))


def conflicts_in(content: bytes) -> tuple[int, ...]:
    """Return the 1-based lines at which conflicts start that an update left behind."""
    if not any(start in content for start in _STARTS):
        return ()
    # git ends its markers as the lines around them end.
    lines = enumerate(content.split(b"\n"), 1)
    return tuple(number for number, line in lines if line.rstrip() in _STARTS)


def _merge_file(arguments: list[str]) -> bytes:
    # The exit code is the number of conflicts, at most 127; a failure is above that.
    merged = range(128)
    try:
        return run_git(["merge-file", "-p", "--zdiff3", *arguments], expected=merged)
    except GitError:
        # git before 2.35 has no --zdiff3; what else is wrong is wrong with this as well.
        return run_git(["merge-file", "-p", "--diff3", *arguments], expected=merged)


def _ends_in_crlf(content: bytes) -> bool:
    feeds = content.count(b"\n")
    return feeds > 0 and content.count(b"\r\n") == feeds


def _is_binary(content: bytes) -> bool:
    # As git tells; a NUL is in no source file.
    return b"\0" in content[:8000]
