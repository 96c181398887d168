"""npm packages that tests run: each is installed once per version, for all runs of the tests."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from filelock import FileLock


def cache_folder() -> Path:
    """Return where tests keep what they install, over all their runs."""
    chosen = os.environ.get("STUDIO_TEST_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen) if chosen else base / "workflow-studio-tests"


def run(*command: str | Path, cwd: Path) -> None:
    """Run a command, which must succeed."""
    process = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, f"{command} failed:\n{process.stdout}\n{process.stderr}"


def installed(package: str, version: str) -> Path:
    """Return a folder with a package in its ``node_modules``."""
    folder = cache_folder() / f"{package}-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    marker = folder / "installed"
    with FileLock(f"{folder}.install.lock"):
        if not marker.exists():
            (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": {package: version}}))
            run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", cwd=folder)
            marker.touch()
    return folder
