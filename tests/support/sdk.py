"""Real artifacts: bundles that the published Workflow SDK makes of a small app.

The SDK is installed once per version into a cache, ``STUDIO_TEST_CACHE`` or a folder of the user's cache; the bundles
are built once per version and source.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from filelock import FileLock

from workflow_studio.scaffolder.build import sdk_build

SDK_VERSION: Final = "4.8.9"
_BUNDLES: Final = ("flow.js", "step.js")
_HOOKS: Final = Path(sdk_build.__file__).with_name("builder_hooks.mjs")
_MAKE_MAPS: Final = (_HOOKS, _HOOKS.with_name("source_maps.mjs"))


def cache_folder() -> Path:
    """Return where tests keep what they install, over all their runs."""
    chosen = os.environ.get("STUDIO_TEST_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(chosen) if chosen else base / "workflow-studio-tests"


def _run(*command: str | Path, cwd: Path) -> None:
    process = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert process.returncode == 0, f"{command} failed:\n{process.stdout}\n{process.stderr}"


def _installed(version: str) -> Path:
    """Return a folder with ``workflow`` in its ``node_modules``."""
    folder = cache_folder() / f"workflow-{version}"
    marker = folder / "installed"
    if not marker.exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": {"workflow": version}}))
        _run("npm", "install", "--no-audit", "--no-fund", "--loglevel=error", cwd=folder)
        marker.touch()
    return folder


def installed_sdk(version: str = SDK_VERSION) -> Path:
    """Return the ``node_modules`` that hold the SDK."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder() / f"workflow-{version}.lock"):
        return _installed(version) / "node_modules"


def build_artifact(source: str, *, version: str = SDK_VERSION) -> Path:
    """Return the folder of an unpacked artifact whose workflows are those of ``source``, a TypeScript module."""
    cache_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(cache_folder() / f"workflow-{version}.lock"):
        root = _installed(version)
        made_of = source.encode() + b"".join(file.read_bytes() for file in _MAKE_MAPS)
        app = root / "apps" / hashlib.sha256(made_of).hexdigest()[:16]
        artifact = app / "artifact"
        if not artifact.exists():
            shutil.rmtree(app, ignore_errors=True)
            (app / "workflows").mkdir(parents=True)
            (app / "package.json").write_text(json.dumps({"name": "app", "private": True, "type": "module"}))
            (app / "workflows" / "app.ts").write_text(source)
            command = root / "node_modules/workflow/bin/run.js"
            _run("node", "--import", _HOOKS.as_uri(), command, "build", cwd=app)
            _unpack(root, app / ".well-known/workflow/v1", app / "unfinished")
            (app / "unfinished").rename(artifact)
        return artifact


def _unpack(root: Path, built: Path, artifact: Path) -> None:
    """Put the bundles where a worker that unpacked the artifact would have them."""
    artifact.mkdir()
    (artifact / "package.json").write_text(json.dumps({"type": "commonjs"}))
    for bundle in _BUNDLES:
        shutil.copy(built / bundle, artifact / bundle)
    esbuild = root / "node_modules/.bin/esbuild"
    options = ("--bundle", "--platform=node", "--format=cjs", "--target=es2022", "--keep-names", "--log-level=error")
    _run(esbuild, built / "webhook.js", *options, f"--outfile={artifact / 'webhook.js'}", cwd=root)
