"""The processes of a session: their lines, their end."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from workflow_studio.scaffolder.dev.live_process import LiveProcess
from workflow_studio.scaffolder.processes import ProcessError


def python(code: str, grace: float = 5) -> LiveProcess:
    return LiveProcess("The child", [sys.executable, "-c", code], cwd=Path.cwd(), env=dict(os.environ), grace=grace)


async def lines_of(process: LiveProcess) -> list[str]:
    return [line async for line in process.lines()]


async def test_lines_come_whole_and_decoded() -> None:
    code = r"""
import os, sys, time
os.write(1, b"one\ntw"); os.write(2, b"o\n")
word = "grüße\r\n".encode(); os.write(1, word[:3]); os.write(1, word[3:])
os.write(1, b"10 %\r20 %\n\xff\nlast")
"""
    async with python(code) as process:
        assert await lines_of(process) == ["one", "two", "grüße", "20 %", "\ufffd", "last"]
        assert await process.wait() == 0
    assert process.last_lines[0] == "one"


async def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    async with python("import os; os.write(1, b'x' * 50_000)") as process:
        lines = await lines_of(process)
    assert "".join(lines) == "x" * 50_000


async def test_the_status_is_the_programs() -> None:
    async with python("raise SystemExit(7)") as process:
        await lines_of(process)
        assert await process.wait() == 7
    async with python("import os; os.kill(os.getpid(), 9)") as process:
        await lines_of(process)
        assert await process.wait() == 137


async def test_it_ends_with_the_block_though_nobody_reads_what_it_says() -> None:
    async with python("while True: print('x' * 1000)", grace=0.2) as process:
        assert not process.ended
    assert process.ended


async def test_its_standard_input_stays_open() -> None:
    async with python("import select, sys; print(select.select([sys.stdin], [], [], 0.2)[0])") as process:
        assert await lines_of(process) == ["[]"]


async def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    process = LiveProcess("The app", ["/nonexistent/npm"], cwd=tmp_path, env={})
    with pytest.raises(ProcessError, match="The app could not be started: there is no program /nonexistent/npm"):
        await process.__aenter__()
