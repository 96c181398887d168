"""Real artifacts: bundles that the published Workflow SDK makes of a small app.

The SDK is installed once per version into a cache, ``STUDIO_TEST_CACHE`` or a folder of the user's cache; the bundles
are built once per version and source.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Final

from filelock import FileLock

from tests.support.npm import cache_folder, installed, run
from workflow_studio.scaffolder.build import sdk_build

SDK_VERSION: Final = "4.8.9"
_BUNDLES: Final = ("flow.js", "step.js")
_HOOKS: Final = Path(sdk_build.__file__).with_name("builder_hooks.mjs")
_MAKE_MAPS: Final = (_HOOKS, _HOOKS.with_name("source_maps.mjs"))


def installed_sdk(version: str = SDK_VERSION) -> Path:
    """Return the ``node_modules`` that hold the SDK."""
    return installed("workflow", version) / "node_modules"


def build_artifact(source: str, *, version: str = SDK_VERSION) -> Path:
    """Return the folder of an unpacked artifact whose workflows are those of ``source``, a TypeScript module."""
    root = installed("workflow", version)
    with FileLock(cache_folder() / f"workflow-{version}.lock"):
        made_of = source.encode() + b"".join(file.read_bytes() for file in _MAKE_MAPS)
        app = root / "apps" / hashlib.sha256(made_of).hexdigest()[:16]
        artifact = app / "artifact"
        if not artifact.exists():
            shutil.rmtree(app, ignore_errors=True)
            (app / "workflows").mkdir(parents=True)
            (app / "package.json").write_text(json.dumps({"name": "app", "private": True, "type": "module"}))
            (app / "workflows" / "app.ts").write_text(source)
            command = root / "node_modules/workflow/bin/run.js"
            run("node", "--import", _HOOKS.as_uri(), command, "build", cwd=app)
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
    run(esbuild, built / "webhook.js", *options, f"--outfile={artifact / 'webhook.js'}", cwd=root)
