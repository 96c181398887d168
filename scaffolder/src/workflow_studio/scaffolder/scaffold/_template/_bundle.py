"""The template of every release in one git bundle.

The bundle has one commit per release, tagged with its version, that holds the template and nothing else of the
repository. The same releases give the same bytes. The build of the package runs this file by itself, so it imports
nothing but the standard library.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TEMPLATE_PATHS = ("copier.yml", "template", "runtime/compute/src/workflow_studio/compute/js")
"""What the template consists of, in the repository."""
PACKED = "_template"
"""The folder of the package, and of its sdist, that holds the template."""
BUNDLE = "releases.bundle"
"""The bundle's name, in that folder."""
IGNORED = frozenset({"__pycache__", "node_modules", ".DS_Store"})

_RELEASE = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:\.?(dev|a|b|rc)(\d+))?")
_STAGES = ("dev", "a", "b", "rc", None)
# A repository found through these would be the user's, not ours (they are set inside git hooks).
_GIT_STATE = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
    }
)
_HERMETIC = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # In a container a checkout often belongs to somebody else; it is only read here.
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    **{
        f"GIT_{role}_{part}": value
        for role in ("AUTHOR", "COMMITTER")
        for part, value in (
            ("NAME", "Workflow Studio"),
            ("EMAIL", "studio@localhost"),
            ("DATE", "2025-01-01T00:00:00Z"),
        )
    },
}


class GitError(Exception):
    """git is missing (no command), or a command of it failed."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(f"{command} failed: {reason}" if command else reason)
        self.command = command


def run_git(
    arguments: list[str],
    variables: dict[str, str] | None = None,
    *,
    data: bytes | None = None,
    expected: range = range(1),
) -> bytes:
    """Run git as on a machine of its own: with nobody's settings and in nobody's repository.

    Args:
        arguments: The arguments.
        variables: More environment variables.
        data: What it reads.
        expected: The exit codes that are no failure.

    Returns:
        What it printed.

    Raises:
        GitError: git is missing or failed.
    """
    git = shutil.which("git")
    if git is None:
        raise GitError("", "git was not found")
    kept = {name: value for name, value in os.environ.items() if name not in _GIT_STATE}
    result = subprocess.run(  # noqa: S603 - git, with arguments of our own
        [git, *arguments], input=data or b"", env=kept | _HERMETIC | (variables or {}), capture_output=True, check=False
    )
    if result.returncode not in expected:
        said = result.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit {result.returncode}"]
        verb = next((word for word in arguments if not word.startswith(("-", os.sep)) and "=" not in word), "")
        raise GitError(f"git {verb}", said[0])
    return result.stdout


def version_key(ref: str) -> tuple[int, ...] | None:
    """Return what releases are ordered by, ``None`` for a name that is not one."""
    match = _RELEASE.fullmatch(ref)
    if match is None:
        return None
    *numbers, stage, count = match.groups()
    return (*map(int, numbers), _STAGES.index(stage), int(count or 0))


def list_releases(repository: Path) -> list[str]:
    """Return the tags of a repository that are releases, the oldest first.

    Raises:
        GitError: git is missing, or there is no repository.
    """
    tags = run_git(["-C", str(repository), "tag", "--list"]).decode().split()
    return sorted((tag for tag in tags if version_key(tag)), key=lambda tag: version_key(tag) or ())


def copy_template(source: Path, target: Path) -> None:
    """Copy the template, and nothing else of the repository."""
    for relative in TEMPLATE_PATHS:
        start, end = source / relative, target / relative
        if start.is_dir():
            shutil.copytree(start, end, ignore=shutil.ignore_patterns(*IGNORED))
        elif start.is_file():
            end.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(start, end)


def make_bundle(source: Path, present: str, bundle: Path, scratch: Path) -> list[str]:
    """Make the bundle of a checkout's releases and of its present state.

    Args:
        source: The checkout; where it is no git repository, there are no earlier releases.
        present: The version that the present state is or becomes, as ``v0.1.0``.
        bundle: The file to write.
        scratch: An empty folder to work in.

    Returns:
        The versions in the bundle, the oldest first.

    Raises:
        GitError: git is missing or failed.
    """
    repository, tree = scratch / "repository.git", scratch / "tree"
    run_git(["init", "--quiet", "--bare", "--initial-branch=main", str(repository)])
    git = ["-c", "core.autocrlf=false", "-c", "core.fileMode=true", "--git-dir", str(repository)]
    earlier = [tag for tag in _released(source) if (version_key(tag) or ()) < (version_key(present) or (0,))]
    objects = _lend_objects(source) if earlier else {}
    parent: list[str] = []
    for tag in (*earlier, present):
        index = {"GIT_INDEX_FILE": str(scratch / f"index-{tag}"), **objects}
        if tag == present:
            copy_template(source, tree)
            run_git([*git, "--work-tree", str(tree), "-C", str(tree), "add", "--all", "--force"], index)
        else:
            listed = run_git(["-C", str(source), "ls-tree", "-r", "-z", "--full-tree", tag, "--", *TEMPLATE_PATHS])
            run_git([*git, "update-index", "-z", "--index-info"], index, data=listed)
        written = run_git([*git, "write-tree"], index).decode().strip()
        message = ["-m", f"Template {tag}"]
        commit = run_git([*git, "commit-tree", "--no-gpg-sign", written, *parent, *message], index).decode().strip()
        run_git([*git, "update-ref", f"refs/tags/{tag}", commit], objects)
        parent = ["-p", commit]
    # One thread: what several find to share, and so the bytes, would depend on how they were scheduled.
    pack = ["-c", "pack.threads=1", "-c", "pack.window=50", "-c", "pack.depth=50"]
    run_git([*git, *pack, "bundle", "create", "--quiet", str(bundle), "--tags"], objects)
    return [*earlier, present]


def _released(source: Path) -> list[str]:
    return list_releases(source) if (source / ".git").exists() else []


def _lend_objects(source: Path) -> dict[str, str]:
    """Return the variables by which git finds the objects of ``source``; where they are depends on worktrees."""
    found = run_git(["-C", str(source), "rev-parse", "--git-path", "objects"]).decode().strip()
    return {"GIT_ALTERNATE_OBJECT_DIRECTORIES": str((source / found).resolve())}
