"""A process of the session: its lines as they come, and an end that takes everything it started along."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
from collections import deque
from typing import TYPE_CHECKING, Final, Self

from workflow_studio.scaffolder.processes import GRACE_SECONDS, Leash, require_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

_CHUNK: Final = 65536
_LONGEST_LINE: Final = 10_000
_REMEMBERED: Final = 30
_MARGIN_SECONDS: Final = 10.0


class LiveProcess:
    """A process that runs inside an ``async with`` block.

    Its standard input is a pipe that stays open, because servers for development end when theirs does.

    Args:
        name: What to call it in messages.
        command: Program and arguments.
        cwd: Its folder.
        env: Its whole environment.
        grace: Seconds between asking it to end and killing it.
        held: A descriptor that stays open until everything has ended, if this process is killed too.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        grace: float = GRACE_SECONDS,
        held: int | None = None,
    ) -> None:
        self._name = name
        self._command = command
        self._cwd = cwd
        self._env = env
        self._grace = grace
        self._held = held
        self._last: deque[str] = deque(maxlen=_REMEMBERED)

    async def __aenter__(self) -> Self:
        """Start it.

        Raises:
            ProcessError: If there is no such program.
        """
        require_program(self._name, self._command[0], self._env)
        self._leash = Leash()
        self._process = await asyncio.create_subprocess_exec(
            *self._leash.command(self._command, self._grace),
            cwd=self._cwd,
            env=dict(self._env),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            pass_fds=(self._leash.far_end, *(() if self._held is None else (self._held,))),
            start_new_session=True,
        )
        self._leash.handed_over()
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it and all that it started."""
        self._leash.let_go()
        # A process that left its parents may hold the output longer, where the operating system cannot find it.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._grace + _MARGIN_SECONDS):
                # Whatever comes now has to be read, or the end would never be seen.
                async for _line in self.lines():
                    pass
                await self._process.wait()

    @property
    def pid(self) -> int:
        """Id of the process that keeps the program."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it and all that it started have ended."""
        return self._process.returncode is not None

    @property
    def last_lines(self) -> list[str]:
        """What it printed last."""
        return list(self._last)

    async def wait(self) -> int:
        """Wait until it and all that it started have ended; return its status as a shell would."""
        return await self._process.wait()

    async def lines(self) -> AsyncIterator[str]:
        """Return the lines that it prints, without their ends, until it has ended."""
        if self._process.stdout is None:
            raise RuntimeError("The process has no output.")
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        rest = ""
        while chunk := await self._process.stdout.read(_CHUNK):
            *lines, rest = (rest + decode(chunk)).split("\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], ""
            for line in lines:
                yield self._remember(line)
        if rest:
            yield self._remember(rest)

    def _remember(self, line: str) -> str:
        # What a progress display has overwritten is gone on a terminal, too.
        shown = line.rstrip("\r").rpartition("\r")[2]
        self._last.append(shown)
        return shown
