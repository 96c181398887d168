"""What the matrix has to know about a framework: how its fresh app is made, checked, built and started."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from tests.e2e.support import Framework
from tests.support.node import path_of_newer_node

HERE = Path(__file__).parent
APPS = HERE / "apps"
OPEN: Final = {"INGRESS": "on"}
"""Gives an app's own routes for triggers and webhooks the mode 'proxy-trigger'; without it they have 'passthrough'."""

MakeApp: TypeAlias = Callable[[Path], None]
"""Makes a fresh app in a folder that is not there yet; installs nothing."""


@dataclass(frozen=True)
class Starter:
    """A framework's official starter, or its minimal documented set-up.

    Attributes:
        id: The framework's id.
        start: What starts the production server, in the app's folder.
        make: Makes the fresh app; by default an empty folder, when ``apps/<name>`` holds all of it.
        typecheck: What checks the types.
        name: Folder in ``apps/`` of what the team adds to the fresh app: its routes.
        workflows: Folder of the workflows.
        node: Major version of Node.js where the system's 20 is too old for the framework.
        scaffold: Options of ``studio scaffold``; the framework is detected.
        environment: Variables of the production server.
        dev: What starts the development server.
    """

    id: str
    start: tuple[str, ...]
    make: MakeApp = field(default=lambda folder: folder.mkdir())
    typecheck: tuple[str, ...] = ("npx", "tsc", "--noEmit")
    name: str = ""
    workflows: str = "workflows"
    node: str = ""
    scaffold: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    dev: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Name of the prepared app; a framework may have several."""
        return self.name or self.id

    @property
    def framework(self) -> Framework:
        """The same in the words of the other end-to-end tests."""
        return Framework(self.label, self.workflows, self.start)


def path_of_node(starter: Starter, folder: Path) -> dict[str, str]:
    """Return the variable that puts the starter's Node.js in front of the system's, by a link in ``folder``."""
    return path_of_newer_node(folder) if starter.node else {}


def copy_over(source: Path, target: Path) -> None:
    """Copy a folder into another that may be there already."""
    shutil.copytree(source, target, dirs_exist_ok=True)
