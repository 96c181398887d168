"""Running the project's own package manager."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from workflow_studio.scaffolder.errors import InstallError
from workflow_studio.scaffolder.node import find_node

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workflow_studio.scaffolder.output import Output

_TIMEOUT_SECONDS = 900


def is_installed(root: Path, packages: Sequence[str]) -> bool:
    """Return whether npm packages can be resolved from the project."""
    folders = (root, *root.resolve().parents)
    return all(
        any((folder / "node_modules" / name / "package.json").is_file() for folder in folders) for name in packages
    )


def require_manager(manager: str) -> None:
    """Make sure that ``manager`` can be run; called before the first file is written.

    Raises:
        InstallError: The package manager is missing.
        NodeNotFoundError: npm was asked for and there is no Node.js.
    """
    _command(manager)


def install(root: Path, manager: str, output: Output) -> None:
    """Install the project's packages.

    Args:
        root: The project.
        manager: ``npm``, ``pnpm``, ``yarn`` or ``bun``.
        output: Where progress is shown.

    Raises:
        InstallError: The package manager is missing or failed.
        NodeNotFoundError: npm was asked for and there is no Node.js.
    """
    command, environment = _command(manager)
    with output.status(f"{manager} install"):
        try:
            result = subprocess.run(  # noqa: S603 - the project's package manager, at the user's request
                command,
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_TIMEOUT_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            message = f"{manager} install did not finish in {_TIMEOUT_SECONDS // 60} minutes."
            raise InstallError(message, hint=_hint(root, manager)) from error
    if result.returncode != 0:
        tail = "\n".join((result.stderr or result.stdout).strip().splitlines()[-15:])
        raise InstallError(f"{manager} install failed (exit {result.returncode}).\n{tail}", hint=_hint(root, manager))


def _command(manager: str) -> tuple[list[str], dict[str, str]]:
    if manager == "npm":
        node = find_node()
        return node.npm_command("install", "--no-fund", "--no-audit"), node.environment()
    executable = shutil.which(manager)
    if executable is None:
        raise InstallError(
            f"{manager} was not found.",
            code="package_manager_not_found",
            hint=f"Install {manager}, choose another with --package-manager, or write the files only: --no-install.",
        )
    return [executable, "install"], dict(os.environ)


def _hint(root: Path, manager: str) -> str:
    return f"The files are in place. Run `{manager} install` in {root} and read what it says."
