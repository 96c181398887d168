"""Line-based files: ``.gitignore``, ``.env.example``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def add_lines(data: bytes, lines: Sequence[str], *, heading: str) -> bytes:
    """Return the file with the missing ones of ``lines`` at its end, under a comment.

    Args:
        data: The file; may be empty.
        lines: Lines that shall be there. ``dist``, ``dist/``, ``/dist``, ``**/dist`` and ``dist/*`` count as one; one
            whose opposite is there (``!dist/public``) is left out.
        heading: Comment above the added lines, without ``#``.
    """
    text = data.decode("utf-8", "surrogateescape")
    eol = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    present = {_key(line) for line in text.removeprefix("\ufeff").splitlines()}
    wanted_back = [key.removeprefix("!").strip("/") for key in present if key.startswith("!")]
    missing = [
        line
        for line in lines
        if (key := _key(line)) not in present
        and not any(path == key or path.startswith(f"{key}/") for path in wanted_back)
    ]
    if not missing:
        return data
    if text and not text.endswith("\n"):
        text += eol
    gap = eol if text.strip() else ""
    block = eol.join([f"# {heading}", *missing])
    return f"{text}{gap}{block}{eol}".encode("utf-8", "surrogateescape")


def _key(line: str) -> str:
    # git ignores spaces at the end of a line, and only there.
    return line.rstrip(" \r").removeprefix("**/").removesuffix("/**").removesuffix("/*").strip("/")
