"""TanStack Start: https://tanstack.com/start. The app is its command's own, with Nitro as the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tests.e2e.matrix.nitro_checks import NitroChecks
from tests.e2e.matrix.starter import Starter
from tests.e2e.support import run

if TYPE_CHECKING:
    from pathlib import Path

CHOICES = ("--framework", "React", "--package-manager", "npm", "--blank", "--deployment", "nitro", "-y")
# With its skills for agents the command reports errors after the app is made, and none by its exit status.
LEFT_OUT = ("--no-intent", "--no-toolchain", "--no-install", "--no-git")


def create(folder: Path) -> None:
    run("npx", "--yes", "@tanstack/cli@0.71.0", "create", folder.name, *CHOICES, *LEFT_OUT, cwd=folder.parent)


class TestTanStackStart(NitroChecks):
    starter: ClassVar[Starter] = Starter(
        id="tanstack-start",
        make=create,
        start=("node", ".output/server/index.mjs"),
        workflows="src/workflows",
        node="22",
        dev=("npx", "vite", "dev"),
    )
