from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bench.processes import Meter, memory, processes

if TYPE_CHECKING:
    from collections.abc import Iterator

BUSY = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
print(child.pid, flush=True)
sys.stdin.readline()
kept = bytearray(b"x") * 30_000_000
before = time.process_time()
while time.process_time() < before + 0.3:
    pass
print("done", flush=True)
sys.stdin.readline()
"""
"""Has a child, and works when it is told to."""


@pytest.fixture
def busy() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", BUSY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_what_is_below_a_worker_are_its_executors(busy: subprocess.Popen[str]) -> None:
    assert busy.stdout
    child = int(busy.stdout.readline())
    assert [(role, found.pid) for role, found in processes({busy.pid: "worker"})] == [
        ("worker", busy.pid),
        ("executor", child),
    ]
    assert [role for role, _ in processes({busy.pid: "app"})] == ["app", "app"]


def test_a_meter_counts_what_its_processes_take(busy: subprocess.Popen[str]) -> None:
    assert busy.stdin
    assert busy.stdout
    child = busy.stdout.readline()
    before = memory({busy.pid: "app"})["app"]
    with Meter({busy.pid: "app"}, []) as meter:
        busy.stdin.write("\n")
        busy.stdin.flush()
        assert busy.stdout.readline() == "done\n"
    assert meter.cpu["app"] >= 0.2
    assert meter.memory["app"] > before + 10_000_000, f"the child is {child}"
    assert meter.others_cpu == 0


def test_what_others_take_meanwhile_is_counted_once(busy: subprocess.Popen[str]) -> None:
    assert busy.stdin
    assert busy.stdout
    busy.stdout.readline()
    others = {busy.pid: "postgres"}
    with Meter({os.getpid(): "app"}, [others, others]) as meter:
        busy.stdin.write("\n")
        busy.stdin.flush()
        assert busy.stdout.readline() == "done\n"
    assert "postgres" not in meter.cpu
    assert 0.2 <= meter.others_cpu < 0.55


def test_a_process_that_has_ended_is_nothing() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert memory({process.pid: "app"}) == {}
