"""Line-based files: ``.gitignore``, ``.env.example``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def add_lines(data: bytes, lines: Sequence[str], *, heading: str) -> bytes:
    """Return the file with the missing ones of ``lines`` at its end, under a comment.

    Args:
        data: The file; may be empty.
        lines: Lines that shall be there. ``dist``, ``dist/`` and ``/dist`` count as one.
        heading: Comment above the added lines, without ``#``.
    """
    text = data.decode("utf-8", "surrogateescape")
    eol = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    present = {_key(line) for line in text.splitlines()}
    missing = [line for line in lines if _key(line) not in present]
    if not missing:
        return data
    if text and not text.endswith("\n"):
        text += eol
    gap = eol if text.strip() else ""
    block = eol.join([f"# {heading}", *missing])
    return f"{text}{gap}{block}{eol}".encode("utf-8", "surrogateescape")


def _key(line: str) -> str:
    return line.strip().strip("/")
