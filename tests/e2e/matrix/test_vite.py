"""Vite: https://vite.dev. The app is create-vite's own; the team's routes are a server of Nitro beside the page."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tests.e2e.matrix.nitro_checks import NitroChecks
from tests.e2e.matrix.starter import Starter
from tests.e2e.support import run

if TYPE_CHECKING:
    from pathlib import Path


def create(folder: Path) -> None:
    options = ("--template", "vanilla-ts", "--no-interactive")
    run("npm", "create", "--yes", "vite@9.3.0", folder.name, "--", *options, cwd=folder.parent)
    run("npm", "pkg", "set", "devDependencies.@types/node=20.19.43", cwd=folder)


class TestVite(NitroChecks):
    starter: ClassVar[Starter] = Starter(
        id="vite", make=create, start=("node", ".output/server/index.mjs"), dev=("npx", "vite", "dev")
    )
