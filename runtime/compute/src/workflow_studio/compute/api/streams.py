"""Streams of a run."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from workflow_studio.compute.api._base import Answer

StreamFormat = Literal["json", "raw"]
"""How a stream's chunks are read: one line of JSON each, or the bytes themselves."""


class Stream(Answer):
    """A stream that was written or closed under a run.

    Attributes:
        name: Its name.
        tail_index: The index of its last chunk; -1 if there is none.
        done: Whether it is closed.
        created_at: When it was first written or closed.
    """

    name: str
    tail_index: int = -1
    done: bool = False
    created_at: datetime | None = None


class StreamLine(Answer):
    """One line of a stream that is read as JSON: a chunk, or, as the last line, where the reading ended.

    Attributes:
        index: The chunk's index.
        value: The chunk as JSON; bytes are ``{"$type": "Uint8Array", "base64": ...}``.
        done: On the last line: whether the stream has nothing more, now or later.
        next_index: On the last line: where to go on.
    """

    index: int | None = None
    value: Any = None
    done: bool | None = None
    next_index: int | None = None
