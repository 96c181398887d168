"""Real servers of every shape of request, each in a process of Node.js."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from tests.support.npm import cache_folder

SHAPES = Path(__file__).parent / "shapes"


class Server:
    """A process that says its port, and then what happens in it."""

    def __init__(self, command: list[str], cwd: Path, **env: str) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("WORKFLOW_", "NODE_"))}
        self._process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**kept, "NEXT_TELEMETRY_DISABLED": "1", **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._lines: list[str] = []
        self._told = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        try:
            self.port = int(self.wait_for(r"port (\d+)", 90)[1])
        except BaseException:
            self.stop()
            raise

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._told:
                self._lines.append(line.rstrip("\n"))
                self._told.notify_all()
        with self._told:
            self._told.notify_all()

    def wait_for(self, pattern: str, seconds: float = 20) -> re.Match[str]:
        """Wait for a line of this pattern, and take it away."""
        until = time.monotonic() + seconds
        with self._told:
            while True:
                for index, line in enumerate(self._lines):
                    if match := re.fullmatch(pattern, line):
                        del self._lines[index]
                        return match
                left = until - time.monotonic()
                if left <= 0 or self._process.poll() is not None:
                    raise AssertionError(f"No line like {pattern!r}; the server wrote:\n" + "\n".join(self._lines))
                self._told.wait(min(left, 1))

    def wrote(self, pattern: str) -> bool:
        with self._told:
            return any(re.search(pattern, line) for line in self._lines)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        if self._process.stdout:
            self._process.stdout.close()


@dataclass(frozen=True)
class Shape:
    """A way in which a framework hands out requests.

    Attributes:
        name: What the tests call it.
        script: The server's module.
        path: Where the handler is mounted.
        arguments: Of the server's module.
        parses: Whether body parsers run before the handler.
        damages: Whether those parsers make text of everything.
        converts: Whether the framework makes the Web request itself, by rules of its own.
    """

    name: str
    script: str
    path: str
    arguments: tuple[str, ...] = ()
    parses: bool = False
    damages: bool = False
    converts: bool = False

    def __str__(self) -> str:
        return self.name


def packages() -> Path:
    """Return a folder with the frameworks in its ``node_modules``; they are installed once."""
    wanted = (SHAPES / "package.json").read_text()
    folder = cache_folder() / f"converters-{hashlib.sha256(wanted.encode()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not (folder / "installed").exists():
            (folder / "package.json").write_text(wanted)
            command = ["npm", "install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)
            assert done.returncode == 0, done.stderr
            (folder / "installed").touch()
    return folder


def put_servers(folder: Path, package: Path) -> Path:
    """Put the servers and the generated package into a new folder."""
    shutil.copytree(SHAPES, folder, ignore=shutil.ignore_patterns("package.json"))
    (folder / "package.json").write_text(json.dumps({"private": True, "type": "module"}))
    shutil.copyfile(SHAPES / "handle.mjs", folder / "next/handle.mjs")
    shutil.copytree(package, folder / "node_modules/workflow-studio", symlinks=False)
    # Without the Workflow SDK, which no converter needs, a bundler would miss it.
    sdk = folder / "node_modules/workflow"
    sdk.mkdir()
    exports: dict[str, Any] = {"./api": "./none.js", "./runtime": "./none.js"}
    (sdk / "package.json").write_text(json.dumps({"name": "workflow", "type": "module", "exports": exports}))
    (sdk / "none.js").write_text("export {};\n")
    return folder


def running(shape: Shape, folder: Path) -> Server:
    """Start the server of a shape."""
    script = folder / shape.script
    return Server(["node", script.name, *shape.arguments], script.parent, PACKAGES=str(folder.parent.parent))
