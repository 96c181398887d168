"""Streams in a folder of files: one file per stream, to which records are appended.

A record is a line of JSON and the chunks behind it. What a crash leaves of a record that was being written is cut off
when the file is read again, and the write is repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import os
import time
import zlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from workflow_studio.worker.parts import FactoryContext, StoredChunks, StoredStream, Streams

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from workflow_studio.worker.parts import StreamWrite


@dataclass(slots=True)
class _File:
    path: Path
    name: str
    created_at: int
    runs: set[str] = field(default_factory=set)
    writes: set[tuple[str, int]] = field(default_factory=set)
    spans: list[tuple[int, int]] = field(default_factory=list)
    closed: bool = False
    end: int = 0

    @classmethod
    def load(cls, path: Path) -> Self | None:
        found: Self | None = None
        content = path.read_bytes()
        while (line_end := content.find(b"\n", found.end if found else 0)) >= 0:
            header = json.loads(content[found.end if found else 0 : line_end])
            data = content[line_end + 1 : line_end + 1 + sum(header["sizes"])]
            if len(data) < sum(header["sizes"]) or zlib.crc32(data) != header["crc"]:
                break
            found = found or cls(path, header["stream"], header["at"])
            found.add(header, line_end + 1)
        if found is None or found.end < len(content):
            with path.open("r+b") as file:
                file.truncate(found.end if found else 0)
        return found

    def add(self, header: dict[str, Any], offset: int) -> None:
        self.runs.add(header["run"])
        if header["write"] is not None:
            self.writes.add((header["write"][0], header["write"][1]))
        starts = itertools.accumulate(header["sizes"], initial=offset)
        self.spans += list(zip(starts, header["sizes"], strict=False))
        self.closed = self.closed or header["closes"]
        self.end = offset + sum(header["sizes"])

    def stored(self) -> StoredStream:
        return StoredStream(self.name, len(self.spans), self.closed, self.created_at)


class FileStreams:
    """Implements :class:`workflow_studio.worker.parts.Streams` for one worker."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._callbacks: list[Callable[[str], None]] = []
        self._writing = asyncio.Lock()

    async def start(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = await asyncio.to_thread(lambda: [_File.load(path) for path in self._folder.glob("*.stream")])
        self._files = {file.name: file for file in found if file is not None}

    async def append(self, write: StreamWrite, /) -> None:
        async with self._writing:
            file = self._file(write.stream)
            named = (write.writer_id, write.sequence)
            if file.closed or named in file.writes or not write.chunks:
                await self._note(file, write.run_id)
                return
            await self._add(file, write.run_id, write.stored(len(file.spans)), write=list(named))
        self._tell(write.stream)

    async def end(self, stream: str, run_id: str, /) -> None:
        async with self._writing:
            file = self._file(stream)
            if file.closed:
                await self._note(file, run_id)
                return
            await self._add(file, run_id, (), closes=True)
        self._tell(stream)

    async def read(self, stream: str, start: int, max_chunks: int, max_bytes: int, /) -> StoredChunks:
        file = self._files.get(stream)
        if file is None:
            return StoredChunks()
        spans: list[tuple[int, int]] = []
        room = max_bytes
        for span in file.spans[start : start + max_chunks]:
            if spans and span[1] > room:
                break
            spans.append(span)
            room -= span[1]
        count, closed = len(file.spans), file.closed
        return StoredChunks(await asyncio.to_thread(_chunks, file.path, spans), count, closed)

    async def look(self, stream: str, /) -> StoredStream | None:
        file = self._files.get(stream)
        return None if file is None else file.stored()

    async def of_run(self, run_id: str, after: str, limit: int, /) -> Sequence[StoredStream]:
        found = [file for name, file in self._files.items() if run_id in file.runs and name > after]
        return [file.stored() for file in sorted(found, key=lambda file: file.name)[:limit]]

    async def is_of_run(self, stream: str, run_id: str, /) -> bool:
        return stream in self._files and run_id in self._files[stream].runs

    def on_growth(self, callback: Callable[[str], None], /) -> None:
        self._callbacks.append(callback)

    def _file(self, name: str) -> _File:
        path = self._folder / f"{hashlib.sha256(name.encode()).hexdigest()}.stream"
        return self._files.get(name) or _File(path, name, time.time_ns() // 1_000_000)

    async def _note(self, file: _File, run_id: str) -> None:
        if run_id not in file.runs:
            await self._add(file, run_id, ())

    async def _add(
        self,
        file: _File,
        run_id: str,
        chunks: Sequence[bytes],
        *,
        write: list[Any] | None = None,
        closes: bool = False,
    ) -> None:
        data = b"".join(chunks)
        header = {
            "stream": file.name,
            "at": file.created_at,
            "run": run_id,
            "write": write,
            "sizes": [len(chunk) for chunk in chunks],
            "closes": closes,
            "crc": zlib.crc32(data),
        }
        line = json.dumps(header).encode() + b"\n"
        await asyncio.to_thread(_write, file.path, file.end, line + data)
        file.add(header, file.end + len(line))
        self._files[file.name] = file

    def _tell(self, name: str) -> None:
        for callback in self._callbacks:
            callback(name)


def _write(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b" if path.exists() else "xb") as file:
        file.seek(at)
        file.truncate()
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _chunks(path: Path, spans: Sequence[tuple[int, int]]) -> list[bytes]:
    if not spans:
        return []
    with path.open("rb") as file:
        found = []
        for offset, size in spans:
            file.seek(offset)
            found.append(file.read(size))
        return found


def make(context: FactoryContext[Streams]) -> Streams:
    """Keep streams in a folder of the worker's data."""
    return FileStreams(context.data_dir / "streams")
