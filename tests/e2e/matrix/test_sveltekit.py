"""SvelteKit 2 and 3: https://svelte.dev/docs/kit. The apps are those of ``sv create``."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from tests.e2e.matrix.checks import Checks
from tests.e2e.matrix.starter import APPS, Starter, copy_over
from tests.e2e.support import run

if TYPE_CHECKING:
    from pathlib import Path


def create(folder: Path) -> None:
    options = ("--template", "minimal", "--types", "ts", "--no-add-ons", "--no-install")
    run("npx", "--yes", "sv@0.17.1", "create", folder.name, *options, cwd=folder.parent)


class TestSveltekit(Checks):
    starter: ClassVar[Starter] = Starter(
        id="sveltekit",
        make=create,
        workflows="src/workflows",
        # The app's .npmrc has npm hold every package to the Node.js that it asks for.
        node="22",
        typecheck=("npm", "run", "check"),
        start=("node", "build"),
        dev=("npx", "vite", "dev"),
    )


def create_with_kit_3(folder: Path) -> None:
    """What sv makes is for Kit 2 still, as is adapter-auto; the rest of what Kit 3 needs is in the overlay."""
    create(folder)
    run("npm", "pkg", "delete", "devDependencies.@sveltejs/adapter-auto", cwd=folder)
    releases = ("kit=3.2.0", "adapter-node=6.0.1")
    run("npm", "pkg", "set", *(f"devDependencies.@sveltejs/{release}" for release in releases), cwd=folder)
    copy_over(APPS / "sveltekit", folder)


class TestSveltekit3(Checks):
    starter: ClassVar[Starter] = Starter(
        id="sveltekit",
        name="sveltekit3",
        make=create_with_kit_3,
        workflows="src/workflows",
        node="22",
        typecheck=("npm", "run", "check"),
        start=("node", "build"),
        dev=("npx", "vite", "dev"),
    )
