"""The app's own server for development: what starts it, and where it listens."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Final

from workflow_studio.scaffolder.build.packages import read_package_json
from workflow_studio.scaffolder.errors import UsageError
from workflow_studio.scaffolder.output import clean
from workflow_studio.scaffolder.scaffold._package_manager import detect_package_manager

if TYPE_CHECKING:
    from pathlib import Path

    from workflow_studio.scaffolder.node import NodeRuntime

_SCRIPTS: Final = ("dev", "start:dev")
"""Names that the frameworks give the script; the second is Nest's."""

_URL: Final = re.compile(
    r"https?://(?:localhost|127(?:\.\d{1,3}){3}|0\.0\.0\.0|\[::1?\])(?::\d+)?(?![\w:-]|\.\w)(?:/[^\s\"'<>),]*)?",
    re.IGNORECASE,
)
_TAKEN: Final = re.compile(r"\bEADDRINUSE\b.*?:(\d{1,5})(?![\d.:])|\bport (\d{1,5}) is already in use", re.IGNORECASE)
_EVERY_ADDRESS: Final = re.compile(r"//(0\.0\.0\.0|\[::\])")


def dev_command(app_dir: Path, node: NodeRuntime, given: str | None) -> tuple[list[str], str]:
    """Return the command line of the app's server, and how a person would write it.

    Args:
        app_dir: The app's folder.
        node: Runs npm.
        given: What ``--command`` said.

    Raises:
        UsageError: If the app has no script for it, or its package manager is not there.
        BuildError: If there is no app.
        NodeNotFoundError: If npm is needed and missing.
    """
    package = read_package_json(app_dir / "package.json")
    if given:
        return ["/bin/sh", "-c", given], given
    scripts = package.get("scripts")
    name = next((name for name in _SCRIPTS if isinstance(scripts, dict) and scripts.get(name)), None)
    if name is None:
        raise UsageError(
            "package.json has no script `dev`, so the app's server cannot be started.",
            code="no_dev_script",
            hint="Name it with --command 'node server.js', or start it yourself and add --no-app.",
        )
    manager, _ = detect_package_manager(app_dir)
    if manager == "npm":
        # npm's own words around the script's say nothing that this command does not say.
        return node.npm_command("run", "--silent", name), f"npm run {name}"
    program = shutil.which(manager)
    if program is None:
        raise UsageError(
            f"{manager} was not found.",
            code="package_manager_not_found",
            hint=f"Install {manager}, or say with --command how the app's server is started.",
        )
    return [program, "run", name], f"{manager} run {name}"


def find_url(line: str) -> str | None:
    """Return the address on this machine that a line of the server's output names, in a form to open."""
    found = _URL.search(clean(line))
    if found is None:
        return None
    return _EVERY_ADDRESS.sub("//localhost", found[0]).rstrip("/.:")


def find_taken_port(line: str) -> int | None:
    """Return the port that a line of the server's output says it cannot have; none if the server takes another one."""
    found = _TAKEN.search(clean(line))
    return int(found[1] or found[2]) if found else None
