"""The project's own formatter: what it did to generated files must not look like edits of their owner."""

from __future__ import annotations

import json
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from workflow_studio.scaffolder.errors import NodeNotFoundError
from workflow_studio.scaffolder.node import find_node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from workflow_studio.scaffolder.node import NodeRuntime

_TIMEOUT_SECONDS = 120
_SCRIPT = Path(__file__).with_name("format.mjs")
_PRETTIER = (
    ".prettierrc", ".prettierrc.json", ".prettierrc.yml", ".prettierrc.yaml", ".prettierrc.json5", ".prettierrc.js",
    ".prettierrc.cjs", ".prettierrc.mjs", ".prettierrc.ts", ".prettierrc.cts", ".prettierrc.mts", ".prettierrc.toml",
    "prettier.config.js", "prettier.config.cjs", "prettier.config.mjs", "prettier.config.ts", "prettier.config.cts",
    "prettier.config.mts",
)  # fmt: skip
_BIOME = ("biome.json", "biome.jsonc", ".biome.json", ".biome.jsonc")
_RUFF = ("ruff.toml", ".ruff.toml")

Files = list[tuple[str, bytes]]
"""Paths inside the project, with contents."""


class _Tool(Protocol):
    """A formatter."""

    @property
    def name(self) -> str:
        """What people call it."""

    def run(self, files: Files) -> list[bytes]:
        """Return the contents as the tool writes them."""


@dataclass
class Formatter:
    """Formats what the template makes as the project formats its files; where that fails, texts stay as they are.

    Attributes:
        tools: The formatters of the project.
        failed: Names of tools that could not be run.
    """

    tools: Sequence[_Tool] = ()
    failed: set[str] = field(default_factory=set)
    _known: dict[tuple[str, bytes], bytes] = field(default_factory=dict)

    def format(self, files: Files) -> list[bytes]:
        """Return contents as the project's formatter writes them; each is formatted once."""
        asked = list(dict.fromkeys(file for file in files if file not in self._known))
        contents = [content for _, content in asked]
        for tool in self.tools if asked else ():
            try:
                contents = tool.run([(path, content) for (path, _), content in zip(asked, contents, strict=True)])
            except (OSError, ValueError, subprocess.SubprocessError, NodeNotFoundError):
                self.failed.add(tool.name)
        self._known |= zip(asked, contents, strict=True)
        return [self._known[file] for file in files]


def find_formatter(root: Path) -> Formatter:
    """Return the formatters a project has, by their configuration and by being installed; nothing is downloaded."""
    folders = list(_folders(root))
    tools: list[_Tool] = []
    prettier = _installed(folders, "prettier/package.json")
    if prettier is not None and (_has(folders, _PRETTIER) or _is_in(folders, "package.json", '"prettier"')):
        tools.append(_Prettier(root, prettier.parent))
    biome = _installed(folders, "@biomejs/biome/bin/biome")
    if biome is not None and _has(folders, _BIOME):
        tools.append(_Biome(root, biome))
    ruff = _find_ruff(folders)
    if ruff is not None and (_has(folders, _RUFF) or _is_in(folders, "pyproject.toml", "[tool.ruff")):
        tools.append(_Ruff(root, ruff))
    return Formatter(tools)


def _folders(root: Path) -> Iterator[Path]:
    """Yield the project's folder and those above it, up to the root of the repository."""
    for folder in (root, *root.parents):
        yield folder
        if (folder / ".git").exists():
            return


def _installed(folders: list[Path], name: str) -> Path | None:
    return next((path for folder in folders if (path := folder / "node_modules" / name).is_file()), None)


def _has(folders: list[Path], names: Sequence[str]) -> bool:
    return any((folder / name).is_file() for folder in folders for name in names)


def _is_in(folders: list[Path], name: str, word: str) -> bool:
    files = [folder / name for folder in folders if (folder / name).is_file()]
    return any(word in file.read_text("utf-8", "replace") for file in files)


def _find_ruff(folders: list[Path]) -> Path | None:
    own = (folder / ".venv" / place for folder in folders for place in ("bin/ruff", "Scripts/ruff.exe"))
    found = next((path for path in own if path.is_file()), None) or shutil.which("ruff")
    return Path(found) if found is not None else None


def _run(command: list[str], root: Path, data: bytes, node: NodeRuntime | None = None) -> bytes:
    """Run a formatter in the project.

    Raises:
        SubprocessError: It failed, or took too long.
    """
    return subprocess.run(  # noqa: S603 - the project's own formatter
        command,
        cwd=root,
        env=node.environment() if node is not None else None,
        input=data,
        capture_output=True,
        timeout=_TIMEOUT_SECONDS,
        check=True,
    ).stdout


@dataclass(frozen=True)
class _Prettier:
    """Prettier, by its API: one process for all files, with the options each would get in the project."""

    root: Path
    package: Path
    name: str = "Prettier"

    def run(self, files: Files) -> list[bytes]:
        node = find_node()
        texts = [(path, content.decode("utf-8")) for path, content in files]
        data = json.dumps({"package": str(self.package), "root": str(self.root), "files": texts}).encode()
        formatted = json.loads(_run([str(node.node), str(_SCRIPT)], self.root, data, node))
        return [text.encode() for text in formatted]


@dataclass(frozen=True)
class _Biome:
    """Biome: one process per file, as it formats what it reads only by itself."""

    root: Path
    script: Path
    name: str = "Biome"

    def run(self, files: Files) -> list[bytes]:
        node = find_node()
        command = [str(node.node), str(self.script), "format"]

        def one(file: tuple[str, bytes]) -> bytes:
            path, content = file
            try:
                return _run([*command, f"--stdin-file-path={path}"], self.root, content, node)
            except subprocess.CalledProcessError:
                return content  # a kind of file it does not know

        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(one, files))


@dataclass(frozen=True)
class _Ruff:
    """Ruff, for apps in Python."""

    root: Path
    program: Path
    name: str = "Ruff"

    def run(self, files: Files) -> list[bytes]:
        return [self._one(path, content) if path.endswith(".py") else content for path, content in files]

    def _one(self, path: str, content: bytes) -> bytes:
        command = [str(self.program), "format", "--quiet", "--force-exclude", f"--stdin-filename={path}", "-"]
        return _run(command, self.root, content)
