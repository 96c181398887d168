"""What the measurements ran on, and with what."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final

import psutil
import psycopg

from bench.figures import milliseconds
from tests.support.postgres import database_url
from workflow_studio.worker.execution import find_node

if TYPE_CHECKING:
    from collections.abc import Iterable

_ROOT: Final = Path(__file__).parent.parent
_PACKAGES: Final = ("workflow", "@workflow/core", "@workflow/world-local", "@workflow/world-postgres", "nitro")
_SYNCS: Final = 50


def describe(folder: Path) -> dict[str, str]:
    """Return what this machine is, and what the disk below ``folder`` takes to keep something."""
    return {
        "processor": f"{_processor()}, {psutil.cpu_count()} cores",
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "disk": f"{_file_system(folder)}, {milliseconds(_sync(folder))} for fsync of 4 kB",
        "load before": f"{os.getloadavg()[0]:.2f}",
    }


def versions(app: Path, postgres: Path | None) -> dict[str, str]:
    """Return the versions of what takes part."""
    found = {name: _package(app, name) for name in _PACKAGES}
    found["Node.js"] = find_node().version_text
    found["Python"] = platform.python_version()
    found["SQLite"] = sqlite3.sqlite_version
    if postgres is not None:
        with psycopg.connect(database_url(postgres)) as connection:
            row = connection.execute("SHOW server_version").fetchone()
            found["PostgreSQL"] = str(row[0]) if row else "unknown"
    return found


def commit() -> str:
    """Return the commit of the checkout, with a plus sign if files that are versioned have changed since."""
    try:
        name = _output("git", "rev-parse", "--short", "HEAD")
        changed = _output("git", "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{name}+" if changed else name


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines: Iterable[str] = info.read_text(encoding="utf-8").splitlines() if info.exists() else ()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _file_system(folder: Path) -> str:
    """Return the type of the file system that a folder is on."""
    mounts = [part for part in psutil.disk_partitions(all=True) if folder.is_relative_to(part.mountpoint)]
    return max(mounts, key=lambda part: len(part.mountpoint)).fstype if mounts else "unknown"


def _sync(folder: Path) -> float:
    """Return the median of the milliseconds that it takes to write 4 kB for good."""
    took: list[float] = []
    file = folder / "sync"
    with file.open("wb", buffering=0) as output:
        for _ in range(_SYNCS):
            begun = time.perf_counter()
            output.write(bytes(4096))
            os.fsync(output.fileno())
            took.append((time.perf_counter() - begun) * 1000)
    file.unlink()
    return median(took)


def _package(app: Path, name: str) -> str:
    version: str = json.loads((app / "node_modules" / name / "package.json").read_text(encoding="utf-8"))["version"]
    return version


def _output(*command: str) -> str:
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True).stdout.strip()
